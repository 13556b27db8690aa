import numpy as np

from sirjax.export.mesh import split_seams, textured_mesh, vertex_colors
from tests.export.meshes import dome_mesh, seamed_mesh
from tests.face_models import dome_face_model


def test_normals_are_those_of_the_flat_triangles_in_the_mean(rng):
    model = dome_face_model(grid=5)
    vertices = np.asarray(model.mean, np.float64) + rng.normal(size=model.mean.shape)
    got = textured_mesh(model, vertices, np.asarray(model.mean_albedo)).normals
    expected = np.zeros_like(vertices)
    for a, b, c in np.asarray(model.triangles):
        for corner in (a, b, c):
            expected[corner] += np.cross(vertices[b] - vertices[a], vertices[c] - vertices[a])
    np.testing.assert_allclose(got, expected / np.linalg.norm(expected, axis=1, keepdims=True), atol=1e-5)


def test_albedo_outside_the_unit_interval_is_clipped():
    model = dome_face_model(grid=5)
    albedo = np.zeros((4, 4, 3))
    albedo[0, 0], albedo[0, 1] = (-1, 0.5, 2), (0.1, 0.2, 0.3)
    texture = textured_mesh(model, np.asarray(model.mean), albedo).texture
    assert texture[0, :2].tolist() == [[0, 128, 255], [26, 51, 76]]


def test_splitting_keeps_every_corner():
    mesh = seamed_mesh()
    split = split_seams(mesh)
    np.testing.assert_array_equal(split.vertices[split.triangles], mesh.vertices[mesh.triangles])
    np.testing.assert_array_equal(split.normals[split.triangles], mesh.normals[mesh.triangles])
    np.testing.assert_array_equal(split.uv[split.triangles], mesh.uv[mesh.uv_triangles])
    assert len(split.vertices) == 8  # 6, and the two on the seam once more


def test_a_mesh_without_seams_is_not_split():
    assert len(split_seams(dome_mesh()).vertices) == len(dome_mesh().vertices)


def test_vertex_colors_are_the_texture_under_the_vertex():
    mesh = seamed_mesh()  # its texture vertices lie in the middle between four texels of the 8 x 8 texture
    colors = vertex_colors(mesh)
    for vertex, (row, column) in {0: (7, 1), 1: (7, 3), 3: (1, 1), 5: (1, 7)}.items():
        expected = mesh.texture[row - 1 : row + 1, column - 1 : column + 1].reshape(4, 3).mean(axis=0)
        np.testing.assert_allclose(colors[vertex].astype(float), expected, atol=1)


def test_a_vertex_without_texture_is_grey():
    mesh = seamed_mesh()
    lonely = type(mesh)(
        np.concatenate([mesh.vertices, [[0, 0, 9]]]).astype(np.float32),
        np.concatenate([mesh.normals, [[0, 0, 1]]]).astype(np.float32),
        mesh.triangles, mesh.uv, mesh.uv_triangles, mesh.texture,
    )  # fmt: skip
    assert vertex_colors(lonely)[6].tolist() == [128, 128, 128]
    np.testing.assert_array_equal(vertex_colors(lonely)[:6], vertex_colors(mesh))
