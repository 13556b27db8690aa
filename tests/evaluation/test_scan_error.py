from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sirjax.evaluation.scan_error import Distances, crop_scan, now_crop, proper_triangles, scan_error
from tests.reconstructions import rotation
from tests.scans import SIZE, face, grid_triangles

SHIFT = np.array([20.0, -10.0, 5.0])
NOW_PLACES = [(-45, 28), (-18, 28), (18, 28), (45, 28), (0, -18), (-25, -45), (25, -45)]  # x, y in mm
LANDMARKS = [(x, y) for y in (0, 6, 12, 18, 24) for x in (0, 8, 16, 24)]


def measure(predicted, triangles=None, predicted_tip=None, scan=None, **options):
    vertices, scan_triangles, tip = face()
    predicted_tip = (
        predicted[np.argmin(np.linalg.norm(vertices - tip, axis=1))] if predicted_tip is None else predicted_tip
    )
    return scan_error(
        vertices if scan is None else scan,
        scan_triangles,
        predicted,
        scan_triangles if triangles is None else triangles,
        scan_nose_tip=tip,
        predicted_nose_tip=predicted_tip,
        **options,
    )


def test_identical_meshes_have_no_error():
    error = measure(face()[0])
    assert error.converged
    for distances in (error.plane, error.surface, error.vertex):
        assert max(distances.rmse, distances.mean, distances.median, distances.percentile_95) < 1e-9
    assert error.alignment.scale == pytest.approx(1)


@settings(max_examples=15, deadline=None)
@given(
    scale=st.floats(0.8, 1.25),
    axis=st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda axis: np.linalg.norm(axis) > 0.1),
    degrees=st.floats(-15, 15),
)
def test_a_similarity_is_undone_from_the_nose_tips_alone(scale, axis, degrees):
    unit = np.array(axis) / np.linalg.norm(axis)
    cross = np.cross(np.eye(3), unit)
    turn = np.eye(3) + np.sin(np.radians(degrees)) * cross + (1 - np.cos(np.radians(degrees))) * cross @ cross
    error = measure(scale * face()[0] @ turn.T + SHIFT)
    assert error.surface.rmse < 1e-5 * SIZE
    assert error.alignment.scale == pytest.approx(1 / scale, rel=1e-5)
    np.testing.assert_allclose(error.alignment.rotation, turn.T, atol=1e-5)


@pytest.mark.parametrize("angles", [(15, 0, 0), (0, -15, 0), (0, 0, 15), (8, 8, 8)])
@pytest.mark.parametrize("scale", [0.8, 1.25])
def test_a_similarity_is_undone_between_different_meshes_of_one_surface(angles, scale):
    vertices, triangles, tip = face(41)
    move = lambda points: scale * points @ rotation(*angles).T + SHIFT  # noqa: E731
    error = measure(move(vertices), triangles, move(tip))
    assert error.converged
    assert error.surface.rmse < 1e-3 * SIZE
    assert error.alignment.scale * scale == pytest.approx(1, abs=5e-3)


def test_landmarks_start_the_alignment_in_any_unit_and_pose():
    vertices, _, _ = face()
    moved = 0.001 * vertices @ rotation(10, 120, -70).T + [1, 2, 3]  # meters, and turned away
    rows = [y * 25 + x for x, y in LANDMARKS]
    error = measure(moved, scan_landmarks=vertices[rows], predicted_landmarks=moved[rows])
    assert error.plane.rmse < 1e-6
    assert error.alignment.scale == pytest.approx(1000)
    assert "ICP from landmarks" in error.protocol


def test_plane_surface_and_vertex_errors_come_in_that_order(rng):
    vertices, triangles, tip = face(33)
    for _ in range(5):
        error = measure(vertices + rng.normal(size=vertices.shape), triangles, tip)
        kinds = (error.plane, error.surface, error.vertex)
        assert all(a.rmse < b.rmse for a, b in pairwise(kinds))
        assert (error.plane_distance <= error.surface_distance + 1e-9).all()
        assert all(d.mean <= d.rmse and d.median <= d.percentile_95 for d in kinds)


