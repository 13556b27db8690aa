import builtins
import io
import os
import pickle
import zipfile

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from data_prep.face_models import restricted_pickle
from tests.data_prep.face_models.published import pickled_with_chumpy


def load(data):
    return restricted_pickle.load(io.BytesIO(data))


@given(
    array=arrays.arrays(st.sampled_from(["<f8", "<f4", ">i4", "u1", "?"]), arrays.array_shapes(max_dims=3, max_side=4)),
    protocol=st.integers(0, pickle.HIGHEST_PROTOCOL),
)
def test_arrays_of_every_protocol_come_back(array, protocol):
    loaded = load(pickle.dumps({"a": array, "text": "x", "number": array.dtype.type(1)}, protocol=protocol))
    np.testing.assert_array_equal(loaded["a"], array)
    assert loaded["a"].dtype.newbyteorder("=") == array.dtype.newbyteorder("=")
    assert loaded["text"] == "x"
    assert loaded["number"] == 1


@pytest.mark.parametrize("make", [scipy.sparse.csc_matrix, scipy.sparse.csr_matrix, scipy.sparse.csc_array])
def test_sparse_matrices_become_arrays(make):
    dense = np.array([[0.0, 2.0, 0.0], [1.0, 0.0, 3.0]])
    np.testing.assert_array_equal(load(pickle.dumps({"m": make(dense)}))["m"], dense)


def test_chumpy_arrays_become_arrays_though_chumpy_is_not_there():
    fields = {"shapedirs": np.arange(6.0), "v_template": np.eye(2), "J_regressor": np.eye(3)}
    loaded = load(pickled_with_chumpy(fields))
    for name, array in fields.items():
        np.testing.assert_array_equal(loaded[name], array)


class Calls:
    """Pickles into a call of anything."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    "function",
    [os.system, builtins.eval, builtins.exec, builtins.getattr, np.load, np.save, scipy.sparse.load_npz, pickle.loads],
)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_functions_are_refused(function, protocol):
    with pytest.raises(pickle.UnpicklingError, match="it asks for .*, and only arrays are read here"):
        load(pickle.dumps({"a": Calls(function, "1")}, protocol=protocol))


@pytest.mark.parametrize(
    "data",
    [
        b"cscipy.sparse._matrix\nos\n.",
        b"cnumpy\nos\n.",
        b"cnumpy.core.multiarray\nfromfile\n.",
        b"cdata_prep.face_models.restricted_pickle\nload\n.",
        b"cbuiltins\nobject.__subclasses__\n.",
    ],
)
def test_names_that_only_look_like_arrays_are_refused(data):
    with pytest.raises(pickle.UnpicklingError, match="only arrays are read here"):
        load(data)


def test_a_constructor_makes_stand_ins_only():
    with pytest.raises(pickle.UnpicklingError, match="it constructs a <class 'numpy.ndarray'>"):
        load(b"ccopy_reg\n_reconstructor\n(cnumpy\nndarray\nc__builtin__\nobject\nNtR.")


def test_torch_tensors_are_passed_over():
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(ctorch.storage\n_load_from_bytes\n(U\x01xtRI0\ntR."
    data = b"(dU\x04deepL1L\nsU\x04lazy" + tensor[:-1] + b"s."
    loaded = load(data)
    assert loaded["deep"] == 1
    assert isinstance(loaded["lazy"], restricted_pickle._Nothing)


@given(cut=st.integers(0, 400))
def test_cut_pickles_are_errors_of_one_kind(cut):
    data = pickle.dumps({"a": np.arange(40.0), "b": scipy.sparse.csc_matrix(np.eye(3))})
    with pytest.raises(pickle.UnpicklingError):
        load(data[: min(cut, len(data) - 1)])


def test_archives_are_read_without_numpy_s_own_unpickling(tmp_path):
    np.savez(tmp_path / "a.npz", names=np.array(["x", "yy"], dtype=object), values=np.arange(3))
    content = restricted_pickle.read_npz(tmp_path / "a.npz")
    assert content["names"].tolist() == ["x", "yy"]
    np.testing.assert_array_equal(content["values"], np.arange(3))
    assert set(restricted_pickle.read_npz(tmp_path / "a.npz", ("values", "absent"))) == {"values"}
    assert restricted_pickle.fields_of_npz(tmp_path / "a.npz") == {"names", "values"}


def test_objects_in_archives_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", bad=np.array([Calls(os.system, "true")], dtype=object))
    with pytest.raises(ValueError, match="cannot be read as arrays: it asks for .*system"):
        restricted_pickle.read_npz(tmp_path / "a.npz")


def test_damaged_archives_are_refused(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, values=np.arange(1000))
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ValueError, match="cannot be read as arrays"):
        restricted_pickle.read_npz(path)
    assert restricted_pickle.fields_of_npz(path) == set()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("values.npy", b"no array")
    with pytest.raises(ValueError, match="cannot be read as arrays"):
        restricted_pickle.read_npz(path)
