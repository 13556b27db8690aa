import pytest

from data_prep.selection import hold_out, read_list
from data_prep.source import Entry

PEOPLE = [Entry(f"{person}/{photo}.jpg", person) for person in "abcde" for photo in (1, 2)]
PHOTOS = [Entry(f"{number:02d}.jpg") for number in range(25)]


def names(entries):
    return [entry.name for entry in entries]


def test_the_last_people_are_held_out_with_all_their_photos():
    kept, held = hold_out(PEOPLE, "last:2")
    assert names(held) == ["d/1.jpg", "d/2.jpg", "e/1.jpg", "e/2.jpg"]
    assert names(kept) == names(PEOPLE)[:6]


def test_every_tenth_photo_is_held_out_where_there_are_no_people():
    kept, held = hold_out(PHOTOS, "every:10")
    assert names(held) == ["00.jpg", "10.jpg", "20.jpg"]
    assert len(kept) == 22


def test_every_second_person_is_held_out():
    assert {entry.identity for entry in hold_out(PEOPLE, "every:2")[1]} == {"a", "c", "e"}


def test_people_and_photos_of_a_list_are_held_out(tmp_path):
    (tmp_path / "list.txt").write_text("# chosen by hand\nb\n\nd/2.jpg\n", encoding="utf-8")
    kept, held = hold_out(PEOPLE, str(tmp_path / "list.txt"))
    assert names(held) == ["b/1.jpg", "b/2.jpg", "d/2.jpg"]
    assert names(kept) == [name for name in names(PEOPLE) if name not in names(held)]


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("last:0", "'last:0' is neither last:N nor every:N .N at least 1. nor a file"),
        ("each:3", "'each:3' is neither"),
        ("missing.txt", "'missing.txt' is neither"),
        ("last:5", "the rule 'last:5' holds out 10 of 10 photos: there is nothing to split"),
        ("every:1", "holds out 10 of 10"),
    ],
)
def test_rules_that_split_nothing_are_refused(rule, message):
    with pytest.raises(ValueError, match=message):
        hold_out(PEOPLE, rule)


def test_unknown_names_in_a_list_are_named(tmp_path):
    (tmp_path / "list.txt").write_text("b\nzoe\nyan\n")
    with pytest.raises(ValueError, match="lists 2 names that the data set does not have, such as 'yan'"):
        hold_out(PEOPLE, str(tmp_path / "list.txt"))


def test_lists_that_are_none_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing.txt is no file: give a list of identities or photos"):
        read_list(tmp_path / "nothing.txt")
    (tmp_path / "empty.txt").write_text("# only a comment\n")
    with pytest.raises(ValueError, match="empty.txt lists nothing"):
        read_list(tmp_path / "empty.txt")
    (tmp_path / "picture.txt").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(ValueError, match="picture.txt is not UTF-8 text"):
        read_list(tmp_path / "picture.txt")
