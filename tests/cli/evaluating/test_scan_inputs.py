import numpy as np
import pytest

from sirjax.cli.evaluating.codes import save_codes
from sirjax.cli.evaluating.scan_inputs import cases_of_records, mean_faces, read_cases, read_tips, shapes_of
from sirjax.evaluation.codes import Codes
from sirjax.morphable import builtin_face_model, landmarks_of, neutral_vertices

HEADER = "subject\tscan\tprediction"


def table(tmp_path, *rows, header=HEADER):
    path = tmp_path / "table.tsv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_rows_become_cases_relative_to_the_table(tmp_path):
    header = f"{HEADER}\tname\tscan_nose_tip\tscan_landmarks\tprediction_landmarks"
    path = table(
        tmp_path,
        "ann\ts/a.obj\tp/a.ply\tfirst\t1 2 3\tl.txt\tm.txt",
        "bob\tb.obj\tc.obj\t\t\tl.txt\tm.txt",
        header=header,
    )
    first, second = read_cases(path)
    assert (first.name, first.subject, first.scan) == ("first", "ann", tmp_path / "s/a.obj")
    assert first.prediction == tmp_path / "p/a.ply"
    assert (first.scan_nose_tip, first.scan_landmarks) == ((1.0, 2.0, 3.0), tmp_path / "l.txt")
    assert (second.name, second.scan_nose_tip) == ("c.obj", None)


def test_a_prediction_may_be_a_named_code(tmp_path):
    save_codes(tmp_path / "codes.npz", Codes(["x", "y"], np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)))
    (case,) = read_cases(table(tmp_path, "ann\ta.obj\tcodes.npz#y"))
    np.testing.assert_array_equal(case.prediction, [3, 4])
    with pytest.raises(ValueError, match="line 2: codes.npz holds no code named 'z', but 2 others"):
        read_cases(table(tmp_path, "ann\ta.obj\tcodes.npz#z"))


@pytest.mark.parametrize(
    ("rows", "header", "message"),
    [
        ([], HEADER, "has a header but no rows"),
        (["a\tb"], "subject\tscan", "missing: prediction, unknown: none"),
        (["a\tb\tc\td"], HEADER + "\tpose", "missing: none, unknown: pose"),
        (["a\t\tc"], HEADER, "line 2: scan is empty"),
        (["a\tb\tc\t1 2"], HEADER + "\tscan_nose_tip", "line 2: scan_nose_tip must be three numbers x y z, got '1 2'"),
        (["a\tb\tc\tl\tm", "a\tb\td"], HEADER + "\tscan_landmarks\tprediction_landmarks", "1 of 2 rows have landmarks"),
        (["a\tb\tc\tl.txt"], HEADER + "\tscan_landmarks", "line 2: scan_landmarks and prediction_landmarks must be"),
    ],
)
def test_tables_that_say_nothing_usable_are_refused(tmp_path, rows, header, message):
    with pytest.raises(ValueError, match=message):
        read_cases(table(tmp_path, *rows, header=header))


def test_images_of_the_florence_set_meet_the_scan_of_their_person(tmp_path):
    lines = ["identity\tkind\tfile\tsha256"]
    lines += [f"subject_0{n}\t{kind}\tsubject_0{n}/Model/{kind}/{file}\t0"
              for n in (1, 2) for kind in ("frontal1", "frontal2") for file in ("obj/a.obj", "vrml/a.wrl")]  # fmt: skip
    (tmp_path / "scans.tsv").write_text("\n".join(lines) + "\n")
    names = ["subject_01/PTZ-Outdoor/000003.jpg", "subject_02/PTZ-Outdoor/000001.jpg"]
    codes = Codes(names, np.ones((2, 3), np.float32))
    cases = cases_of_records(codes, tmp_path, tmp_path / "florence", "frontal2")
    assert [case.scan for case in cases] == [
        tmp_path / f"florence/subject_0{n}/Model/frontal2/obj/a.obj" for n in (1, 2)
    ]
    baseline = mean_faces(cases + cases)
    assert [case.name for case in baseline] == ["mean face, subject_01", "mean face, subject_02"]
    assert not np.any([case.prediction for case in baseline])
    with pytest.raises(ValueError, match="lists no scan 'left'; give one of these to --scan-kind: frontal1, frontal2"):
        cases_of_records(codes, tmp_path, tmp_path, "left")
    with pytest.raises(FileNotFoundError, match="scans.tsv is missing: prepare the set with: sirjax prepare micc"):
        cases_of_records(codes, tmp_path / "elsewhere", tmp_path, "frontal1")


def test_tips_of_a_table_go_to_each_person_s_scan_and_must_be_complete(tmp_path):
    (tmp_path / "scans.tsv").write_text("identity\tkind\tfile\tsha256\nann\tfrontal1\ta.obj\t0\n")
    (tmp_path / "tips.tsv").write_text("subject\tx\ty\tz\nann\t1.5\t-2\t80\n")
    tips = read_tips(tmp_path / "tips.tsv")
    case = lambda *names: cases_of_records(  # noqa: E731
        Codes(list(names), np.ones((len(names), 3), np.float32)), tmp_path, tmp_path, "frontal1", tips
    )
    cases = case("ann/a/1.jpg", "ann/a/2.jpg")
    assert [one.scan_nose_tip for one in cases] == [(1.5, -2.0, 80.0)] * 2
    assert mean_faces(cases)[0].scan_nose_tip == (1.5, -2.0, 80.0)
    with pytest.raises(ValueError, match="lacks 1 of 2 people, such as bob: give all or none"):
        case("ann/a/1.jpg", "bob/a/1.jpg")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("subject\tx\ty\nann\t1\t2\n", "needs the tab-separated columns subject, x, y, z; missing: z"),
        ("subject\tx\ty\tz\nann\t1\t2\n", "line 2: x y z must be three numbers x y z, got '1 2 none'"),
        ("subject\tx\ty\tz\nann\t1\t2\t3\nann\t1\t2\t3\n", "line 3: 'ann' comes twice"),
    ],
)
def test_tables_of_tips_that_say_nothing_usable_are_refused(tmp_path, text, message):
    (tmp_path / "tips.tsv").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_tips(tmp_path / "tips.tsv")


def test_plain_arrays_give_the_faces_of_the_face_model(rng):
    model = builtin_face_model()
    shape = rng.normal(size=model.num_shape).astype(np.float32)
    shapes = shapes_of(model)
    vertices = shapes.vertices(shape * np.asarray(model.shape_std))
    expected = neutral_vertices(model, shape[None])
    np.testing.assert_allclose(vertices, expected[0], atol=1e-3)
    np.testing.assert_allclose(shapes.landmarks(vertices), landmarks_of(model, expected)[0], atol=1e-3)
