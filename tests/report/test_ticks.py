"""Ticks are few, round, evenly spaced and around the data."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sirjax.report.ticks import labels, linear_ticks, log_ticks

VALUES = st.floats(-1e30, 1e30, allow_subnormal=False)
POSITIVE = st.floats(1e-30, 1e30)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (0.85, 1.0, ["0.85", "0.90", "0.95", "1.00"]),
        (0, 10.4, ["0", "2", "4", "6", "8", "10", "12"]),
        (-3, 3, ["-3", "-2", "-1", "0", "1", "2", "3"]),
        (0, 0.3, ["0.00", "0.05", "0.10", "0.15", "0.20", "0.25", "0.30"]),
        (0, 6000, ["0", "1,000", "2,000", "3,000", "4,000", "5,000", "6,000"]),
        (0, 3e7, ["0", "5e+06", "1e+07", "1.5e+07", "2e+07", "2.5e+07", "3e+07"]),
    ],
)
def test_linear_ticks_as_a_person_would_choose_them(low, high, expected):
    assert labels(linear_ticks(low, high)) == expected


def test_ticks_are_the_floats_their_labels_say():
    assert linear_ticks(0, 0.6)[:4] == [0.0, 0.1, 0.2, 0.3]


@given(st.tuples(VALUES, VALUES).map(sorted))
def test_linear_ticks_cover_any_range_with_three_to_ten_even_steps(limits):
    low, high = limits
    ticks = linear_ticks(low, high)
    steps = np.diff(ticks)
    assert 3 <= len(ticks) <= 10
    np.testing.assert_allclose(steps, steps[0], rtol=1e-5)
    assert ticks[0] <= low + 1e-8 * steps[0]
    assert ticks[-1] >= high - 1e-8 * steps[0]
    mantissa = float(f"{steps[0]:.3e}".split("e")[0])
    assert mantissa in (1, 2, 5) or high - low <= 1e-6 * max(abs(low), abs(high))
    assert len(set(labels(ticks))) == len(ticks)


@given(st.tuples(POSITIVE, POSITIVE).map(sorted))
def test_log_ticks_cover_any_range_with_three_to_ten_ticks(limits):
    low, high = limits
    ticks = log_ticks(low, high)
    assert 3 <= len(ticks) <= 10
    assert all(np.diff(ticks) > 0)
    assert 0 < ticks[0] <= low * (1 + 1e-8)
    assert ticks[-1] >= high * (1 - 1e-8)
    assert len(set(labels(ticks, log=True))) == len(ticks)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (3e-4, 1, ["10⁻⁴", "10⁻³", "10⁻²", "10⁻¹", "10⁰"]),
        (1e-3, 1, ["0.001", "0.01", "0.1", "1"]),
        (2, 70, ["2", "5", "10", "20", "50", "100"]),
        (1e-12, 1, ["10⁻¹²", "10⁻¹⁰", "10⁻⁸", "10⁻⁶", "10⁻⁴", "10⁻²", "10⁰"]),
    ],
)
def test_log_ticks_as_a_person_would_choose_them(low, high, expected):
    assert labels(log_ticks(low, high), log=True) == expected


@pytest.mark.parametrize(("low", "high"), [(2, 1), (math.nan, 1), (0, math.inf)])
def test_limits_that_are_none_are_refused(low, high):
    for ticks in (linear_ticks, log_ticks):
        with pytest.raises(ValueError, match=f"an axis needs finite limits, the lower first, got {low} and {high}"):
            ticks(low, high)


def test_a_logarithmic_axis_starts_above_zero():
    with pytest.raises(ValueError, match="a logarithmic axis starts above 0, got 0; leave out what is not above 0"):
        log_ticks(0, 1)
