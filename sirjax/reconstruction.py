"""One reconstructed face, and how to get from the crop's pixels back to the photo's.

V vertices, S/E shape/expression modes, U side of the albedo map. Frames and units are those of `sirjax.types`; "crop"
is the aligned image the networks saw, "photo" the upright original. A similarity (turn, scale, shift) leads from one to
the other, so a weak-perspective camera of the crop is exactly one of the photo too.
"""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from sirjax.data import alignment
from sirjax.geometry import camera as cameras
from sirjax.geometry.rotation import euler_from_rotation
from sirjax.morphable import model as morphable
from sirjax.morphable.model import LEFT_EYE, RIGHT_EYE, FaceModel
from sirjax.types import Camera, Coefficients


@dataclass(frozen=True)
class FaceReconstruction:
    """A face of one photo. NumPy arrays, float32 unless noted, without batch dimension.

    Sizes in millimeters are those of an average head: one photo taken from an unknown distance cannot tell a small face
    nearby from a large one far away. `metric` says whether a known eye distance has fixed that (`with_eye_distance`).
    """

    crop: np.ndarray  # uint8 [H, W, 3] RGB, what the networks saw
    crop_from_photo: np.ndarray  # float64 [2, 3], similarity: crop pixels = M @ (u, v, 1) of the photo
    box: np.ndarray  # [4] photo pixels (left, top, right, bottom), found or given; NaN if neither
    score: float  # of the detector, 0 to 1; NaN if the face was given
    points: np.ndarray  # [5, 2] photo pixels: eyes, nose, mouth corners, found or given; NaN if neither
    shape: np.ndarray  # [S] whitened
    expression: np.ndarray  # [E] whitened
    rotation: np.ndarray  # [3, 3] camera_from_model of the crop
    scale: float  # crop pixels per millimeter
    translation: np.ndarray  # [2] crop pixels: where the model origin lands
    light: np.ndarray  # [9, 3] spherical harmonics, in the crop's camera frame
    albedo: np.ndarray  # [U, U, 3] mean + residual, not clipped
    vertices: np.ndarray  # [V, 3] with expression, model frame, mm
    neutral_vertices: np.ndarray  # [V, 3] without expression, model frame, mm
    projected: np.ndarray  # [V, 3] crop pixels (u, v) and depth in crop pixels, larger is closer
    landmarks: np.ndarray  # [68, 2] crop pixels, iBUG order
    neutral_landmarks: np.ndarray  # [68, 3] without expression, model frame, mm
    confidence: float  # how neutral and frontal the crop shows the face, 0 to 1: Eq. 19 with the settings of training
    metric_scale: float | None = None  # true mm per model mm, where an eye distance was given
    notes: tuple[str, ...] = ()  # what deserves a second look, in words

    @property
    def metric(self) -> bool:
        """Whether exported sizes are true millimeters."""
        return self.metric_scale is not None

    @property
    def photo_from_crop(self) -> Float[np.ndarray, "2 3"]:
        """The inverse of `crop_from_photo`, float64."""
        return alignment.invert(self.crop_from_photo)

    @property
    def photo_pixels_per_crop_pixel(self) -> float:
        """How much larger the face is in the photo; below 1 the crop is enlarged."""
        return float(np.hypot(*self.photo_from_crop[:, 0]))

    @property
    def projected_in_photo(self) -> Float[np.ndarray, "V 3"]:
        """Vertices in photo pixels: (u, v) and depth in photo pixels, larger is closer."""
        plane = alignment.transform_points(self.photo_from_crop, self.projected[:, :2])
        depth = self.projected[:, 2:] * self.photo_pixels_per_crop_pixel
        return np.concatenate([plane, depth], axis=1).astype(np.float32)

    @property
    def landmarks_in_photo(self) -> Float[np.ndarray, "68 2"]:
        """The 68 landmarks in photo pixels."""
        return alignment.transform_points(self.photo_from_crop, self.landmarks).astype(np.float32)

    @property
    def photo_rotation(self) -> Float[np.ndarray, "3 3"]:
        """camera_from_model of the photo: the crop's, and the turn in the image plane that the alignment took out."""
        cosine, sine = self.photo_from_crop[:, 0] / self.photo_pixels_per_crop_pixel
        # A turn of (u, v) with v downward is the opposite turn of (X, Y) with Y upward.
        turn = np.array([[cosine, sine, 0.0], [-sine, cosine, 0.0], [0.0, 0.0, 1.0]])
        return (turn @ self.rotation).astype(np.float32)

    @property
    def euler_degrees(self) -> tuple[float, float, float]:
        """(pitch, yaw, roll) of the face in the photo, of Rz(roll) Ry(yaw) Rx(pitch)."""
        pitch, yaw, roll = (float(np.degrees(angle)) for angle in _euler(self.photo_rotation))
        return pitch, yaw, roll

    @property
    def photo_camera(self) -> Camera:
        """The weak-perspective camera of the photo, batch of one; projects `vertices` to `projected_in_photo`."""
        translation = alignment.transform_points(self.photo_from_crop, self.translation)
        return _camera(self.photo_rotation, self.scale * self.photo_pixels_per_crop_pixel, translation)

    @property
    def camera(self) -> Camera:
        """The weak-perspective camera of the crop, batch of one."""
        return _camera(self.rotation, self.scale, self.translation)

    @property
    def coefficients(self) -> Coefficients:
        """Shape and expression, batch of one."""
        return Coefficients(shape=jnp.asarray(self.shape)[None], expression=jnp.asarray(self.expression)[None])

    @property
    def posed_vertices(self) -> Float[np.ndarray, "V 3"]:
        """The face as the photo shows it: camera frame of the photo, model mm (x right, y up, z to the viewer)."""
        return self.vertices @ self.photo_rotation.T

    @property
    def eye_distance(self) -> float:
        """Distance of the eye centers of the neutral face, model mm."""
        return eye_distance_of(self.neutral_landmarks)

    def with_eye_distance(self, millimeters: float) -> "FaceReconstruction":
        """The same face with a known distance between the eye centers, which makes exported sizes metric.

        Raises:
          ValueError: see `check_eye_distance`.
        """
        check_eye_distance(millimeters)
        return replace(self, metric_scale=millimeters / self.eye_distance)


