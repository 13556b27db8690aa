import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sirjax.networks.model import PRESETS, make_networks
from sirjax.types import NetworkOutput
from tests.networks.parameters import count

SIZES = {"num_shape": 199, "num_expression": 29}


def shapes(networks, batch=2, image_size=(112, 96)):
    """(output shapes, parameter shapes), without computing anything."""
    image = jnp.zeros((batch, *image_size, 3))
    output, variables = jax.eval_shape(networks.init_with_output, jax.random.key(0), image)
    return {field.name: getattr(output, field.name).shape for field in dataclasses.fields(output)}, variables["params"]


def tiny(**settings):
    return make_networks(
        "tiny", **({"num_shape": 6, "num_expression": 3, "uv_size": 32, "image_size": (32, 48)} | settings)
    )


def test_outputs_of_the_paper_have_the_shapes_of_the_paper():
    found, _ = shapes(make_networks("sphere64", **SIZES))
    assert found == {
        "shape": (2, 199),
        "expression": (2, 29),
        "camera": (2, 7),
        "light": (2, 9, 3),
        "albedo_code": (2, 512),
        "albedo_residual": (2, 256, 256, 3),
        "pixel_confidence": (2, 112, 96, 2),
        "feature_confidence": (2, 28, 24, 2),
    }


@pytest.mark.parametrize(
    ("block_bias", "stages"),
    [(True, (223_808, 2_437_376, 19_186_176, 15_342_592)), (False, (223_424, 2_435_328, 19_177_984, 15_339_520))],
)
def test_stages_of_sphere64_have_the_published_parameter_counts(block_bias, stages):
    _, params = shapes(make_networks("sphere64", block_bias=block_bias, **SIZES))
    assert [count(params["trunk"][name]) for name in ("Stage_0", "Stage_1")] == list(stages[:2])
    for branch in ("shape_branch", "non_identity_branch", "albedo_branch"):
        assert [count(params[branch][name]) for name in ("Stage_0", "Stage_1")] == list(stages[2:])


def test_sphere64_has_155_872_460_parameters():
    _, params = shapes(make_networks("sphere64", albedo_maps=2, **SIZES))
    heads_and_encoder = count(params) - count(params["albedo_decoder"]) - count(params["confidence"])
    assert heads_and_encoder == 132_580_934
    assert count(params) == 132_580_934 + 12_205_446 + 11_086_080


def test_unsplit_baseline_has_a_single_branch():
    _, params = shapes(make_networks("sphere64", shared_stages=4, **SIZES))
    assert not [name for name in params if name.endswith("branch")]
    assert count(params["trunk"]) == 223_808 + 2_437_376 + 19_186_176 + 15_342_592


def test_without_shared_stages_the_branches_share_nothing():
    _, params = shapes(tiny(shared_stages=0), image_size=(32, 48))
    assert "trunk" not in params
    assert len(params["shape_branch"]) == 4


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("image_size", [(112, 96), (224, 224), (64, 80)])
def test_every_preset_fits_any_size_divisible_by_16(preset, image_size):
    found, _ = shapes(make_networks(preset, image_size=image_size, **SIZES), image_size=image_size)
    height, width = image_size
    assert found["pixel_confidence"] == (2, height, width, 2)
    assert found["feature_confidence"] == (2, height // 4, width // 4, 2)


@pytest.mark.parametrize("uv_size", [32, 64, 128, 256])
@pytest.mark.parametrize("albedo_maps", [1, 2])
def test_tiny_makes_albedo_maps_of_many_sizes(uv_size, albedo_maps):
    found, _ = shapes(tiny(uv_size=uv_size, albedo_maps=albedo_maps), image_size=(32, 48))
    assert found["albedo_residual"] == (2, uv_size, uv_size, 3)


def test_untrained_networks_see_a_frontal_evenly_lit_mean_face(rng):
    networks = tiny()
    image = jnp.asarray(rng.uniform(size=(2, 32, 48, 3)), jnp.float32)
    output, _ = jax.jit(networks.init_with_output)(jax.random.key(0), image)
    for name in ("shape", "expression", "camera", "albedo_residual"):
        np.testing.assert_array_equal(getattr(output, name), 0)
    np.testing.assert_allclose(output.light[:, 0], 1.12838, rtol=1e-6)
    assert np.all(np.asarray(output.pixel_confidence) > 0)


def test_bfloat16_computes_in_it_but_keeps_float32_outside(rng):
    image = jnp.asarray(rng.uniform(size=(2, 32, 48, 3)), jnp.float32)
    params = randomized(tiny(), image, rng)
    exact, rounded = (
        jax.jit(tiny(dtype=dtype).apply)({"params": params}, image) for dtype in (jnp.float32, jnp.bfloat16)
    )
    assert {leaf.dtype for leaf in jax.tree.leaves((params, rounded))} == {jnp.dtype("float32")}
    assert not np.array_equal(exact.shape, rounded.shape)
    np.testing.assert_allclose(rounded.shape, exact.shape, atol=0.05 * np.abs(exact.shape).max())


def test_every_output_learns_and_nothing_is_left_without_gradient(rng):
    networks = tiny()
    image = jnp.asarray(rng.uniform(size=(2, 32, 48, 3)), jnp.float32)
    params = randomized(networks, image, rng)

    def loss(params):
        return sum(jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves(networks.apply({"params": params}, image)))

    gradients = jax.jit(jax.grad(loss))(params)
    silent = [
        jax.tree_util.keystr(path)
        for path, leaf in jax.tree_util.tree_leaves_with_path(gradients)
        if not np.any(np.asarray(leaf)) or not np.all(np.isfinite(leaf))
    ]
    assert silent == []


def test_branches_do_not_disturb_each_other(rng):
    networks = tiny()
    image = jnp.asarray(rng.uniform(size=(2, 32, 48, 3)), jnp.float32)
    params = randomized(networks, image, rng)

    def shape_loss(params):
        output = networks.apply({"params": params}, image)
        assert isinstance(output, NetworkOutput)
        return jnp.sum(jnp.square(output.shape))

    gradients = jax.jit(jax.grad(shape_loss))(params)
    touched = {name for name, tree in gradients.items() if any(np.any(np.asarray(x)) for x in jax.tree.leaves(tree))}
    assert touched == {"trunk", "shape_branch", "shape_head"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"preset": "huge"}, r"unknown preset 'huge': choose one of sphere64, sphere20, tiny, debug"),
        ({"shared_stages": 5}, r"shared_stages must be in 0\.\.4, got 5"),
        ({"albedo_maps": 3}, r"albedo_maps must be 1 or 2, got 3"),
        ({"image_size": (100, 96)}, r"image_size must be divisible by 16, got \(100, 96\)"),
    ],
)
def test_settings_outside_their_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        make_networks(**(SIZES | settings))


def test_images_of_another_size_are_refused():
    with pytest.raises(ValueError, match=r"shape \[B, 32, 48, 3\], got \[1, 48, 32, 3\]"):
        jax.eval_shape(tiny().init, jax.random.key(0), jnp.zeros((1, 48, 32, 3)))


def randomized(networks, image, rng):
    """Parameters without zeros, so that every output depends on the image."""
    params = jax.eval_shape(networks.init, jax.random.key(0), image)["params"]
    return jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape) * 0.1, jnp.float32), params)


@pytest.mark.parametrize("preset", ["sphere20", "tiny"])
def test_computing_layers_again_changes_no_parameter(preset):
    assert shapes(make_networks(preset, remat=True, **SIZES)) == shapes(make_networks(preset, **SIZES))
