"""From photos to faces: detect, align, read with the networks, decode, and bring everything back to the photo.

photo u8 [H, W, 3] -> five points -> crop u8 [112, 96, 3] + crop_from_photo -> NetworkOutput -> FaceReconstruction
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, UInt8

from sirjax import decode as decoding
from sirjax.constants import IMAGE_SIZE
from sirjax.data import alignment
from sirjax.losses.sir import neutral_frontal_confidence
from sirjax.morphable import model as morphable
from sirjax.networks.batches import in_batches, split
from sirjax.networks.mtcnn import MTCNN, Detections
from sirjax.reconstruction import FaceReconstruction, geometry_of
from sirjax.training.setup import TrainedRun
from sirjax.types import Coefficients, NetworkOutput

SMALL_FACE = 0.5  # photo pixels per crop pixel below which a face is so small that the crop is mostly made up
MOSTLY_INSIDE = 0.7  # share of the crop that has to lie in the photo


@runtime_checkable
class Detector(Protocol):
    """Anything that finds faces with five points in an RGB photo."""

    def detect(self, image: UInt8[np.ndarray, "H W 3"]) -> Detections:
        """The faces, the largest first."""
        ...


@dataclass(frozen=True)
class AlignedFace:
    """A face cut out of a photo, ready for the networks. Boxes and points in photo pixels, NaN where unknown."""

    crop: np.ndarray  # uint8 [112, 96, 3] RGB
    crop_from_photo: np.ndarray  # float64 [2, 3]
    box: np.ndarray = field(default_factory=lambda: np.full(4, np.nan, np.float32))
    score: float = float("nan")
    points: np.ndarray = field(default_factory=lambda: np.full((5, 2), np.nan, np.float32))
    notes: tuple[str, ...] = ()


class Predictor:
    """Trained networks with the face model and the camera that they were trained with.

    Args:
      networks: a `FaceNetworks`.
      params: its parameters.
      face_model: the face model of the training run.
      metadata: what is known about the weights (licence, step, face model's fingerprint, ...); kept, not read.
      gains: camera gains of the training run.
      batch_size: how many crops are read at once; the last batch is padded, so only one program is compiled.
      detector: finds faces; an `MTCNN` if None, made when first needed.
      confidence: Eq. 19 with the settings of the training run: (rotation [B, 3, 3], expression [B, E]) -> [B].
    """

    def __init__(
        self,
        networks: nn.Module,
        params: dict,
        face_model: morphable.FaceModel,
        metadata: dict | None = None,
        *,
        gains: decoding.CameraGains | None = None,
        batch_size: int = 8,
        detector: Detector | None = None,
        confidence: Callable = neutral_frontal_confidence,
    ):
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        self.face_model, self.metadata, self.batch_size = face_model, metadata or {}, batch_size
        self._params, self._detector = params, detector
        template = decoding.camera_template(face_model)

        def encode(params, images) -> Any:
            return networks.apply({"params": params}, images.astype(jnp.float32) / 255.0)

        def read(params, face_model, images):
            read = _decoded(face_model, encode(params, images), template, gains)
            return read | {"confidence": confidence(read["rotation"], read["expression"])}

        self._encode, self._read = jax.jit(encode), jax.jit(read)

    @classmethod
    def of_run(cls, run: TrainedRun, *, batch_size: int = 8, detector: Detector | None = None) -> "Predictor":
        """The predictor of a trained run."""
        return cls(
            run.networks,
            run.params,
            run.face_model,
            run.metadata,
            gains=run.gains,
            batch_size=batch_size,
            detector=detector,
            confidence=run.confidence,
        )

    @property
    def detector(self) -> Detector:
        """What finds the faces."""
        if self._detector is None:
            self._detector = MTCNN()
        return self._detector

    def encode(self, crops: UInt8[np.ndarray, "N ..."]) -> NetworkOutput:
        """The networks' raw reading of N aligned crops."""
        return jax.tree.map(jnp.asarray, self._in_batches(lambda images: self._encode(self._params, images), crops))

    def reconstruct(
        self, photo: UInt8[np.ndarray, "H W 3"], which: str = "all", *, center_if_none: bool = False
    ) -> list[FaceReconstruction]:
        """Every face, or the largest one, of an upright RGB photo; see `find_faces`."""
        return self.reconstruct_aligned(self.find_faces(photo, which, center_if_none=center_if_none))

    def find_faces(
        self, photo: UInt8[np.ndarray, "H W 3"], which: str = "all", *, center_if_none: bool = False
    ) -> list[AlignedFace]:
        """Detects and aligns faces, the largest first; an empty list if there are none.

        Args:
          photo: upright RGB photo.
          which: "all", or "largest" for one at most.
          center_if_none: where no face is found, take the middle of the photo for one.
        """
        return align_detected(photo, self.detector.detect(photo), which, center_if_none=center_if_none)

    def detect_all(self, photos: list[UInt8[np.ndarray, "_ _ 3"]]) -> list[Detections]:
        """The faces of each of several photos, in shared batches where the detector can do that."""
        together = getattr(self.detector, "detect_all", None)
        return together(photos) if together else [self.detector.detect(photo) for photo in photos]

    def reconstruct_aligned(self, faces: list[AlignedFace]) -> list[FaceReconstruction]:
        """Reads aligned faces, of one photo or of many, in batches."""
        if not faces:
            return []
        crops = np.stack([face.crop for face in faces])
        read = self._in_batches(lambda images: self._read(self._params, self.face_model, images), crops)
        for name in ("scale", "confidence"):
            read[name] = read[name].tolist()
        rows: list[dict[str, Any]] = [{name: value[i] for name, value in read.items()} for i in range(len(faces))]
        return [
            FaceReconstruction(
                crop=face.crop,
                crop_from_photo=np.asarray(face.crop_from_photo, np.float64),
                box=np.asarray(face.box, np.float32),
                score=face.score,
                points=np.asarray(face.points, np.float32),
                notes=face.notes,
                **row,
            )
            for face, row in zip(faces, rows, strict=True)
        ]

    def _in_batches(self, function: Callable, crops: UInt8[np.ndarray, "N ..."]) -> Any:
        """The function's result as NumPy arrays with N rows."""
        crops = np.asarray(crops)
        if crops.dtype != np.uint8 or crops.ndim != 4 or crops.shape[1:] != (*IMAGE_SIZE, 3):
            raise ValueError(
                f"crops must be uint8 of shape [N, {IMAGE_SIZE[0]}, {IMAGE_SIZE[1]}, 3], got {crops.dtype} "
                f"{list(crops.shape)}: cut them out of the photo with the align functions of sirjax.predictor"
            )
        return in_batches(function, split(crops, self.batch_size), self.batch_size)


def align_detected(
    photo: UInt8[np.ndarray, "H W 3"], found: Detections, which: str = "all", *, center_if_none: bool = False
) -> list[AlignedFace]:
    """Aligns what a detector found in a photo; see `Predictor.find_faces`.

    Raises:
      ValueError: if `which` is neither "largest" nor "all".
    """
    if which not in ("largest", "all"):
        raise ValueError(f"which must be 'largest' or 'all', got {which!r}")
    count = len(found.boxes) if which == "all" else min(1, len(found.boxes))
    if count == 0 and center_if_none:
        return [align_center(photo)]
    return [
        align_points(photo, found.points[i], box=found.boxes[i], score=float(found.scores[i])) for i in range(count)
    ]


def align_points(
    photo: UInt8[np.ndarray, "H W 3"],
    points: Float[np.ndarray, "5 2"],
    *,
    box: Float[np.ndarray, "4"] | None = None,
    score: float = float("nan"),
) -> AlignedFace:
    """Aligns a face by its five points: right eye (left in the image), left eye, nose tip, mouth corners.

    Points in which no similarity can be found (they coincide) give way to the box, where there is one.
    """
    points = np.asarray(points, np.float32)
    try:
        matrix = alignment.crop_from_photo(points)
    except ValueError:
        if box is None:
            raise
        matrix = alignment.crop_from_box(box)
    box = np.full(4, np.nan) if box is None else box
    return _aligned(photo, matrix, points=points, score=score, box=np.asarray(box, np.float32))


def align_landmarks(photo: UInt8[np.ndarray, "H W 3"], landmarks: Float[np.ndarray, "68 2"]) -> AlignedFace:
    """Aligns a face by 68 given landmarks (iBUG order)."""
    matrix = alignment.crop_from_landmarks(landmarks)
    return _aligned(photo, matrix, points=alignment.five_points(landmarks).astype(np.float32))


def align_box(photo: UInt8[np.ndarray, "H W 3"], box: Float[np.ndarray, "4"]) -> AlignedFace:
    """Aligns an upright face by a box (left, top, right, bottom) as detectors draw it: forehead to chin."""
    return _aligned(photo, alignment.crop_from_box(box), box=np.asarray(box, np.float32))


def align_center(photo: UInt8[np.ndarray, "H W 3"]) -> AlignedFace:
    """Takes the middle of the photo for a face: the largest upright crop that fits. Only for photos that are crops."""
    height, width = photo.shape[:2]
    scale = max(IMAGE_SIZE[0] / height, IMAGE_SIZE[1] / width)
    shift_x = (IMAGE_SIZE[1] - 1 - scale * (width - 1)) / 2
    shift_y = (IMAGE_SIZE[0] - 1 - scale * (height - 1)) / 2
    matrix = np.array([[scale, 0.0, shift_x], [0.0, scale, shift_y]])
    return _aligned(photo, matrix, notes=("no face was found: the middle of the photo was taken for one",))


def _aligned(
    photo: UInt8[np.ndarray, "H W 3"], matrix: Float[np.ndarray, "2 3"], notes: tuple[str, ...] = (), **known: Any
) -> AlignedFace:
    """Cuts the crop and notes what deserves a second look."""
    photo_from_crop = alignment.invert(matrix)
    scale = float(np.hypot(*photo_from_crop[:, 0]))
    height, width = photo.shape[:2]
    grid = np.stack(np.meshgrid(np.arange(0, IMAGE_SIZE[1], 4), np.arange(0, IMAGE_SIZE[0], 4)), axis=-1)
    place = alignment.transform_points(photo_from_crop, grid.reshape(-1, 2).astype(np.float64))
    inside = float(np.mean(np.all((place >= 0) & (place <= [width - 1, height - 1]), axis=1)))
    if scale < SMALL_FACE:
        notes += (f"the face is only about {scale * IMAGE_SIZE[1]:.0f} pixels wide: expect little detail",)
    if inside < MOSTLY_INSIDE:
        notes += (f"only {inside:.0%} of the face's surroundings lie inside the photo",)
    return AlignedFace(alignment.warp(photo, matrix), matrix, notes=notes, **known)


def _decoded(face_model: morphable.FaceModel, output: NetworkOutput, template, gains) -> dict[str, jax.Array]:
    """What a FaceReconstruction holds, batched, but its confidence; nothing is rendered."""
    camera = decoding.decode_camera(output, template, gains=gains)
    return {
        "shape": output.shape,
        "expression": output.expression,
        "rotation": camera.rotation,
        "scale": camera.scale,
        "translation": camera.translation,
        "light": output.light,
        "albedo": decoding.albedo_map(face_model, output.albedo_residual),
        **geometry_of(face_model, Coefficients(output.shape, output.expression), camera),
    }
