import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sirjax.render.texture import sample_texture


@pytest.fixture(params=("cpu", "xla"))
def backend(request):
    return request.param


def by_loop(texture, uv):
    out = np.zeros((*uv.shape[:-1], texture.shape[-1]))
    rows, columns = texture.shape[-3:-1]
    for n, i, j in np.ndindex(*uv.shape[:-1]):
        image = texture[n] if texture.ndim == 4 else texture
        x = np.clip(uv[n, i, j, 0] * columns - 0.5, 0, columns - 1)
        y = np.clip(uv[n, i, j, 1] * rows - 0.5, 0, rows - 1)
        for row in range(rows):
            for column in range(columns):
                out[n, i, j] += max(0, 1 - abs(x - column)) * max(0, 1 - abs(y - row)) * image[row, column]
    return out


@pytest.mark.parametrize("shape", [(5, 4, 3), (2, 5, 4, 3), (1, 1, 2)], ids=["shared", "per image", "one texel"])
def test_values_are_bilinear_and_clamped(rng, backend, shape):
    texture = rng.normal(size=shape).astype(np.float32)
    uv = rng.uniform(-0.3, 1.3, size=(2, 4, 5, 2)).astype(np.float32)
    np.testing.assert_allclose(sample_texture(texture, uv, backend=backend), by_loop(texture, uv), atol=2e-6)


def test_texel_centers_give_the_texels(rng, backend):
    texture = rng.normal(size=(1, 4, 4, 3)).astype(np.float32)
    line = (np.arange(4, dtype=np.float32) + 0.5) / 4
    uv = np.stack(np.meshgrid(line, line), axis=-1)[None]
    np.testing.assert_allclose(sample_texture(texture, uv, backend=backend), texture, atol=1e-6)


@pytest.mark.parametrize("shape", [(5, 4, 3), (2, 5, 4, 3)], ids=["shared", "per image"])
def test_gradients_match_differences_of_the_loop(rng, backend, shape):
    texture = rng.normal(size=shape)
    uv = rng.uniform(-0.3, 1.3, size=(2, 4, 5, 2)).astype(np.float32)
    weight = rng.normal(size=(2, 4, 5, 3))

    def loss(texture, uv):
        return jnp.sum(sample_texture(texture, uv, backend=backend) * jnp.asarray(weight, jnp.float32))

    by_texture, by_uv = jax.grad(loss, argnums=(0, 1))(jnp.asarray(texture, jnp.float32), jnp.asarray(uv))
    assert (np.asarray(by_uv) == 0).any()  # some are clamped
    for array, gradient in ((texture, by_texture), (uv.astype(np.float64), by_uv)):
        for place in map(tuple, rng.integers(0, array.shape, size=(25, array.ndim))):
            values = []
            for step in (1e-6, -1e-6):
                moved = array.copy()
                moved[place] += step
                values.append((by_loop(*((moved, uv) if array is texture else (texture, moved))) * weight).sum())
            np.testing.assert_allclose(gradient[place], (values[0] - values[1]) / 2e-6, atol=1e-4)


@pytest.mark.parametrize(
    ("texture", "uv", "message"),
    [
        (
            (3, 4, 4, 3),
            (2, 4, 5, 2),
            r"must be float32 \[A, B, C\] or \[2, A, B, C\].*got float32 \[3, 4, 4, 3\]",
        ),
        ((4, 4), (2, 4, 5, 2), r"got float32 \[4, 4\]"),
        ((0, 4, 3), (2, 4, 5, 2), r"A, B > 0, got float32 \[0, 4, 3\]"),
        ((4, 4, 3), (2, 4, 5, 3), r"uv must be float32 \[N, H, W, 2\], got float32 \[2, 4, 5, 3\]"),
    ],
)
def test_wrong_shapes_are_named(texture, uv, message):
    with pytest.raises(ValueError, match=message):
        sample_texture(np.zeros(texture, np.float32), np.zeros(uv, np.float32))
