"""Every transformation of the operations, on both backends, against one plain call. Four virtual devices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from sirjax.render.interpolate import interpolate
from sirjax.render.rasterize import rasterize
from sirjax.render.texture import sample_texture
from tests.render.meshes import bumpy_sheet

IMAGES, DEVICES, SIZE = 8, 4, (9, 8)
COLLECTIVES = ("all-gather", "all-reduce", "all-to-all", "collective-permute")


@pytest.fixture(params=("cpu", "xla"), scope="module")
def scene(request):
    """A function to images and gradients (of two inputs), its three inputs with image axis, and its result."""
    rng = np.random.default_rng(0)
    positions, triangles = bumpy_sheet(rng, size=5, num_images=IMAGES)
    texture, weight = rng.uniform(size=(IMAGES, 4, 4, 3)), rng.normal(size=(IMAGES, *SIZE, 3))
    uv = jnp.asarray(rng.uniform(size=(25, 2)), jnp.float32)

    def draw(positions, texture):
        fragments = rasterize(positions, triangles, SIZE, backend=request.param)
        pixel_uv = interpolate(uv, triangles, fragments, backend=request.param)
        return sample_texture(texture, pixel_uv, backend=request.param)

    def loss(positions, texture, weight):
        image = draw(positions, texture)
        return jnp.sum(image * weight), image

    everything = jax.grad(loss, argnums=(0, 1), has_aux=True)
    inputs = tuple(jnp.asarray(x, jnp.float32) for x in (positions, texture, weight))
    everything.draw = draw
    return everything, inputs, jax.jit(everything)(*inputs)


def assert_same(got, expected):
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


def split(tree, first):
    return jax.tree.map(lambda x: x.reshape(first, -1, *x.shape[1:]), tree)


def single(function):
    """The function of one image without image axis, as seen inside vmap."""
    return lambda *inputs: jax.tree.map(lambda x: x[0], function(*(x[None] for x in inputs)))


def test_outside_jit(scene):
    everything, inputs, expected = scene
    assert_same(everything(*inputs), expected)


def test_vmap_of_single_images(scene):
    everything, inputs, expected = scene
    assert_same(jax.jit(jax.vmap(single(everything)))(*inputs), expected)


def test_vmap_of_batches(scene):
    everything, inputs, expected = scene
    assert_same(jax.jit(jax.vmap(everything))(*split(inputs, 2)), split(expected, 2))


def test_nested_vmap(scene):
    everything, inputs, expected = scene
    assert_same(jax.jit(jax.vmap(jax.vmap(single(everything))))(*split(inputs, 2)), split(expected, 2))


def test_vmap_over_some_inputs_only(scene):
    everything, (positions, texture, weight), _ = scene
    two = jnp.stack([texture, 1 - texture])
    got = jax.jit(jax.vmap(everything, in_axes=(None, 0, None)))(positions, two, weight)
    plain = jax.jit(everything)
    for k in range(2):
        assert_same(jax.tree.map(lambda x, k=k: x[k], got), plain(positions, two[k], weight))


def test_vmap_over_a_texture_that_images_share(scene):
    everything, (positions, texture, weight), _ = scene
    got = jax.jit(jax.vmap(everything, in_axes=(None, 0, None)))(positions, texture[:2], weight)
    plain = jax.jit(everything)
    for k in range(2):
        assert_same(jax.tree.map(lambda x, k=k: x[k], got), plain(positions, texture[k], weight))


def test_vmap_over_triangles():
    positions, triangles = bumpy_sheet(np.random.default_rng(0), size=5, num_images=2)
    fewer = triangles.copy()
    fewer[3:] = 0
    ids = jax.vmap(lambda t: rasterize(positions, t, SIZE).triangle_id)(jnp.stack([triangles, fewer]))
    np.testing.assert_array_equal(ids, [rasterize(positions, t, SIZE).triangle_id for t in (triangles, fewer)])


def test_vmap_over_cotangents(scene):
    everything, (positions, texture, weight), (gradients, _) = scene

    def pull_back(cotangent):
        return jax.vjp(everything.draw, positions, texture)[1](cotangent)

    got = jax.jit(jax.vmap(pull_back))(jnp.stack([weight, 2 * weight]))
    assert_same(got, [jnp.stack([g, 2 * g]) for g in gradients])


def test_scan(scene):
    everything, inputs, expected = scene
    assert_same(jax.lax.map(lambda one: single(everything)(*one), inputs), expected)


def test_pmap(scene):
    everything, inputs, expected = scene
    assert_same(jax.pmap(everything)(*split(inputs, DEVICES)), split(expected, DEVICES))


def sharded(inputs):
    mesh = jax.make_mesh((DEVICES,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    sharding = NamedSharding(mesh, PartitionSpec("data"))
    return mesh, [jax.device_put(x, sharding) for x in inputs]


def test_sharded_batches_under_jit_need_no_communication(scene):
    everything, inputs, expected = scene
    _, inputs = sharded(inputs)
    compiled = jax.jit(everything).lower(*inputs).compile()
    got = compiled(*inputs)
    assert_same(got, expected)
    assert not [name for name in COLLECTIVES if name in compiled.as_text()]
    assert all(len(x.sharding.device_set) == DEVICES for x in jax.tree.leaves(got))


def test_shard_map(scene):
    everything, inputs, expected = scene
    mesh, inputs = sharded(inputs)
    spec = PartitionSpec("data")
    mapped = jax.jit(jax.shard_map(everything, mesh=mesh, in_specs=spec, out_specs=spec))
    assert_same(mapped(*inputs), expected)


def test_gradient_of_a_replicated_texture_is_summed_over_devices(scene):
    everything, (positions, texture, weight), _ = scene

    def gradient(texture, positions, weight):
        return everything(positions, texture, weight)[0][1]

    expected = jax.jit(gradient)(texture[0], positions, weight)
    mesh, (positions, weight) = sharded((positions, weight))
    specs = (PartitionSpec(), PartitionSpec("data"), PartitionSpec("data"))
    mapped = jax.jit(jax.shard_map(gradient, mesh=mesh, in_specs=specs, out_specs=PartitionSpec()))
    assert_same(mapped(texture[0], positions, weight), expected)
    assert_same(jax.jit(gradient)(texture[0], positions, weight), expected)


def test_one_program_serves_several_platforms():
    triangles = np.array([[0, 1, 2]], np.int32)
    traced = jax.jit(lambda p: rasterize(p, triangles, SIZE).barycentric).trace(jnp.zeros((1, 3, 4)))
    everywhere = traced.lower(lowering_platforms=("cpu", "cuda", "tpu")).as_text()
    assert "sirjax_rasterize" in everywhere
    assert "while" in everywhere  # the plain version, for the others
    assert "sirjax_rasterize" not in traced.lower(lowering_platforms=("tpu",)).as_text()
    assert "while" not in traced.lower(lowering_platforms=("cpu",)).as_text()
