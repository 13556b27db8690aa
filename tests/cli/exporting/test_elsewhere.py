"""Exported files in fresh environments: the program where only JAX is installed, ONNX where only its runtime is."""

import json

import numpy as np
import pytest

from sirjax.cli.main import main
from sirjax.predictor import AlignedFace, Predictor
from sirjax.training.setup import load_run
from tests.cli.exporting.bare_environment import BareEnvironment
from tests.runs import write_run

pytestmark = pytest.mark.slow

OURS = ("sirjax", "configs", "flax", "optax", "orbax", "cv2", "jaxtyping", "ml_collections")
NAMES = ("shape", "expression", "rotation", "scale", "translation", "light", "neutral_vertices", "landmarks")

PROGRAM = """
import jax, jax.export
import numpy as np

assert jax.__file__.startswith(sys.prefix)
program = jax.export.deserialize(bytearray(open(sys.argv[1], "rb").read()))
np.savez(sys.argv[3], **program.call(np.load(sys.argv[2])))
"""

ONNX = """
import numpy as np
import onnxruntime

assert onnxruntime.__file__.startswith(sys.prefix)
session = onnxruntime.InferenceSession(sys.argv[1])
names = [output.name for output in session.get_outputs()]
np.savez(sys.argv[3], **dict(zip(names, session.run(names, {"crops": np.load(sys.argv[2])}))))
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("exported") / "sir")


@pytest.fixture(scope="module")
def crops():
    return np.random.default_rng(0).integers(0, 256, (3, 112, 96, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def expected(run, crops):
    """What sirjax itself reads in the crops."""
    predictor = Predictor.of_run(load_run(run), batch_size=len(crops))
    faces = predictor.reconstruct_aligned([AlignedFace(crop, np.eye(2, 3)) for crop in crops])
    values = {name: np.stack([getattr(face, name) for face in faces]) for name in NAMES}
    assert np.ptp(values["shape"], axis=0).min() > 1e-3  # every crop has its own codes
    return values


def assert_reproduced(path, expected, tolerance):
    with np.load(path) as got:
        for name, value in expected.items():
            # Coordinates near zero are sums of large ones: what counts is the size of the face.
            np.testing.assert_allclose(got[name], value, rtol=0, atol=tolerance * np.abs(value).max(), err_msg=name)


def test_a_fresh_environment_with_jax_alone_reproduces_the_codes_by_the_program(run, crops, expected, tmp_path):
    assert main(["export", "program", str(run), "--out", str(tmp_path / "sir.stablehlo"), "--i-may-share"]) == 0
    np.save(tmp_path / "crops.npy", crops.astype(np.float32) / 255)
    jax_alone = BareEnvironment(tmp_path / "jax", *json.loads((tmp_path / "sir.json").read_text())["requires"])
    files = (tmp_path / "sir.stablehlo", tmp_path / "crops.npy", tmp_path / "faces.npz")
    jax_alone.run(PROGRAM, *files, absent=OURS)
    assert_reproduced(tmp_path / "faces.npz", expected, 1e-5)


def test_a_fresh_environment_with_onnxruntime_alone_reproduces_the_codes(run, crops, expected, tmp_path):
    assert main(["export", "onnx", str(run), "--out", str(tmp_path / "sir.onnx"), "--i-may-share"]) == 0
    np.save(tmp_path / "crops.npy", crops.astype(np.float32) / 255)
    runtime_alone = BareEnvironment(tmp_path / "onnx", "onnxruntime")
    files = (tmp_path / "sir.onnx", tmp_path / "crops.npy", tmp_path / "faces.npz")
    runtime_alone.run(ONNX, *files, absent=(*OURS, "jax", "onnx"))
    assert_reproduced(tmp_path / "faces.npz", expected, 1e-4)


def test_the_environment_notices_what_should_not_be_there(tmp_path):
    with pytest.raises(AssertionError, match=r"\['numpy'\] can be imported here"):
        BareEnvironment(tmp_path / "numpy", "numpy").run("", absent=("sirjax", "numpy"))
