import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sirjax.render.renderer import rasterize_geometry, render, shade_surface
from sirjax.render.shading import NEUTRAL_LIGHT
from tests.references import rasterizer as reference
from tests.references.shading import shade as shade64
from tests.render.meshes import grid_triangles

SIZE = (14, 12)
SIDE = 7  # vertices along a side of the sheet
TEXELS = 6


@pytest.fixture(params=("cpu", "xla"))
def backend(request):
    return request.param


@pytest.fixture
def scene(rng):
    """Two uneven sheets in pixels, a seam in the texture: projected, normals, albedo, light, and the mesh."""
    line = np.linspace(0, 1, SIDE)
    x, y = np.meshgrid(line, line)
    flat = np.stack([1.3 + 9 * x, 1.2 + 11 * y, 5 * np.cos(3 * (x - 0.5)) * np.cos(3 * (y - 0.5))], axis=-1)
    projected = flat.reshape(1, -1, 3) + rng.normal(size=(2, SIDE**2, 3)) * 0.15
    outward = np.stack([x - 0.5, 0.5 - y, 0.6 + 0 * x], axis=-1).reshape(1, -1, 3)
    normals = outward + rng.normal(size=projected.shape) * 0.1
    triangles = grid_triangles(SIDE, SIDE)
    uv = np.concatenate([np.stack([x, y], axis=-1).reshape(-1, 2) * 0.9 + 0.04, rng.uniform(0.1, 0.9, size=(6, 2))])
    uv_triangles = triangles.copy()
    uv_triangles[10], uv_triangles[31] = SIDE**2 + np.arange(3), SIDE**2 + 3 + np.arange(3)
    albedo = rng.uniform(0.1, 0.9, size=(2, TEXELS, TEXELS, 3))
    light = rng.normal(size=(2, 9, 3)) * 0.2 + NEUTRAL_LIGHT[None]
    inputs = tuple(jnp.asarray(a, jnp.float32) for a in (projected, normals, albedo, light))
    mesh = {"triangles": triangles, "uv": jnp.asarray(uv, jnp.float32), "uv_triangles": uv_triangles}
    return inputs, mesh | {"image_size": SIZE}


def draw(inputs, mesh, backend="auto"):
    return jax.jit(lambda *inputs: render(*inputs, **mesh, backend=backend))(*inputs)


def geometry(inputs, mesh, backend="auto"):
    return jax.jit(lambda p, n: rasterize_geometry(p, n, **mesh, backend=backend))(*inputs[:2])


def image_by_equation(projected, normals, albedo, light, ids, mask, mesh):
    """The image in float64 at fixed visibility, pixel by pixel."""
    height, width = SIZE
    ones = np.ones(projected.shape[:2])
    x, y = (projected[..., 0] + 0.5) * 2 / width - 1, (projected[..., 1] + 0.5) * 2 / height - 1
    barycentric = reference.barycentric_at(np.stack([x, y, 0 * ones, ones], axis=-1), mesh["triangles"], ids)
    uv = np.asarray(mesh["uv"], np.float64)
    image = np.zeros((*ids.shape, 3))
    for n, i, j in np.argwhere(mask > 0):
        weights = barycentric[n, i, j]
        place = weights @ uv[mesh["uv_triangles"][ids[n, i, j]]] * TEXELS - 0.5
        place = np.clip(place, 0, TEXELS - 1)
        texel = np.clip(np.floor(place).astype(int), 0, TEXELS - 2)
        fx, fy = place - texel
        corners = albedo[n, texel[1] : texel[1] + 2, texel[0] : texel[0] + 2]
        colour = np.einsum("i,j,ijc->c", [1 - fy, fy], [1 - fx, fx], corners)
        normal = weights @ normals[n, mesh["triangles"][ids[n, i, j]]]
        image[n, i, j] = shade64(colour, normal / np.linalg.norm(normal), light[n])
    return image


def test_the_image_follows_the_equations(scene, backend):
    inputs, mesh = scene
    got = draw(inputs, mesh, backend)
    ids = np.asarray(geometry(inputs, mesh, backend).fragments.triangle_id)
    expected = image_by_equation(*(np.asarray(x, np.float64) for x in inputs), ids, np.asarray(got.mask), mesh)
    assert got.mask.mean() > 0.5
    np.testing.assert_allclose(got.image, expected, atol=2e-5)
    np.testing.assert_allclose(np.linalg.norm(got.normals, axis=-1), got.mask, atol=1e-6)