def eye_distance_of(landmarks: Float[np.ndarray, "68 D"]) -> float:
    """Distance of the eye centers, each the mean of the six landmarks of an eye."""
    right, left = (landmarks[eye].mean(axis=0) for eye in (RIGHT_EYE, LEFT_EYE))
    return float(np.linalg.norm(left - right))


def check_eye_distance(millimeters: float) -> None:
    """Refuses what cannot be the distance between the eyes of a person.

    Raises:
      ValueError: if it is not between 20 and 120 mm.
    """
    if not 20 <= millimeters <= 120:
        raise ValueError(
            f"the distance between the eyes must be between 20 and 120 millimeters, got {millimeters:g}: "
            "give the distance of the pupils of this person (most adults: 54 to 74)"
        )


def remodeled(
    face: FaceReconstruction,
    face_model: FaceModel,
    *,
    shape: Float[np.ndarray, " S"] | None = None,
    expression: Float[np.ndarray, " E"] | None = None,
) -> FaceReconstruction:
    """The same face with other coefficients (whitened), its geometry computed anew; None leaves the face's own."""
    shape = face.shape if shape is None else np.asarray(shape, np.float32)
    expression = face.expression if expression is None else np.asarray(expression, np.float32)
    coefficients = Coefficients(jnp.asarray(shape[None]), jnp.asarray(expression[None]))
    geometry = geometry_of(face_model, coefficients, face.camera)
    computed = {name: np.asarray(value[0]) for name, value in geometry.items()}
    return replace(face, shape=shape, expression=expression, **computed)


def with_photo_camera(
    face: FaceReconstruction,
    *,
    rotation: Float[np.ndarray, "3 3"],
    scale: float,
    translation: Float[np.ndarray, "2"],
) -> FaceReconstruction:
    """The same face seen by another camera of the photo. Projections are those of the old camera until `remodeled`.

    Args:
      face: the face.
      rotation: camera_from_model of the photo.
      scale: photo pixels per millimeter.
      translation: photo pixels, where the model origin lands.
    """
    crop_from_photo_turn = face.rotation @ face.photo_rotation.T
    return replace(
        face,
        rotation=(crop_from_photo_turn @ rotation).astype(np.float32),
        scale=scale / face.photo_pixels_per_crop_pixel,
        translation=alignment.transform_points(face.crop_from_photo, translation).astype(np.float32),
    )


@jax.jit
def geometry_of(face_model: FaceModel, coefficients: Coefficients, camera: Camera) -> dict[str, jax.Array]:
    """Vertices, projections and landmarks of B faces, by the names they have in `FaceReconstruction`."""
    vertices = morphable.vertices(face_model, coefficients)
    neutral = morphable.neutral_vertices(face_model, coefficients.shape)
    projected = cameras.project(camera, vertices)
    return {
        "vertices": vertices,
        "neutral_vertices": neutral,
        "projected": projected,
        "landmarks": morphable.landmarks_of(face_model, projected)[..., :2],
        "neutral_landmarks": morphable.landmarks_of(face_model, neutral),
    }


_euler = jax.jit(euler_from_rotation)


def _camera(rotation: np.ndarray, scale: float, translation: np.ndarray) -> Camera:
    floats = (jnp.asarray(np.asarray(value, np.float32)[None]) for value in (rotation, scale, translation))
    return Camera(*floats)
