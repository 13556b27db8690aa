"""Draws the pictures of the conventions page: the 68 landmarks and the model frame on the built-in mean face.

python -m docs.figures
"""

import base64
from pathlib import Path

import cv2
import numpy as np

from sirjax.morphable import builtin_face_model, landmarks_of
from sirjax.pictures.views import FRONT, SIDE, clay_view, place_in_view

IMAGES = Path(__file__).parent / "images"
SIZE = 900  # of a whole view, pixels
# First and last landmark, closed, color.
STROKES = (
    (0, 16, False, "#1565c0"),
    (17, 21, False, "#6a1b9a"),
    (22, 26, False, "#6a1b9a"),
    (27, 30, False, "#2e7d32"),
    (31, 35, False, "#2e7d32"),
    (36, 41, True, "#c62828"),
    (42, 47, True, "#c62828"),
    (48, 59, True, "#ad1457"),
    (60, 67, True, "#e65100"),
)
STYLE = "font-family:sans-serif;font-weight:600;text-anchor:middle;dominant-baseline:central"
HALO = 'stroke="#fff" stroke-width="3" paint-order="stroke"'


def main() -> None:
    """Writes both pictures."""
    model = builtin_face_model()
    marks = np.asarray(landmarks_of(model, model.mean[None])[0])
    (IMAGES / "landmarks.svg").write_text(landmark_picture(model, marks))
    (IMAGES / "frame.svg").write_text(frame_picture(model, marks))


def landmark_picture(model, marks) -> str:
    """The face with numbered points; numbers stand outward of their stroke."""
    places = place_in_view(model, marks, FRONT, SIZE)[:, :2]
    (left, top), (right, bottom) = places.min(axis=0) - 60, places.max(axis=0) + np.array([60, 130])
    chin = np.array([(left + right) / 2, 0.5 * (places[8, 1] + bottom) + 10])
    parts = [embedded(clay_view(model, np.asarray(model.mean), FRONT, size=SIZE))]
    for first, last, closed, color in STROKES:
        stroke = places[first : last + 1]
        if first == 60:  # closed lips: below the chin once more, drawn apart, where the numbers have room
            parts.append(outline(stroke, closed, color))
            stroke = (stroke - stroke.mean(axis=0)) * (1.5, 6.0) + chin
        parts.append(outline(stroke, closed, color))
        middle = np.array([(left + right) / 2, 0.42 * top + 0.58 * bottom]) if first == 0 else stroke.mean(axis=0)
        for i, (u, v) in enumerate(stroke, start=first):
            parts.append(f'<circle cx="{u:.1f}" cy="{v:.1f}" r="3.2" fill="{color}" stroke="#fff"/>')
            shift = outward(np.array([u, v]), middle, first)
            parts.append(
                f'<text x="{u + shift[0]:.1f}" y="{v + shift[1]:.1f}" style="{STYLE};font-size:13px" fill="{color}" '
                f"{HALO}>{i}</text>"
            )
    return svg(parts, left, top, right - left, bottom - top)


def outward(place, middle, first):
    """Where the number of a point stands, from the point: up for brows, to the side for the nose's ridge."""
    if first in (17, 22):
        return np.array([0.0, -14.0])
    if first == 27:
        return np.array([-14.0, 0.0])
    if first == 31:
        return np.array([0.0, 14.0])
    offset = (place - middle) * (1.0, 1.5)
    return 14.0 * offset / np.linalg.norm(offset)


def outline(stroke, closed, color) -> str:
    """A line through points."""
    line = " ".join(f"{u:.1f},{v:.1f}" for u, v in stroke)
    shape = "polygon" if closed else "polyline"
    return f'<{shape} points="{line}" fill="none" stroke="{color}" stroke-width="2"/>'


def frame_picture(model, marks) -> str:
    """Front and side with the axes of the model frame."""
    parts = []
    for k, (yaw, horizontal) in enumerate(((FRONT, "x"), (SIDE, "z"))):
        shift = k * SIZE
        parts.append(embedded(clay_view(model, np.asarray(model.mean), yaw, size=SIZE), shift))
        for axis, tip in ((horizontal, 100 * np.eye(3)["xyz".index(horizontal)]), ("y", np.array([0.0, 100.0, 0.0]))):
            origin, end = place_in_view(model, np.stack([np.zeros(3), tip]), yaw, SIZE)[:, :2] + [shift, 0]
            parts.append(arrow(origin, end, f"{axis}, 100 mm"))
        nose = place_in_view(model, marks[30:31], yaw, SIZE)[0, :2] + [shift, 0]
        parts.append(f'<circle cx="{nose[0]:.1f}" cy="{nose[1]:.1f}" r="7" fill="#2e7d32" stroke="#fff"/>')
    return svg(parts, 0.1 * SIZE, 0.05 * SIZE, 1.92 * SIZE, 0.9 * SIZE)


def arrow(origin, end, label) -> str:
    """An axis with its name above the tip."""
    along = (end - origin) / np.linalg.norm(end - origin)
    across = np.array([-along[1], along[0]])
    head = " ".join(f"{u:.1f},{v:.1f}" for u, v in (end + 22 * along, end + 10 * across, end - 10 * across))
    place = end + 22 * along + np.array([0.0, -22.0])
    return (
        f'<line x1="{origin[0]:.1f}" y1="{origin[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}" stroke="#c62828" '
        f'stroke-width="5"/><polygon points="{head}" fill="#c62828"/><circle cx="{origin[0]:.1f}" cy="{origin[1]:.1f}" '
        f'r="8" fill="#c62828"/><text x="{place[0]:.1f}" y="{place[1]:.1f}" style="{STYLE};font-size:38px" '
        f'fill="#c62828" stroke="#fff" stroke-width="6" paint-order="stroke">{label}</text>'
    )


def embedded(picture, shift=0) -> str:
    """A view inside the file, moved right by `shift` pixels."""
    data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes()
    # Pixel centers are whole numbers in the views, pixel edges in SVG.
    return (
        f'<image x="{shift - 0.5}" y="-0.5" width="{SIZE}" height="{SIZE}" '
        f'href="data:image/jpeg;base64,{base64.b64encode(data).decode()}"/>'
    )


def svg(parts, left, top, width, height) -> str:
    """The file; what lies outside of the box is cut off."""
    box = f"{left:.0f} {top:.0f} {width:.0f} {height:.0f}"
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}">\n' + "\n".join(parts) + "\n</svg>\n"


if __name__ == "__main__":
    main()