def test_noise_across_the_surface_gives_the_noise_level(rng):
    # The scan gets 0.5 mm of noise along z; only the part along the normal shows in the distance to a smooth surface.
    vertices, triangles, tip = face(61)
    scan = face()[0]
    noise = 0.5 * rng.normal(size=len(scan))
    error = measure(vertices, triangles, tip, scan=scan + noise[:, None] * [0, 0, 1])
    x, y = scan[error.crop, 0], scan[error.crop, 1]
    height = vertices[:, 2].reshape(61, 61)
    slope_y, slope_x = np.gradient(height, -SIZE / 60, SIZE / 60)
    column, row = (np.rint((v / SIZE + 0.5) * 60).astype(int) for v in (x, -y))
    along_normal = noise[error.crop] / np.sqrt(1 + slope_x[row, column] ** 2 + slope_y[row, column] ** 2)
    assert error.plane.rmse == pytest.approx(np.sqrt(np.mean(along_normal**2)), rel=0.1)


def test_an_extra_neck_changes_nothing(rng):
    vertices, triangles, tip = face(33)
    vertices = vertices + 0.5 * rng.normal(size=vertices.shape)
    ring = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    neck = np.array([[50 * np.cos(a), y, -60 + 50 * np.sin(a)] for y in (-130, -170, -210) for a in ring])
    with_neck = np.concatenate([vertices, neck])
    more = np.concatenate([triangles, grid_triangles(3, 20) + len(vertices)])
    plain, extended = measure(vertices, triangles, tip), measure(with_neck, more, tip)
    for kind in ("plane", "surface", "vertex"):
        assert getattr(extended, kind).rmse == pytest.approx(getattr(plain, kind).rmse, rel=1e-6)


def test_a_fixed_scale_is_kept_and_costs_what_the_size_is_off():
    vertices, _, _ = face()
    free, fixed = measure(1.1 * vertices), measure(1.1 * vertices, scale=1.0)
    assert fixed.alignment.scale == 1.0
    assert free.surface.rmse < 1e-6
    assert fixed.surface.rmse > 0.5
    assert "scale per mesh" in free.protocol
    assert "scale fixed at 1 mm" in fixed.protocol


def test_trimming_ignores_outliers_in_the_fit_but_measures_them(rng):
    vertices, _, _ = face()
    dented = vertices.copy()
    dented[300:330, 2] -= 15.0
    plain, trimmed = measure(dented), measure(dented, trim=0.15)
    assert trimmed.alignment.scale == pytest.approx(1, abs=1e-6)
    assert abs(plain.alignment.scale - 1) > 1e-4
    assert trimmed.surface_distance.max() > 5.0
    assert trimmed.surface.median < 1e-6
    assert "trim 0.15" in trimmed.protocol


def test_without_a_nose_tip_the_foremost_point_is_taken():
    vertices, triangles, _ = face()
    error = scan_error(vertices, triangles, 0.9 * vertices + SHIFT, triangles)
    named = measure(0.9 * vertices + SHIFT)
    np.testing.assert_array_equal(error.crop, named.crop)
    assert error.surface.rmse < 1e-6


def test_the_crop_drops_triangles_that_lose_a_vertex():
    # A strip along x with vertices at 0, 1, .. 29 on two rows; 95 -> radius 20.5 keeps x <= 20.
    x = np.arange(30.0)
    vertices = np.concatenate([np.stack([x, 0 * x, 0 * x], 1), np.stack([x, 0 * x + 1, 0 * x], 1)])
    triangles = grid_triangles(2, 30)
    rows, kept = crop_scan(vertices, triangles, np.zeros(3), 20.5)
    assert sorted(set(rows % 30)) == list(range(21))
    assert len(kept) == 40
    assert (vertices[kept][..., 0] <= 20).all()


def test_vertices_and_triangles_that_make_no_surface_do_not_count():
    vertices, triangles, tip = face()
    stray = np.concatenate([vertices, [[0.0, 0.0, 60.0]], [[1.0, 0.0, 61.0]]])
    needles = [[len(vertices), len(vertices), len(vertices) + 1], [0, 1, 1]]
    more = np.concatenate([triangles, needles])
    assert len(proper_triangles(stray, more)) == len(triangles)
    error = scan_error(stray, more, stray, more, scan_nose_tip=tip, predicted_nose_tip=tip)
    assert error.crop.max() < len(vertices)
    assert error.surface.rmse < 1e-9


def test_distances_of_worked_numbers():
    got = Distances.of(np.array([3.0, 4.0, 0.0, 5.0]))
    assert got == Distances(pytest.approx(np.sqrt(12.5)), 3.0, 3.5, pytest.approx(4.85))


def test_the_crop_of_now_follows_its_formula():
    # Outer eye corners 90 apart, bridge 40 above the nose bottom: radius 1.4 (90 + 40) / 2, center 0.3 * 40 up.
    landmarks = [[-45, 40, 0], [-15, 40, 0], [15, 40, 0], [45, 40, 0], [0, 0, 0], [-25, -30, 0], [25, -30, 0]]
    center, radius = now_crop(np.array(landmarks, float))
    np.testing.assert_allclose(center, [0, 12, 0])
    assert radius == pytest.approx(91)


