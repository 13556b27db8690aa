"""The Python interface: a trained run as an object, a face as an object.

    model = sirjax.load()  # the weights that come with sirjax; or a run, or a .safetensors file
    face = model.reconstruct("portrait.jpg")
    face.vertices, face.landmarks, face.shape_mm
    face.save("portrait.glb")
    model.identity_distance("portrait.jpg", "holiday.jpg")

For folders of photos, with a table of what became of each, there is `sirjax reconstruct`. What these objects are made
of: `sirjax.predictor`, `sirjax.reconstruction`.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
from jaxtyping import Float, Int, UInt8

from sirjax.export.mesh import textured_mesh
from sirjax.export.mesh_files import write_mesh
from sirjax.export.parameters import Provenance, write_parameters
from sirjax.morphable.model import FaceModel
from sirjax.networks.mtcnn import MTCNN
from sirjax.photo import read_photo
from sirjax.predictor import Detector, Predictor
from sirjax.reconstruction import FaceReconstruction
from sirjax.training.setup import load_run
from sirjax.training.weights import SHIPPED

MESHES = (".glb", ".obj", ".ply")
POSES = ("neutral", "posed")
Image = str | os.PathLike | np.ndarray  # a photo's file, or uint8 RGB [H, W, 3]


class NoFaceError(ValueError):
    """There is no face in a photo from which one was wanted."""


@dataclass(frozen=True, eq=False, repr=False)
class Face:
    """A reconstructed face. Arrays are NumPy float32; frames and units are those of `sirjax.types`.

    Millimeters are those of an average head: one photo does not tell a small face nearby from a large one far away.
    """

    reconstruction: FaceReconstruction  # all there is: cameras, light, crop, the way from crop to photo
    face_model: FaceModel
    provenance: Provenance

    def __repr__(self) -> str:
        pitch, yaw, roll = self.pose
        length = np.linalg.norm(self.shape_whitened)
        notes = f", notes={list(self.notes)}" if self.notes else ""
        return f"Face(|shape|={length:.2f} sd, pitch={pitch:.0f}, yaw={yaw:.0f}, roll={roll:.0f} degrees{notes})"

    @property
    def vertices(self) -> Float[np.ndarray, "V 3"]:
        """With expression; model frame, mm: x to the image's right, y up, z toward the viewer."""
        return self.reconstruction.vertices

    @property
    def neutral_vertices(self) -> Float[np.ndarray, "V 3"]:
        """Without expression; model frame, mm. What identifies a person."""
        return self.reconstruction.neutral_vertices

    @property
    def triangles(self) -> Int[np.ndarray, "T 3"]:
        """Rows of `vertices`, counterclockwise seen from outside."""
        return np.asarray(self.face_model.triangles)

    @property
    def landmarks(self) -> Float[np.ndarray, "68 2"]:
        """iBUG's 68 points in pixels (u, v) of the photo; the center of its top-left pixel is (0, 0)."""
        return self.reconstruction.landmarks_in_photo

    @property
    def landmarks_3d(self) -> Float[np.ndarray, "68 3"]:
        """The 68 points of the neutral face, model frame, mm."""
        return self.reconstruction.neutral_landmarks

    @property
    def shape_mm(self) -> Float[np.ndarray, " S"]:
        """Identity coefficients in mm: distances between them are distances between faces (Eq. 6)."""
        return self.shape_whitened * np.asarray(self.face_model.shape_std)

    @property
    def shape_whitened(self) -> Float[np.ndarray, " S"]:
        """Identity coefficients in standard deviations of the face model's prior."""
        return self.reconstruction.shape

    @property
    def expression(self) -> Float[np.ndarray, " E"]:
        """Expression coefficients in standard deviations."""
        return self.reconstruction.expression

    @property
    def pose(self) -> tuple[float, float, float]:
        """(pitch, yaw, roll) in the photo, degrees, of Rz(roll) Ry(yaw) Rx(pitch); zeros for a frontal upright face."""
        return self.reconstruction.euler_degrees

    @property
    def rotation(self) -> Float[np.ndarray, "3 3"]:
        """The pose as a matrix, camera_from_model of the photo."""
        return self.reconstruction.photo_rotation

    @property
    def albedo(self) -> Float[np.ndarray, "U U 3"]:
        """Skin color without light as a texture of `face_model`'s UV layout, RGB, not clipped to [0, 1]."""
        return self.reconstruction.albedo

    @property
    def notes(self) -> tuple[str, ...]:
        """What deserves a second look, in words."""
        return self.reconstruction.notes

    def save(self, path: str | os.PathLike, *, pose: Literal["neutral", "posed"] = "neutral") -> list[Path]:
        """Writes a mesh (.glb, .obj with .mtl and .png, .ply), or all numbers (.npz, readable without sirjax).

        Args:
          path: the file; its ending chooses the format. Its folder must be there.
          pose: of meshes: without expression in the model frame, or as the photo shows the face.

        Returns:
          The files written.

        Raises:
          ValueError: for another ending or pose.
        """
        path = Path(path)
        if path.suffix == ".npz":
            return [write_parameters(path, self.reconstruction, self.face_model, self.provenance)]
        if path.suffix not in MESHES:
            raise ValueError(f"{path} must end in {', '.join(MESHES)} or .npz: the ending chooses the format")
        if pose not in POSES:
            raise ValueError(f"pose must be one of {', '.join(POSES)}, got {pose!r}")
        face, (vertices, frame) = self.reconstruction, (self.neutral_vertices, "model frame, without expression")
        if pose == "posed":
            vertices, frame = face.posed_vertices, "camera frame of the photo"
        unit = "true millimeters" if face.metric else "millimeters of an average head, not metric"
        mesh = textured_mesh(self.face_model, vertices * (face.metric_scale or 1.0), face.albedo)
        comment, formats = f"{unit}; {frame}: x right, y up, z to the viewer", (path.suffix[1:],)
        return write_mesh(path.parent, path.stem, mesh, self.face_model, self.provenance, formats, comment=comment)