def test_gradients_of_vertices_normals_albedo_and_light_match_differences(rng, scene, backend):
    inputs, mesh = scene
    surface = geometry(inputs, mesh, backend)
    ids, mask = np.asarray(surface.fragments.triangle_id), np.asarray(surface.mask)
    weight = rng.normal(size=(2, *SIZE, 3))

    def loss(*inputs):
        return jnp.sum(render(*inputs, **mesh, backend=backend).image * jnp.asarray(weight, jnp.float32))

    gradients = jax.jit(jax.grad(loss, argnums=(0, 1, 2, 3)))(*inputs)
    exact = [np.asarray(x, np.float64) for x in inputs]
    for number, gradient in enumerate(np.asarray(g) for g in gradients):
        errors = []
        for place in map(tuple, rng.permutation(np.argwhere(np.abs(gradient) > 1e-3))[:6]):
            values = []
            for step in (1e-6, -1e-6):
                moved = [x.copy() for x in exact]
                moved[number][place] += step
                values.append((image_by_equation(*moved, ids, mask, mesh) * weight).sum())
            difference = (values[0] - values[1]) / 2e-6
            errors.append(abs(difference - gradient[place]) / max(abs(difference), 0.1))
        assert len(errors) == 6
        assert np.max(errors) < 5e-3
    assert not np.asarray(gradients[0])[..., 2].any()  # depth decides visibility only, which is constant


def test_neutral_light_shows_the_albedo_inside_the_mask(scene):
    (projected, normals, albedo, _), mesh = scene
    got = draw((projected, normals, albedo, jnp.broadcast_to(NEUTRAL_LIGHT[None], (2, 9, 3))), mesh)
    np.testing.assert_allclose(got.image, got.albedo, atol=1e-5)
    outside = np.asarray(got.mask) == 0
    assert outside.any()
    for field in (got.image, got.albedo, got.normals):
        assert not np.asarray(field)[outside].any()


def test_the_image_is_not_clipped(scene):
    (projected, normals, albedo, light), mesh = scene
    assert render(projected, normals, albedo, 5 * light, **mesh).image.max() > 1


def test_surfaces_that_face_away_are_masked_but_still_hide_what_lies_behind(scene):
    (projected, normals, *rest), mesh = scene
    away = normals * jnp.array([[[1, 1, -1]]], jnp.float32)
    got = draw((projected, away, *rest), mesh)
    assert not got.mask.any()
    assert not got.image.any()
    hidden = geometry((projected, away), mesh)
    assert (hidden.fragments.triangle_id >= 0).any()


def test_a_second_albedo_reuses_the_geometry(scene):
    (projected, normals, albedo, light), mesh = scene
    surface = geometry((projected, normals), mesh)
    mirrored = albedo[:, :, ::-1]
    for colours in (albedo, mirrored):
        expected = draw((projected, normals, colours, light), mesh)
        got = shade_surface(surface, colours, light)
        np.testing.assert_allclose(got.image, expected.image, atol=1e-6)


def test_vanishing_normals_give_finite_gradients(scene, backend):
    (projected, normals, albedo, light), mesh = scene

    def loss(normals, projected):
        return jnp.sum(render(projected, normals, albedo, light, **mesh, backend=backend).image)

    gradients = jax.jit(jax.grad(loss, argnums=(0, 1)))(jnp.zeros_like(normals), projected)
    assert all(np.isfinite(gradient).all() for gradient in gradients)


def test_one_albedo_may_serve_all_images(scene):
    (projected, normals, albedo, light), mesh = scene
    shared = draw((projected, normals, albedo[0], light), mesh)
    expected = draw((projected, normals, jnp.stack([albedo[0]] * 2), light), mesh)
    np.testing.assert_allclose(shared.image, expected.image, atol=1e-6)


def test_uv_triangles_must_correspond_to_the_triangles(scene):
    inputs, mesh = scene
    with pytest.raises(ValueError, match="72 triangles but 71 UV triangles: they must correspond"):
        render(*inputs, **mesh | {"uv_triangles": mesh["uv_triangles"][1:]})


def test_antialiasing_changes_the_border_only_and_gives_it_a_gradient(scene):
    inputs, mesh = scene
    plain = draw(inputs, mesh)
    smooth = jax.jit(lambda *inputs: render(*inputs, **mesh, antialias=True))(*inputs)
    changed = np.asarray(jnp.abs(plain.image - smooth.image).max(axis=-1) > 1e-6)
    inside = np.asarray(plain.mask) > 0
    surrounded = inside.copy()
    for axis in (1, 2):
        surrounded &= np.roll(inside, 1, axis) & np.roll(inside, -1, axis)
    assert 10 < changed.sum() < 0.4 * changed.size
    assert not (changed & surrounded).any()
    np.testing.assert_array_equal(smooth.mask[~changed], plain.mask[~changed])

    def covered(projected, antialias):
        return render(projected, *inputs[1:], **mesh, antialias=antialias).mask.sum()

    assert not np.asarray(jax.grad(covered)(inputs[0], False)).any()
    assert np.asarray(jax.grad(covered)(inputs[0], True)).any()
