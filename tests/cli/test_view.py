"""One command, one page."""

import json

import pytest

from sirjax.cli import main as command
from tests.cli.viewing.stored_faces import write_face, write_model
from tests.report.pages import parse, words


@pytest.fixture
def sirjax(tmp_path):
    """Runs the command on a folder of two photos with three faces."""
    folder = tmp_path / "faces"
    folder.mkdir()
    write_face(folder, "anna", seed=1)
    write_face(folder, "two", 0, seed=2)
    write_face(folder, "two", 1, seed=3)
    model = write_model(tmp_path)

    def run(*words):
        return command.main(["view", str(folder), "--face-model", str(model), *map(str, words)])

    return run


def data_of(path):
    root = parse(path.read_text(encoding="utf-8"))
    return root, json.loads(next(s for s in root.iter("script") if s.get("id") == "viewer-data").text)


def test_the_page_shows_all_faces_and_says_where_they_come_from(sirjax, tmp_path, capsys):
    assert sirjax() == 0
    root, data = data_of(tmp_path / "faces" / "view.html")
    assert [face["name"] for face in data["faces"]] == ["anna", "two, face 0", "two, face 1"]
    assert words(root.find(".//h1")) == "faces"
    footer = words(root.find(".//footer"))
    assert "dome; licence: CC0-1.0" in footer
    assert "Weightssir, step 7" in footer
    assert str(tmp_path) not in words(root)
    assert data["distances"]["rmse"][0][0] == 0
    assert "3 faces, 0." in capsys.readouterr().out


def test_the_page_goes_where_it_is_asked_to_and_shows_no_more_than_that(sirjax, tmp_path, capsys):
    assert sirjax("--out", tmp_path / "page.html", "--max-faces", 2, "--title", "Holiday") == 0
    root, data = data_of(tmp_path / "page.html")
    assert len(data["faces"]) == 2
    assert words(root.find(".//title")) == "Holiday"
    assert "only the first 2 of 3 faces; --max-faces shows more" in capsys.readouterr().err


def test_no_faces_at_all_is_an_error(sirjax, capsys):
    assert sirjax("--max-faces", 0) == 1
    assert "--max-faces must be at least 1, got 0" in capsys.readouterr().err
