"""Time of 10-fold verification accuracy with exact thresholds, beside a scan of 400 thresholds and scikit-learn.

  python -m experiments.benchmarks.verification

The scan does what evaluation code of face recognition usually does: for each fold it judges all training pairs with
each of 400 thresholds over the range of distances, then the fold with the best. scikit-learn's roc_curve gives one
curve of all pairs: it is the sort alone, without folds. One thread; the median of several runs, processor time.
"""

import argparse
from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float, Int
from sklearn.metrics import roc_auc_score, roc_curve

from experiments.benchmarks.timing import cpu_milliseconds
from sirjax.evaluation.verification import verify

SCANNED = 400


def scan_accuracy(
    distances: Float[np.ndarray, " P"], same: Bool[np.ndarray, " P"], fold: Int[np.ndarray, " P"]
) -> float:
    """Mean accuracy over the folds with the best of 400 evenly spaced thresholds of the other folds."""
    thresholds = np.linspace(distances.min(), distances.max(), SCANNED)
    accuracies = []
    for own in np.unique(fold):
        train, test = fold != own, fold == own
        scores = [np.mean((distances[train] <= threshold) == same[train]) for threshold in thresholds]
        best = thresholds[int(np.argmax(scores))]
        accuracies.append(np.mean((distances[test] <= best) == same[test]))
    return float(np.mean(accuracies))


def make_pairs(num_pairs: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distances of pairs, half of them of one person and a standard deviation and a half nearer; ten folds."""
    rng = np.random.default_rng(seed)
    same = np.arange(num_pairs) % 2 == 0
    return rng.normal(size=num_pairs) + 1.5 * ~same, same, np.arange(num_pairs) * 10 // num_pairs


def milliseconds(function: Callable[[], object], runs: int) -> float:
    """Median processor time of a call."""
    return float(np.median(cpu_milliseconds(function, runs)))


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, nargs="+", default=[6000, 100_000], help="numbers of pairs")
    parser.add_argument("--runs", type=int, default=9, help="of which the median is taken (default: %(default)s)")
    args = parser.parse_args()
    print("| pairs | exact, all figures | 400 thresholds | roc_curve and roc_auc_score | accuracy: exact, 400 |")
    print("|---|---|---|---|---|")
    for num_pairs in args.pairs:
        distances, same, fold = make_pairs(num_pairs)
        times = [
            milliseconds(lambda d=distances, s=same, f=fold: verify(d, s, f), args.runs),
            milliseconds(lambda d=distances, s=same, f=fold: scan_accuracy(d, s, f), min(args.runs, 3)),
            milliseconds(lambda d=distances, s=same: (roc_curve(s, -d), roc_auc_score(s, -d)), args.runs),
        ]
        accuracies = f"{verify(distances, same, fold).accuracy:.4f}, {scan_accuracy(distances, same, fold):.4f}"
        print(f"| {num_pairs} | " + " | ".join(f"{ms:.1f} ms" for ms in times) + f" | {accuracies} |")


if __name__ == "__main__":
    main()
