import dataclasses

import numpy as np

from data_prep.duplicates import find_duplicates
from data_prep.parts import Row, write_part
from sirjax.data import alignment
from tests.data.samples import sample
from tests.data_prep.photos import template_landmarks

PHOTO_A, PHOTO_B = b"a" * 32, b"b" * 32


def row(name, digest, *, identity=None, shift=(0.0, 0.0), landmarks=None):
    matrix = np.array([[0.5, 0, shift[0]], [0, 0.5, shift[1]]])
    item = dataclasses.replace(sample(0), name=name, identity=identity, crop_from_photo=matrix, landmarks=landmarks)
    return Row(name, digest, item)


def reasons(tmp_path, *parts):
    paths = [tmp_path / f"part-{index}" for index in range(len(parts))]
    for path, rows in zip(paths, parts, strict=True):
        write_part(path, rows)
    return find_duplicates(paths)


def test_different_photos_are_no_duplicates(tmp_path):
    assert reasons(tmp_path, [row("1", PHOTO_A, identity="x")], [row("2", PHOTO_B, identity="y")]) == {}


def test_the_first_of_equal_photos_of_one_person_stays(tmp_path):
    first = [row("1", PHOTO_A, identity="x"), row("2", PHOTO_B, identity="x")]
    got = reasons(tmp_path, first, [row("3", PHOTO_A, identity="x"), row("4", PHOTO_A, identity="x")])
    assert got == {"3": "repeated: the same image as 1", "4": "repeated: the same image as 1"}


def test_equal_photos_of_two_people_all_go(tmp_path):
    got = reasons(tmp_path, [row("1", PHOTO_A, identity="x")], [row("2", PHOTO_A, identity="y")])
    assert got == {
        "1": "conflicting labels: the same image is 2, of y",
        "2": "conflicting labels: the same image is 1, of x",
    }


def test_two_faces_of_one_photo_are_two_samples(tmp_path):
    # The crops lie 60 crop pixels apart: another face of the same photo.
    rows = [
        row("1", PHOTO_A, identity="x"),
        row("2", PHOTO_A, identity="y", shift=(60, 0)),
        row("3", PHOTO_A, identity="y", shift=(62, 1)),
    ]
    assert reasons(tmp_path, rows) == {"3": "repeated: the same image as 2"}


def test_other_landmarks_on_the_same_face_conflict(tmp_path):
    points = template_landmarks().astype(np.float32)
    near = [row("1", PHOTO_A, landmarks=points), row("2", PHOTO_A, landmarks=points + 1)]
    assert reasons(tmp_path, near) == {"2": "repeated: the same image as 1"}
    far = [row("1", PHOTO_A, landmarks=points), row("2", PHOTO_A, landmarks=points + 3)]
    got = reasons(tmp_path, far)
    assert got["1"] == "conflicting labels: the same image is 2, and one of them has other labels"
    assert set(got) == {"1", "2"}


def test_rejected_rows_are_not_compared(tmp_path):
    assert reasons(tmp_path, [Row("1", bytes(32), reason="empty"), Row("2", bytes(32), reason="empty")]) == {}


def test_the_middle_of_the_crop_decides_whatever_its_turn(tmp_path):
    upright = row("1", PHOTO_A, identity="x")
    middle = np.array([47.5, 55.5])
    turn = np.array([[0.0, -1, 0], [1, 0, 0]])
    turn[:, 2] = middle - turn[:, :2] @ middle
    turned = dataclasses.replace(
        upright.sample, name="2", crop_from_photo=alignment.compose(turn, upright.sample.crop_from_photo)
    )
    assert reasons(tmp_path, [upright, Row("2", PHOTO_A, turned)]) == {"2": "repeated: the same image as 1"}