class Reconstructor:
    """Photos in, faces out. Made by `sirjax.load`.

    Args:
      predictor: the trained networks with their face model and detector.
      source: which weights, for the records of files.
    """

    def __init__(self, predictor: Predictor, source: str = ""):
        self.predictor, self._source = predictor, source

    def __repr__(self) -> str:
        return f"Reconstructor({self._source!r}, face model {self.face_model.name!r})"

    @property
    def face_model(self) -> FaceModel:
        """The 3DMM the networks were trained with."""
        return self.predictor.face_model

    @property
    def metadata(self) -> dict[str, Any]:
        """step, face_model (fingerprint), face_model_licence, face_model_name."""
        return self.predictor.metadata

    @overload
    def reconstruct(self, image: Image, faces: Literal["largest"] = "largest") -> Face: ...

    @overload
    def reconstruct(self, image: Image, faces: Literal["all"]) -> list[Face]: ...

    def reconstruct(self, image: Image, faces: str = "largest") -> Face | list[Face]:
        """The largest face of a photo, or a list of all of them, the largest first.

        Args:
          image: the photo's file, or its pixels: upright RGB, uint8 [H, W, 3].
          faces: "largest" or "all".

        Raises:
          NoFaceError: if the largest is wanted and there is none ("all" gives an empty list).
          PhotoError: if the file is missing or no photo.
          ValueError: for other arrays.
        """
        found = self._faces(image, faces)
        if faces == "all":
            return found
        if not found:
            raise NoFaceError(
                f"no face found in {_name(image)}: take a photo with a larger or more frontal face, or load with a "
                "smaller min_face_size (20 pixels by default)"
            )
        return found[0]

    def reconstruct_many(self, images: Iterable[Image], faces: str = "all") -> Iterator[list[Face]]:
        """The faces of each of many photos, in their order; an empty list where there is none.

        Photos are taken from `images` as they are needed, and the crops of several are read together.

        Raises:
          PhotoError, ValueError: see `reconstruct`.
        """
        waiting: list[tuple[Image, list]] = []
        for image in images:
            waiting.append((image, self.predictor.find_faces(_pixels(image), faces)))
            if sum(len(aligned) for _, aligned in waiting) >= self.predictor.batch_size:
                yield from self._read(waiting)
                waiting = []
        yield from self._read(waiting)

    def identity_distance(self, a: "Face | Image", b: "Face | Image") -> float:
        """How different two people's faces are: Euclidean distance of their identity coefficients, mm.

        The distance that verification is measured with (`sirjax evaluate verification`, which also finds the threshold
        below which two photos show one person). On an orthonormal basis, distance / sqrt(V) is the root mean square
        distance of the V vertices of the neutral faces.

        Args:
          a: a `Face`, its coefficients in mm ([S], see `Face.shape_mm`) or a photo, whose largest face counts.
          b: likewise.

        Raises:
          NoFaceError, PhotoError: if a photo has no face, or is none.
          ValueError: if a face or its coefficients belong to another face model.
        """
        return float(np.linalg.norm(self._code(a) - self._code(b)))

    def _code(self, of: "Face | Image") -> Float[np.ndarray, " S"]:
        if isinstance(of, np.ndarray) and of.ndim == 1:
            if len(of) != self.face_model.num_shape:
                raise ValueError(
                    f"got {len(of)} coefficients, this face model has {self.face_model.num_shape}: compare codes of "
                    "one face model only"
                )
            return of.astype(np.float64)
        face = of if isinstance(of, Face) else self.reconstruct(of)
        own = self.metadata.get("face_model", "")
        if face.provenance.face_model_fingerprint != own:
            raise ValueError(
                f"the face was made with face model {face.face_model.name!r}, "
                f"{face.provenance.face_model_fingerprint[:12]}, these networks with {self.face_model.name!r}, "
                f"{own[:12]}: their coefficients mean other shapes; reconstruct both photos with the same networks"
            )
        return face.shape_mm.astype(np.float64)

    def _faces(self, image: Image, which: str) -> list[Face]:
        (found,) = self._read([(image, self.predictor.find_faces(_pixels(image), which))])
        return found

    def _read(self, waiting: list[tuple[Image, list]]) -> Iterator[list[Face]]:
        read = iter(self.predictor.reconstruct_aligned([face for _, aligned in waiting for face in aligned]))
        for image, aligned in waiting:
            provenance = Provenance(
                face_model_fingerprint=self.metadata.get("face_model", ""),
                photo="" if isinstance(image, np.ndarray) else str(image),
                run=f"{self._source}, step {self.metadata.get('step', 0)}",
                licence=self.metadata.get("face_model_licence", ""),
            )
            yield [Face(next(read), self.face_model, provenance) for _ in aligned]


