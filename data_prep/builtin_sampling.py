"""Random people and random expressions: how much of which MakeHuman target each one gets.

Draws use nothing but raw random bits and arithmetic, and weights are whole multiples of 1 / WEIGHT_STEPS, so that the
same seed gives the same people on every machine and with every NumPy.
"""

import itertools
from collections.abc import Sequence

import numpy as np

WEIGHT_STEPS = 4096
IDENTITY_FOLDERS = (
    "asym", "cheek", "chin", "ears", "eyebrows", "eyes", "forehead", "head", "macrodetails", "mouth", "nose",
)  # fmt: skip
RACES = ("african", "asian", "caucasian")
EXPRESSION_FOLDERS = tuple(f"expression/units/{race}" for race in RACES)

# Standard deviations of local modifiers, as shares of the whole target; the first prefix that fits counts. Wider
# spreads give cone-heads and torn lids: the targets were drawn to be used one at a time.
_SPREADS = (
    ("forehead/forehead-scale-vert", 0.06),
    ("forehead/forehead-nubian", 0.06),
    ("nose/nose-compression", 0.10),
    ("nose/nose-septumangle", 0.10),
    ("head/", 0.12),
    ("nose/", 0.15),
    ("ears/", 0.10),
    ("", 0.18),
)
_NOT_SHAPE = ("head/head-trans", "head/head-angle", "asym/asymm-")  # rigid motion of the head; breast and trunk
_OPPOSITES = (
    ("decr", "incr"), ("down", "up"), ("backward", "forward"), ("in", "out"), ("concave", "convex"),
    ("compress", "uncompress"),
)  # fmt: skip
_SIDE_JITTER = 0.02  # how much the two sides of the face differ
_ASYMMETRY = 0.06
# Expression unit without its side -> how often it is used, and its largest weight.
_UNITS = {
    "eye-closure": (0.30, 0.9),
    "eye-opened-up": (0.25, 0.8),
    "eye-slit": (0.20, 0.7),
    "eyebrows-down": (0.25, 0.9),
    "eyebrows-extern-up": (0.20, 0.8),
    "eyebrows-inner-up": (0.20, 0.8),
    "eyebrows-up": (0.25, 0.9),
    "mouth-corner-puller": (0.35, 0.75),
    "mouth-open": (0.30, 0.55),
    "neck-platysma": (0.0, 0.0),  # moves the neck, little else
}
_OTHER_UNIT = (0.15, 0.55)


class Draws:
    """Random numbers from raw bits: the same everywhere, unlike distributions that go through the C library's log."""

    def __init__(self, seed: int):
        self._bits = np.random.PCG64(seed)

    def uniform(self, *shape: int) -> np.ndarray:
        """In [0, 1)."""
        raw = np.asarray(self._bits.random_raw(int(np.prod(shape))))
        return (raw >> np.uint64(11)).astype(np.float64).reshape(shape) * 2.0**-53

    def bell(self, *shape: int) -> np.ndarray:
        """Mean 0, variance 1, close to normal but never beyond 3.5: the sum of four uniform numbers."""
        parts = self.uniform(4, *shape)
        return (parts[0] + parts[1] + parts[2] + parts[3] - 2) * 3**0.5


def identity_weights(targets: Sequence[str], count: int, draws: Draws) -> np.ndarray:
    """Whole-number weights [count, len(targets)] in units of 1 / WEIGHT_STEPS for `count` random adults."""
    column = {name: k for k, name in enumerate(targets)}
    weights = np.zeros((count, len(targets)))
    _add_macro(weights, column, draws)
    for sides, spread in _modifiers(targets):
        common = spread * draws.bell(count)
        for low, high in sides:
            amount = common + _SIDE_JITTER * draws.bell(count)
            if low is None:  # a target without an opposite, as "oval": a third of the people have some of it
                amount = np.where(draws.uniform(count) < 1 / 3, np.abs(amount) * 0.6, 0)
            else:
                weights[:, column[low]] += np.maximum(-amount, 0)
            weights[:, column[high]] += np.maximum(amount, 0)
    return np.rint(weights * WEIGHT_STEPS)


