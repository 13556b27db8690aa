"""A set of reconstructed faces as one page: photo and overlay, mesh to turn, norm slider, two faces compared.

V vertices, T triangles, N faces, S shape modes. What the page computes itself (assets/viewer.js) is no more than
mean + t (face - mean) and the distance of two faces' vertices; figures come from here.
"""

import dataclasses
import string
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from sirjax.files import write_text
from sirjax.report import packing, still
from sirjax.report.colors import palette
from sirjax.report.markup import image_source, is_number, number, require_picture, shown, text, to_base64, to_json
from sirjax.report.page import asset, document

LIMITS = (0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0)  # mm, ends of color scales to choose from
_CLAY = (0.80, 0.77, 0.72)


@dataclasses.dataclass(frozen=True)
class ViewedFace:
    """One face. In the photo a vertex (X, Y, Z) of `posed` is at scale * (X, -Y) + translation.

    Raises:
      ValueError: if shapes do not fit.
    """

    name: str
    photo: np.ndarray  # uint8 [H, W, 3] RGB, the part of the photo around the face
    thumbnail: np.ndarray  # uint8 [h, w, 3] RGB
    neutral: np.ndarray  # [V, 3] mm, model frame
    posed: np.ndarray  # [V, 3] mm, camera frame of the photo
    rotation: np.ndarray  # [3, 3] camera_from_model of the photo
    scale: float  # pixels of `photo` per mm
    translation: np.ndarray  # [2] pixels of `photo`: where the model origin lands
    albedo: np.ndarray  # [V, 3] RGB in [0, 1]
    lit: np.ndarray  # [V, 3] RGB in [0, 1], under the light of the photo
    norm: float  # of the whitened shape coefficients
    facts: dict[str, object]  # lines of the table below the face
    error: np.ndarray | None = None  # [V] mm from the truth; NaN where there is none

    def __post_init__(self):
        require_picture(self.photo, self.name)
        require_picture(self.thumbnail, self.name)
        shape = np.shape(self.neutral)
        for field in ("neutral", "posed", "albedo", "lit"):
            array = np.asarray(getattr(self, field))
            if array.shape != (len(self.neutral), 3) or not np.isfinite(array).all():
                raise ValueError(f"face {self.name!r} needs finite {field} {list(shape)}, got {list(array.shape)}")
        if self.error is not None and np.shape(self.error) != shape[:1]:
            raise ValueError(f"face {self.name!r} needs an error for each of {shape[0]} vertices")


@dataclasses.dataclass(frozen=True)
class FaceDistances:
    """How far every two faces are apart."""

    rmse: np.ndarray  # [N, N] mm, of corresponding vertices
    largest: np.ndarray  # [N, N] mm, 99 % of vertices are closer
    coefficients: np.ndarray  # [N, N] mm, Euclidean
    cosine: np.ndarray  # [N, N] of whitened coefficients, 1: same direction from the mean face


