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

from sirjax.colors import palette
from sirjax.files import write_text
from sirjax.report import packing, still
from sirjax.report.markup import image_source, plain, require_picture, shown, text, to_base64, to_json
from sirjax.report.page import asset, document

LIMITS = (0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0)  # mm, ends of color scales to choose from
_CLAY = (0.80, 0.77, 0.72)


@dataclasses.dataclass(frozen=True)
class InPhoto:
    """A face as a photo shows it. A vertex (X, Y, Z) of `posed` is at the pixel scale * (X, -Y) + translation."""

    image: np.ndarray  # uint8 [H, W, 3] RGB, the part of the photo around the face
    posed: np.ndarray  # [V, 3] mm, with expression, camera frame of the photo
    rotation: np.ndarray  # [3, 3] camera_from_model of the photo
    scale: float  # pixels of `image` per mm
    translation: np.ndarray  # [2] pixels of `image`: where the model origin lands
    lit: np.ndarray  # [V, 3] RGB in [0, 1], under the light of the photo


@dataclasses.dataclass(frozen=True)
class ViewedFace:
    """One face, of one photo or fused from several.

    Raises:
      ValueError: if shapes do not fit.
    """

    name: str
    neutral: np.ndarray  # [V, 3] mm, model frame
    albedo: np.ndarray  # [V, 3] RGB in [0, 1]
    norm: float  # of the whitened shape coefficients
    facts: dict[str, object]  # lines of the table below the face
    thumbnail: np.ndarray | None = None  # uint8 [h, w, 3] RGB
    in_photo: InPhoto | None = None
    error: np.ndarray | None = None  # [V] mm from the truth; NaN where there is none

    def __post_init__(self):
        shape = np.shape(self.neutral)
        per_vertex = {"neutral": self.neutral, "albedo": self.albedo}
        if self.in_photo is not None:
            require_picture(self.in_photo.image, self.name)
            per_vertex |= {"posed": self.in_photo.posed, "lit": self.in_photo.lit}
        if self.thumbnail is not None:
            require_picture(self.thumbnail, self.name)
        for field, array in per_vertex.items():
            if np.shape(array) != (len(self.neutral), 3) or not np.isfinite(array).all():
                raise ValueError(f"face {self.name!r} needs finite {field} {list(shape)}, got {list(np.shape(array))}")
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
    return {
        "name": face.name,
        "norm": float(face.norm),
        "facts": {name: plain(value) for name, value in face.facts.items()},
        "neutral": packing.positions(face.neutral, low, size),
        "albedo": packing.colors(face.albedo),
        "photo": None if face.in_photo is None else _photo_data(face.in_photo),
        "error": None if face.error is None else packing.values(face.error),
    }


def _photo_data(face: InPhoto) -> dict[str, object]:
    low, size = packing.box([face.posed])
    return {
        "source": image_source(face.image),
        "width": face.image.shape[1],
        "height": face.image.shape[0],
        "low": low,
        "size": size,
        "posed": packing.positions(face.posed, low, size),
        "lit": packing.colors(face.lit),
        "rotation": np.ravel(face.rotation),
        "scale": float(face.scale),
        "translation": face.translation,
    }


def _list_entry(number: int, face: ViewedFace, still_source: str) -> str:
    sources = [still_source] if face.thumbnail is None else [image_source(face.thumbnail), still_source]
    pictures = "".join(f'<img src="{source}" alt="">' for source in sources)
    checked = " checked" if number == 0 else ""
    return (
        f'<label class="face"><input type="radio" name="face" value="{number}"{checked}>'
        f'<span class="pictures">{pictures}</span><span>{text(face.name)}</span></label>'
    )


def _round_limit(wanted: float) -> float:
    """The end of a color scale that reaches a distance, mm."""
    return next((limit for limit in LIMITS if limit >= wanted), LIMITS[-1])
