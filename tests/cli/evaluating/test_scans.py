import json

import numpy as np
import pytest

from sirjax.cli.evaluating.codes import save_codes
from sirjax.cli.main import main
from sirjax.data.sample import FORMAT_VERSION
from sirjax.evaluation.codes import Codes
from sirjax.morphable import builtin_face_model, neutral_vertices
from tests.scans import face, write_obj


@pytest.fixture
def table(tmp_path):
    """Three people with a prediction each; a fourth row names a file that is not there."""
    rows = ["name\tsubject\tscan\tprediction"]
    vertices, triangles, _ = face()
    for k in range(3):
        write_obj(tmp_path / f"scan{k}.obj", vertices + 0.5 * np.cos((k + 1) * vertices / 40), triangles)
        write_obj(tmp_path / f"face{k}.obj", 1.05 * vertices, triangles)
        rows.append(f"photo{k}\tperson{k}\tscan{k}.obj\tface{k}.obj")
    path = tmp_path / "table.tsv"
    path.write_text("\n".join([*rows, "lost\tperson0\tscan0.obj\tgone.obj"]) + "\n")
    return path


def evaluate(capsys, *words):
    code = main(["evaluate", "scans", *map(str, words), "--workers", "1"])
    out = capsys.readouterr()
    return code, out.out, out.err


def test_a_table_is_measured_and_what_failed_is_told(table, tmp_path, capsys):
    code, out, _ = evaluate(capsys, table, "--out", tmp_path / "out")
    assert code == 2
    assert "3 images of 3 people measured, 1 not" in out
    assert "gone.obj is missing" in out
    results = json.loads((tmp_path / "out/results.json").read_text())
    assert results["protocol"].startswith("micc-sir-v1: crop 95 mm, ICP from nose tips, scale per mesh")
    rmse = [row["plane_rmse"] for row in results["images"].values()]
    figure = results["figures"]["mean_over_images"]["plane"]["rmse"]
    assert figure["value"] == pytest.approx(np.mean(rmse), abs=1e-5)
    assert figure["low"] <= figure["value"] <= figure["high"]
    assert len(results["figures"]["ced"]["millimeters"]) == 101
    page = (tmp_path / "out/report.html").read_text()
    for words in ("Cumulative errors", "Error maps", "Largest errors", "Not measured", "worst: photo"):
        assert words in page


def test_one_scale_for_all_is_the_median_of_those_fitted(table, tmp_path, capsys):
    evaluate(capsys, table, "--out", tmp_path / "free")
    evaluate(capsys, table, "--out", tmp_path / "one", "--scale", "global")
    free, one = (json.loads((tmp_path / name / "results.json").read_text()) for name in ("free", "one"))
    median = np.median([row["scale"] for row in free["images"].values()])
    assert [row["scale"] for row in one["images"].values()] == pytest.approx([median] * 3)
    assert "scale one for all" in one["protocol"]


def test_codes_of_the_florence_set_are_compared_with_the_mean_face(tmp_path, capsys, rng):
    model = builtin_face_model()
    shape = rng.normal(size=(2, model.num_shape)).astype(np.float32)
    lines = ["identity\tkind\tfile\tsha256"]
    for k, vertices in enumerate(np.asarray(neutral_vertices(model, shape))):
        file = f"subject_0{k + 1}.obj"
        write_obj(tmp_path / file, vertices, np.asarray(model.triangles))
        lines.append(f"subject_0{k + 1}\tfrontal1\t{file}\t0")
    records = tmp_path / "records"
    records.mkdir()
    (records / "scans.tsv").write_text("\n".join(lines) + "\n")
    parameters = {"settings": ["PTZ-Outdoor"], "frames_per_video": 2, "seed": 0}
    manifest = {"format_version": FORMAT_VERSION, "parameters": parameters}
    (records / "manifest.json").write_text(json.dumps(manifest))
    names = [f"subject_0{person}/PTZ-Outdoor/{frame}.jpg" for person in (1, 2) for frame in (0, 1)]
    codes = np.repeat(shape * np.asarray(model.shape_std), 2, axis=0) * np.array([[1.0], [0.9], [1.0], [0.9]])
    save_codes(tmp_path / "codes.npz", Codes(names, codes.astype(np.float32)))
    code, out, err = evaluate(
        capsys, tmp_path / "codes.npz", "--records", records, "--scans", tmp_path, "--face-model", "builtin",
        "--out", tmp_path / "out",
    )  # fmt: skip
    assert code == 0, err
    assert "minus the mean face's" in out
    results = json.loads((tmp_path / "out/results.json").read_text())
    assert "PTZ-Outdoor, 2 frames, seed 0, frontal1" in results["protocol"]
    mine, mean = (r["mean_over_images"]["plane"]["rmse"]["value"] for r in (results["figures"], results["mean_face"]))
    assert mine < 0.3 * mean


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--trim", "1"], r"--trim must be in [0, 1), got 1"),
        (["--unit", "inch"], "a unit is mm, cm, m or how many millimeters it has"),
        (["--tips", "tips.tsv"], "--tips belongs to a run or codes: give a table's tips in its column scan_nose_tip"),
        (["--protocol", "now"], "photo0: the crop of NoW needs 7 landmarks [7, 3] of the scan, got none"),
    ],
)
def test_wrong_options_are_refused(table, tmp_path, capsys, words, message):
    code, _, err = evaluate(capsys, table, "--out", tmp_path / "out", *words)
    assert code == 1
    assert message in err
    assert not (tmp_path / "out").exists()


def test_rows_of_one_name_are_refused(table, tmp_path, capsys):
    table.write_text(table.read_text().replace("photo1", "photo0"))
    code, _, err = evaluate(capsys, table, "--out", tmp_path / "out")
    assert code == 1
    assert "'photo0' names several rows: give them a column `name` in which all differ" in err
