import numpy as np
import pytest
import trimesh

from sirjax.export.mesh import vertex_colors
from sirjax.export.ply import write_ply
from tests.export.meshes import dome_mesh, seamed_mesh


@pytest.mark.parametrize("mesh", [dome_mesh(), seamed_mesh()], ids=["dome", "seam"])
def test_trimesh_reads_the_same_mesh(tmp_path, mesh):
    loaded = trimesh.load(write_ply(tmp_path / "face.ply", mesh), process=False)
    np.testing.assert_array_equal(loaded.vertices, mesh.vertices)
    np.testing.assert_array_equal(loaded.faces, mesh.triangles)
    np.testing.assert_allclose(loaded.vertex_normals, mesh.normals, atol=1e-6)
    np.testing.assert_array_equal(loaded.visual.vertex_colors[:, :3], vertex_colors(mesh))


def test_the_comment_is_in_the_header(tmp_path):
    data = write_ply(tmp_path / "face.ply", seamed_mesh(), comment="one\ntwo é").read_bytes()
    assert data.startswith(b"ply\nformat binary_little_endian 1.0\ncomment one\ncomment two ?\nelement vertex 6\n")
