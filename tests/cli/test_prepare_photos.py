import shutil

import pytest

from sirjax.cli.main import main
from sirjax.data.records import open_records
from tests.data_prep.photos import landmark_tree


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    root = landmark_tree(tmp_path_factory.mktemp("raw"), 6)
    (root / "afw" / "0004.jpg").write_bytes(b"")
    (root / "afw" / "0005.jpg").write_bytes(b"")
    return root


def test_one_command_makes_both_sets_a_report_and_a_picture(raw, tmp_path, capsys):
    command = ["prepare", "landmark-files", str(raw), f"--out={tmp_path / 'train'}", "--hold-out=every:4"]
    command += [f"--held-out-to={tmp_path / 'test'}", "--workers=1", "--quiet", "--licence=free", "--quality=png"]
    assert main([*command, f"--preview={tmp_path / 'sheet.png'}"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{tmp_path / 'train'}: 2 photos, 2 rejected",
        "        2  the file is empty",
        f"{tmp_path / 'train'}: see {tmp_path / 'sheet.png'}",
        f"{tmp_path / 'test'}: 2 photos, 0 rejected",
        f"{tmp_path / 'test'}: see {tmp_path / 'sheet_held_out.png'}",
    ]
    train, test = open_records(tmp_path / "train"), open_records(tmp_path / "test")
    assert [sample.name for sample in test] == ["afw/0001.jpg", "helen/train/0000.jpg"]
    assert [sample.name for sample in train] == ["afw/0002.jpg", "helen/train/0003.jpg"]
    assert train.manifest["parameters"]["selection"] == "all but every:4"
    assert test.manifest["parameters"]["selection"] == "every:4"
    assert test.manifest["parameters"]["licence"] == "free"
    assert test[0].image.startswith(b"\x89PNG")
    assert (tmp_path / "sheet_held_out.png").is_file()
    # The same command again finds everything made, even without the photos' pixels.
    assert main([*command]) == 0


def test_a_limit_takes_the_first_and_says_so(raw, tmp_path):
    out = tmp_path / "few"
    assert main(["prepare", "landmark-files", str(raw), f"--out={out}", "--limit=2", "--workers=1", "--quiet"]) == 0
    assert [sample.name for sample in open_records(out)] == ["afw/0001.jpg", "afw/0002.jpg"]
    assert open_records(out).manifest["parameters"]["selection"] == "all, the first 2"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--held-out-to=x"], "--held-out-to needs --hold-out: say which photos to hold out"),
        (["--hold-out=every:2", "--held-out-to={out}"], "--out and --held-out-to are both"),
        (["--hold-out=each:2"], "the rule 'each:2' is neither last:N nor every:N"),
    ],
)
def test_options_that_do_not_fit_together_are_refused(raw, tmp_path, capsys, options, message):
    out = tmp_path / "records"
    options = [option.format(out=out) for option in options]
    assert main(["prepare", "landmark-files", str(raw), f"--out={out}", *options]) == 1
    assert message in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--quality=0", "must be 1 to 100 or png, got 0"),
        ("--quality=best", "must be 1 to 100 or png, got best"),
        ("--workers=0", "must be at least 1, got 0"),
    ],
)
def test_values_outside_their_range_are_refused(raw, tmp_path, capsys, option, message):
    with pytest.raises(SystemExit):
        main(["prepare", "landmark-files", str(raw), f"--out={tmp_path / 'records'}", option])
    assert message in capsys.readouterr().err


def test_a_wrong_folder_is_named(tmp_path, capsys):
    assert main(["prepare", "identity-folders", str(tmp_path / "gone"), f"--out={tmp_path / 'records'}"]) == 1
    assert "gone is not a folder: name the one that holds a folder per person" in capsys.readouterr().err
    shutil.rmtree(tmp_path)
