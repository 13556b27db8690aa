"""The ONNX file against JAX: codes, camera, vertices, landmarks."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import onnx
import pytest

from sirjax.decode import CameraGains, camera_template
from sirjax.export import onnx_model
from sirjax.export.onnx_graph import run_onnx
from sirjax.export.program import OUTPUTS, faces_of
from sirjax.morphable.storage import fingerprint
from sirjax.networks.model import make_networks
from tests.face_models import dome_face_model

MODEL = dome_face_model(grid=9)
GAINS = CameraGains(quaternion=0.5, scale=0.2, translation=0.15)


def networks_of(preset, **settings):
    return make_networks(preset, num_shape=MODEL.num_shape, num_expression=MODEL.num_expression, uv_size=32, **settings)


def random_params(networks, seed=0):
    """Signals neither die out nor grow, whatever the depth."""
    shapes = jax.eval_shape(networks.init, jax.random.key(0), jnp.zeros((1, *networks.image_size, 3)))["params"]
    rng = np.random.default_rng(seed)

    def leaf(shape):
        scale = np.prod(shape.shape[:-1]) ** -0.5 if len(shape.shape) > 1 else 0.2
        return scale * rng.standard_normal(shape.shape, np.float32)

    return jax.tree.map(leaf, shapes)


NETWORKS = networks_of("tiny")
PARAMS = random_params(NETWORKS)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "face.onnx"
    difference = onnx_model.save_onnx(
        path, NETWORKS, PARAMS, MODEL, GAINS, run="sir, step 7", licences={"data": {"web": "unknown"}}
    )
    assert 0 < difference < 1e-5
    return path


@jax.jit
def in_jax(crops):
    output = NETWORKS.apply({"params": PARAMS}, crops)
    return faces_of(MODEL, output, camera_template(MODEL), GAINS, until="mesh")


def assert_same(got, want):
    assert set(got) == set(want) == set(OUTPUTS["mesh"])
    for name, value in want.items():
        assert len(value) == 1 or np.ptp(value) > 1e-3, name  # far above the tolerance below
        np.testing.assert_allclose(got[name], value, atol=1e-4, rtol=1e-5, err_msg=name)


@pytest.mark.parametrize("batch", [1, 3])
def test_onnx_runtime_answers_as_jax_does(saved, rng, batch):
    crops = rng.uniform(size=(3, 112, 96, 3)).astype(np.float32)
    want = {name: value[:batch] for name, value in in_jax(crops).items()}
    assert_same(run_onnx(saved.read_bytes(), {"crops": crops[:batch]}), want)


def test_the_file_runs_with_onnxruntime_and_numpy_alone(saved, rng, tmp_path):
    crops = rng.uniform(size=(3, 112, 96, 3)).astype(np.float32)
    np.save(tmp_path / "crops.npy", crops)
    script = """
import sys
for name in ("sirjax", "jax", "jaxlib", "flax", "onnx", "cv2"):
    sys.modules[name] = None  # importing any of them fails
import numpy as np, onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1])
names = [output.name for output in session.get_outputs()]
np.savez(sys.argv[3], **dict(zip(names, session.run(names, {"crops": np.load(sys.argv[2])}))))
"""
    command = [sys.executable, "-c", script, str(saved), str(tmp_path / "crops.npy"), str(tmp_path / "faces.npz")]
    subprocess.run(command, check=True, cwd=tmp_path, timeout=600)
    with np.load(tmp_path / "faces.npz") as faces:
        assert_same(dict(faces), in_jax(crops))


@pytest.mark.parametrize(
    ("preset", "settings"),
    [
        ("sphere20", {"shared_stages": 2, "block_bias": False}),
        ("tiny", {"shared_stages": 0}),
        ("tiny", {"shared_stages": 4, "dtype": jnp.bfloat16}),
        pytest.param("sphere64", {}, marks=pytest.mark.slow),
    ],
)
def test_all_networks_are_known(rng, preset, settings):
    networks = networks_of(preset, image_size=(32, 32), **settings)
    params = random_params(networks)
    data = onnx_model.export_onnx(networks, params, MODEL, None)
    crops = rng.uniform(size=(2, 32, 32, 3)).astype(np.float32)
    assert onnx_model.largest_difference(data, networks, params, MODEL, None, crops) < 2e-5


def test_a_file_that_disagrees_with_jax_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_model, "largest_difference", lambda *_: float("nan"))
    with pytest.raises(RuntimeError, match=r"ONNX Runtime differs from JAX by nan \(limit 1e-04, opset 17\)"):
        onnx_model.save_onnx(tmp_path / "x.onnx", NETWORKS, PARAMS, MODEL, GAINS)
    assert not list(tmp_path.iterdir())


def test_the_difference_is_found(rng):
    other = random_params(NETWORKS, seed=1)
    data = onnx_model.export_onnx(NETWORKS, other, MODEL, GAINS)
    crops = rng.uniform(size=(3, 112, 96, 3)).astype(np.float32)
    assert onnx_model.largest_difference(data, NETWORKS, PARAMS, MODEL, GAINS, crops) > 0.01


def test_codes_alone_make_a_smaller_file(saved):
    data = onnx_model.export_onnx(NETWORKS, PARAMS, MODEL, GAINS, until="codes")
    model = onnx.load_from_string(data)
    assert [output.name for output in model.graph.output] == list(OUTPUTS["codes"])
    assert len(data) < saved.stat().st_size - 4 * np.asarray(MODEL.shape_basis).size
    with pytest.raises(ValueError, match="an ONNX file goes until one of codes, mesh, got 'rendering'"):
        onnx_model.export_onnx(NETWORKS, PARAMS, MODEL, GAINS, until="rendering")


def test_the_metadata_say_what_goes_in_and_out(saved):
    model = onnx.load(saved)
    texts = {entry.key: entry.value for entry in model.metadata_props}
    assert texts["format"] == "sirjax-onnx-v1"
    assert (texts["licence"], texts["run"]) == ("CC0-1.0", "sir, step 7")
    assert texts["licences"] == '{"data": {"web": "unknown"}}'
    assert fingerprint(MODEL) in texts["face_model"]
    assert "weak perspective" in texts["frames"]
    (crops,) = model.graph.input
    assert [size.dim_param or size.dim_value for size in crops.type.tensor_type.shape.dim] == ["b", 112, 96, 3]
    assert "float32 in [0, 1]" in crops.doc_string
    assert {output.name: output.doc_string for output in model.graph.output} == OUTPUTS["mesh"]
