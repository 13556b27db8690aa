from pathlib import Path

import cv2
import numpy as np
import pytest

from sirjax.cli.reconstructing import inputs
from sirjax.cli.reconstructing.inputs import find_inputs, read_ahead
from sirjax.cli.reconstructing.profile import Profile
from sirjax.photo import PhotoError


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Empty files by name; in an empty folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "b.txt", "x/c.jpg", "x/y/d.jpg", "x/y/.hidden.jpg", "odd[1].png"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(b"")


def found(*names):
    return [str(path) for path in find_inputs([Path(name) for name in names])]


def test_folders_are_searched_to_any_depth(photos):
    assert found("x") == ["x/c.jpg", "x/y/d.jpg"]


def test_patterns_are_expanded_where_the_shell_did_not(photos):
    assert found("*.png") == ["a.png", "odd[1].png"]
    assert found("x/*") == ["x/c.jpg", "x/y/d.jpg"]  # the folder y as well
    assert found("**/*.jpg") == ["x/c.jpg", "x/y/d.jpg"]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(photos):
    assert found("odd[1].png") == ["odd[1].png"]


def test_what_is_not_there_stays_to_be_reported(photos):
    assert found("gone.png", "*.webp") == ["gone.png", "*.webp"]


def test_nothing_is_named_twice(photos):
    assert found("a.png", "*.png", "a.png") == ["a.png", "odd[1].png"]


def test_photos_come_in_order_and_only_a_few_are_read_ahead(tmp_path, monkeypatch):
    paths = []
    for i in range(20):
        paths.append(tmp_path / f"{i}.png")
        cv2.imwrite(str(paths[-1]), np.full((4, 4, 3), i, np.uint8))
    paths[7].write_bytes(b"")
    begun = []
    read_photo = inputs.read_photo
    monkeypatch.setattr(inputs, "read_photo", lambda path, **rest: begun.append(path) or read_photo(path, **rest))
    profile, most = Profile(), 0
    for i, (path, photo) in enumerate(read_ahead(paths, 1.0, profile)):
        most = max(most, len(begun) - i)
        assert path == paths[i]
        assert isinstance(photo, PhotoError) if i == 7 else photo.image[0, 0, 0] == i
    assert most <= inputs.READ_AHEAD + 1
    assert profile.items["read"] == 20
