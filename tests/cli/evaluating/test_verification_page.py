"""What the report of a verification shows."""

import numpy as np
import pytest

from sirjax.cli.evaluating.verification_page import build_page
from sirjax.cli.evaluating.verify import Subject, evaluate
from sirjax.data.records import open_records
from sirjax.evaluation.codes import Codes
from sirjax.evaluation.pair_lists import PairList
from tests.noise_records import write_noise_records


@pytest.fixture
def result():
    # Photos on a line: distances of one person are 1, 2, 3 mm, of two people 7, 10, 8 mm.
    names = ["a/a1", "a/a2", "b/b1", "b/b2", "c/c1", "c/c2"]
    codes = Codes(names, np.array([[0], [1], [10], [8], [20], [17]], np.float32), identity=np.arange(3).repeat(2))
    first, second = ["a/a1", "b/b1", "c/c1", "a/a2", "b/b1", "c/c1"], ["a/a2", "b/b2", "c/c2", "b/b2", "c/c1", "gone"]
    pairs = PairList([*first[:5], "a/a1", "c/c2"], [*second[:5], "gone", "b/b2"], np.arange(7) < 3, np.arange(7) % 2)
    return evaluate(Subject("own", codes, None), pairs, resamples=20)


def sections(page, kind):
    return [s for s in page._sections if type(s).__name__ == kind]


def test_hardest_pairs_come_first(result, tmp_path):
    records = open_records(write_noise_records(tmp_path / "r", ["a/a1", "a/a2", "b/b1", "b/b2", "c/c1", "c/c2"]))
    page = build_page(result, records, "own", None, {})
    nearest, farthest = sections(page, "Pictures")
    captions = [[picture.caption for picture in row] for row in nearest.rows]
    assert [caption[0] for caption in captions] == ["a2", "c2", "b1"]
    assert captions[0][1].startswith("b2: 7 apart, judged")
    assert [row[0].caption for row in farthest.rows] == ["c1", "b1", "a1"]


def test_roc_and_histograms_are_those_of_the_judged_pairs(result):
    roc, *histograms = sections(build_page(result, None, "own", None, {}), "Plot")
    assert [curve.name for curve in roc.curves] == ["Euclidean", "cosine", "chance"]
    assert roc.curves[0].y[roc.curves[0].x == 0].max() == 1  # all of one person are nearer than any of two
    for histogram in histograms:
        for curve in histogram.curves[:2]:
            assert np.sum(curve.y[1:-1:2]) == pytest.approx(1)


def test_images_without_a_code_are_listed(result):
    page = build_page(result, None, "own", None, {"commit": "abc"})
    rows = sections(page, "Table")[-1].rows
    assert ["gone", "no code of that name"] in [list(row) for row in rows]
    assert "abc" in page.html()
