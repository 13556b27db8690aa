"""OBJ, PLY and GLB of one face, read by other programs' libraries, are the same face."""

import io

import numpy as np
import pygltflib
import pytest
import trimesh
from PIL import Image

from sirjax.export.mesh_files import write_face
from sirjax.export.parameters import Provenance
from sirjax.morphable import builtin_face_model
from tests.export.gltf_rules import violations
from tests.face_models import dome_face_model
from tests.reconstructions import known_face, similarity

CROP = similarity(0.31, 21.0, (-80.0, -35.0))


@pytest.fixture(scope="module", params=["dome", "builtin"])
def files(request, tmp_path_factory):
    """A face written in all formats with a texture of its own; and that texture."""
    model = dome_face_model(grid=9) if request.param == "dome" else builtin_face_model()
    folder = tmp_path_factory.mktemp(request.param)
    rows, columns = np.mgrid[0:128, 0:128] / 127
    texture = np.stack([rows, columns, 1 - rows], axis=-1).astype(np.float32)
    write_face(folder, "f", known_face(CROP, model), model, Provenance("f00d"), ("obj", "ply", "glb"), texture=texture)
    return folder, model, np.rint(texture * 255).astype(np.uint8)


def obj_parts(path):
    """Positions, texture vertices (v up) and corners (position, texture vertex) by the format's own words."""
    lines = [line.split() for line in path.read_text().splitlines()]
    positions = np.array([line[1:] for line in lines if line[0] == "v"], float)
    texture_vertices = np.array([line[1:] for line in lines if line[0] == "vt"], float)
    corners = np.array([[corner.split("/") for corner in line[1:]] for line in lines if line[0] == "f"], int) - 1
    return positions, texture_vertices, corners


def glb_parts(path):
    """Positions (mm), uv (v down), triangles and texture by pygltflib."""
    document = pygltflib.GLTF2().load(str(path))

    def view(number):
        part = document.bufferViews[number]
        return document.binary_blob()[part.byteOffset : part.byteOffset + part.byteLength]

    def read(number, dtype, columns):
        accessor = document.accessors[number]
        return np.frombuffer(view(accessor.bufferView), dtype).reshape(accessor.count, columns)

    primitive = document.meshes[0].primitives[0]
    image = Image.open(io.BytesIO(view(document.images[0].bufferView)))
    return (
        read(primitive.attributes.POSITION, "<f4", 3) * 1000.0,
        read(primitive.attributes.TEXCOORD_0, "<f4", 2),
        read(primitive.indices, "<u4", 1).reshape(-1, 3),
        np.asarray(image),
    )


@pytest.mark.parametrize("pose", ["neutral", "posed"])
def test_every_corner_of_every_triangle_is_at_the_same_place(files, pose):
    folder, model, _ = files
    obj, _, corners = obj_parts(folder / f"f_{pose}.obj")
    ply = trimesh.load(folder / f"f_{pose}.ply", process=False)
    glb, _, triangles, _ = glb_parts(folder / f"f_{pose}.glb")
    np.testing.assert_array_equal(corners[..., 0], np.asarray(model.triangles))
    np.testing.assert_array_equal(ply.faces, np.asarray(model.triangles))
    np.testing.assert_allclose(ply.vertices, obj, atol=6e-5)  # OBJ has four decimals of a millimeter
    np.testing.assert_allclose(glb[triangles], obj[corners[..., 0]], atol=1e-4)


@pytest.mark.parametrize("pose", ["neutral", "posed"])
def test_the_texture_and_its_place_on_every_corner_are_the_same(files, pose):
    folder, model, texture = files
    _, texture_vertices, corners = obj_parts(folder / f"f_{pose}.obj")
    _, uv, triangles, image = glb_parts(folder / f"f_{pose}.glb")
    np.testing.assert_array_equal(image, texture)
    with Image.open(folder / f"f_{pose}.png") as beside:
        np.testing.assert_array_equal(np.asarray(beside), texture)
    own = texture_vertices[corners[..., 1]] * [1, -1] + [0, 1]
    np.testing.assert_allclose(uv[triangles], own, atol=2e-6)
    np.testing.assert_allclose(own, np.asarray(model.uv)[np.asarray(model.uv_triangles)], atol=2e-6)


def test_colors_of_ply_vertices_are_those_of_the_texture(files):
    folder, _, _ = files
    ply = trimesh.load(folder / "f_neutral.ply", process=False)
    _, uv, triangles, _ = glb_parts(folder / "f_neutral.glb")
    place = np.clip(uv * 128 - 0.5, 0, 127)
    # The texture is two ramps: what bilinear sampling gives can be said without sampling.
    expected = np.stack([place[:, 1], place[:, 0], 127 - place[:, 1]], axis=1) / 127 * 255
    seen = np.asarray(ply.visual.vertex_colors)[:, :3].astype(float)
    corners = ply.faces.reshape(-1)
    match = np.abs(seen[corners] - expected[triangles.reshape(-1)]).max(axis=1) < 2
    assert match.mean() > 0.95  # at seams a vertex has one color but two places


@pytest.mark.parametrize("pose", ["neutral", "posed"])
def test_the_glb_keeps_the_rules_of_gltf(files, pose):
    assert violations(files[0] / f"f_{pose}.glb") == []


def test_other_libraries_draw_the_same_surface(files):
    folder, _, _ = files
    meshes = [trimesh.load(folder / f"f_neutral.{kind}", force="mesh") for kind in ("obj", "ply", "glb")]
    meshes[2].apply_scale(1000.0)
    areas, bounds = [mesh.area for mesh in meshes], [mesh.bounds for mesh in meshes]
    np.testing.assert_allclose(areas, areas[0], rtol=1e-4)
    np.testing.assert_allclose(bounds, np.broadcast_to(bounds[0], np.shape(bounds)), atol=1e-3)
    assert meshes[0].visual.material.image.size == (128, 128)
    assert meshes[2].visual.material.baseColorTexture.size == (128, 128)
