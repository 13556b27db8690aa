import pytest

from data_prep.face_models import formats


@pytest.mark.parametrize("name", formats.FORMATS)
def test_each_format_says_where_its_files_come_from(name):
    described = formats.format_of(name)
    assert described.name == name
    assert described.page.startswith("http")
    assert described.licence
    assert f"`sirjax face-model import {name} PATH --out model.npz`" in described.remedy


@pytest.mark.parametrize("name", formats.FORMATS)
def test_each_format_names_a_missing_file(name, tmp_path):
    with pytest.raises(FileNotFoundError, match=f"sirjax face-model import {name} PATH"):
        formats.read(name, tmp_path / "absent")


def test_an_unknown_format_lists_the_known_ones(tmp_path):
    with pytest.raises(
        ValueError, match="unknown format 'bfm' of face models: take one of bfm2009, 3ddfa, bfm2017, flame"
    ):
        formats.read("bfm", tmp_path)
