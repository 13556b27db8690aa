"""Binary glTF 2.0 with the texture inside: one file for viewers, web pages and game engines.

glTF counts meters, so millimeters are divided by 1000; axes (y up, z toward the viewer) and v (downward) are as here.
"""

import json
import struct
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from sirjax.export.files import encode_image, software
from sirjax.export.mesh import TexturedMesh, split_seams
from sirjax.files import write_bytes

METERS_PER_MILLIMETER = 1e-3
_FLOAT, _UNSIGNED_INT = 5126, 5125
_ARRAY_BUFFER, _ELEMENT_ARRAY_BUFFER = 34962, 34963
_LINEAR, _LINEAR_MIPMAP_LINEAR, _CLAMP_TO_EDGE = 9729, 9987, 33071


def write_glb(path: Path, mesh: TexturedMesh, *, copyright: str = "", comment: str = "") -> Path:
    """Writes a GLB file. Vertices at texture seams are split, so their order is not the face model's."""
    split = split_seams(mesh)
    positions = (split.vertices * np.float32(METERS_PER_MILLIMETER)).astype("<f4")
    buffer = _Buffer()
    position = buffer.add_array(positions, _FLOAT, "VEC3", _ARRAY_BUFFER, with_range=True)
    normal = buffer.add_array(split.normals.astype("<f4"), _FLOAT, "VEC3", _ARRAY_BUFFER)
    texcoord = buffer.add_array(split.uv.astype("<f4"), _FLOAT, "VEC2", _ARRAY_BUFFER)
    indices = buffer.add_array(
        split.triangles.astype("<u4").reshape(-1), _UNSIGNED_INT, "SCALAR", _ELEMENT_ARRAY_BUFFER
    )
    image = buffer.add_bytes(encode_image(split.texture))
    asset = {"version": "2.0", "generator": software()}
    if copyright:
        asset["copyright"] = copyright
    material = {
        "name": "face",
        "doubleSided": True,  # face models end at the neck or around the ears: the inside can be seen
        "pbrMetallicRoughness": {"baseColorTexture": {"index": 0}, "metallicFactor": 0.0, "roughnessFactor": 0.9},
    }
    primitive = {
        "attributes": {"POSITION": position, "NORMAL": normal, "TEXCOORD_0": texcoord},
        "indices": indices,
        "material": 0,
    }
    document = {
        "asset": asset,
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"name": "face", "mesh": 0}],
        "meshes": [{"name": "face", "primitives": [primitive], "extras": {"comment": comment}}],
        "materials": [material],
        "textures": [{"source": 0, "sampler": 0}],
        "samplers": [
            {
                "magFilter": _LINEAR,
                "minFilter": _LINEAR_MIPMAP_LINEAR,
                "wrapS": _CLAMP_TO_EDGE,
                "wrapT": _CLAMP_TO_EDGE,
            }
        ],
        "images": [{"bufferView": image, "mimeType": "image/png"}],
        "accessors": buffer.accessors,
        "bufferViews": buffer.views,
        "buffers": [{"byteLength": len(buffer.data)}],
    }
    write_bytes(path, _container(document, bytes(buffer.data)))
    return path


class _Buffer:
    """The binary chunk and the tables that say what lies where in it."""

    def __init__(self):
        self.data, self.views, self.accessors = bytearray(), [], []

    def add_bytes(self, data: bytes, target: int | None = None) -> int:
        """Appends `data`, aligned to 4 bytes; returns the number of its view."""
        view = {"buffer": 0, "byteOffset": len(self.data), "byteLength": len(data)}
        self.views.append(view if target is None else {**view, "target": target})
        self.data += data + b"\0" * (-len(data) % 4)
        return len(self.views) - 1

    def add_array(
        self, array: Shaped[np.ndarray, "N ..."], component: int, kind: str, target: int, with_range: bool = False
    ) -> int:
        """Appends an array; returns the number of its accessor."""
        view = self.add_bytes(array.tobytes(), target)
        accessor = {"bufferView": view, "componentType": component, "count": len(array), "type": kind}
        if with_range:  # the bounding box, required for positions
            accessor |= {"min": array.min(axis=0).tolist(), "max": array.max(axis=0).tolist()}
        self.accessors.append(accessor)
        return len(self.accessors) - 1


def _container(document: dict, binary: bytes) -> bytes:
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    length = 12 + 8 + len(text) + 8 + len(binary)
    header = struct.pack("<4sII", b"glTF", 2, length)
    return header + struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary
