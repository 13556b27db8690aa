"""Files through Apache Beam: what sources need of a path, here on Beam's own view of the local disk."""

import pickle

import pytest

from data_prep.beam_files import BeamPath
from data_prep.raw_files import read_bytes
from data_prep.source import Rejected


def test_what_is_written_is_read_again_and_nothing_else_is_left(tmp_path):
    path = BeamPath(str(tmp_path)) / "part-0"
    for content in (b"first", b"second, onto the first"):
        path.write_bytes(content)
        assert path.read_bytes() == content
    assert [file.name for file in tmp_path.iterdir()] == ["part-0"]


def test_it_has_the_parts_of_a_path_that_sources_use(tmp_path):
    (tmp_path / "ada").mkdir()
    (tmp_path / "ada/1.jpg").write_bytes(b"0123456789")
    path = pickle.loads(pickle.dumps(BeamPath(f"{tmp_path}/") / "ada" / "1.jpg"))
    assert (path.name, path.suffix, str(path.with_suffix(".mat"))) == ("1.jpg", ".jpg", f"{tmp_path}/ada/1.mat")
    assert path.is_file()
    assert not path.with_suffix(".mat").is_file()
    with path.open("rb") as file:
        file.seek(4)
        assert file.read(3) == b"456"


def test_files_named_as_compressed_are_read_as_they_are(tmp_path):
    (tmp_path / "a.gz").write_bytes(b"not compressed")
    assert (BeamPath(str(tmp_path)) / "a.gz").read_bytes() == b"not compressed"


def test_missing_files_are_rejected_like_local_ones(tmp_path):
    with pytest.raises(FileNotFoundError):
        (BeamPath(str(tmp_path)) / "none.jpg").open()
    with pytest.raises(Rejected, match="^ada/none.jpg is missing$"):
        read_bytes(BeamPath(str(tmp_path)) / "none.jpg", "ada/none.jpg")


def test_it_is_opened_for_reading_only(tmp_path):
    with pytest.raises(ValueError, match="is opened for reading bytes only, not 'w'"):
        BeamPath(str(tmp_path)).open("w")


def test_buckets_keep_their_scheme():
    assert str(BeamPath("gs://bucket/raw/") / "ada/1.jpg") == "gs://bucket/raw/ada/1.jpg"
