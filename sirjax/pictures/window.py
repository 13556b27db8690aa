"""The part of a photo where a face lies, as a square of one of few sizes, so that little is compiled. V vertices."""

from dataclasses import dataclass
from functools import partial

import cv2
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from sirjax.constants import NO_TRIANGLE
from sirjax.geometry.camera import clip_positions
from sirjax.render.interpolate import interpolate
from sirjax.render.rasterize import rasterize

SIDES = (128, 256, 512, 1024, 2048)  # pixels


@dataclass(frozen=True)
class Window:
    """A square of drawn pixels over a photo. Faces that fill more than the largest of `SIDES` are drawn smaller."""

    low: np.ndarray  # int [2], photo pixel (u, v) of its left top corner; may lie outside the photo
    side: int  # drawn pixels
    step: float  # photo pixels per drawn pixel, at least 1

    @classmethod
    def around(cls, projected: Float[np.ndarray, "V 3"]) -> "Window":
        """The window that holds all vertices (photo pixels)."""
        low = np.floor(projected[:, :2].min(axis=0)).astype(int) - 1
        extent = float((projected[:, :2].max(axis=0) - low).max()) + 2.0
        side = next((side for side in SIDES if side >= extent), SIDES[-1])
        return cls(low, side, max(1.0, extent / side))

    def placed(self, projected: Float[np.ndarray, "V 3"]) -> Float[np.ndarray, "V 3"]:
        """Photo pixels and depth as drawn pixels and depth: edges, not centers, keep their place."""
        plane = (projected[:, :2] - self.low + 0.5) / self.step - 0.5
        return np.concatenate([plane, projected[:, 2:] / self.step], axis=1)

    def enlarged(
        self, image: Float[np.ndarray, "S S *C"], mask: Shaped[np.ndarray, "S S"]
    ) -> tuple[Float[np.ndarray, "H W *C"], Shaped[np.ndarray, "H W"]]:
        """What was drawn, at the photo's own pixels."""
        if self.step == 1.0:
            return image, mask
        full = (round(self.side * self.step), round(self.side * self.step))
        large = cv2.resize(image, full, interpolation=cv2.INTER_LINEAR)
        return large, cv2.resize(mask, full, interpolation=cv2.INTER_NEAREST)

    def inside(self, size: tuple[int, int], photo_size: tuple[int, int]) -> tuple[int, int, tuple[slice, slice]]:
        """Left, top (in the photo), and which part of an image of `size` at the window's place lies in the photo."""
        first = np.clip(-self.low, 0, size[::-1])  # (left, top) of what lies inside the photo
        last = np.clip(np.array(photo_size[::-1]) - self.low, first, size[::-1])
        left, top = np.maximum(self.low, 0).tolist()
        return left, top, (slice(first[1], last[1]), slice(first[0], last[0]))


def surface(
    projected: Float[np.ndarray, "V 3"],
    attributes: Float[np.ndarray, "V C"],
    triangles: Int[jax.Array, "T 3"],
    image_size: tuple[int, int],
    *,
    backend: str = "auto",
) -> tuple[Float[np.ndarray, "H W C"], Bool[np.ndarray, "H W"]]:
    """Values given at vertices as seen at each pixel, 0 where there is no surface; and where there is one."""
    values, mask = _surface(
        jnp.asarray(projected, jnp.float32)[None],
        jnp.asarray(attributes, jnp.float32)[None],
        triangles,
        image_size=image_size,
        backend=backend,
    )
    return np.asarray(values[0]), np.asarray(mask[0])


@partial(jax.jit, static_argnames=("image_size", "backend"))
def _surface(projected, attributes, triangles, *, image_size, backend):
    fragments = rasterize(clip_positions(projected, image_size), triangles, image_size, backend=backend)
    return interpolate(attributes, triangles, fragments, backend=backend), fragments.triangle_id != NO_TRIANGLE
