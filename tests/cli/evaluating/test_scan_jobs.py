from pathlib import Path

import numpy as np
import pytest

from sirjax.cli.evaluating.scan_inputs import shapes_of
from sirjax.cli.evaluating.scan_jobs import Case, Options, compare, measure, measure_all
from sirjax.evaluation.scan_summary import Measured
from sirjax.morphable import builtin_face_model
from tests.scans import face, write_obj


@pytest.fixture
def files(tmp_path):
    """scan.obj, the same face 1.1 times as large, bent predictions, and what cannot be measured."""
    vertices, triangles, _ = face()
    write_obj(tmp_path / "scan.obj", vertices, triangles)
    write_obj(tmp_path / "large.obj", 1.1 * vertices, triangles)
    write_obj(tmp_path / "meters.obj", 0.001 * vertices, triangles)
    write_obj(tmp_path / "nan.obj", np.where(vertices == vertices[7], np.nan, vertices), triangles)
    write_obj(tmp_path / "flat.obj", vertices * [1, 0, 0], triangles)
    for k in range(3):
        write_obj(tmp_path / f"bent{k}.obj", vertices + (k + 1) * np.sin(vertices[:, [1, 2, 0]] / 20), triangles)
    return tmp_path


def case(files, prediction, **more):
    return Case(prediction, "ann", files / "scan.obj", files / prediction, **more)


def test_a_scaled_scan_has_no_error_unless_the_scale_is_kept(files):
    free, kept = (measure(case(files, "large.obj"), Options(scale=scale)) for scale in (None, 1.0))
    assert isinstance(free, Measured)
    assert isinstance(kept, Measured)
    assert free.error["plane"].rmse < 1e-4
    assert free.scale == pytest.approx(1 / 1.1, rel=1e-5)
    assert kept.error["plane"].rmse > 0.5


def test_units_of_files_are_taken_from_the_options(files):
    outcome = measure(case(files, "meters.obj"), Options(unit=1000.0))
    assert isinstance(outcome, Measured)
    assert outcome.error["plane"].rmse < 1e-2  # the file keeps a micrometer
    reason = measure(case(files, "meters.obj"), Options())
    assert str(reason).endswith("meters.obj is 0.16 mm across, where a face has 100 to 400: give --unit m")


@pytest.mark.parametrize(
    ("prediction", "more", "message"),
    [
        ("gone.obj", {}, "gone.obj is missing"),
        ("nan.obj", {}, "the prediction has vertices that are not finite: remove them first"),
        ("flat.obj", {}, "the prediction has no triangle with an area: check its triangles and its unit"),
        (
            "large.obj",
            {"scan_nose_tip": (0.0, 900.0, 0.0)},
            "only 0 vertices of the scan lie on triangles within",
        ),
    ],
)
def test_what_cannot_be_measured_says_why(files, prediction, more, message):
    assert message in str(measure(case(files, prediction, **more), Options()))


def test_the_number_of_workers_changes_nothing(files):
    cases = [case(files, f"bent{k % 3}.obj", scan_nose_tip=(0.0, -5.0 - k, 70.0)) for k in range(10)]
    cases.insert(4, case(files, "gone.obj"))
    alone, together = (list(measure_all(cases, Options(), workers)) for workers in (1, 2))
    assert isinstance(alone[4], str)
    for one, other in zip(alone, together, strict=True):
        if isinstance(one, str):
            assert one == other
        else:
            assert isinstance(other, Measured)
            assert (one.name, one.error, one.scale) == (other.name, other.error, other.scale)
            np.testing.assert_array_equal(one.histogram, other.histogram)


def test_codes_become_faces_and_find_the_marks_of_now(tmp_path, rng):
    model = builtin_face_model()
    shapes = shapes_of(model)
    shape = (rng.normal(size=model.num_shape) * np.asarray(model.shape_std)).astype(np.float32)
    vertices = shapes.vertices(shape)
    np.savez(tmp_path / "scan.npz", vertices=vertices, triangles=shapes.triangles)
    np.savetxt(tmp_path / "marks.txt", shapes.landmarks(vertices)[[36, 39, 42, 45, 33, 48, 54]])
    mine = Case("x", "ann", tmp_path / "scan.npz", shape, scan_landmarks=tmp_path / "marks.txt")
    pair = compare(mine, Options(crop="now", shapes=shapes))
    assert pair.error.protocol.startswith("now-sir-v1")
    assert pair.error.surface.rmse < 1e-4
    assert pair.error.alignment.scale == pytest.approx(1, rel=1e-6)
    mean = compare(Case("mean", "ann", tmp_path / "scan.npz", 0 * shape), Options(shapes=shapes))
    assert mean.error.plane.rmse > 0.3
    assert "give --face-model" in str(measure(Case("x", "ann", Path(tmp_path / "scan.npz"), shape), Options()))
