import numpy as np

from sirjax.cli.evaluating.scan_jobs import Case, Options, measure
from sirjax.cli.evaluating.scan_report import build_page, table_rows
from sirjax.evaluation.scan_summary import summarize
from tests.scans import face


def test_the_page_shows_best_middle_and_worst_and_what_failed(tmp_path):
    vertices, triangles, _ = face()
    np.savez(tmp_path / "scan.npz", vertices=vertices, triangles=triangles)
    cases = []
    for k in range(3):
        np.savez(tmp_path / f"{k}.npz", vertices=vertices + k * np.sin(vertices / 15), triangles=triangles)
        cases.append(Case(f"photo {k}", f"person {k}", tmp_path / "scan.npz", tmp_path / f"{k}.npz"))
    measured = {case.name: measure(case, Options()) for case in cases}
    summary = summarize(list(measured.values()))
    rows = table_rows(summary)
    assert [row[0] for row in rows[:3]] == ["", "RMSE", "mean"]
    assert rows[1][1].startswith(f"{summary.images['plane']['rmse'].mean:.3f} [")
    page = build_page(cases, Options(), measured, {"lost": "no file"}, "micc-sir-v1: test", rows, summary, None)
    page.write(tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    for words in ("best: photo 0", "middle: photo 1", "worst: photo 2", "micc-sir-v1: test", "no file"):
        assert words in text
