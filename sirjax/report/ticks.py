"""Round numbers along an axis: steps of 1, 2 or 5 times a power of ten, or powers of ten."""

import math

MOST = 8
_SMALLEST_SPAN = 1e-9  # relative; below it floats hardly tell ticks apart
_MOST_PLAIN_EXPONENT = 4
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def linear_ticks(low: float, high: float) -> list[float]:
    """Four to eight evenly spaced round numbers; the first is at most `low`, the last at least `high`.

    A range without extent is widened around its value.

    Raises:
      ValueError: if a limit is not finite or `low` is above `high`.
    """
    _require_range(low, high)
    size = max(abs(low), abs(high))
    if high - low <= _SMALLEST_SPAN * size:
        low, high = low - (0.1 * size or 0.5), high + (0.1 * size or 0.5)
    smallest = math.floor(math.log10((high - low) / 5))  # 10^smallest gives at least five steps
    for mantissa, exponent in ((m, e) for e in (smallest, smallest + 1) for m in (1, 2, 5)):
        step = float(f"{mantissa}e{exponent}")
        # Ratios near a whole number count as whole: 0.3 / 0.1 is 2.9999999999999996.
        first, last = math.floor(low / step + _SMALLEST_SPAN), math.ceil(high / step - _SMALLEST_SPAN)
        if last - first < MOST:
            break
    # Read as decimals, so that ticks are the floats nearest to what their labels say: 0.3, not 3 * 0.1.
    return [float(f"{k * mantissa}e{exponent}") for k in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Three to eight round numbers for a logarithmic axis: powers of ten, with 2 and 5 between them over short ranges.

    Raises:
      ValueError: if a limit is not finite, `low` is not above 0, or `low` is above `high`.
    """
    _require_range(low, high)
    if low <= 0:
        raise ValueError(f"a logarithmic axis starts above 0, got {low}; leave out what is not above 0")
    first, last = _floor(math.log10(low)), _ceil(math.log10(high))
    if last - first >= 3:
        every = math.ceil((last - first) / (MOST - 1))
        count = math.ceil((last - first) / every)
        return [float(f"1e{first + every * k}") for k in range(count + 1)]
    series = [float(f"{m}e{e}") for e in range(first, last + 1) for m in (1, 2, 5)]
    start = max(k for k, tick in enumerate(series) if tick <= low * (1 + _SMALLEST_SPAN))
    end = min(k for k, tick in enumerate(series) if tick >= high * (1 - _SMALLEST_SPAN))
    inside = series[start : end + 1]
    return inside if len(inside) >= 3 else linear_ticks(low, high)


def labels(ticks: list[float], *, log: bool = False) -> list[str]:
    """The shortest texts that tell ticks apart; all with as many decimals, or all as powers of ten."""
    if log and all(tick == float(f"1e{_exponent(tick)}") for tick in ticks):
        if max(abs(_exponent(tick)) for tick in ticks) > _MOST_PLAIN_EXPONENT - 1:
            return ["10" + str(_exponent(tick)).translate(_SUPERSCRIPTS) for tick in ticks]
        return [f"{tick:g}" for tick in ticks]
    if log:
        return [f"{tick:g}" for tick in ticks]
    step, largest = ticks[1] - ticks[0], max(map(abs, ticks))
    if largest >= 1e6 or step < 1e-5:
        digits = max(0, math.floor(math.log10(largest)) - _floor(math.log10(step)))
        return [f"{tick:.{digits + 1}g}" for tick in ticks]
    return [f"{tick:,.{max(0, -_floor(math.log10(step)))}f}" for tick in ticks]


def _exponent(tick: float) -> int:
    return round(math.log10(tick))


def _floor(value: float) -> int:
    return math.floor(value + _SMALLEST_SPAN)


def _ceil(value: float) -> int:
    return math.ceil(value - _SMALLEST_SPAN)


def _require_range(low: float, high: float) -> None:
    if not (math.isfinite(high - low) and low <= high):
        raise ValueError(f"an axis needs finite limits, the lower first, got {low} and {high}")
