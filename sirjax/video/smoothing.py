"""Less jitter from frame to frame: the One-Euro filter (Casiez, Roussel and Vogel, CHI 2012) on pose and expression.

    alpha(f) = 1 / (1 + tau / T),  tau = 1 / (2 pi f)              T: seconds since the last value
    dx  = (x - y_last) / T;   d = alpha(f_d) dx + (1 - alpha(f_d)) d_last
    y   = alpha(f) x + (1 - alpha(f)) y_last,   f = f_min + beta |d|

Slow motion is smoothed much (f_min), fast motion little (beta), so that a face at rest is still and one that moves is
followed at once.
"""

from dataclasses import dataclass, replace

import jax
import numpy as np
from jaxtyping import Float

from sirjax.geometry.rotation import quaternion_from_rotation, rotation_from_quaternion
from sirjax.morphable.model import FaceModel
from sirjax.reconstruction import FaceReconstruction, remodeled, with_photo_camera

FACE_WIDTH = 140.0  # mm; translations are filtered in these units, whatever the size in the image


@dataclass
class OneEuroFilter:
    """Filters arrays of one shape, each element by itself."""

    min_cutoff: float  # f_min, Hz
    beta: float  # Hz per unit a second
    derivative_cutoff: float = 1.0  # f_d, Hz
    _seconds: float | None = None
    _value: np.ndarray | None = None
    _slope: np.ndarray | None = None

    def __post_init__(self):
        if self.min_cutoff <= 0 or self.derivative_cutoff <= 0 or self.beta < 0:
            raise ValueError(
                f"cutoffs must be positive and beta not negative, got {self.min_cutoff}, {self.derivative_cutoff}, "
                f"{self.beta}"
            )

    @property
    def last(self) -> np.ndarray | None:
        """What the last call returned."""
        return self._value

    def __call__(self, value: Float[np.ndarray, "*shape"], seconds: float) -> Float[np.ndarray, "*shape"]:
        """The filtered value at a time later than the last one.

        Raises:
          ValueError: if time does not go on.
        """
        value = np.asarray(value, np.float64)
        if self._value is None or self._slope is None or self._seconds is None:
            self._seconds, self._value, self._slope = seconds, value, np.zeros_like(value)
            return value
        period = seconds - self._seconds
        if period <= 0:
            raise ValueError(f"time must go on: {seconds} s came after {self._seconds} s")
        slope = _low_pass((value - self._value) / period, self._slope, self.derivative_cutoff, period)
        cutoff = self.min_cutoff + self.beta * np.abs(slope)
        self._seconds, self._slope = seconds, slope
        self._value = _low_pass(value, self._value, cutoff, period)
        return self._value


_quaternion, _rotation = jax.jit(quaternion_from_rotation), jax.jit(rotation_from_quaternion)


def _low_pass(value: np.ndarray, last: np.ndarray, cutoff, period: float) -> np.ndarray:
    alpha = 1.0 / (1.0 + 1.0 / (2.0 * np.pi * cutoff * period))
    return alpha * value + (1.0 - alpha) * last


class FaceSmoother:
    """Smooths a face over time: its camera in the video (not in the crop, which jitters itself), expression and light.

    Args:
      strength: 1 is usual; twice as much halves all cutoffs; 0 smooths nothing.

    Raises:
      ValueError: if the strength is negative.
    """

    def __init__(self, strength: float = 1.0):
        if strength < 0:
            raise ValueError(f"the strength of smoothing must not be negative, got {strength:g}")
        self._strength = strength
        if strength:
            self._rotation = OneEuroFilter(1.5 / strength, 6.0 / strength)  # quaternions
            self._scale = OneEuroFilter(1.0 / strength, 6.0 / strength)  # logarithm
            self._place = OneEuroFilter(2.0 / strength, 8.0 / strength)  # widths of the face
            self._expression = OneEuroFilter(2.0 / strength, 0.5 / strength)  # standard deviations
            self._light = OneEuroFilter(0.5 / strength, 0.0)
            self._unit = 1.0

    def __call__(
        self,
        face: FaceReconstruction,
        seconds: float,
        face_model: FaceModel,
        shape: Float[np.ndarray, " S"] | None = None,
    ) -> FaceReconstruction:
        """The face of the next frame, smoothed, and with the shape given; its geometry computed anew."""
        if not self._strength:
            return face if shape is None else remodeled(face, face_model, shape=shape)
        camera = face.photo_camera
        scale, translation = float(camera.scale[0]), np.asarray(camera.translation[0], np.float64)
        if self._place.last is None:
            self._unit = FACE_WIDTH * scale  # pixels
        quaternion = np.asarray(_quaternion(face.photo_rotation), np.float64)
        last = self._rotation.last
        if last is not None and quaternion @ last < 0:  # q and -q are the same rotation
            quaternion = -quaternion
        smooth_quaternion = self._rotation(quaternion, seconds)
        face = with_photo_camera(
            face,
            rotation=np.asarray(_rotation(smooth_quaternion.astype(np.float32))),
            scale=float(np.exp(self._scale(np.log(scale), seconds))),
            translation=self._place(translation / self._unit, seconds) * self._unit,
        )
        face = replace(face, light=self._light(face.light, seconds).astype(np.float32))
        expression = self._expression(face.expression, seconds).astype(np.float32)
        return remodeled(face, face_model, shape=shape, expression=expression)
