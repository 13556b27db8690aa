import numpy as np
import pytest

from data_prep.builtin_sampling import WEIGHT_STEPS, Draws, expression_weights, identity_weights

MACRO = [
    *(f"macrodetails/{r}-{s}-{a}" for r in ("african", "asian", "caucasian") for s in ("male", "female")
      for a in ("young", "old")),
    *(f"macrodetails/universal-{s}-{a}-{m}muscle-{w}weight" for s in ("male", "female") for a in ("young", "old")
      for m in ("min", "average", "max") for w in ("min", "average", "max")),
]  # fmt: skip
LOCAL = [
    "eyes/l-eye-scale-decr", "eyes/l-eye-scale-incr", "eyes/r-eye-scale-decr", "eyes/r-eye-scale-incr",
    "head/head-oval", "head/head-trans-up", "head/head-trans-down", "asym/asym-jaw-1-l", "asym/asym-jaw-1-r",
    "asym/asymm-trunk-1-l", "asym/asymm-trunk-1-r",
]  # fmt: skip
UNITS = [
    f"expression/units/{race}/{unit}"
    for race in ("african", "asian", "caucasian")
    for unit in ("eye-left-closure", "eye-right-closure", "mouth-open", "neck-platysma")
]


def test_draws_are_pinned():
    # Raw bits of PCG64(0), shifted to 53 bits: the same with every NumPy.
    np.testing.assert_allclose(Draws(0).uniform(3), [0.6369616873, 0.2697867138, 0.0409735239], atol=1e-9)


def test_bells_have_unit_variance_and_short_tails():
    bell = Draws(1).bell(20000)
    assert abs(bell.mean()) < 0.03
    assert bell.std() == pytest.approx(1, abs=0.02)
    assert np.abs(bell).max() < 3.5


def test_macro_weights_blend_to_one_person():
    weights = identity_weights(MACRO, 50, Draws(2)) / WEIGHT_STEPS
    np.testing.assert_allclose(weights[:, :12].sum(axis=1), 1, atol=0.01)  # origin, sex and age
    np.testing.assert_allclose(weights[:, 12:].sum(axis=1), 1, atol=0.01)  # sex, age, muscle and weight
    assert weights.min() >= 0


def test_sides_go_together_and_opposites_exclude_each_other():
    weights = identity_weights(MACRO + LOCAL, 400, Draws(3))[:, len(MACRO) :]
    size = (weights[:, [1, 3]] - weights[:, [0, 2]]) / WEIGHT_STEPS
    assert np.corrcoef(size.T)[0, 1] > 0.9
    assert size.std() == pytest.approx(0.18, abs=0.03)
    for low, high in ((0, 1), (2, 3), (7, 8)):
        assert not ((weights[:, low] > 0) & (weights[:, high] > 0)).any()


def test_rigid_motion_and_the_trunk_are_left_out():
    weights = identity_weights(MACRO + LOCAL, 50, Draws(4))[:, len(MACRO) :]
    assert weights[:, [5, 6, 9, 10]].max() == 0
    assert 0 < (weights[:, 4] > 0).mean() < 0.6  # a target without an opposite, now and then


def test_weights_are_whole_numbers():
    for weights in (identity_weights(MACRO + LOCAL, 20, Draws(5)), expression_weights(UNITS, 20, Draws(5))):
        np.testing.assert_array_equal(weights, np.rint(weights))


def test_expressions_average_the_variants_of_a_unit():
    weights = expression_weights(UNITS, 300, Draws(6)).reshape(300, 3, 4)
    np.testing.assert_array_equal(weights[:, 0], weights[:, 1])
    np.testing.assert_array_equal(weights[:, 0], weights[:, 2])
    closure = weights[:, 0, :2]
    assert (closure[:, 0] == closure[:, 1]).mean() > 0.6  # both eyes, mostly
    assert (closure[:, 0] != closure[:, 1]).any()
    assert weights[:, :, 3].max() == 0
    assert 0.15 < (weights[:, 0, 2] > 0).mean() < 0.45
