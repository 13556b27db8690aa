import cv2
import numpy as np
import pytest
import trimesh

from sirjax.export.obj import write_obj
from tests.export.meshes import dome_mesh, seamed_mesh


def parsed(path):
    """OBJ as the standard says it, one line at a time."""
    rows = [line.split() for line in path.read_text().splitlines()]
    numbers = {key: np.array([row[1:] for row in rows if row[0] == key], float) for key in ("v", "vt")}
    corners = np.array([[corner.split("/") for corner in row[1:]] for row in rows if row[0] == "f"], int) - 1
    return numbers["v"], numbers["vt"], corners


@pytest.mark.parametrize("mesh", [dome_mesh(), seamed_mesh()], ids=["dome", "seam"])
def test_every_corner_comes_back(tmp_path, mesh):
    write_obj(tmp_path / "face.obj", mesh)
    vertices, uv, corners = parsed(tmp_path / "face.obj")
    np.testing.assert_allclose(vertices, mesh.vertices, atol=5.1e-5)
    np.testing.assert_array_equal(corners[..., 0], mesh.triangles)
    np.testing.assert_array_equal(corners[..., 1], mesh.uv_triangles)
    np.testing.assert_allclose(uv, mesh.uv * [1, -1] + [0, 1], atol=1e-6)


def test_trimesh_reads_it_with_its_texture(tmp_path):
    mesh = seamed_mesh()
    write_obj(tmp_path / "face.obj", mesh)
    loaded = trimesh.load(tmp_path / "face.obj", process=False)
    np.testing.assert_allclose(loaded.vertices[loaded.faces], mesh.vertices[mesh.triangles], atol=1e-4)
    flipped = mesh.uv[mesh.uv_triangles] * [1, -1] + [0, 1]
    np.testing.assert_allclose(loaded.visual.uv[loaded.faces], flipped, atol=1e-5)
    np.testing.assert_array_equal(np.asarray(loaded.visual.material.image.convert("RGB")), mesh.texture)


def test_three_files_refer_to_each_other(tmp_path):
    mesh = seamed_mesh()
    written = write_obj(tmp_path / "face0_posed.obj", mesh, comment="first\nsecond")
    assert [path.name for path in written] == ["face0_posed.obj", "face0_posed.mtl", "face0_posed.png"]
    text = (tmp_path / "face0_posed.obj").read_text()
    assert text.startswith("# first\n# second\nmtllib face0_posed.mtl\n")
    assert "map_Kd face0_posed.png" in (tmp_path / "face0_posed.mtl").read_text()
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "face0_posed.png"))[..., ::-1], mesh.texture)
    assert sorted(tmp_path.iterdir()) == sorted(written)  # no temporary file is left


def test_names_with_white_space_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"cannot refer to names with white space, got 'my face\.obj'"):
        write_obj(tmp_path / "my face.obj", seamed_mesh())
    assert not list(tmp_path.iterdir())


def test_faces_of_different_models_keep_their_own_triangles(tmp_path):
    for i, mesh in enumerate([dome_mesh(), seamed_mesh(), dome_mesh(), seamed_mesh()]):
        write_obj(tmp_path / f"face{i}.obj", mesh)
        _, uv, corners = parsed(tmp_path / f"face{i}.obj")
        np.testing.assert_array_equal(corners, np.stack([mesh.triangles, mesh.uv_triangles], axis=-1))
        assert uv.shape == mesh.uv.shape
