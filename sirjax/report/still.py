"""Small still pictures of meshes, for readers without WebGL: the same camera and light as assets/mesh.js."""

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8

START = (0.35, 0.10)  # yaw and pitch of the first view, radians
SIZE = 240  # pixels
_FILLED = 0.94  # share of the picture's side
_PAPER = (246, 247, 249)  # as the cards of page.css


def reach(size: Float[np.ndarray, " 3"]) -> float:
    """Half the side of the square, mm, in which a box of this size stays visible however its yaw is turned."""
    return max(size[1], 0.9 * float(np.hypot(size[0], size[2]))) / 2 or 1.0


def draw(
    vertices: Float[np.ndarray, "V 3"],
    triangles: Int[np.ndarray, "T 3"],
    colors: Float[np.ndarray, "V 3"],
    middle: Float[np.ndarray, " 3"],
    half: float,
    *,
    ambient: float = 0.0,
) -> UInt8[np.ndarray, "SIZE SIZE 3"]:
    """The mesh from the first view, each triangle in one color, the far ones first.

    Args:
      vertices: mm, y up, z toward the viewer.
      triangles: counterclockwise seen from outside.
      colors: RGB in [0, 1], not yet lit.
      middle: what is shown in the middle of the picture.
      half: half of the picture's side, mm.
      ambient: share of light from everywhere, which keeps a color scale readable.
    """
    side = 2 * SIZE  # shrunk at the end, for smooth edges
    placed = (vertices - middle) @ turn(*START).T
    corners = placed[triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-20)
    lit = 255 * colors[triangles].mean(axis=1) * (ambient + (1 - ambient) * light(normals))[:, None]
    front = np.flatnonzero(normals[:, 2] > 0)
    order = front[np.argsort(corners[front, :, 2].mean(axis=1))]
    scale = _FILLED * side / (2 * half)
    pixels = np.round(corners[..., :2] * [scale, -scale] + side / 2).astype(np.int32)
    image = np.full((side, side, 3), _PAPER, np.uint8)
    for polygon, color in zip(pixels[order], np.clip(lit[order], 0, 255).tolist(), strict=True):
        cv2.fillConvexPoly(image, polygon, color)
    return cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_AREA)


def turn(yaw: float, pitch: float) -> Float[np.ndarray, "3 3"]:
    """First about the y axis (positive: to the picture's right), then about the x axis (positive: down)."""
    cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    return np.array([[cy, 0, sy], [sp * sy, cp, -sp * cy], [-cp * sy, sp, cp * cy]])


def light(normals: Float[np.ndarray, "N 3"]) -> Float[np.ndarray, " N"]:
    """A main light from the upper left, a weak one from the right, a little darker at the rim."""
    key, fill = np.array([-0.45, 0.55, 0.70]), np.array([0.80, 0.10, 0.45])
    lit = 0.30 + 0.72 * np.maximum(normals @ key, 0) + 0.20 * np.maximum(normals @ fill, 0)
    return lit * (0.75 + 0.25 * np.maximum(normals[:, 2], 0))
