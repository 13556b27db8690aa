import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy
from ml_collections import ConfigDict

from sirjax.morphable.builtin import builtin_face_model
from sirjax.morphable.storage import fingerprint, save_face_model
from sirjax.training import weights
from sirjax.training.checkpoint import CheckpointStore
from sirjax.training.licences import Licences
from sirjax.training.setup import load_run, make_networks_for
from sirjax.training.state import TrainState
from sirjax.training.weights import About, flatten, load_weights, merge, read_about, save_weights, unflatten
from tests.face_models import dome_face_model

MODEL = dome_face_model(grid=9)
NETWORKS = {
    "preset": "debug",
    "uv_size": 16,
    "shared_stages": 2,
    "albedo_maps": 1,
    "block_bias": True,
    "dtype": "float32",
}
ABOUT = About(
    networks=NETWORKS,
    camera={"quaternion_gain": 0.5, "scale_gain": 0.2, "translation_gain": 0.15},
    face_model={
        "file": "dome.npz",
        "orthonormalize": False,
        "name": MODEL.name,
        "fingerprint": fingerprint(MODEL),
    },
    licences={"face_model": {"name": "dome", "licence": "CC0-1.0"}, "data": {"web": "unknown"}},
    licence="CC-BY-4.0",
    step=7,
    run="runs/sir, step 7",
)


@pytest.fixture(scope="module")
def params():
    shapes = jax.eval_shape(
        make_networks_for(ConfigDict(NETWORKS), MODEL).init, jax.random.key(0), jnp.zeros((1, 112, 96, 3))
    )
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype(np.float32), shapes["params"])


@pytest.fixture(scope="module")
def saved(tmp_path_factory, params):
    path = tmp_path_factory.mktemp("weights") / "face.safetensors"
    save_weights(path, params, ABOUT)
    save_face_model(MODEL, path.parent / "dome.npz")
    return path


def test_a_file_gives_a_run_that_predicts(saved, params):
    run = load_run(saved)
    jax.tree.map(np.testing.assert_array_equal, run.params, params)
    assert run.networks == make_networks_for(ConfigDict(NETWORKS), MODEL)
    assert (run.gains.quaternion, run.gains.scale, run.gains.translation) == (0.5, 0.2, 0.15)
    assert run.metadata == {
        "step": 7,
        "face_model": fingerprint(MODEL),
        "face_model_name": "dome",
        "face_model_licence": "CC0-1.0",
    }
    assert fingerprint(run.face_model) == fingerprint(MODEL)
    assert run.settings["networks"] == NETWORKS


def test_the_reference_library_reads_names_numbers_and_settings(saved, params):
    with safetensors.safe_open(saved, framework="np") as file:
        assert file.metadata()["format"] == "sirjax-weights-v1"
        assert file.metadata()["licence"] == "CC-BY-4.0"
        about = json.loads(file.metadata()["about"])
        kernel = file.get_tensor("trunk/Stage_0/Conv_0/kernel")
    assert about == dataclasses.asdict(ABOUT) | {"fingerprint": weights.fingerprint(flatten(params))}
    np.testing.assert_array_equal(kernel, params["trunk"]["Stage_0"]["Conv_0"]["kernel"])


@pytest.mark.parametrize(("dtype", "digits"), [("float16", 2**-10), ("bfloat16", 2**-7)])
def test_half_precision_halves_the_file_and_rounds(tmp_path, saved, params, dtype, digits):
    save_weights(tmp_path / "half.safetensors", params, ABOUT, dtype=dtype)
    assert (tmp_path / "half.safetensors").stat().st_size < 0.52 * saved.stat().st_size
    read, about = load_weights(tmp_path / "half.safetensors")
    assert dataclasses.replace(about, fingerprint="") == ABOUT
    for name, array in flatten(read).items():
        assert array.dtype == np.float32
        np.testing.assert_allclose(array, flatten(params)[name], rtol=digits, atol=1e-7)


def test_numbers_too_large_for_half_precision_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"a/kernel holds 7e\+04, too large for float16: take bfloat16 or float32"):
        save_weights(tmp_path / "x.safetensors", {"a": {"kernel": np.array([7e4])}}, ABOUT, dtype="float16")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("preset", ["sphere20", "tiny"])
def test_every_name_is_documented(preset):
    text = Path(__file__).parents[2].joinpath("docs", "weights.md").read_text()
    kinds = {"b": "trunk|[a-z_]+_branch", "i": "[0-9]+", "sb": "scale|bias", "kb": "kernel|bias"}
    rows = [row for row in text.splitlines() if row.startswith("| `")]
    names = [name for row in rows for name in re.findall(r"`([^`]*/[^`]*)`", row.split("|")[1])]
    patterns = [re.sub(r"{(\w+)}", lambda match: f"({kinds[match[1]]})", name) for name in names]
    networks = make_networks_for(ConfigDict(NETWORKS | {"preset": preset, "uv_size": 64}), MODEL)
    shapes = jax.eval_shape(networks.init, jax.random.key(0), jnp.zeros((1, 112, 96, 3)))["params"]
    assert len(patterns) > 10
    for path, _ in jax.tree.leaves_with_path(shapes):
        name = "/".join(key.key for key in path)
        assert any(re.fullmatch(pattern, name) for pattern in patterns), name


def test_names_are_joined_and_split():
    tree = {"a": {"b": {"c": np.ones(2)}}, "d": np.zeros(())}
    assert list(flatten(tree)) == ["a/b/c", "d"]
    jax.tree.map(np.testing.assert_array_equal, unflatten(flatten(tree)), tree)