def expression_weights(targets: Sequence[str], count: int, draws: Draws) -> np.ndarray:
    """Whole-number weights [count, len(targets)] of random expressions: few units at a time, mostly symmetric."""
    weights = np.zeros((count, len(targets)))
    units: dict[str, dict[str, list[int]]] = {}
    for k, name in enumerate(targets):
        unit = name.rsplit("/", 1)[-1]
        side = "left" if "-left" in unit else "right" if "-right" in unit else ""
        units.setdefault(unit.replace("-left", "").replace("-right", ""), {}).setdefault(side, []).append(k)
    for unit, sides in sorted(units.items()):
        often, largest = _UNITS.get(unit, _OTHER_UNIT)
        common = np.where(draws.uniform(count) < often, draws.uniform(count) * largest, 0)
        for columns in (sides[side] for side in sorted(sides)):
            # One face in four moves its sides on their own.
            alone = np.where(draws.uniform(count) < often, draws.uniform(count) * largest, 0)
            amount = np.where(draws.uniform(count) < (0.25 if len(sides) > 1 else 0.0), alone, common)
            weights[:, columns] += amount[:, None] / len(columns)  # the mean of the unit's variants
    return np.rint(weights * WEIGHT_STEPS)


def _add_macro(weights: np.ndarray, column: dict[str, int], draws: Draws) -> None:
    """Origin, sex, age, muscle and weight of adults: MakeHuman blends one target for each combination of extremes."""
    count = len(weights)
    origin = draws.uniform(3, count) ** 3
    origin = origin / (origin[0] + origin[1] + origin[2])
    between = draws.uniform(count)
    male = np.where(draws.uniform(count) < 0.4, between, np.rint(between))
    old = np.minimum(draws.uniform(count), draws.uniform(count))
    muscle, weight = (_three_levels(0.5 + 0.17 * draws.bell(count)) for _ in range(2))
    for (sex, has_sex), (age, has_age) in itertools.product(
        (("male", male), ("female", 1 - male)), (("young", 1 - old), ("old", old))
    ):
        for race, has_race in zip(RACES, origin, strict=True):
            weights[:, column[f"macrodetails/{race}-{sex}-{age}"]] += has_sex * has_age * has_race
        for (m, has_muscle), (w, has_weight) in itertools.product(muscle.items(), weight.items()):
            name = f"macrodetails/universal-{sex}-{age}-{m}muscle-{w}weight"
            if name in column:
                weights[:, column[name]] += has_sex * has_age * has_muscle * has_weight


def _three_levels(amount: np.ndarray) -> dict[str, np.ndarray]:
    amount = np.clip(amount, 0, 1)
    return {
        "min": np.maximum(0, 1 - 2 * amount),
        "average": 1 - np.abs(2 * amount - 1),
        "max": np.maximum(0, 2 * amount - 1),
    }


def _modifiers(targets: Sequence[str]) -> list[tuple[list[tuple[str | None, str]], float]]:
    """Local modifiers as (low, high) pairs of opposite targets, those of the two sides together, with their spread."""
    names = set(targets)
    modifiers: dict[str, list[tuple[str | None, str]]] = {}
    for name in sorted(names):
        if name.startswith(("macrodetails/", "expression/", *_NOT_SHAPE)):
            continue
        if name.startswith("asym/"):
            if name.endswith("-r"):
                modifiers[name] = [(name.removesuffix("r") + "l", name)]
            continue
        stem, _, end = name.rpartition("-")
        low = next((f"{stem}-{a}" for a, b in _OPPOSITES if end == b and f"{stem}-{a}" in names), None)
        if low is None and any(end == a and f"{stem}-{b}" in names for a, b in _OPPOSITES):
            continue  # comes with its opposite
        both_sides = name.replace("/l-", "/").replace("/r-", "/")
        modifiers.setdefault(both_sides, []).append((low, name))
    return [(modifiers[key], _spread(key)) for key in sorted(modifiers)]


def _spread(name: str) -> float:
    if name.startswith("asym/"):
        return _ASYMMETRY
    return next(spread for prefix, spread in _SPREADS if name.startswith(prefix))
