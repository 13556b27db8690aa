"""Each method of the graph against the flax layer it stands for, in ONNX Runtime."""

import builtins

import flax.linen as nn
import jax
import numpy as np
import onnx
import pytest

from sirjax.export.onnx_graph import OPSET, Graph, import_onnx, run_onnx
from sirjax.networks.sphere import PReLU


def params_of(rng, layer, x):
    shapes = jax.eval_shape(layer.init, jax.random.key(0), x)["params"]
    return jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype(np.float32), shapes)


def run(graph, result, x, shape):
    graph.op("Identity", result, name="y")
    meanings = {"x": "anything", "y": "the layer's result"}
    data = graph.to_bytes({"x": ("b", *x.shape[1:])}, {"y": ("b", *shape)}, meanings, {"licence": "CC0-1.0"})
    model = onnx.load_from_string(data)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", OPSET)]
    assert model.metadata_props[0].value == "CC0-1.0"
    assert model.graph.output[0].doc_string == "the layer's result"
    return run_onnx(data, {"x": x})["y"]


@pytest.mark.parametrize(("kernel", "stride", "padding", "bias"), [(3, 1, 1, True), (3, 2, 1, False), (8, 4, 2, True)])
def test_convolution(rng, kernel, stride, padding, bias):
    x = rng.normal(size=(2, 8, 12, 3)).astype(np.float32)
    layer = nn.Conv(5, (kernel, kernel), stride, padding, use_bias=bias)
    params = params_of(rng, layer, x)
    want = np.asarray(layer.apply({"params": params}, x)).transpose(0, 3, 1, 2)
    graph = Graph()
    got = graph.convolution("x", params, "conv", stride=stride, padding=padding)
    np.testing.assert_allclose(run(graph, got, x.transpose(0, 3, 1, 2), want.shape[1:]), want, rtol=1e-4, atol=1e-4)


def test_group_norm_and_prelu(rng):
    x = 3 * rng.normal(size=(2, 4, 5, 6)).astype(np.float32) + 1
    layer = nn.Sequential([nn.GroupNorm(2), PReLU()])
    params = params_of(rng, layer, x)
    want = np.asarray(layer.apply({"params": params}, x)).transpose(0, 3, 1, 2)
    graph = Graph()
    got = graph.group_norm("x", params["layers_0"], "norm", groups=2, shape=(6, 4, 5))
    got = graph.prelu(got, params["layers_1"], "prelu")
    np.testing.assert_allclose(run(graph, got, x.transpose(0, 3, 1, 2), (6, 4, 5)), want, rtol=1e-4, atol=1e-5)


def test_dense_and_prelu(rng):
    x = rng.normal(size=(3, 7)).astype(np.float32)
    layer = nn.Sequential([nn.Dense(4), PReLU()])
    params = params_of(rng, layer, x)
    graph = Graph()
    got = graph.prelu(graph.dense("x", params["layers_0"], "dense"), params["layers_1"], "prelu", spatial=False)
    want = layer.apply({"params": params}, x)
    np.testing.assert_allclose(run(graph, got, x, (4,)), want, rtol=1e-5, atol=1e-5)


def test_parts_and_shapes(rng):
    x = rng.normal(size=(3, 6)).astype(np.float32)
    graph = Graph()
    _, last = graph.split("x", (2, 4))
    np.testing.assert_array_equal(run(graph, graph.reshape(last, (-1, 2, 2)), x, (2, 2)), x[:, 2:].reshape(3, 2, 2))


def test_a_name_is_given_once():
    graph = Graph()
    graph.constant(1.0, "a")
    with pytest.raises(ValueError, match="there is a constant a already"):
        graph.constant(2.0, "a")


def test_a_missing_package_names_the_extra(monkeypatch):
    def refuse(name, *rest):
        if name.startswith("onnx"):
            raise ImportError(f"No module named {name!r}")
        return load(name, *rest)

    load = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", refuse)
    message = r"No module named 'onnx.*': this needs the packages of an extra: pip install 'sirjax\[onnx\]'"
    with pytest.raises(ImportError, match=message):
        import_onnx()
    with pytest.raises(ImportError, match=message):
        run_onnx(b"", {})
