"""Encoder and linear face model as an ONNX file: aligned crops in, coefficients, vertices and landmarks out.

Written operator by operator from the parameters, since converters from JAX lag behind it: jax2onnx 0.17 asks for an
orbax older than the one sirjax needs. Albedo and rendering are left out. Inputs, outputs and their meaning are those of
`export.program`, up to the level "mesh". Needs the extra `onnx`.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from sirjax import decode as decoding
from sirjax.constants import NUM_LANDMARKS
from sirjax.export.onnx_graph import OPSET, Graph, run_onnx
from sirjax.export.program import CODES, INPUT, MESH, OUTPUTS, about_face_model, faces_of
from sirjax.files import write_bytes
from sirjax.morphable import model as morphable
from sirjax.networks.model import IMAGE_MEAN, IMAGE_STD, NUM_STAGES, STRIDE, FaceNetworks
from sirjax.networks.sphere import kernel_and_padding

FORMAT = "sirjax-onnx-v1"
LEVELS = (CODES, MESH)
TOLERANCE = 1e-4  # largest difference from JAX, relative to the largest value of an output (or to 1)
_TINY = 1e-12  # as in `rotation_from_quaternion`


def export_onnx(
    networks: FaceNetworks,
    params: Mapping,
    face_model: morphable.FaceModel,
    gains: decoding.CameraGains | None,
    *,
    until: str = MESH,
    texts: Mapping[str, str] | None = None,
) -> bytes:
    """The ONNX file of networks and face model: float32 [b, H, W, 3] -> `program.OUTPUTS[until]`, for any b.

    Args:
      networks: the networks; computed in float32, whatever their own type.
      params: their parameters.
      face_model: the face model of the training run.
      gains: camera gains of the training run.
      until: how far it goes, one of `LEVELS`.
      texts: for the file's metadata.

    Raises:
      ImportError: if the extra is not installed.
      ValueError: if `until` is none of `LEVELS`.
    """
    if until not in LEVELS:
        raise ValueError(f"an ONNX file goes until one of {', '.join(LEVELS)}, got {until!r}")
    graph = Graph()
    shape, expression, camera, light = _encode(graph, networks, jax.tree.map(np.asarray, dict(params)))
    graph.reshape(light, (-1, 9, 3), name="light")
    rotation, scale, translation = _decode_camera(graph, camera, face_model, gains or decoding.CameraGains())
    shape_mm = graph.op("Mul", shape, graph.constant(face_model.shape_std), name="shape_mm")
    if until == MESH:
        _decode_mesh(graph, face_model, shape_mm, expression, rotation, scale, translation)
    sizes = _output_sizes(face_model)
    return graph.to_bytes(
        {"crops": ("b", *networks.image_size, 3)},
        {name: ("b", *sizes[name]) for name in OUTPUTS[until]},
        OUTPUTS[until] | {"crops": INPUT},
        texts or {},
    )


def largest_difference(
    data: bytes,
    networks: FaceNetworks,
    params: Mapping,
    face_model: morphable.FaceModel,
    gains: decoding.CameraGains | None,
    crops: Float[np.ndarray, "B H W 3"],
) -> float:
    """How far ONNX Runtime is from JAX on given crops: of all outputs, relative to the largest value (or to 1).

    Raises:
      ImportError: if the extra is not installed.
    """
    exact = networks.clone(dtype=jnp.float32)
    template = decoding.camera_template(face_model)

    @jax.jit
    def expected(params, crops):
        output: Any = exact.apply({"params": params}, crops)
        return faces_of(face_model, output, template, gains, until=MESH)

    found, wanted = run_onnx(data, {"crops": crops}), expected(params, crops)
    return max(
        float(np.abs(value - wanted[name]).max() / max(1.0, np.abs(wanted[name]).max()))
        for name, value in found.items()
    )


def save_onnx(
    path: Path,
    networks: FaceNetworks,
    params: Mapping,
    face_model: morphable.FaceModel,
    gains: decoding.CameraGains | None,
    *,
    until: str = MESH,
    run: str = "",
    licence: str = "",
    licences: Mapping[str, Any] | None = None,
) -> float:
    """Writes `export_onnx` to `path` once ONNX Runtime agrees with JAX; the metadata are those of a program's manifest.

    Args:
      path: where to; an interruption leaves the whole file or none.
      networks: see `export_onnx`, also for the next four.
      params: of the networks.
      face_model: that the codes belong to.
      gains: of the camera.
      until: how far the graph goes.
      run: for the records, as the next two; see `program.save_program`.
      licence: of the file.
      licences: what else it stands under.

    Returns:
      The largest difference from JAX found, on three crops of noise.

    Raises:
      ImportError: if the extra is not installed.
      RuntimeError: if they differ by more than `TOLERANCE`.
    """
    texts = {
        "format": FORMAT,
        "run": run,
        "licence": licence or face_model.licence,
        "licences": json.dumps(dict(licences or {}), ensure_ascii=False),
        **{key: json.dumps(value, ensure_ascii=False) for key, value in about_face_model(face_model).items()},
    }
    data = export_onnx(networks, params, face_model, gains, until=until, texts=texts)
    crops = np.random.default_rng(0).uniform(size=(3, *networks.image_size, 3)).astype(np.float32)
    difference = largest_difference(data, networks, params, face_model, gains, crops)
    if not difference <= TOLERANCE:
        raise RuntimeError(
            f"ONNX Runtime differs from JAX by {difference:.1e} (limit {TOLERANCE:.0e}, opset {OPSET}): nothing was "
            "written; are the parameters finite?"
        )
    write_bytes(path, data)
    return difference


def _encode(graph: Graph, networks: FaceNetworks, params: dict) -> tuple[str, str, str, str]:
    """Shape, expression, camera and light, as `FaceNetworks` reads them."""
    mean, std = (graph.constant(np.array(values, np.float32)) for values in (IMAGE_MEAN, IMAGE_STD))
    image = graph.op("Div", graph.op("Sub", "crops", mean), std)
    image = graph.op("Transpose", image, perm=[0, 3, 1, 2])
    height, width = networks.image_size
    trunk, size = _stages(graph, networks, params, "trunk", image, (height, width), slice(0, networks.shared_stages))

    def features(branch: str) -> str:
        value, _ = _stages(graph, networks, params, branch, trunk, size, slice(networks.shared_stages, NUM_STAGES))
        count = networks.channels[-1] * (height // STRIDE) * (width // STRIDE)
        # Flattened in the order of flax: row, column, channel.
        return graph.reshape(graph.op("Transpose", value, perm=[0, 2, 3, 1]), (-1, count))

    head = params["shape_head"]["Dense_0"]
    shape = graph.dense(features("shape_branch"), head, "shape_head/Dense_0", name="shape")
    head, prefix = params["non_identity_head"], "non_identity_head"
    hidden = graph.dense(features("non_identity_branch"), head["Dense_0"], f"{prefix}/Dense_0")
    hidden = graph.prelu(hidden, head["PReLU_0"], f"{prefix}/PReLU_0", spatial=False)
    rest = graph.dense(hidden, head["Dense_1"], f"{prefix}/Dense_1")
    camera, expression, light = graph.split(rest, (7, networks.num_expression, 27))
    return shape, graph.op("Identity", expression, name="expression"), camera, light


def _stages(
    graph: Graph, networks: FaceNetworks, params: dict, name: str, value: str, size: tuple[int, int], part: slice
) -> tuple[str, tuple[int, int]]:
    """`sphere.Stages`, and the height and width of its result."""
    kinds = zip(networks.channels[part], networks.blocks[part], networks.strides[part], strict=True)
    for index, (channels, blocks, stride) in enumerate(kinds):
        prefix = f"{name}/Stage_{index}"
        stage = params[name][f"Stage_{index}"]
        size = (size[0] // stride, size[1] // stride)
        shape = (channels, *size)
        _, padding = kernel_and_padding(stride)
        value = _layer(graph, networks, stage, prefix, value, 0, shape, stride=stride, padding=padding)
        for number in range(blocks):
            inner, block = value, stage[f"ResidualBlock_{number}"]
            for layer in range(2):
                inner = _layer(graph, networks, block, f"{prefix}/ResidualBlock_{number}", inner, layer, shape)
            value = graph.op("Add", value, inner)
    return value, size


def _layer(
    graph: Graph,
    networks: FaceNetworks,
    params: dict,
    prefix: str,
    value: str,
    number: int,
    shape: tuple[int, int, int],
    *,
    stride: int = 1,
    padding: int = 1,
) -> str:
    """Convolution, group norm if there is one, PReLU."""
    name = f"Conv_{number}"
    value = graph.convolution(value, params[name], f"{prefix}/{name}", stride=stride, padding=padding)
    if networks.groups:
        name = f"GroupNorm_{number}"
        value = graph.group_norm(value, params[name], f"{prefix}/{name}", groups=networks.groups, shape=shape)
    name = f"PReLU_{number}"
    return graph.prelu(value, params[name], f"{prefix}/{name}")


def _decode_camera(
    graph: Graph, raw: str, face_model: morphable.FaceModel, gains: decoding.CameraGains
) -> tuple[str, str, str]:
    """Rotation, scale and translation, as `geometry.camera.decode_camera`."""
    template = decoding.camera_template(face_model)
    quaternion, size, place = graph.split(raw, (4, 1, 2))
    quaternion = _scaled_and_shifted(graph, quaternion, gains.quaternion, [0.0, 0.0, 0.0, 1.0])
    size = graph.op("Exp", graph.op("Mul", size, graph.constant(gains.scale)))
    scale = graph.reshape(graph.op("Mul", size, graph.constant(template.scale)), (-1,), name="scale")
    width = decoding.IMAGE_SIZE[1]
    translation = _scaled_and_shifted(graph, place, gains.translation * width, template.translation, "translation")
    return _rotation(graph, quaternion), scale, translation


def _scaled_and_shifted(graph: Graph, value: str, gain: float, shift: Any, name: str = "") -> str:
    return graph.op("Add", graph.op("Mul", value, graph.constant(gain)), graph.constant(shift), name=name)


def _rotation(graph: Graph, quaternion: str) -> str:
    """As `geometry.rotation.rotation_from_quaternion`: with s = 2 / |q|^2, R = 1 + s times sums of products of two."""
    square = graph.op("ReduceSum", graph.op("Mul", quaternion, quaternion), graph.constant([1]), keepdims=1)
    s = graph.op("Div", graph.constant(2.0), graph.op("Max", square, graph.constant(_TINY)))
    parts = dict(zip("xyzw", graph.split(quaternion, (1, 1, 1, 1)), strict=True))
    product = {
        a + b: graph.op("Mul", parts[a], parts[b]) for a, b in ("xx", "yy", "zz", "xy", "xz", "yz", "xw", "yw", "zw")
    }
    one = graph.constant(1.0)

    def diagonal(a: str, b: str) -> str:
        return graph.op("Sub", one, graph.op("Mul", s, graph.op("Add", product[a], product[b])))

    def beside(kind: str, a: str, b: str) -> str:
        return graph.op("Mul", s, graph.op(kind, product[a], product[b]))

    entries = (
        *(diagonal("yy", "zz"), beside("Sub", "xy", "zw"), beside("Add", "xz", "yw")),
        *(beside("Add", "xy", "zw"), diagonal("xx", "zz"), beside("Sub", "yz", "xw")),
        *(beside("Sub", "xz", "yw"), beside("Add", "yz", "xw"), diagonal("xx", "yy")),
    )
    return graph.reshape(graph.op("Concat", *entries, axis=1), (-1, 3, 3), name="rotation")


def _decode_mesh(
    graph: Graph, face_model: morphable.FaceModel, shape_mm: str, expression: str, rotation: str, scale: str, place: str
) -> None:
    """Neutral and posed vertices and landmarks, as `program.faces_of`."""
    corners = (-1, face_model.num_vertices, 3)
    mean = graph.constant(face_model.mean)
    offset = graph.op("MatMul", shape_mm, graph.constant(face_model.shape_basis, "face_model/shape_basis"))
    neutral = graph.op("Add", graph.reshape(offset, corners), mean, name="neutral_vertices")
    expression_mm = graph.op("Mul", expression, graph.constant(face_model.expression_std))
    offset = graph.op(
        "MatMul", expression_mm, graph.constant(face_model.expression_basis, "face_model/expression_basis")
    )
    vertices = graph.op("Add", graph.reshape(offset, corners), neutral)
    turn = graph.op("Transpose", rotation, perm=[0, 2, 1])
    graph.op("MatMul", vertices, turn, name="posed_vertices")
    rows = graph.constant(np.asarray(face_model.landmark_vertices).reshape(-1))
    points = graph.reshape(graph.op("Gather", vertices, rows, axis=1), (-1, NUM_LANDMARKS, 3, 3))
    weighted = graph.op("Mul", points, graph.constant(np.asarray(face_model.landmark_weights)[:, :, None]))
    points = graph.op("MatMul", graph.op("ReduceSum", weighted, graph.constant([2]), keepdims=0), turn)
    plane, _ = graph.split(points, (2, 1))
    pixels = graph.op("Mul", graph.op("Mul", plane, graph.reshape(scale, (-1, 1, 1))), graph.constant([1.0, -1.0]))
    graph.op("Add", pixels, graph.reshape(place, (-1, 1, 2)), name="landmarks")


def _output_sizes(face_model: morphable.FaceModel) -> dict[str, tuple[int, ...]]:
    """Of each output, without the batch."""
    mesh = (face_model.num_vertices, 3)
    return {
        "shape": (face_model.num_shape,),
        "shape_mm": (face_model.num_shape,),
        "expression": (face_model.num_expression,),
        "rotation": (3, 3),
        "scale": (),
        "translation": (2,),
        "light": (9, 3),
        "neutral_vertices": mesh,
        "posed_vertices": mesh,
        "landmarks": (NUM_LANDMARKS, 2),
    }
