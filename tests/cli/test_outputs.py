import csv
import json
from pathlib import Path

import pytest

from sirjax.cli.outputs import COLUMNS, StatusTable, key


def table_of(folder):
    with (folder / "status.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_both_files_hold_the_same_rows(tmp_path):
    with StatusTable(tmp_path) as table:
        table.add(
            Path("a.jpg"), [{"status": "ok", "face": 0, "folder": "a"}, {"status": "ok", "face": 1, "folder": "a"}]
        )
        table.add(Path("b.jpg"), [{"status": "no_face", "message": 'nothing, "here"'}])
    rows = table_of(tmp_path)
    assert [(row["photo"], row["status"], row["face"]) for row in rows] == [
        (key(Path("a.jpg")), "ok", "0"), (key(Path("a.jpg")), "ok", "1"), (key(Path("b.jpg")), "no_face", "")
    ]  # fmt: skip
    assert rows[2]["message"] == 'nothing, "here"'
    lines = [json.loads(line) for line in (tmp_path / "status.jsonl").read_text().splitlines()]
    assert [{name: str(value) for name, value in line.items()} for line in lines] == rows
    assert tuple(lines[0]) == COLUMNS


def test_a_second_run_replaces_the_rows_of_its_own_photos_only(tmp_path):
    with StatusTable(tmp_path) as table:
        table.add(Path("a.jpg"), [{"status": "no_face"}])
        table.add(Path("b.jpg"), [{"status": "no_face"}])
    with StatusTable(tmp_path) as table:
        table.add(Path("a.jpg"), [{"status": "ok", "face": 0}, {"status": "ok", "face": 1}])
    assert [(Path(row["photo"]).name, row["status"]) for row in table_of(tmp_path)] == [
        ("a.jpg", "ok"), ("a.jpg", "ok"), ("b.jpg", "no_face")
    ]  # fmt: skip


def test_rows_survive_a_run_that_never_ends(tmp_path):
    for _ in range(2):  # killed twice, before `close`
        table = StatusTable(tmp_path)
        table.add(Path("a.jpg"), [{"status": "ok", "face": 0}, {"status": "ok", "face": 1}])
        table._journal.close()
    with StatusTable(tmp_path) as table:
        table.add(Path("b.jpg"), [{"status": "no_face"}])
    assert [row["status"] for row in table_of(tmp_path)] == ["ok", "ok", "no_face"]


def test_photos_of_the_same_name_get_folders_of_their_own(tmp_path):
    table = StatusTable(tmp_path)
    photos = [Path("x/face.jpg"), Path("y/face.png"), Path("z/FACE.jpg"), Path("x/face.jpg")]
    names = [table.folder_for(photo).name for photo in photos]
    assert names == ["face", "face-2", "FACE-3", "face"]  # some file systems do not tell capitals
    table.close()


def test_folders_are_remembered_from_run_to_run(tmp_path):
    with StatusTable(tmp_path) as table:
        for photo in (Path("x/face.jpg"), Path("y/face.jpg")):
            folder = table.folder_for(photo)
            folder.mkdir()
            table.add(photo, [{"status": "ok", "face": 0, "folder": folder.name}])
    with StatusTable(tmp_path) as table:  # in the other order, and with a newcomer
        photos = (Path("new/face.jpg"), Path("y/face.jpg"), Path("x/face.jpg"))
        assert [table.folder_for(photo).name for photo in photos] == ["face-3", "face-2", "face"]


def test_a_folder_of_unknown_origin_is_left_alone(tmp_path):
    (tmp_path / "face").mkdir()
    with StatusTable(tmp_path) as table:
        assert table.folder_for(Path("face.jpg")).name == "face-2"


@pytest.mark.parametrize(
    ("name", "folder"),
    [("my photo (1).jpg", "my_photo_1"), ("写真.png", "写真"), ("...jpg", "photo"), ("a.b.jpg", "a.b")],
)
def test_folder_names_have_no_awkward_letters(tmp_path, name, folder):
    with StatusTable(tmp_path) as table:
        assert table.folder_for(Path(name)).name == folder


@pytest.mark.parametrize("line", ["hello", "[1, 2]", '{"photo": "a.jpg"}'])
def test_a_foreign_file_is_refused(tmp_path, line):
    (tmp_path / "status.jsonl").write_text(line + "\n")
    with pytest.raises(ValueError, match=r"status\.jsonl, line 1 is not a row of a status table: name another --out"):
        StatusTable(tmp_path)
    assert (tmp_path / "status.jsonl").read_text() == line + "\n"
