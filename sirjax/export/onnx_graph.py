"""Builds ONNX graphs: nodes and constants by short methods, names made on the way. Needs the extra `onnx`.

Opset 17 of 2022: every operator used here is understood by ONNX Runtime since 1.12, OpenVINO, TensorRT and CoreML's
converter. Images are [B, C, H, W] inside, as ONNX wants them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Shaped

from sirjax.export.files import software

OPSET = 17
IR_VERSION = 8  # of the file format that came with the opset
REMEDY = "this needs the packages of an extra: pip install 'sirjax[onnx]'"
_EPSILON = 1e-6  # of group norms, as in flax


class Graph:
    """A graph in the making. Values are known by their names, which are strings."""

    def __init__(self):
        self._helper, self._nodes = import_onnx().helper, []
        self._constants: dict[str, np.ndarray] = {}

    def constant(self, value: Any, name: str = "") -> str:
        """A constant array (or number, or list of whole numbers)."""
        array = np.asarray(value)
        array = array.astype(np.int64 if array.dtype.kind in "iu" else np.float32)
        name = name or f"constant_{len(self._constants)}"
        if name in self._constants:
            raise ValueError(f"there is a constant {name} already")
        self._constants[name] = array
        return name

    def op(self, kind: str, *inputs: str, name: str = "", outputs: int = 1, **attributes: Any) -> Any:
        """The result of an ONNX operator, or a list of its results; `name` names the (only) result."""
        names = [name or f"{kind.lower()}_{len(self._nodes)}_{i}" for i in range(outputs)]
        self._nodes.append(self._helper.make_node(kind, list(inputs), names, **attributes))
        return names[0] if outputs == 1 else names

    def split(self, value: str, sizes: Sequence[int]) -> list[str]:
        """Parts of the last axis."""
        return self.op("Split", value, self.constant(list(sizes)), outputs=len(sizes), axis=-1)

    def reshape(self, value: str, shape: Sequence[int], name: str = "") -> str:
        """Another shape; -1 stands for the batch."""
        return self.op("Reshape", value, self.constant(list(shape)), name=name)

    def convolution(self, value: str, params: Mapping, prefix: str, *, stride: int, padding: int) -> str:
        """flax's `nn.Conv` on [B, C, H, W]."""
        inputs = [value, self.constant(np.transpose(params["kernel"], (3, 2, 0, 1)), f"{prefix}/kernel")]
        inputs += [self.constant(params["bias"], f"{prefix}/bias")] if "bias" in params else []
        return self.op("Conv", *inputs, strides=[stride] * 2, pads=[padding] * 4)

    def group_norm(self, value: str, params: Mapping, prefix: str, *, groups: int, shape: Sequence[int]) -> str:
        """flax's `nn.GroupNorm` on [B, C, H, W], given (C, H, W)."""
        grouped = self.reshape(value, (-1, groups, int(np.prod(shape)) // groups))
        ones, zeros = self.constant(np.ones(groups)), self.constant(np.zeros(groups))
        whole = self.op("InstanceNormalization", grouped, ones, zeros, epsilon=_EPSILON)
        scale, bias = (self.constant(params[part][:, None, None], f"{prefix}/{part}") for part in ("scale", "bias"))
        return self.op("Add", self.op("Mul", self.reshape(whole, (-1, *shape)), scale), bias)

    def prelu(self, value: str, params: Mapping, prefix: str, *, spatial: bool = True) -> str:
        """`sphere.PReLU` on [B, C, H, W], or on [B, C]."""
        slope = params["slope"][:, None, None] if spatial else params["slope"]
        return self.op("PRelu", value, self.constant(slope, f"{prefix}/slope"))

    def dense(self, value: str, params: Mapping, prefix: str, name: str = "") -> str:
        """flax's `nn.Dense` on [B, F]."""
        weights = (self.constant(params[part], f"{prefix}/{part}") for part in ("kernel", "bias"))
        return self.op("Gemm", value, *weights, name=name)

    def to_bytes(
        self,
        inputs: Mapping[str, tuple],
        outputs: Mapping[str, tuple],
        meanings: Mapping[str, str],
        texts: Mapping[str, str],
    ) -> bytes:
        """The file.

        Args:
          inputs, outputs: shape of each, strings for sizes that are free; all float32.
          meanings: of each input and output.
          texts: by key, kept in the file's metadata.

        Raises:
          onnx.checker.ValidationError: if the graph is not well formed.
        """
        onnx = import_onnx()
        helper, numpy_helper = onnx.helper, onnx.numpy_helper

        def signature(values: Mapping[str, tuple]) -> list:
            kind = onnx.TensorProto.FLOAT
            return [helper.make_tensor_value_info(name, kind, shape, meanings[name]) for name, shape in values.items()]

        constants = [numpy_helper.from_array(array, name) for name, array in self._constants.items()]
        graph = helper.make_graph(self._nodes, "sirjax", signature(inputs), signature(outputs), constants)
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="sirjax",
            producer_version=software().removeprefix("sirjax "),
        )
        helper.set_model_props(model, dict(texts))
        onnx.checker.check_model(model, full_check=True)
        return model.SerializeToString()


def import_onnx() -> Any:
    """The package `onnx`.

    Raises:
      ImportError: naming the extra, if it is not installed.
    """
    try:
        import onnx
        import onnx.checker
        import onnx.helper
        import onnx.numpy_helper
    except ImportError as error:
        raise ImportError(f"{error}: {REMEDY}") from None
    return onnx


def run_onnx(data: bytes, inputs: Mapping[str, Shaped[np.ndarray, "..."]]) -> dict[str, Shaped[np.ndarray, "..."]]:
    """What ONNX Runtime computes on the CPU, by the outputs' names.

    Raises:
      ImportError: naming the extra, if `onnxruntime` is not installed.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError(f"{error}: {REMEDY}") from None
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    results = session.run(names, dict(inputs))
    return {name: np.asarray(result) for name, result in zip(names, results, strict=True)}