def test_now_measures_the_vertices_within_its_crop():
    vertices = face()[0]
    rows = [np.linalg.norm(vertices[:, :2] - place, axis=1).argmin() for place in NOW_PLACES]
    error = measure(
        0.01 * vertices, scan_landmarks=vertices[rows], predicted_landmarks=0.01 * vertices[rows], crop="now"
    )
    center, radius = now_crop(vertices[rows])
    assert set(error.crop) == set(np.flatnonzero(np.linalg.norm(vertices - center, axis=1) <= radius))
    assert error.protocol.startswith("now-sir-v1: crop of 7 landmarks, ICP from landmarks")
    assert error.surface.rmse < 1e-6


def test_without_forehead_nothing_above_the_brows_is_measured_however_the_scan_is_turned():
    vertices, _, tip = face()
    tip = tip + np.array([0, 1, 0])  # so that no vertex lies just on the limit
    turn = rotation(20, 30, 40)
    rows = [y * 25 + x for x, y in LANDMARKS]
    low = set(np.flatnonzero((vertices[:, 1] - tip[1] <= 60) & (np.linalg.norm(vertices - tip, axis=1) <= 95)))
    error = scan_error(
        *(vertices @ turn.T, face()[1], vertices, face()[1]),
        scan_nose_tip=turn @ tip,
        scan_landmarks=(vertices @ turn.T)[rows],
        predicted_landmarks=vertices[rows],
        crop="no_forehead",
    )
    assert set(error.crop) == low
    assert len(error.crop) < len(measure(vertices).crop)
    assert "crop 95 mm without forehead (above 60 mm)" in error.protocol


def test_the_order_of_vertices_changes_nothing(rng):
    vertices, triangles, tip = face(120)  # enough for the first stage's sample
    scan, scan_triangles, scan_tip = face(111)
    predicted = vertices + 0.6 * np.sin(vertices[:, [1, 2, 0]] / 9)
    plain = scan_error(scan, scan_triangles, predicted, triangles, scan_nose_tip=scan_tip, predicted_nose_tip=tip)
    order, scan_order = rng.permutation(len(vertices)), rng.permutation(len(scan))
    shuffled = scan_error(
        *(scan[scan_order], rng.permutation(np.argsort(scan_order)[scan_triangles])),
        *(predicted[order], rng.permutation(np.argsort(order)[triangles])),
        scan_nose_tip=scan_tip,
        predicted_nose_tip=tip,
    )
    for kind in ("plane", "surface", "vertex"):
        assert getattr(shuffled, kind).rmse == pytest.approx(getattr(plain, kind).rmse, rel=1e-6)


@pytest.mark.parametrize("unit", [1e-3, 0.1, 25.4])
def test_the_unit_of_the_prediction_changes_nothing(rng, unit):
    vertices, triangles, _ = face(33)
    vertices = vertices + 0.4 * rng.normal(size=vertices.shape)
    rows = [np.linalg.norm(vertices[:, :2] - place, axis=1).argmin() for place in NOW_PLACES]
    scan = face()[0]
    scan_rows = [np.linalg.norm(scan[:, :2] - place, axis=1).argmin() for place in NOW_PLACES]
    measured = [
        measure(k * vertices, triangles, scan_landmarks=scan[scan_rows], predicted_landmarks=k * vertices[rows])
        for k in (1.0, unit)
    ]
    assert measured[1].plane.rmse == pytest.approx(measured[0].plane.rmse, rel=1e-6)
    assert measured[1].alignment.scale * unit == pytest.approx(measured[0].alignment.scale, rel=1e-6)


def test_with_and_without_fcpw_the_figures_are_the_same(rng, monkeypatch):
    vertices, triangles, tip = face(33)
    vertices = vertices + 0.5 * rng.normal(size=vertices.shape)
    fast = measure(vertices, triangles, tip, tolerance=1e-9)
    monkeypatch.setattr("sirjax.evaluation.scan_error.fcpw_is_installed", lambda: False)
    slow = measure(vertices, triangles, tip, tolerance=1e-9)
    for kind in ("plane", "surface", "vertex"):
        assert getattr(fast, kind).rmse == pytest.approx(getattr(slow, kind).rmse, abs=1e-5)


