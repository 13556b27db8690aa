"""A small textured mesh with a seam in its texture."""

import numpy as np

from sirjax.export.mesh import TexturedMesh, textured_mesh
from tests.face_models import dome_face_model


def dome_mesh() -> TexturedMesh:
    """The dome's mesh; no seam."""
    model = dome_face_model(grid=9)
    return textured_mesh(model, np.asarray(model.mean), np.asarray(model.mean_albedo))


def seamed_mesh() -> TexturedMesh:
    """Two squares that share an edge in space but not in the texture.

        3---4---5          2---3   6---7
        |  /|  /|   in uv: |  /|   |  /|
        0---1---2          0---1   4---5
    """  # fmt: skip
    vertices = np.array([[0, 0, 0], [10, 0, 1], [20, 0, 0], [0, 10, 0], [10, 10, 1.5], [20, 10, 0]], np.float32)
    triangles = np.array([[0, 1, 4], [0, 4, 3], [1, 2, 5], [1, 5, 4]], np.int32)
    columns = np.array([0.125, 0.375, 0.125, 0.375, 0.625, 0.875, 0.625, 0.875])
    rows = np.array([0.875, 0.875, 0.125, 0.125, 0.875, 0.875, 0.125, 0.125])
    uv = np.stack([columns, rows], axis=1).astype(np.float32)
    uv_triangles = np.array([[0, 1, 3], [0, 3, 2], [4, 5, 7], [4, 7, 6]], np.int32)
    texture = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    normals = np.tile(np.array([[0.0, 0.0, 1.0]], np.float32), (6, 1))
    return TexturedMesh(vertices, normals, triangles, uv, uv_triangles, texture)