def load(
    path: str | os.PathLike = SHIPPED,
    *,
    batch_size: int = 8,
    min_face_size: float = 20.0,
    detector: Detector | None = None,
) -> Reconstructor:
    """The networks of a trained run, ready for photos.

    Args:
      path: the --workdir of `sirjax train`, or a .safetensors file of `sirjax export weights`; "builtin" are the
        weights that come with sirjax (`sirjax.training.weights.shipped` says how they came about).
      batch_size: crops read at once; one program is compiled for it.
      min_face_size: side of the smallest face searched, pixels.
      detector: finds faces instead of the MTCNN that comes with sirjax.

    Raises:
      FileNotFoundError: if there is no run or file at `path`, or no complete checkpoint in it.
      ValueError: if the face model is not the one the networks were trained with.
    """
    run = load_run(path)
    found = detector or MTCNN(min_face_size)
    return Reconstructor(Predictor.of_run(run, batch_size=batch_size, detector=found), str(path))


def _pixels(image: Image) -> UInt8[np.ndarray, "H W 3"]:
    if isinstance(image, str | os.PathLike):
        return read_photo(Path(image)).image
    pixels = np.asarray(image)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[-1] != 3:
        raise ValueError(
            f"a photo is uint8 RGB [H, W, 3] or the name of a file, got {pixels.dtype} {list(pixels.shape)}: multiply "
            "images in [0, 1] by 255 and round them, drop the alpha channel, repeat grey three times"
        )
    return pixels


def _name(image: Image) -> str:
    return f"the array of shape {list(image.shape)}" if isinstance(image, np.ndarray) else str(image)
