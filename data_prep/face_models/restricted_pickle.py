"""Reads pickled arrays without executing what a pickle may ask for.

A pickle is a program: it names functions and calls them. Here it may name NumPy's array constructors only; scipy's
sparse matrices and chumpy's arrays (FLAME's files hold both) become stand-ins of this module that keep the numbers;
anything of torch is read as a stand-in that keeps nothing. Any other name is refused before anything is called.
"""

import codecs
import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
from numpy.lib import format as npy_format


class _SparseStandIn:
    """The state of a scipy sparse matrix."""

    make: Any = scipy.sparse.csc_array

    def __setstate__(self, state: Any) -> None:
        self.state = dict(state) if isinstance(state, dict) else {}

    def array(self) -> np.ndarray:
        shape = self.state.get("_shape", self.state.get("shape"))
        if shape is None:
            raise pickle.UnpicklingError("it holds a sparse matrix without a shape")
        numbers = (self.state["data"], self.state["indices"], self.state["indptr"])
        return type(self).make(numbers, shape=tuple(shape)).toarray()


class _SparseRowStandIn(_SparseStandIn):
    make = scipy.sparse.csr_array


class _ChumpyStandIn:
    """The state of a chumpy array; its numbers are under x."""

    def __setstate__(self, state: Any) -> None:
        self.state = dict(state) if isinstance(state, dict) else {}

    def array(self) -> np.ndarray:
        if "x" not in self.state:
            raise pickle.UnpicklingError("it holds a chumpy expression instead of numbers")
        return np.asarray(plain(self.state["x"]))


class _Nothing:
    """What is not read: takes anything, keeps nothing."""

    def __new__(cls, *_: Any, **__: Any) -> "_Nothing":
        return super().__new__(cls)

    def __setstate__(self, state: Any) -> None:
        pass

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def append(self, value: Any) -> None:
        """Ignores a list's item."""

    def extend(self, values: Any) -> None:
        """Ignores a list's items."""


def _reconstruct(cls: Any, base: Any = object, state: Any = None) -> Any:
    """copyreg's constructor of Python 2 objects, for the stand-ins only."""
    if cls not in (_SparseStandIn, _SparseRowStandIn, _ChumpyStandIn, _Nothing):
        raise pickle.UnpicklingError(f"it constructs a {cls!r}")
    return cls()


def _latin1(text: str, encoding: str = "latin1") -> bytes:
    """codecs.encode as pickles of bytes use it."""
    return codecs.encode(text, encoding) if encoding in ("latin1", "latin-1") else text.encode("utf-8")


def _bytes(data: Any = b"", *_: Any) -> bytes:
    """bytes, but of no number: that would fill the memory."""
    return bytes(data) if isinstance(data, (bytes, bytearray, list)) else b""


def _new_array(subtype: Any, shape: Any, dtype: Any) -> np.ndarray:
    """NumPy's empty array, which the pickle's next step fills."""
    return np.ndarray.__new__(np.ndarray, shape, dtype)


def _scalar(dtype: Any, data: bytes = b"") -> Any:
    return np.frombuffer(data, dtype, 1)[0]


def _from_buffer(data: Any, dtype: Any, shape: Any, order: Any = "C") -> np.ndarray:
    return np.frombuffer(data, dtype).reshape(shape, order=order)


_NUMPY = {
    "_reconstruct": _new_array,
    "scalar": _scalar,
    "_frombuffer": _from_buffer,
    "ndarray": np.ndarray,
    "dtype": np.dtype,
}
_NUMPY_MODULES = (
    "numpy", "numpy.core.multiarray", "numpy._core.multiarray", "numpy.core.numeric", "numpy._core.numeric",
)  # fmt: skip
_SPARSE = {
    "csc_matrix": _SparseStandIn,
    "csc_array": _SparseStandIn,
    "csr_matrix": _SparseRowStandIn,
    "csr_array": _SparseRowStandIn,
}
_EXACT = {
    ("copy_reg", "_reconstructor"): _reconstruct,
    ("copyreg", "_reconstructor"): _reconstruct,
    ("__builtin__", "object"): object,
    ("builtins", "object"): object,
    ("__builtin__", "bytes"): _bytes,
    ("builtins", "bytes"): _bytes,
    ("builtins", "bytearray"): _bytes,
    ("_codecs", "encode"): _latin1,
    ("collections", "OrderedDict"): dict,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str) -> Any:
        if (module_name, global_name) in _EXACT:
            return _EXACT[module_name, global_name]
        if module_name in _NUMPY_MODULES and global_name in _NUMPY:
            return _NUMPY[global_name]
        package = module_name.split(".")[0]
        if module_name.startswith("scipy.sparse") and global_name in _SPARSE:
            return _SPARSE[global_name]
        if package == "chumpy":
            return _ChumpyStandIn
        if package == "torch":
            return _Nothing
        raise pickle.UnpicklingError(f"it asks for {module_name}.{global_name}, and only arrays are read here")


def load(file: io.BufferedIOBase) -> Any:
    """What a pickle holds, with arrays for the stand-ins wherever they are values of a dictionary.

    Raises:
      pickle.UnpicklingError: if it asks for anything but arrays, or is damaged.
    """
    try:
        return plain(_Unpickler(file, encoding="latin1").load())
    except pickle.UnpicklingError:
        raise
    except Exception as error:  # a damaged pickle can fail in any of its steps
        raise pickle.UnpicklingError(f"it is cut short or damaged ({type(error).__name__}: {error})") from error


def plain(value: Any) -> Any:
    """The value with stand-ins replaced by their arrays, also inside dictionaries."""
    if isinstance(value, (_SparseStandIn, _ChumpyStandIn)):
        return value.array()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def read_npy(file: io.BufferedIOBase) -> Any:
    """The array of a .npy file; of an array of objects with one entry, that entry.

    Raises:
      ValueError: if it is no .npy file.
      pickle.UnpicklingError: if it holds anything but arrays.
    """
    data = io.BytesIO(file.read())
    version = npy_format.read_magic(data)
    read_header = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
    shape, _, dtype = read_header(data)
    if not dtype.hasobject:
        data.seek(0)
        return npy_format.read_array(data, allow_pickle=False)
    objects = load(data)
    return plain(objects.item()) if shape == () else objects


def read_npz(path: Path, fields: tuple[str, ...] | None = None) -> dict[str, Any]:
    """The named arrays (all if None) of an .npz archive that are there.

    Raises:
      ValueError: if it is damaged or holds anything but arrays.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.removesuffix(".npy"): name for name in archive.namelist()}
            wanted = names if fields is None else [field for field in fields if field in names]
            content = {}
            for field in wanted:
                with archive.open(names[field]) as member:
                    content[field] = read_npy(io.BytesIO(member.read()))
            return content
    except (zipfile.BadZipFile, EOFError, OSError, ValueError, pickle.UnpicklingError) as error:
        raise ValueError(f"cannot be read as arrays: {error}") from error


def fields_of_npz(path: Path) -> set[str]:
    """The names of the arrays of an .npz archive; none if it is damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {name.removesuffix(".npy") for name in archive.namelist()}
    except (zipfile.BadZipFile, OSError):
        return set()
