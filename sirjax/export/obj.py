"""Wavefront OBJ with its material (MTL) and texture (PNG): millimeters, y up."""

import functools
from pathlib import Path

import numpy as np
from jaxtyping import Num

from sirjax.export.files import write_image
from sirjax.export.mesh import TexturedMesh
from sirjax.files import write_text


def write_obj(path: Path, mesh: TexturedMesh, *, comment: str = "") -> list[Path]:
    """Writes NAME.obj, NAME.mtl and NAME.png; returns the three. Vertices keep the order of the face model.

    Raises:
      ValueError: if the name holds white space, which the format cannot quote.
    """
    if any(letter.isspace() for letter in path.name):
        raise ValueError(f"OBJ files cannot refer to names with white space, got {path.name!r}: use another name")
    material_path, texture_path = path.with_suffix(".mtl"), path.with_suffix(".png")
    write_image(texture_path, mesh.texture)
    write_text(material_path, _material(texture_path.name))
    write_text(path, _object(mesh, material_path.name, comment))
    return [path, material_path, texture_path]


def _material(texture_name: str) -> str:
    return f"newmtl face\nKa 1 1 1\nKd 1 1 1\nKs 0 0 0\nillum 1\nmap_Kd {texture_name}\n"


def _object(mesh: TexturedMesh, material_name: str, comment: str) -> str:
    parts = [f"# {line}\n" for line in comment.splitlines()]
    parts += [f"mtllib {material_name}\n", "o face\n", _lines("v %.4f %.4f %.4f\n", mesh.vertices)]
    corners = np.stack([mesh.triangles, mesh.uv_triangles], axis=-1)
    parts.append(_texture_and_faces(mesh.uv.astype(np.float32).tobytes(), corners.astype(np.int32).tobytes()))
    return "".join(parts)


@functools.lru_cache(maxsize=2)
def _texture_and_faces(uv: bytes, corners: bytes) -> str:
    """The lines of float32 [Vt, 2] and int32 [T, 3, 2]. Most of the text, and the same for all faces of a model."""
    upward = np.frombuffer(uv, np.float32).reshape(-1, 2) * [1.0, -1.0] + [0.0, 1.0]  # OBJ counts v upward
    from_one = np.frombuffer(corners, np.int32).reshape(-1, 6) + 1  # OBJ counts from 1
    faces = _lines("f %d/%d %d/%d %d/%d\n", from_one)
    return _lines("vt %.6f %.6f\n", upward) + "usemtl face\ns 1\n" + faces


def _lines(template: str, rows: Num[np.ndarray, "N C"]) -> str:
    """A line for each row; one formatting for all of them is several times faster than one each."""
    return template * len(rows) % tuple(rows.reshape(-1).tolist())
