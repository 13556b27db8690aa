"""The weak-perspective camera (Eq. 2-3) and how the networks' seven raw numbers become one."""

import jax.numpy as jnp
from flax import struct
from jax import Array
from jaxtyping import Float

from sirjax.geometry.rotation import rotation_from_quaternion
from sirjax.types import Camera


@struct.dataclass
class CameraTemplate:
    """The camera that shows the upright frontal mean face in an aligned crop; all-zero raw numbers decode to it."""

    scale: Array  # [] pixels per millimeter
    translation: Array  # [2] pixels (u, v)


def project(camera: Camera, points: Float[Array, "B N 3"]) -> Float[Array, "B N 3"]:
    """Model-frame points (mm) to (u, v, depth) in pixels: Eq. 3 with v downward.

    (X, Y, Z) = R p;  u = s X + t_u,  v = -s Y + t_v,  depth = s Z. Larger depth is closer to the viewer.
    """
    turned = points @ jnp.swapaxes(camera.rotation, -1, -2)
    flip = jnp.array([1.0, -1.0, 1.0], turned.dtype)  # y up in the camera frame, v down in the image
    shift = jnp.pad(camera.translation, ((0, 0), (0, 1)))
    return camera.scale[:, None, None] * turned * flip[None, None] + shift[:, None]


def clip_positions(projected: Float[Array, "B V 3"], image_size: tuple[int, int]) -> Float[Array, "B V 4"]:
    """(u, v, depth) in pixels to the rasterizer's clip space: row 0 at y = -1, y downward, smaller z is closer, w = 1.

    Pixel centers are integers, so the image's edges, half a pixel outside them, land on +-1. Depths within
    4 * max(H, W) pixels of the origin, far more than any face fills, stay inside [-1, 1].
    """
    height, width = image_size
    # All coordinates at once: taken apart and stacked again they take a CPU three times as long.
    half_pixel, scale, corner = (
        jnp.array([[values]], projected.dtype)
        for values in ((0.5, 0.5, 0.0), (2.0 / width, 2.0 / height, -0.25 / max(height, width)), (-1.0, -1.0, 0.0))
    )
    xyz = (projected + half_pixel) * scale + corner
    return jnp.concatenate((xyz, jnp.ones_like(xyz[..., :1])), axis=-1)


def fit_camera_template(points: Float[Array, "5 3"], template: Float[Array, "5 2"]) -> CameraTemplate:
    """Least-squares scale and translation, without rotation, from the mean face's five points (mm) to pixels.

    The unit of the points does not matter: a model in another unit gets another scale.
    """
    plane = points[:, :2] * jnp.array([[1.0, -1.0]], points.dtype)
    centered_plane = plane - plane.mean(axis=0, keepdims=True)
    centered_template = template - template.mean(axis=0, keepdims=True)
    scale = jnp.sum(centered_plane * centered_template) / jnp.sum(jnp.square(centered_plane))
    return CameraTemplate(scale=scale, translation=template.mean(axis=0) - scale * plane.mean(axis=0))


def decode_camera(
    raw: Float[Array, "B 7"],
    template: CameraTemplate,
    *,
    image_width: int,
    quaternion_gain: float = 1.0,
    scale_gain: float = 0.1,
    translation_gain: float = 0.1,
) -> Camera:
    """The camera of each sample from the networks' raw numbers r.

        q = gain_q r[0:4] + (0, 0, 0, 1), normalized;  s = s_0 exp(gain_s r[4]);  t = t_0 + gain_t W r[5:7]

    The exponential keeps the scale positive without the kink of an absolute value; zeros give the template, an upright
    frontal face in the middle, so that a network with a zero last layer starts with the face in view.
    """
    upright = jnp.array([[0.0, 0.0, 0.0, 1.0]], raw.dtype)
    return Camera(
        rotation=rotation_from_quaternion(quaternion_gain * raw[:, :4] + upright),
        scale=template.scale * jnp.exp(scale_gain * raw[:, 4]),
        translation=template.translation[None] + translation_gain * image_width * raw[:, 5:7],
    )
