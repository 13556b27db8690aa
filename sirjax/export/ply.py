"""Binary PLY with normals and vertex colors: millimeters, y up."""

from pathlib import Path

import numpy as np

from sirjax.export.mesh import TexturedMesh, vertex_colors
from sirjax.files import write_bytes

_VERTEX = np.dtype([(name, "<f4") for name in ("x", "y", "z", "nx", "ny", "nz")] + [("rgb", "u1", 3)])
_FACE = np.dtype([("count", "u1"), ("corners", "<i4", 3)])


def write_ply(path: Path, mesh: TexturedMesh, *, comment: str = "") -> Path:
    """Writes a binary little-endian PLY file. Vertices keep the order of the face model: seams are not split."""
    vertices = np.empty(len(mesh.vertices), _VERTEX)
    for i, axis in enumerate("xyz"):
        vertices[axis], vertices[f"n{axis}"] = mesh.vertices[:, i], mesh.normals[:, i]
    vertices["rgb"] = vertex_colors(mesh)
    faces = np.empty(len(mesh.triangles), _FACE)
    faces["count"], faces["corners"] = 3, mesh.triangles
    header = [
        "ply",
        "format binary_little_endian 1.0",
        *(f"comment {line}" for line in comment.splitlines()),
        f"element vertex {len(vertices)}",
        *(f"property float {name}" for name in ("x", "y", "z", "nx", "ny", "nz")),
        *(f"property uchar {name}" for name in ("red", "green", "blue")),
        f"element face {len(faces)}",
        "property list uchar int vertex_indices",
        "end_header",
    ]
    text = "\n".join(header).encode("ascii", "replace") + b"\n"
    write_bytes(path, text + vertices.tobytes() + faces.tobytes())
    return path
