"""Rotations as matrices, quaternions (x, y, z, w: scalar last) and Euler angles (radians)."""

import jax.numpy as jnp
from jaxtyping import Array, Float

_TINY = 1e-12  # keeps divisions and square roots, and their gradients, finite


def rotation_from_quaternion(quaternion: Float[Array, "... 4"]) -> Float[Array, "... 3 3"]:
    """Rotation matrix of a quaternion (x, y, z, w) of any length: R(q) = R(-q) = R(s q).

    The zero quaternion, which is no rotation, gives the identity with a zero gradient instead of NaN.
    """
    x, y, z, w = jnp.moveaxis(quaternion, -1, 0)
    s = 2.0 / jnp.maximum(jnp.sum(jnp.square(quaternion), axis=-1), _TINY)
    rows = (
        (1.0 - s * (y * y + z * z), s * (x * y - z * w), s * (x * z + y * w)),
        (s * (x * y + z * w), 1.0 - s * (x * x + z * z), s * (y * z - x * w)),
        (s * (x * z - y * w), s * (y * z + x * w), 1.0 - s * (x * x + y * y)),
    )
    return jnp.stack([jnp.stack(row, axis=-1) for row in rows], axis=-2)


def quaternion_from_rotation(rotation: Float[Array, "... 3 3"]) -> Float[Array, "... 4"]:
    """Unit quaternion (x, y, z, w) with w >= 0 of a rotation matrix."""
    r = [[rotation[..., i, j] for j in range(3)] for i in range(3)]
    xy, xz, yz = r[0][1] + r[1][0], r[0][2] + r[2][0], r[1][2] + r[2][1]
    xw, yw, zw = r[2][1] - r[1][2], r[0][2] - r[2][0], r[1][0] - r[0][1]
    xx = 1.0 + r[0][0] - r[1][1] - r[2][2]
    yy = 1.0 - r[0][0] + r[1][1] - r[2][2]
    zz = 1.0 - r[0][0] - r[1][1] + r[2][2]
    ww = 1.0 + r[0][0] + r[1][1] + r[2][2]
    # Each row is the quaternion times four times one of its components; the largest component loses the fewest digits.
    candidates = jnp.stack(
        [jnp.stack(row, axis=-1) for row in ((xx, xy, xz, xw), (xy, yy, yz, yw), (xz, yz, zz, zw), (xw, yw, zw, ww))],
        axis=-2,
    )
    best = jnp.argmax(jnp.stack((xx, yy, zz, ww), axis=-1), axis=-1)
    quaternion = jnp.take_along_axis(candidates, best[..., None, None], axis=-2)[..., 0, :]
    quaternion = quaternion / jnp.linalg.norm(quaternion, axis=-1, keepdims=True)
    return jnp.where(quaternion[..., 3:] < 0, -quaternion, quaternion)


def as_wxyz(quaternion: Float[Array, "... 4"]) -> Float[Array, "... 4"]:
    """The same quaternion with the scalar first, as other programs want it."""
    return jnp.roll(quaternion, 1, axis=-1)


def rotation_from_euler(
    pitch: Float[Array, "..."], yaw: Float[Array, "..."], roll: Float[Array, "..."]
) -> Float[Array, "... 3 3"]:
    """R = Rz(roll) Ry(yaw) Rx(pitch), angles in radians.

    In the camera frame (x right, y up, z to the viewer) a positive yaw turns the nose to the image's right, a positive
    pitch turns it down, and a positive roll tilts the head counterclockwise as seen in the image.
    """
    pitch, yaw, roll = jnp.broadcast_arrays(pitch, yaw, roll)
    (cp, cy, cr), (sp, sy, sr) = ([f(angle) for angle in (pitch, yaw, roll)] for f in (jnp.cos, jnp.sin))
    rows = (
        (cr * cy, cr * sy * sp - sr * cp, cr * sy * cp + sr * sp),
        (sr * cy, sr * sy * sp + cr * cp, sr * sy * cp - cr * sp),
        (-sy, cy * sp, cy * cp),
    )
    return jnp.stack([jnp.stack(row, axis=-1) for row in rows], axis=-2)


def euler_from_rotation(
    rotation: Float[Array, "... 3 3"],
) -> tuple[Float[Array, "..."], Float[Array, "..."], Float[Array, "..."]]:
    """(pitch, yaw, roll) in radians of R = Rz(roll) Ry(yaw) Rx(pitch), yaw in [-pi/2, pi/2].

    At gimbal lock (yaw = +-pi/2), where only a combination of pitch and roll is defined, roll is 0. Gradients are
    finite everywhere.
    """
    cos_yaw_squared = jnp.square(rotation[..., 0, 0]) + jnp.square(rotation[..., 1, 0])
    locked = cos_yaw_squared < _TINY
    # Both branches of a `where` are differentiated, so atan2 and sqrt must never see (0, 0).
    cos_yaw = jnp.where(locked, 0.0, jnp.sqrt(jnp.where(locked, 1.0, cos_yaw_squared)))
    yaw = jnp.arctan2(-rotation[..., 2, 0], cos_yaw)
    pitch = jnp.arctan2(
        jnp.where(locked, -rotation[..., 1, 2], rotation[..., 2, 1]),
        jnp.where(locked, rotation[..., 1, 1], rotation[..., 2, 2]),
    )
    roll = jnp.arctan2(jnp.where(locked, 0.0, rotation[..., 1, 0]), jnp.where(locked, 1.0, rotation[..., 0, 0]))
    return pitch, yaw, roll
