import io
import json
import struct

import numpy as np
import pygltflib
import pytest
import trimesh
from PIL import Image

from sirjax.export.glb import write_glb
from sirjax.export.mesh import split_seams
from tests.export.gltf_rules import read_container, violations
from tests.export.meshes import dome_mesh, seamed_mesh


def arrays(path):
    """Positions, normals, uv and triangles through pygltflib's tables."""
    document = pygltflib.GLTF2().load(str(path))
    primitive = document.meshes[0].primitives[0]

    def read(number, dtype, columns):
        accessor = document.accessors[number]
        view = document.bufferViews[accessor.bufferView]
        data = document.binary_blob()[view.byteOffset : view.byteOffset + view.byteLength]
        return np.frombuffer(data, dtype).reshape(accessor.count, columns)

    attributes = primitive.attributes
    triangles = read(primitive.indices, "<u4", 1).reshape(-1, 3)
    texcoord = read(attributes.TEXCOORD_0, "<f4", 2)
    return document, read(attributes.POSITION, "<f4", 3), read(attributes.NORMAL, "<f4", 3), texcoord, triangles


@pytest.mark.parametrize("mesh", [dome_mesh(), seamed_mesh()], ids=["dome", "seam"])
def test_every_corner_comes_back_in_meters(tmp_path, mesh):
    _, position, normal, uv, triangles = arrays(write_glb(tmp_path / "face.glb", mesh))
    np.testing.assert_allclose(position[triangles], mesh.vertices[mesh.triangles] / 1000, rtol=1e-6)
    np.testing.assert_allclose(normal[triangles], mesh.normals[mesh.triangles], atol=1e-7)
    np.testing.assert_array_equal(uv[triangles], mesh.uv[mesh.uv_triangles])  # v is downward in glTF too


def test_the_bounding_box_is_exact(tmp_path):
    document, position, *_ = arrays(write_glb(tmp_path / "face.glb", dome_mesh()))
    accessor = document.accessors[document.meshes[0].primitives[0].attributes.POSITION]
    assert accessor.min == position.min(axis=0).tolist()
    assert accessor.max == position.max(axis=0).tolist()


def test_the_texture_lies_inside(tmp_path):
    mesh = seamed_mesh()
    document, *_ = arrays(write_glb(tmp_path / "face.glb", mesh))
    view = document.bufferViews[document.images[0].bufferView]
    data = document.binary_blob()[view.byteOffset : view.byteOffset + view.byteLength]
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data))), mesh.texture)


def test_chunks_are_aligned_and_their_lengths_true(tmp_path):
    data = write_glb(tmp_path / "face.glb", seamed_mesh(), comment="äöü").read_bytes()
    assert data[:4] == b"glTF"
    assert int.from_bytes(data[8:12], "little") == len(data)
    json_length = int.from_bytes(data[12:16], "little")
    binary_length = int.from_bytes(data[20 + json_length : 24 + json_length], "little")
    assert json_length % 4 == 0
    assert binary_length % 4 == 0
    assert 28 + json_length + binary_length == len(data)
    document = pygltflib.GLTF2().load(str(tmp_path / "face.glb"))
    assert all(view.byteOffset % 4 == 0 for view in document.bufferViews)


@pytest.mark.parametrize("mesh", [dome_mesh(), seamed_mesh()], ids=["dome", "seam"])
def test_nothing_is_there_that_the_validator_would_report(tmp_path, mesh):
    assert violations(write_glb(tmp_path / "face.glb", mesh, copyright="CC0-1.0", comment="äöü")) == []


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("accessors", 0, "max"), [1.0, 1.0, 1.0], "max of POSITION is"),
        (("accessors", 3, "count"), 3, "accessor 3 does not fit its view"),
        (("accessors", 3, "componentType"), 5126, "indices of component type 5126"),
        (("bufferViews", 1, "byteOffset"), 0, "view 1 overlaps the one before"),
        (("bufferViews", 1, "target"), 34963, "accessor 1 lies in a view of another target than attribute"),
        (("buffers", 0, "byteLength"), 8, "a buffer of"),
        (("images", 0, "mimeType"), "image/jpeg", "an image of type image/jpeg begins with"),
        (("meshes", 0, "primitives", 0, "attributes", "NORMAL"), 0, "normals of length"),
        (("textures", 0, "source"), 1, "the texture names what is not there"),
    ],
)
def test_what_would_be_wrong_is_found(tmp_path, place, value, message):
    path = write_glb(tmp_path / "face.glb", seamed_mesh())
    document, binary, _ = read_container(path)
    *way, last = place
    part = document
    for step in way:
        part = part[step]
    part[last] = value
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary
    path.write_bytes(struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks)
    assert any(message in line for line in violations(path)), violations(path)


def test_the_licence_is_recorded(tmp_path):
    document, *_ = arrays(write_glb(tmp_path / "face.glb", seamed_mesh(), copyright="CC0-1.0"))
    assert document.asset.copyright == "CC0-1.0"
    assert document.asset.generator.startswith("sirjax ")
    assert arrays(write_glb(tmp_path / "face.glb", seamed_mesh()))[0].asset.copyright is None


def test_trimesh_reads_it(tmp_path):
    mesh = seamed_mesh()
    loaded = trimesh.load(write_glb(tmp_path / "face.glb", mesh), process=False, force="mesh")
    np.testing.assert_allclose(loaded.vertices, split_seams(mesh).vertices / 1000, rtol=1e-6)
    np.testing.assert_array_equal(loaded.faces, split_seams(mesh).triangles)
