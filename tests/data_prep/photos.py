"""Small raw data sets that tests write: drawn faces with known landmarks, and trees of them."""

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from sirjax.data import alignment


def template_landmarks() -> Float[np.ndarray, "68 2"]:
    """68 points of a plain frontal face in crop pixels, whose five points lie about on the template."""

    def arc(center, radii, first, last, count):
        angle = np.radians(np.linspace(first, last, count))
        return center + np.stack([radii[0] * np.cos(angle), radii[1] * np.sin(angle)], axis=1)

    right_eye, left_eye, nose, right_corner, left_corner = alignment.TEMPLATE
    mouth = (right_corner + left_corner) / 2
    half = (left_corner[0] - right_corner[0]) / 2
    return np.concatenate(
        [
            arc((48, 68), (40, 48), 185, -5, 17),
            arc(right_eye - (0, 8), (11, 4), 190, 350, 5),
            arc(left_eye - (0, 8), (11, 4), 190, 350, 5),
            np.linspace((48, 52), nose, 4),
            arc(nose + np.array([0, 5]), (8, 2), 180, 0, 5),
            arc(right_eye, (7, 3), 180, 480, 6),
            arc(left_eye, (7, 3), 180, 480, 6),
            arc(mouth, (half, 6), 180, 510, 12),
            arc(mouth, (half * 0.8, 3), 180, 495, 8),
        ]
    )


def drawn_face(seed: int, size: tuple[int, int] = (160, 140)) -> tuple[UInt8[np.ndarray, "H W 3"], np.ndarray]:
    """A photo of noise with bright landmarks, another one for each seed: (image, landmarks in photo pixels)."""
    rng = np.random.default_rng(seed)
    angle, scale = rng.uniform(-0.3, 0.3), rng.uniform(0.8, 1.1)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = template_landmarks()
    points = (points - points.mean(axis=0)) @ turn.T + np.array(size[::-1]) / 2 + rng.uniform(-3, 3, 2)
    noise = rng.integers(40, 120, (size[0] // 8, size[1] // 8, 3), dtype=np.uint8)
    image = cv2.resize(noise, size[::-1], interpolation=cv2.INTER_CUBIC)
    for u, v in np.rint(points).astype(int).tolist():
        cv2.circle(image, (u, v), 1, (250, 250, 250), cv2.FILLED)
    return image, points


def jpeg(image: UInt8[np.ndarray, "H W 3"], quality: int = 92) -> bytes:
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def pts(landmarks: Float[np.ndarray, "N 2"]) -> str:
    """A `.pts` file as iBUG writes it: pixels count from 1."""
    lines = "\n".join(f"{u + 1:.6f} {v + 1:.6f}" for u, v in landmarks)
    return f"version: 1\nn_points: {len(landmarks)}\n{{\n{lines}\n}}\n"


def landmark_tree(root, count: int, first: int = 0):
    """`count` drawn faces with `.pts` files in two subfolders; returns the root."""
    for number in range(first, first + count):
        image, landmarks = drawn_face(number)
        folder = root / ("afw" if number % 3 else "helen/train")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:04d}.jpg").write_bytes(jpeg(image))
        (folder / f"{number:04d}.pts").write_text(pts(landmarks))
    return root


def records_bytes(path):
    """Name -> content of all files of a records folder."""
    return {file.name: file.read_bytes() for file in path.iterdir()}