def test_trimming_ignores_a_growth_that_the_scan_does_not_have():
    vertices = face()[0]
    cheek = np.linalg.norm(vertices[:, :2] - [45, -20], axis=1) < 18
    scan = vertices + 12.0 * cheek[:, None] * [0, 0, 1]
    plain, trimmed = measure(1.1 * vertices, scan=scan), measure(1.1 * vertices, scan=scan, trim=0.2)
    assert trimmed.alignment.scale == pytest.approx(1 / 1.1, abs=2e-4)
    assert abs(plain.alignment.scale * 1.1 - 1) > 2e-3
    assert trimmed.plane.median < 0.02 < plain.plane.median


def test_the_protocol_names_what_was_done():
    assert measure(face()[0]).protocol == (
        "micc-sir-v1: crop 95 mm, ICP from nose tips, scale per mesh, trim 0, scan to prediction, "
        "at most 100 iterations to 1e-05"
    )


def test_stopping_early_is_told():
    error = measure(1.2 * face()[0] @ rotation(10, 5, 0).T, max_iterations=1)
    assert not error.converged
    assert error.iterations == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": 0.0}, r"scale must be positive \(mm per unit of the prediction\), got 0.0"),
        ({"crop": "face"}, "crop must be one of sphere, no_forehead, now, got 'face'"),
        ({"crop": "now"}, r"the crop of NoW needs 7 landmarks \[7, 3\] of the scan, got none"),
        (
            {"scan_landmarks": np.eye(3), "predicted_landmarks": np.full((3, 3), np.nan)},
            "there are landmarks that are not finite: leave their pairs out",
        ),
        ({"crop_radius": -1.0}, r"crop_radius must be positive \(mm\), got -1.0"),
        ({"trim": 1.0}, r"trim must be in \[0, 1\), got 1.0"),
        ({"max_iterations": 0}, "max_iterations must be at least 1, got 0"),
        ({"scan_landmarks": np.eye(3)}, "scan_landmarks and predicted_landmarks must be given together"),
        (
            {"scan_landmarks": np.eye(3)[:2], "predicted_landmarks": np.eye(3)[:2]},
            r"need at least 3 pairs of landmarks \[L, 3\], got \[2, 3\] and \[2, 3\]",
        ),
        (
            {"scan_landmarks": np.ones((3, 3)), "predicted_landmarks": np.ones((3, 3))},
            "no scale can be fitted: the points to be aligned coincide",
        ),
        ({"crop_radius": 1.0}, "only 0 vertices of the scan lie on triangles within 1 mm .* need at least 10"),
        ({"predicted_tip": np.array([0.0, 0.0, 9000.0])}, "only 0 vertices of the prediction lie within 95 "),
        ({"triangles": np.zeros((4, 3), int)}, "the prediction has no triangle with an area"),
        ({"triangles": np.array([[0, 1, 625]])}, "the prediction's triangles name vertices 0 to 625, but there are"),
        ({"triangles": np.zeros((4, 4), int)}, r"the prediction needs vertices \[V, 3\] and triangles \[T, 3\], got"),
        ({"scan": np.full((625, 3), np.nan)}, "the scan has vertices that are not finite"),
    ],
)  # fmt: skip
def test_what_cannot_be_measured_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        measure(face()[0], **options)


def test_threads_change_no_figure():
    vertices, triangles, _ = face(200)  # more than one part of each step
    bent = vertices + np.sin(vertices[:, [1, 2, 0]] / 20)
    tip = vertices[vertices[:, 2].argmax()]
    one, two = (scan_error(vertices, triangles, bent, triangles, scan_nose_tip=tip, threads=n) for n in (1, 2))
    np.testing.assert_array_equal(one.plane_distance, two.plane_distance)
    assert (one.plane, one.surface, one.vertex) == (two.plane, two.surface, two.vertex)


def test_a_spike_in_front_of_the_face_shows_in_the_gap_of_the_tips():
    vertices, triangles, tip = face()
    spiked = vertices.copy()
    spiked[112, 2] = 80.0  # on the forehead, 54 mm above the nose: now the foremost vertex
    options = dict(predicted_nose_tip=tip, trim=0.05)
    clean, wrong = (scan_error(scan, triangles, vertices, triangles, **options) for scan in (vertices, spiked))
    assert clean.tip_gap == pytest.approx(0, abs=1e-6)
    assert wrong.tip_gap is not None
    assert wrong.tip_gap > 25
    assert measure(vertices, scan_landmarks=vertices[:9], predicted_landmarks=vertices[:9]).tip_gap is not None
