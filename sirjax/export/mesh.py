"""The textured mesh that the file writers take. V vertices, T triangles, Vt texture vertices, U side of the texture."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8

from sirjax.geometry import mesh as meshes
from sirjax.morphable.model import FaceModel


@dataclass(frozen=True)
class TexturedMesh:
    """A mesh whose texture may have seams: triangles and texture triangles are parallel, their vertices are not."""

    vertices: np.ndarray  # float32 [V, 3] millimeters
    normals: np.ndarray  # float32 [V, 3] unit
    triangles: np.ndarray  # int32 [T, 3], counterclockwise seen from outside
    uv: np.ndarray  # float32 [Vt, 2] in [0, 1], v downward (row 0 of the texture at v = 0)
    uv_triangles: np.ndarray  # int32 [T, 3]
    texture: np.ndarray  # uint8 [U, U, 3] RGB


def textured_mesh(
    face_model: FaceModel, vertices: Float[np.ndarray, "V 3"], albedo: Float[np.ndarray, "U U 3"]
) -> TexturedMesh:
    """The face model's mesh at given vertices (mm, any frame), with an albedo map in [0, 1] as its texture."""
    vertices = np.asarray(vertices, np.float32)
    return TexturedMesh(
        vertices=vertices,
        normals=meshes.vertex_normals_of_one(vertices, face_model.topology),
        triangles=np.asarray(face_model.triangles),
        uv=np.asarray(face_model.uv),
        uv_triangles=np.asarray(face_model.uv_triangles),
        texture=np.rint(np.clip(albedo, 0.0, 1.0) * 255.0).astype(np.uint8),
    )


def split_seams(mesh: TexturedMesh) -> TexturedMesh:
    """The same surface with one vertex per (vertex, texture vertex) pair in use, for formats with a single index."""
    # One number for each pair: sorting rows takes ten times as long.
    pairs = mesh.triangles.reshape(-1).astype(np.int64) * len(mesh.uv) + mesh.uv_triangles.reshape(-1)
    unique, index = np.unique(pairs, return_inverse=True)
    triangles = index.reshape(-1, 3).astype(np.int32)
    own, texture_vertex = np.divmod(unique, len(mesh.uv))
    return replace(
        mesh,
        vertices=mesh.vertices[own],
        normals=mesh.normals[own],
        uv=mesh.uv[texture_vertex],
        triangles=triangles,
        uv_triangles=triangles,
    )


def vertex_colors(mesh: TexturedMesh) -> UInt8[np.ndarray, "V 3"]:
    """The texture at each vertex, bilinear; at a seam the first of its texture vertices; grey where there is none."""
    texture_vertex = first_texture_vertex(mesh)
    place = mesh.uv[np.maximum(texture_vertex, 0)] * len(mesh.texture) - 0.5
    # One row of samples would be longer than OpenCV's remap allows on large meshes, hence the column.
    x, y = (np.ascontiguousarray(place[:, i, None], np.float32) for i in (0, 1))
    colors = np.concatenate([
        cv2.remap(mesh.texture, x[i : i + 16384], y[i : i + 16384], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        for i in range(0, len(x), 16384)
    ])[:, 0]  # fmt: skip
    colors[texture_vertex < 0] = 128
    return colors


def first_texture_vertex(mesh: TexturedMesh) -> Int[np.ndarray, " V"]:
    """A row of `uv` for each vertex; -1 for those that no triangle uses."""
    first = np.full(len(mesh.vertices), -1, np.int64)
    first[mesh.triangles.reshape(-1)[::-1]] = mesh.uv_triangles.reshape(-1)[::-1]  # the first mention wins
    return first
