"""What the paper says of the parts of its loss, and whether it holds on real photos: differences on the same pairs."""

import numpy as np

from experiments.common import measures
from experiments.common.outcome import Claim, verdict
from experiments.photos.intervals import mean_interval
from experiments.photos.study import PhotoStudy
from experiments.photos.tables import correct, lengths, over_pairs
from sirjax.evaluation.bootstrap import Interval

NEAR = 0.25  # |alpha/sigma| counts as near sqrt(m) up to this share of it
# (what is said, with it, without it): each with and without KL.
_RAISED = (
    ("CosFace raises accuracy by Euclidean distance over no SIR loss", "sm", "none"),
    ("Weighted centers raise accuracy by Euclidean distance over CosFace alone", "sm+wc", "sm"),
    ("Plain centers raise accuracy by Euclidean distance over CosFace alone", "sm+c", "sm"),
    ("Weighted centers cost some accuracy beside plain ones", "sm+c", "sm+wc"),
)
_TAUGHT = "A teacher's distances raise accuracy by Euclidean distance"
_WITH_KL = {"none": "kl", "sm": "sm+kl", "sm+c": "sm+c+kl", "sm+wc": "sm+wc+kl"}


def claims(study: PhotoStudy) -> list[Claim]:
    """Claims about the variants that the study has."""
    return [*_about_accuracy(study), *_about_lengths(study)]


def _about_accuracy(study: PhotoStudy) -> list[Claim]:
    found = []
    for task in study.tasks:
        for said, more, less in _RAISED:
            for kl in (False, True):
                names = [_WITH_KL[name] if kl else name for name in (more, less)]
                if set(names) <= set(study.variants):
                    text = f"{said}, {'with' if kl else 'without'} KL ({task.name})"
                    found.append(_compared(study, task, text, *names))
        for taught, alone in (("teacher", "none"), ("sm+wc+kl+teacher", "sm+wc+kl")):
            if {taught, alone} <= set(study.variants):
                found.append(_compared(study, task, f"{_TAUGHT}, beyond the paper ({task.name})", taught, alone))
    return found


def _compared(study: PhotoStudy, task: measures.Task, text: str, more: str, less: str) -> Claim:
    difference = over_pairs(correct(study, more, task) - correct(study, less, task), task)
    return Claim(text, verdict(difference), f"{more} minus {less}: {_signed(difference, 100)} points")


def _about_lengths(study: PhotoStudy) -> list[Claim]:
    identity, ideal = np.asarray(study.people.identity_class), study.std.size**0.5
    found = []
    for off, on in _WITH_KL.items():
        if not {off, on} <= set(study.variants):
            continue
        with_kl, without = lengths(study, on), lengths(study, off)
        # Slack on both sides of sqrt(m): positive where the mean length of a seed's run is near it.
        slack = mean_interval(with_kl, identity)
        near = min(slack.low - (1 - NEAR) * ideal, (1 + NEAR) * ideal - slack.high) > 0
        far = slack.high < (1 - NEAR) * ideal or slack.low > (1 + NEAR) * ideal
        found.append(
            Claim(
                f"KL keeps |alpha/sigma| within {NEAR:.0%} of sqrt(m) = {ideal:.1f} ({on})",
                "supported" if near else "contradicted" if far else "undecided",
                f"{slack.mean:.2f} [{slack.low:.2f}, {slack.high:.2f}]",
            )
        )
        shorter = mean_interval(with_kl - without, identity)
        found.append(
            Claim(
                f"Without KL shapes are shorter ({off} beside {on})",
                verdict(shorter),
                f"{without.mean():.2f} without, {with_kl.mean():.2f} with KL: longer by {_signed(shorter)}",
            )
        )
    return found


def _signed(interval: Interval, factor: float = 1.0) -> str:
    low, mean, high = (factor * value for value in (interval.low, interval.mean, interval.high))
    digits = 1 if factor == 100 else 2
    return f"{mean:+.{digits}f} [{low:+.{digits}f}, {high:+.{digits}f}]"
