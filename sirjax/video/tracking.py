"""Which face of a frame is which face of the frames before: by place, and by who it is. S shape modes."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from sirjax.fusion import RunningMean
from sirjax.morphable.model import FaceModel
from sirjax.reconstruction import FaceReconstruction
from sirjax.video.smoothing import FaceSmoother

SAME_PLACE = 0.3  # overlap (intersection over union) of two boxes from which on they may be one face
OTHER_PERSON = 0.0  # cosine of two shape codes below which a face in the same place is somebody else (a cut)
SAME_PERSON = 0.9  # cosine from which on a face elsewhere is the one that was lost
_LEAST_WEIGHT = 1e-6  # so that even the worst frames of a track have a mean


@dataclass(eq=False)  # a track is itself, whatever its numbers
class Track:
    """One face over time. Constant memory."""

    number: int
    box: np.ndarray  # [4] where it was last seen: left, top, right, bottom
    first_frame: int
    last_frame: int
    smoother: FaceSmoother
    frames: int = 0
    shape: RunningMean = field(default_factory=RunningMean)
    squared_shape: RunningMean = field(default_factory=RunningMean)
    albedo: RunningMean = field(default_factory=RunningMean)

    def add(self, face: FaceReconstruction, frame: int) -> None:
        """Takes the face of one more frame, by its weight of Eq. 19."""
        weight = max(face.confidence, _LEAST_WEIGHT)
        self.box, self.last_frame = face_box(face), frame
        self.frames += 1
        self.shape.add(face.shape, weight)
        self.squared_shape.add(np.square(face.shape, dtype=np.float64), weight)
        self.albedo.add(face.albedo, weight)

    def spread_mm(self, face_model: FaceModel) -> float:
        """Weighted root mean square distance of the frames' neutral vertices to the mean's, for an orthogonal basis."""
        mean = np.asarray(self.shape.mean, np.float64)
        variance = np.maximum(np.asarray(self.squared_shape.mean, np.float64) - mean**2, 0.0)
        lengths = np.sum(np.square(np.asarray(face_model.shape_basis)), axis=1)
        squared = variance * np.square(np.asarray(face_model.shape_std)) * lengths
        return float(np.sqrt(squared.sum() / face_model.num_vertices))


class Tracker:
    """Gives faces their tracks, frame by frame.

    Args:
      max_gap: frames that a track survives unseen.
      smooth: strength of the smoothing of new tracks.
    """

    def __init__(self, *, max_gap: int, smooth: float = 1.0):
        self._max_gap, self._smooth = max_gap, smooth
        self._count = 0
        self.tracks: list[Track] = []  # those alive

    def update(self, faces: list[FaceReconstruction], frame: int) -> tuple[list[Track], list[Track]]:
        """The track of each face of a frame, and the tracks that have ended."""
        ended = [track for track in self.tracks if frame - track.last_frame > self._max_gap]
        self.tracks = [track for track in self.tracks if track not in ended]
        owners: list[Track | None] = [None] * len(faces)
        for score, i, track in sorted(self._candidates(faces), key=lambda entry: -entry[0]):
            if score > 0 and owners[i] is None and track not in owners:
                owners[i] = track
        result = []
        for face, owner in zip(faces, owners, strict=True):
            track = owner or self._begin(face, frame)
            track.add(face, frame)
            result.append(track)
        return result, ended

    def _candidates(self, faces: list[FaceReconstruction]) -> list[tuple[float, int, Track]]:
        """(score, face, track) of all pairs; positive where the two may be one."""
        pairs = []
        for i, face in enumerate(faces):
            for track in self.tracks:
                overlap = intersection_over_union(face_box(face), track.box)
                likeness = cosine(face.shape, track.shape.mean)
                possible = (overlap >= SAME_PLACE and likeness >= OTHER_PERSON) or likeness >= SAME_PERSON
                pairs.append((1.0 + overlap + 0.5 * likeness if possible else 0.0, i, track))
        return pairs

    def _begin(self, face: FaceReconstruction, frame: int) -> Track:
        track = Track(self._count, face_box(face), frame, frame, FaceSmoother(self._smooth))
        self._count += 1
        self.tracks.append(track)
        return track


class Lead:
    """Follows one face of a video: the largest, until it is gone; then the largest one of those that are there."""

    def __init__(self):
        self.number: int | None = None
        self.followed: set[int] = set()  # all tracks so far

    def choose(self, tracks: list[Track], alive: list[Track]) -> list[int]:
        """Which of a frame's faces is the one that is followed: its place in `tracks`; empty if it is not there."""
        if self.number not in {track.number for track in alive}:
            self.number = None
        if self.number is None and tracks:
            self.number = tracks[int(np.argmax([box_area(track.box) for track in tracks]))].number
            self.followed.add(self.number)
        return [i for i, track in enumerate(tracks) if track.number == self.number]


def face_box(face: FaceReconstruction) -> Float[np.ndarray, "4"]:
    """The box around the 68 landmarks, in the photo: left, top, right, bottom."""
    landmarks = face.landmarks_in_photo
    return np.concatenate([landmarks.min(axis=0), landmarks.max(axis=0)])


def box_area(box: Float[np.ndarray, "4"]) -> float:
    """In square pixels."""
    return float(np.prod(np.maximum(box[2:] - box[:2], 0.0)))


def intersection_over_union(first: Float[np.ndarray, "4"], second: Float[np.ndarray, "4"]) -> float:
    """Overlap of two boxes, 0 to 1."""
    low, high = np.maximum(first[:2], second[:2]), np.minimum(first[2:], second[2:])
    shared = float(np.prod(np.maximum(high - low, 0.0)))
    whole = box_area(first) + box_area(second) - shared
    return shared / whole if whole > 0 else 0.0


def cosine(first: Float[np.ndarray, " S"], second: Float[np.ndarray, " S"]) -> float:
    """Likeness of two codes, -1 to 1; 0 where one of them is all zeros."""
    lengths = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(np.dot(first, second)) / lengths if lengths > 0 else 0.0
