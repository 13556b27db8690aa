"""PyTorch checkpoints against PyTorch: what each layer gave there (torch_goldens.json), our networks must give."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sirjax.networks.model import IMAGE_MEAN, IMAGE_STD, make_networks
from sirjax.networks.torch_weights import PREPROCESSING, Preprocessing, convert_torch, fold_preprocessing
from sirjax.training.weights import merge
from tests.networks import torch_families as families
from tests.networks.convolution import convolve

GOLDENS = json.loads(Path(__file__).with_name("torch_goldens.json").read_text())


def outputs_of(found, images):
    """What every layer of our networks gives for normalized images, by path."""
    networks = make_networks(
        found.preset, num_shape=5, num_expression=4, block_bias=found.block_bias, albedo_maps=found.albedo_maps
    )
    image = jnp.asarray((images * IMAGE_STD + IMAGE_MEAN).astype(np.float32))  # to be normalized again
    shapes = jax.eval_shape(networks.init, jax.random.key(0), image)["params"]
    params, missing = merge(jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes), found.params)
    _, state = networks.apply({"params": params}, image, capture_intermediates=True)
    flat = jax.tree_util.tree_flatten_with_path(state["intermediates"])[0]
    return {"/".join(key.key for key in path if hasattr(key, "key")): value for path, value in flat}, missing


@pytest.mark.parametrize(
    "family",
    [family if family.endswith("20") else pytest.param(family, marks=pytest.mark.slow) for family in families.FAMILIES],
)
def test_every_layer_gives_what_it_gives_in_pytorch(family):
    usual = None if family.startswith("authors") else "imagenet"
    found = convert_torch(families.random_state(family), usual)
    assert found.notes[-1] == "images were normalized the imagenet way"
    assert found.preset == ("sphere20" if family.endswith("20") else "sphere64")
    outputs, missing = outputs_of(found, families.images())
    assert set(GOLDENS[family]) == set(families.layers(family))
    for ours, golden in GOLDENS[family].items():
        got = families.digest(outputs[f"{ours}/__call__"])
        np.testing.assert_allclose(got, golden, rtol=2e-4, atol=2e-4 * golden[0], err_msg=ours)
    heads = {"shape_head/Dense_0/kernel", "non_identity_head/Dense_1/kernel"}
    assert heads <= set(missing)
    if family.startswith("authors"):
        assert {name.split("/")[0] for name in missing} == {"shape_head", "non_identity_head"}
        assert (found.albedo_maps, found.block_bias) == (2, True)
        left_out = {name for name in families.shapes(family) if name not in found.used}
        assert {name.split(".")[0] for name in left_out} == {"fc5", "fc2_up"}


def test_blocks_that_a_network_lacks_change_nothing():
    # CosFace's long network has 7 blocks in its second stage, ours has 8.
    found = convert_torch(families.random_state("cosface64"))
    assert not found.block_bias
    assert "its stages have (3, 7, 16, 3) blocks, filled up to (3, 8, 16, 3)" in found.notes[0]
    block = found.params["trunk"]["Stage_1"]["ResidualBlock_7"]
    assert not block["Conv_1"]["kernel"].any()
    assert block["Conv_0"]["kernel"].any()  # so that gradients reach both


def test_what_training_scripts_put_around_the_arrays_is_taken_off():
    state = families.random_state("cosface20")
    wrapped = {"epoch": 3, "state_dict": {f"module.{name}": array for name, array in state.items()}}
    plain, unwrapped = convert_torch(state), convert_torch(wrapped)
    jax.tree.map(np.testing.assert_array_equal, plain.params, unwrapped.params)


@pytest.mark.parametrize("preprocessing", ["sphereface", "cosface"])
def test_another_normalization_is_folded_into_the_first_convolution(rng, preprocessing):
    image = rng.uniform(size=(1, 8, 6, 3))  # RGB in [0, 1]
    kernel, bias = rng.normal(size=(3, 3, 3, 4)).astype(np.float32), rng.normal(size=4).astype(np.float32)
    # As the public code does it: bytes minus 127.5 over 128, in the order of OpenCV; or 2 x - 1.
    theirs = (255 * image[..., ::-1] - 127.5) / 128 if preprocessing == "sphereface" else 2 * image - 1
    want = convolve(theirs, kernel, bias)
    folded = {"kernel": kernel, "bias": bias}
    fold_preprocessing(folded, PREPROCESSING[preprocessing])
    got = convolve((image - IMAGE_MEAN) / np.array(IMAGE_STD), folded["kernel"], folded["bias"])
    np.testing.assert_allclose(got[:, 1:-1, 1:-1], want[:, 1:-1, 1:-1], atol=1e-4)
    assert np.abs(got - want)[:, 0].max() > 0.01  # the padding is of another color


def test_each_network_has_its_usual_normalization():
    for family, usual in (("sphereface20", "sphereface"), ("cosface20", "cosface")):
        assert convert_torch(families.random_state(family)).notes[-1] == f"images were normalized the {usual} way"


def test_no_normalization_changes_nothing():
    convolution = {"kernel": np.ones((3, 3, 3, 2), np.float32), "bias": np.ones(2, np.float32)}
    fold_preprocessing(convolution, None)
    assert (convolution["kernel"] == 1).all()
    fold_preprocessing(convolution, Preprocessing(1.0, 0.0))
    np.testing.assert_allclose(convolution["bias"], 1 + 9 * sum(IMAGE_MEAN), rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("conv3_4.bias"), None),
        (lambda state: state.pop("relu3_4.weight"), "relu3_4.weight is missing"),
        (
            lambda state: state.update({"conv2_2.weight": np.zeros((128, 128, 1, 1))}),
            "conv2_2.weight has shape .*, expec",
        ),
        (
            lambda state: state.update({f"conv1_{n}.weight": np.zeros(1) for n in range(4, 12, 2)}),
            "residual blocks, known",
        ),
        (
            lambda state: state.clear(),
            "no known network: none of conv1_1.weight, layer1.0.0.weight, layer1.0.weight among",
        ),
    ],
)
def test_other_networks_are_refused(change, message):
    state = families.random_state("sphereface20")
    change(state)
    if message is None:
        assert "bias" not in convert_torch(state).params["shape_branch"]["Stage_0"]["ResidualBlock_1"]["Conv_0"]
        return
    with pytest.raises(ValueError, match=message):
        convert_torch(state)


def test_an_unknown_normalization_is_refused():
    with pytest.raises(ValueError, match="preprocessing must be one of imagenet, sphereface, cosface, got 'caffe'"):
        convert_torch({}, "caffe")
