import io
import os
import pickle
import zipfile

import numpy as np
import pytest

from sirjax.networks.safetensors_file import read_safetensors
from sirjax.networks.weight_files import read_numpy_pickle, read_torch
from tests.networks import weight_writers


class Attack:
    """Would create a file when unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.fixture
def arrays(rng):
    kinds = (np.float64, np.float32, np.float16)
    return {f"a{i}": rng.normal(size=(2, i, 3)).astype(kind) for i, kind in enumerate(kinds, start=1)}


def assert_same(found, arrays):
    assert sorted(found) == sorted(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize("write", [weight_writers.write_torch_zip, weight_writers.write_torch_stream])
def test_torch(write, arrays, tmp_path):
    write(tmp_path / "x", arrays)
    assert_same(read_torch(tmp_path / "x"), arrays)


@pytest.mark.parametrize("write", [weight_writers.write_torch_zip, weight_writers.write_torch_stream])
def test_torch_tensors_that_are_views_keep_their_strides(write, tmp_path):
    view = np.arange(6.0).reshape(2, 3).T
    write(tmp_path / "x", {"view": view})
    # The writer stores the numbers in C order of the view, 0 3 1 4 2 5; read with strides (1, 3) they are:
    np.testing.assert_array_equal(read_torch(tmp_path / "x")["view"], [[0, 4], [3, 2], [1, 5]])


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_numpy_pickles_of_all_protocols(protocol, arrays, tmp_path):
    fortran = np.asfortranarray(arrays["a2"][:, 0])
    (tmp_path / "x").write_bytes(pickle.dumps({"nested": {**arrays, "fortran": fortran}}, protocol=protocol))
    assert_same(read_numpy_pickle(tmp_path / "x")["nested"], {**arrays, "fortran": fortran})


def test_numpy_pickle_of_an_old_numpy(arrays, tmp_path):
    weight_writers.write_numpy_pickle(tmp_path / "x", arrays)
    assert b"numpy._core" not in (tmp_path / "x").read_bytes()
    assert_same(read_numpy_pickle(tmp_path / "x"), arrays)


def attack_pickle(folder):
    return pickle.dumps({"weights": Attack(folder / "attacked")}, protocol=2)


def attack_zip(folder):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", attack_pickle(folder))
    return buffer.getvalue()


def attack_stream(folder):
    return pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2) + attack_pickle(folder)


@pytest.mark.parametrize(
    ("read", "attack"), [(read_numpy_pickle, attack_pickle), (read_torch, attack_zip), (read_torch, attack_stream)]
)
def test_code_in_a_file_is_refused_and_not_run(read, attack, tmp_path):
    (tmp_path / "x").write_bytes(attack(tmp_path))
    with pytest.raises(ValueError, match=r"is refused as a weight file: it asks for (posix|nt)\.system"):
        read(tmp_path / "x")
    assert not (tmp_path / "attacked").exists()


def test_the_attack_would_have_worked(tmp_path):
    pickle.loads(attack_pickle(tmp_path))
    assert (tmp_path / "attacked").exists()


def test_arrays_of_objects_are_refused(tmp_path):
    (tmp_path / "x").write_bytes(pickle.dumps(np.array([{}, None], dtype=object), protocol=3))
    with pytest.raises(ValueError, match="array of type 'O8', expected floats or integers"):
        read_numpy_pickle(tmp_path / "x")


def test_tensor_that_reaches_beyond_its_storage_is_refused(tmp_path, arrays):
    weight_writers.write_torch_zip(tmp_path / "x", {"a": np.zeros(3, np.float32)})
    with zipfile.ZipFile(tmp_path / "x") as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    contents["archive/data/0"] = contents["archive/data/0"][:8]
    with zipfile.ZipFile(tmp_path / "x", "w") as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    with pytest.raises(ValueError, match="a storage holds 2 numbers, 3 were announced"):
        read_torch(tmp_path / "x")


@pytest.mark.parametrize("read", [read_safetensors, read_numpy_pickle, read_torch])
@pytest.mark.parametrize("data", [b"", b"\x80\x02", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"])
def test_damaged_files_are_refused(read, data, tmp_path):
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(ValueError, match="x (is refused|is not a readable)"):
        read(tmp_path / "x")