def test_found_parameters_take_the_place_of_fresh_ones():
    fresh = {"a": {"b": np.zeros(2), "c": np.zeros(3)}}
    merged, missing = merge(fresh, {"a": {"b": np.ones(2)}})
    np.testing.assert_array_equal(merged["a"]["b"], [1, 1])
    assert missing == ["a/c"]
    with pytest.raises(ValueError, match=r"a/b has shape \[3\] in the file, the networks have \[2\] there"):
        merge(fresh, {"a": {"b": np.ones(3)}})
    with pytest.raises(ValueError, match=r"d has shape \[1\] in the file, the networks have nothing there"):
        merge(fresh, {"d": np.ones(1)})


def test_the_face_model_must_lie_beside_the_file(tmp_path, saved):
    (tmp_path / "alone.safetensors").write_bytes(saved.read_bytes())
    with pytest.raises(
        FileNotFoundError, match=r"needs the face model 'dome', which is not part of it: put it at .*npz"
    ):
        load_run(tmp_path / "alone.safetensors")


def test_another_face_model_is_refused(tmp_path, saved):
    (tmp_path / "x.safetensors").write_bytes(saved.read_bytes())
    save_face_model(dome_face_model(seed=1, grid=9), tmp_path / "dome.npz")
    with pytest.raises(ValueError, match=r"was trained with face model 'dome', \w{12}; dome.npz here is \w{12}: put"):
        load_run(tmp_path / "x.safetensors")


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({}, "is no weights file of format sirjax-weights-v1 .found None.: write it with"),
        ({"format": "sirjax-weights-v1"}, "does not say what its weights are .'about'.: export them again"),
        ({"format": "sirjax-weights-v1", "about": '{"x": 1}'}, "does not say what its weights are"),
    ],
)
def test_other_files_are_refused(tmp_path, texts, message):
    path = tmp_path / "x.safetensors"
    path.write_bytes(weights.encode_safetensors({"a": np.ones(1)}, texts))
    with pytest.raises(ValueError, match=message):
        read_about(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is nothing at .*x.safetensors: name a run's --workdir or a"):
        load_run(tmp_path / "x.safetensors")


@pytest.mark.parametrize(
    ("name", "dtype", "message"), [("x.npz", "float32", "must end in"), ("x.safetensors", "int8", "dtype")]
)
def test_other_endings_and_types_are_refused(tmp_path, name, dtype, message):
    with pytest.raises(ValueError, match=message):
        save_weights(tmp_path / name, {}, ABOUT, dtype=dtype)


def test_checkpoints_of_a_run_are_read_by_orbax_alone_under_the_same_names(tmp_path, rng):
    networks = {"trunk": {"Stage_0": {"kernel": jnp.asarray(rng.normal(size=(3, 2)), jnp.float32)}}}
    state = TrainState(
        step=jnp.asarray(4), params={"networks": networks}, opt_state=(), centers=None, skipped=jnp.asarray(0)
    )
    with CheckpointStore(tmp_path, fingerprint="1" * 64) as store:
        store.save(4, state)
    script = """
import sys
for name in ("sirjax", "flax", "optax"):
    sys.modules[name] = None  # importing any of them fails
import numpy as np
import orbax.checkpoint as ocp
params = ocp.StandardCheckpointer().restore(sys.argv[1] + "/checkpoints/4/networks")
np.save(sys.argv[1] + "/kernel.npy", params["trunk"]["Stage_0"]["kernel"])
"""
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, timeout=600)
    np.testing.assert_array_equal(np.load(tmp_path / "kernel.npy"), flatten(networks)["trunk/Stage_0/kernel"])


def test_numbers_that_were_changed_are_noticed(tmp_path, params):
    path = tmp_path / "face.safetensors"
    save_weights(path, params, ABOUT)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"face.safetensors is damaged: its numbers are not those that were written"):
        load_weights(path)


def test_the_fingerprint_is_of_names_types_shapes_and_numbers():
    one = {"a": np.zeros((2, 3), np.float32)}
    others = (
        {"b": np.zeros((2, 3), np.float32)},
        {"a": np.zeros((2, 3), np.float16)},
        {"a": np.zeros((3, 2), np.float32)},
        {"a": np.ones((2, 3), np.float32)},
        one | {"b": np.zeros(0, np.float32)},
    )
    assert len({weights.fingerprint(arrays) for arrays in (one, *others)}) == 6
    assert weights.fingerprint({"x": np.zeros(1), "y": np.ones(1)}) == weights.fingerprint(
        {"y": np.ones(1), "x": np.zeros(1)}
    )


def test_files_without_a_fingerprint_are_read(tmp_path):
    about = json.dumps(dataclasses.asdict(ABOUT))
    path = tmp_path / "old.safetensors"
    safetensors.numpy.save_file(
        {"a/b": np.ones(2, np.float32)}, path, {"format": weights.FORMAT, "licence": "", "about": about}
    )
    np.testing.assert_array_equal(load_weights(path)[0]["a"]["b"], [1.0, 1.0])


def test_the_name_builtin_is_the_file_that_comes_with_sirjax():
    path, about = weights.shipped()
    assert weights.locate("builtin") == path
    assert weights.locate("runs/sir") == Path("runs/sir")
    assert about.licence == "CC0-1.0"
    assert about.fingerprint == weights.fingerprint(weights.read_safetensors(path))
    assert path.stat().st_size < 6e6


def test_the_weights_that_come_with_sirjax_were_made_with_free_data_only():
    about = weights.shipped()[1]
    assert about.face_model["file"] == "builtin"
    assert about.face_model["fingerprint"] == fingerprint(builtin_face_model())
    assert not Licences.from_dict(about.licences).restrictions()