@dataclasses.dataclass(frozen=True)
class Viewer:
    """The page of a set of faces of one face model.

    Raises:
      ValueError: if there is no face, or faces and distances do not fit each other.
    """

    title: str
    faces: Sequence[ViewedFace]
    mean: np.ndarray  # [V, 3] mm, the neutral mean face
    triangles: np.ndarray  # int [T, 3], counterclockwise seen from outside
    modes: int  # S: a random face of the model has a norm of about its square root
    distances: FaceDistances
    origin: dict[str, object] = dataclasses.field(default_factory=dict)  # where it comes from, licences: the footer

    def __post_init__(self):
        if not self.faces:
            raise ValueError("a viewer needs at least one face")
        for face in self.faces:
            if np.shape(face.neutral) != np.shape(self.mean):
                raise ValueError(
                    f"face {face.name!r} has {len(face.neutral)} vertices, the mean face {len(self.mean)}: "
                    "show faces of one face model"
                )
        for name, matrix in dataclasses.asdict(self.distances).items():
            if np.shape(matrix) != (len(self.faces),) * 2:
                raise ValueError(f"{name} must be [{len(self.faces)}, {len(self.faces)}], got {list(np.shape(matrix))}")

    def html(self) -> str:
        """The whole page."""
        low, size = self._box()
        stills = [image_source(self._still(face, low, size)) for face in self.faces]
        body = string.Template(asset("viewer.html")).substitute(
            title=text(self.title),
            count=f"{len(self.faces)} {'face' if len(self.faces) == 1 else 'faces'}",
            faces="".join(
                _list_entry(i, face, picture) for i, (face, picture) in enumerate(zip(self.faces, stills, strict=True))
            ),
            options="".join(f'<option value="{i}">{text(face.name)}</option>' for i, face in enumerate(self.faces)),
            limits="".join(f'<option value="{limit:g}">{limit:g} mm</option>' for limit in LIMITS),
            origin="".join(
                f'<tr><th scope="row">{text(name)}</th><td>{shown(value)}</td></tr>'
                for name, value in self.origin.items()
            ),
            data=to_json(self.data() | {"stills": stills}),
        )
        return document(self.title, ["page.css", "viewer.css"], body, ["mesh.js", "viewer.js"])

    def write(self, path: Path | str) -> None:
        """Writes the page, whole or not at all.

        Raises:
          OSError: if the file cannot be written; an older one stays as it is.
        """
        write_text(Path(path), self.html())

    def data(self) -> dict[str, object]:
        """What viewer.js reads; names, norms, facts and distances are plain, for other programs."""
        low, size = self._box()
        pairs = self.distances.largest[np.triu_indices(len(self.faces), 1)]
        errors = [face.error[np.isfinite(face.error)] for face in self.faces if face.error is not None]
        return {
            "low": low,
            "size": size,
            "half": still.reach(size),
            "start": still.START,
            "triangles": packing.triangles(self.triangles),
            "mean": packing.positions(self.mean, low, size),
            "palette": to_base64(palette(0.0, 1.0)),
            "modes": self.modes,
            "faces": [_face_data(face, low, size) for face in self.faces],
            "distances": {
                name: np.vectorize(lambda value: float(f"{value:.4g}"))(matrix)
                for name, matrix in dataclasses.asdict(self.distances).items()
            },
            "limit": {
                "difference": _round_limit(np.quantile(pairs, 0.5) if len(pairs) else 0.0),
                "error": _round_limit(np.quantile(np.concatenate(errors), 0.95)) if errors else None,
            },
        }

    def _box(self) -> tuple[Float[np.ndarray, " 3"], Float[np.ndarray, " 3"]]:
        return packing.box([self.mean, *(face.neutral for face in self.faces)])

    def _still(
        self, face: ViewedFace, low: Float[np.ndarray, " 3"], size: Float[np.ndarray, " 3"]
    ) -> UInt8[np.ndarray, "H W 3"]:
        clay = np.tile(_CLAY, (len(face.neutral), 1))
        return still.draw(face.neutral, np.asarray(self.triangles), clay, low + size / 2, still.reach(size))


def _face_data(face: ViewedFace, low: Float[np.ndarray, " 3"], size: Float[np.ndarray, " 3"]) -> dict[str, object]:
    posed_low, posed_size = packing.box([face.posed])
    height, width = face.photo.shape[:2]
    error = {} if face.error is None else {"error": packing.values(face.error)}
    return {
        "name": face.name,
        "norm": float(face.norm),
        "facts": {name: number(value) if is_number(value) else str(value) for name, value in face.facts.items()},
        "neutral": packing.positions(face.neutral, low, size),
        "posed": packing.positions(face.posed, posed_low, posed_size),
        "posedLow": posed_low,
        "posedSize": posed_size,
        "rotation": np.ravel(face.rotation),
        "scale": float(face.scale),
        "translation": face.translation,
        "albedo": packing.colors(face.albedo),
        "lit": packing.colors(face.lit),
        "photo": {"width": width, "height": height, "source": image_source(face.photo)},
        **error,
    }


def _list_entry(number: int, face: ViewedFace, picture: str) -> str:
    checked = " checked" if number == 0 else ""
    return (
        f'<label class="face"><input type="radio" name="face" value="{number}"{checked}>'
        f'<img src="{image_source(face.thumbnail)}" alt=""><img src="{picture}" alt="">'
        f"<span>{text(face.name)}</span></label>"
    )


def _round_limit(wanted: float) -> float:
    """The end of a color scale that reaches a distance, mm."""
    return next((limit for limit in LIMITS if limit >= wanted), LIMITS[-1])
