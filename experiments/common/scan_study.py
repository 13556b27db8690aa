"""The errors on scans that Table V and Fig. 4 share: measured once, then found."""

import numpy as np

from experiments.common.methods import Methods
from experiments.common.scans import ScanFigures, measure_all, some_photos
from experiments.common.study import Study

PHOTOS = 2  # of each person: ICP is what takes the time


def scan_figures(study: Study, methods: Methods) -> tuple[dict[str, list[list[ScanFigures]]], np.ndarray, str]:
    """(errors by method, seed and photo; the person of each photo; the protocol). Needs sets with true shapes."""
    rows = some_photos(methods.identity, PHOTOS)
    names = ["mean face", "warm-up", *study.among("none", "sm+wc", "sm+c+kl", "sm+wc+kl"), "truth"]
    found, protocol = {}, ""
    for name in names:
        found[name] = []
        for codes in methods.codes(name):
            figures, protocol = measure_all(
                methods.model, methods.true_mm[rows], methods.identity[rows], codes[rows], study.root / "scans"
            )
            found[name].append(figures)
    return found, methods.identity[rows], protocol
