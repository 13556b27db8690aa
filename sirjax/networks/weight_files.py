"""Reads arrays from other people's pickled weight files without running any code in them.

Pickles can name any Python function to be called while they are read. The readers here know the handful of names that
weights need and answer them with stand-ins of their own; everything else is refused before anything happens.
"""

import io
import math
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import Shaped

Arrays = dict[str, Shaped[np.ndarray, "..."]]

_TORCH_STORAGES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ByteStorage": "<u1",
}
_TORCH_MAGIC = 0x1950A86A20F9469CFC6C  # first number of files that torch wrote before version 1.6


def read_numpy_pickle(path: str | Path) -> dict[str, Any]:
    """Returns a pickled (nested) dict of NumPy arrays.

    Raises:
      ValueError: if the pickle asks for anything but float or integer arrays, or is damaged.
    """
    with open(path, "rb") as file:
        return _resolved(_load(path, _Unpickler(file, _NUMPY_NAMES).load))


def read_torch(path: str | Path) -> Arrays:
    """Returns the tensors of a PyTorch state dict (.pth, .pt; of any version) by name.

    Raises:
      ValueError: if the file asks for anything but tensors of plain numbers, or is damaged.
    """
    with open(path, "rb") as file:
        state = _load(path, lambda: (_read_torch_zip if zipfile.is_zipfile(file) else _read_torch_stream)(file))
    if not isinstance(state, dict):
        raise ValueError(f"{path} holds a {type(state).__name__}, expected a state dict")
    return _resolved(state)


class _Unpickler(pickle.Unpickler):
    """An unpickler that knows the given names and nothing else."""

    def __init__(
        self, file: BinaryIO, names: dict[tuple[str, str], Any], storages: dict[str, "_Storage"] | None = None
    ):
        super().__init__(file, encoding="latin1")  # how Python 3 reads the byte strings of Python 2
        self._names = names
        self._storages = storages

    def find_class(self, module: str, name: str) -> Any:
        """Returns the stand-in of a global name."""
        if (module, name) not in self._names:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no weights need")
        return self._names[module, name]

    def persistent_load(self, pid: Any) -> "_Storage":
        """Returns the storage that torch refers to as ("storage", type, key, device, number of elements, ...)."""
        if self._storages is None:
            raise pickle.UnpicklingError("it refers to data outside itself")
        _, kind, key, _, size = pid[:5]
        return self._storages.setdefault(str(key), _Storage(str(kind), int(size)))


class _Array:
    """Stands in for numpy.ndarray and numpy's _reconstruct while unpickling."""

    def __init__(self, *_: Any):
        self.array: np.ndarray | None = None

    def __setstate__(self, state: tuple) -> None:
        _, shape, kind, fortran_order, data = state
        data = data.encode("latin1") if isinstance(data, str) else data
        self.array = np.frombuffer(data, kind.name).reshape(shape, order="F" if fortran_order else "C")


class _Type:
    """Stands in for numpy.dtype: plain floats and integers only, so never `object`."""

    def __init__(self, name: str, *_: Any):
        if name not in ("f2", "f4", "f8", "i4", "i8", "u1"):
            raise pickle.UnpicklingError(f"it holds an array of type {name!r}, expected floats or integers")
        self.name = name

    def __setstate__(self, state: tuple) -> None:
        self.name = ("" if state[1] == "|" else state[1]) + self.name  # the byte order


class _Storage:
    """A torch storage; its numbers may be read after the tensors that use them."""

    def __init__(self, kind: str, size: int):
        self.kind, self.size = np.dtype(kind), size
        self.data: np.ndarray | None = None

    def fill(self, data: bytes) -> None:
        self.data = np.frombuffer(data, self.kind)
        if len(self.data) != self.size:
            raise ValueError(f"a storage holds {len(self.data)} numbers, {self.size} were announced")


class _Tensor:
    """Stands in for torch's _rebuild_tensor_v2."""

    def __init__(self, storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any):
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides

    @property
    def array(self) -> np.ndarray:
        data = self.storage.data
        end = self.offset + sum((size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True))
        if (
            data is None
            or min((self.offset, *self.shape, *self.strides)) < 0
            or (math.prod(self.shape) and end >= len(data))
        ):
            raise ValueError("a tensor reaches beyond its storage")
        strides = [stride * data.itemsize for stride in self.strides]
        return np.lib.stride_tricks.as_strided(data[self.offset :], self.shape, strides, writeable=False).copy()


_NUMPY_NAMES: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Type,
    ("_codecs", "encode"): lambda text, encoding: text.encode("latin1"),  # bytes in pickles of protocol 2 and below
}
_TORCH_NAMES: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _Tensor,
    ("torch._utils", "_rebuild_parameter"): lambda tensor, *_: tensor,
    **{("torch", name): kind for name, kind in _TORCH_STORAGES.items()},
}


def _load(path: str | Path, load: Callable[[], Any]) -> Any:
    try:
        return load()
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise ValueError(f"{path} is refused as a weight file: {error}") from error


def _read_torch_zip(file: BinaryIO) -> Any:
    """Files since torch 1.6: <any name>/data.pkl with the structure, <any name>/data/<key> with the numbers."""
    with zipfile.ZipFile(file) as archive:
        pickles = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise ValueError("the archive holds no data.pkl")
        folder = pickles[0].removesuffix("data.pkl")
        storages: dict[str, _Storage] = {}
        state = _Unpickler(io.BytesIO(archive.read(pickles[0])), _TORCH_NAMES, storages).load()
        for key, storage in storages.items():
            storage.fill(archive.read(f"{folder}data/{key}"))
    return state


def _read_torch_stream(file: BinaryIO) -> Any:
    """Older files: five pickles (magic number, version, system, structure, keys), then each key's numbers."""
    file.seek(0)
    storages: dict[str, _Storage] = {}
    if _Unpickler(file, {}).load() != _TORCH_MAGIC:
        raise ValueError("it was not written by torch.save")
    _Unpickler(file, {}).load()
    _Unpickler(file, {}).load()
    state = _Unpickler(file, _TORCH_NAMES, storages).load()
    for key in _Unpickler(file, {}).load():
        storage = storages[str(key)]
        size = int.from_bytes(file.read(8), "little")
        storage.fill(file.read(size * storage.kind.itemsize))
    return state


def _resolved(tree: Any) -> Any:
    """Replaces stand-ins by their arrays."""
    if isinstance(tree, dict):
        return {str(key): _resolved(value) for key, value in tree.items()}
    if isinstance(tree, _Array | _Tensor):
        if tree.array is None:
            raise ValueError("an array without numbers")
        return tree.array
    return tree
