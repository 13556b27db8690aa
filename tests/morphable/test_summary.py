import jax.numpy as jnp
import numpy as np
import pytest

from sirjax.morphable import summary
from sirjax.morphable.storage import fingerprint
from tests.face_models import SPREAD, dome_face_model

MODEL = dome_face_model(grid=9)


def test_the_summary_names_what_a_user_must_know():
    text = "\n".join(summary.summary(MODEL))
    for part in (
        "name           dome",
        "licence        CC0-1.0",
        f"fingerprint    {fingerprint(MODEL)}",
        "units          millimeters",
        "x to the image's right",
        "81 vertices, 128 triangles",
        "6 modes",
        "3 modes",
        "map of 64 x 64",
        "36-41 right eye",
        "made up by the tests",
    ):
        assert part in text


def test_landmark_names_cover_all_68_in_order():
    numbers = [k for _, first, last in summary.LANDMARK_NAMES for k in range(first, last + 1)]
    assert numbers == list(range(68))


def test_mirror_errors_are_distances():
    assert summary.mirror_errors(MODEL) == (pytest.approx(0, abs=1e-5), pytest.approx(0, abs=1e-5))
    moved = MODEL.replace(mean=MODEL.mean.at[0, 2].add(3.0))
    mean, largest = summary.mirror_errors(moved)
    assert largest == pytest.approx(3.0, abs=1e-4)
    assert mean == pytest.approx(2 * 3.0 / 81, abs=1e-4)


def test_spread_is_the_rms_of_random_faces():
    shape, expression = summary.spread(MODEL)
    assert shape == pytest.approx(SPREAD, rel=1e-4)
    assert expression == pytest.approx(SPREAD / 2, rel=1e-4)
    rng = np.random.default_rng(0)
    alpha = rng.normal(size=(4000, 6)) * np.asarray(MODEL.shape_std)
    offsets = (alpha @ np.asarray(MODEL.shape_basis)).reshape(4000, -1, 3)
    assert np.sqrt((offsets**2).sum(axis=2).mean()) == pytest.approx(shape, rel=0.03)
    assert MODEL.mean.dtype == jnp.float32
