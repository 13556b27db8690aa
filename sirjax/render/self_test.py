"""Does a rendering backend draw, and are its gradients right? Cheap enough to ask before every training run."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from sirjax.render.renderer import render

STEP = 1e-2  # of the central difference, in pixels
TOLERANCE = 2e-2  # relative; float32 differences are no better


def self_test(backend: str, platform: str | None = None) -> str:
    """Renders one lit, textured triangle and compares its gradients with central differences.

    Args:
      backend: "auto" or the name of a backend.
      platform: where to run it ("cpu", "cuda"); None: where JAX runs everything.

    Returns "" if all is well, else what is wrong.
    """
    device = jax.devices(platform)[0] if platform else None
    with jax.default_device(device):
        return _draw_and_compare(backend)


def _draw_and_compare(backend: str) -> str:
    inputs = _one_triangle()
    weight = np.linspace(-1.0, 1.0, 8 * 8 * 3, dtype=np.float32).reshape(1, 8, 8, 3)

    def loss(projected, albedo, light):
        triangles = np.array([[0, 1, 2]], np.int32)
        mesh = {
            "triangles": triangles,
            "uv": np.array([[0.1, 0.1], [0.9, 0.2], [0.2, 0.8]], np.float32),
            "uv_triangles": triangles,
        }
        normals = jnp.array([[[0.1, 0.2, 1.0], [-0.3, 0.1, 1.0], [0.2, -0.2, 1.0]]])
        rendering = render(projected, normals, albedo, light, **mesh, image_size=(8, 8), backend=backend)
        return jnp.sum(rendering.image * weight), jnp.sum(rendering.mask)

    try:
        (_, pixels), gradients = jax.jit(jax.value_and_grad(loss, argnums=(0, 1, 2), has_aux=True))(*inputs)
        if not 0 < int(pixels) < 64:
            return f"drew {int(pixels)} of 64 pixels for a triangle that covers a part of the image"
        gradients = jax.device_get(gradients)
        value = jax.jit(lambda *inputs: loss(*inputs)[0])
        for number, (name, place) in enumerate((("vertex", (0, 1, 0)), ("texel", (0, 1, 1, 0)), ("light", (0, 2, 1)))):
            ahead, behind = (value(*_moved(inputs, number, place, step)) for step in (STEP, -STEP))
            difference = (float(ahead) - float(behind)) / (2 * STEP)
            gradient = float(gradients[number][place])
            if not abs(gradient - difference) <= TOLERANCE * max(abs(difference), 0.1):
                return f"wrong gradient of a {name}: {gradient:.4g}, by finite differences {difference:.4g}"
    except Exception as error:  # whatever a backend throws is what the user has to read
        return f"fails: {type(error).__name__}: {error}"
    return ""


@functools.cache
def require_working(backend: str) -> None:
    """Runs `self_test`, once per process and backend.

    Raises:
      RuntimeError: if the backend draws nothing, or its gradients are wrong.
    """
    problem = self_test(backend)
    if problem:
        raise RuntimeError(
            f"the rendering backend {backend!r} does not work here: {problem}. Choose another one (render.backend); "
            "`sirjax doctor` shows which ones work"
        )


def _one_triangle() -> tuple[np.ndarray, ...]:
    """Vertices in an 8 x 8 image, edges 0.12 pixels or more from every pixel center; 4 x 4 texels; light."""
    projected = np.array([[[0.1, 3.3, 1.0], [3.0, 6.5, 2.0], [6.0, 0.3, 1.5]]], np.float32)
    albedo = np.linspace(0.2, 0.9, 4 * 4 * 3, dtype=np.float32).reshape(1, 4, 4, 3)
    light = np.linspace(-0.2, 0.3, 27, dtype=np.float32).reshape(1, 9, 3)
    light[:, 0] = 1.0
    return projected, albedo, light


def _moved(inputs: tuple[np.ndarray, ...], number: int, place: tuple[int, ...], step: float) -> list[np.ndarray]:
    """The inputs with one value of one of them changed."""
    changed = [array.copy() for array in inputs]
    changed[number][place] += step
    return changed
