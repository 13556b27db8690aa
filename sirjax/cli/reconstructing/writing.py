"""The results of one photo: meshes, numbers and pictures in a folder of its own, and the rows of the status table."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from sirjax.cli.outputs import Row
from sirjax.cli.reconstructing.profile import Profile
from sirjax.export.files import write_image
from sirjax.export.maps import write_map
from sirjax.export.mesh_files import FORMATS, write_face
from sirjax.export.parameters import Provenance
from sirjax.photo import Photo
from sirjax.pictures.draw import to_uint8
from sirjax.pictures.in_photo import overlay, render_in_photo
from sirjax.pictures.maps import surface_maps
from sirjax.pictures.photo_texture import photo_texture
from sirjax.pictures.sheet import reconstruction_sheet
from sirjax.predictor import Predictor
from sirjax.reconstruction import FaceReconstruction

TEXTURES = ("albedo", "photo")
MAPS = ("depth", "normals")


@dataclass(frozen=True)
class Outputs:
    """What is written for each face."""

    formats: tuple[str, ...] = FORMATS
    pictures: bool = True
    backend: str = "auto"  # that draws
    eye_distance_mm: float | None = None  # makes the meshes metric
    texture: str = "albedo"  # of the meshes; or "photo"
    maps: tuple[str, ...] = ()  # of `MAPS`
    map_files: str = "png"  # or "npy"


class FaceWriter:
    """Writes faces; may be used by another thread than the one that reads them.

    Args:
      predictor: tells the face model and what is known about the weights.
      run: which weights, for the records.
      outputs: what is wanted.
      profile: where the time is noted.
    """

    def __init__(self, predictor: Predictor, run: str, outputs: Outputs, profile: Profile):
        self.face_model, self.outputs = predictor.face_model, outputs
        self._metadata, self._run, self._profile = predictor.metadata, run, profile

    def provenance(self, photo: str) -> Provenance:
        """Where results come from; `photo` is where the image lay."""
        return Provenance(
            face_model_fingerprint=self._metadata["face_model"],
            photo=photo,
            run=f"{self._run}, step {self._metadata['step']}",
            licence=self._metadata["face_model_licence"],
        )

    def metric(self, face: FaceReconstruction) -> FaceReconstruction:
        """The face in true millimeters, where an eye distance was given."""
        distance = self.outputs.eye_distance_mm
        return face if distance is None else face.with_eye_distance(distance)

    def write(
        self, folder: Path, source: str, title: str, image: UInt8[np.ndarray, "H W 3"], faces: list[FaceReconstruction]
    ) -> None:
        """Writes the faces of one photo into its folder, in place of what an earlier run left there."""
        folder.mkdir(exist_ok=True)
        for stale in folder.glob("face[0-9]*"):  # of an earlier run that found more faces
            stale.unlink()
        if self.outputs.pictures:
            with self._profile.part("draw", len(faces)):
                pictures = list(self._pictures(title, image, faces))
            with self._profile.part("write", 0):
                for name, picture in pictures:
                    write_image(folder / name, picture)
        for i, face in enumerate(faces):
            texture = self._texture(folder / f"face{i}_texture_shares.png", image, face)
            with self._profile.part("write"):
                provenance, formats = self.provenance(source), self.outputs.formats
                write_face(folder, f"face{i}", face, self.face_model, provenance, formats, texture=texture)
            self._maps(folder, f"face{i}", image.shape[:2], face)

    def _texture(
        self, shares_path: Path, image: UInt8[np.ndarray, "H W 3"], face: FaceReconstruction
    ) -> Float[np.ndarray, "U U 3"] | None:
        """The photo as a texture, where asked for; also writes which texel comes from where."""
        if self.outputs.texture == "albedo":
            return None
        with self._profile.part("draw", 0):
            texture = photo_texture(image, face, self.face_model, backend=self.outputs.backend)
        with self._profile.part("write", 0):
            write_image(shares_path, to_uint8(texture.shares))
        return texture.image

    def _maps(self, folder: Path, name: str, photo_size: tuple[int, int], face: FaceReconstruction) -> None:
        """Depth and normals, in the pixels of the crop and of the photo."""
        if not self.outputs.maps:
            return
        for image, size in (("crop", face.crop.shape[:2]), ("photo", photo_size)):
            with self._profile.part("draw", 0):
                maps = surface_maps(face, self.face_model, image, size, backend=self.outputs.backend)
            with self._profile.part("write", 0):
                for kind in self.outputs.maps:
                    write_map(folder / f"{name}_{kind}_{image}.{self.outputs.map_files}", getattr(maps, kind))

    def _pictures(
        self, title: str, image: UInt8[np.ndarray, "H W 3"], faces: list[FaceReconstruction]
    ) -> Iterator[tuple[str, UInt8[np.ndarray, "_ _ 3"]]]:
        """File names and pictures: the photo with all faces drawn in, and a sheet for each face."""
        backend = self.outputs.backend
        drawings = [render_in_photo(face, self.face_model, image.shape[:2], backend=backend) for face in faces]
        yield "overlay.jpg", overlay(image, drawings[::-1])  # the largest face, the first, on top
        for i, (face, drawing) in enumerate(zip(faces, drawings, strict=True)):
            own = f"{title}, face {i}"
            sheet = reconstruction_sheet(image, face, self.face_model, drawing=drawing, title=own, backend=backend)
            yield f"face{i}_sheet.png", sheet


def face_row(number: int, face: FaceReconstruction, folder: str, photo: Photo) -> Row:
    """The row of a face in the status table."""
    sides = ("left", "top", "right", "bottom")
    box = {side: round(float(value), 1) for side, value in zip(sides, face.box, strict=True) if np.isfinite(value)}
    score = {"score": round(face.score, 4)} if np.isfinite(face.score) else {}
    height, width = photo.image.shape[:2]
    message = "; ".join([*photo.notes, *face.notes])
    return {
        "status": "ok",
        "face": number,
        "folder": folder,
        **box,
        **score,
        "width": width,
        "height": height,
        "message": message,
    }
