"""Opens the files of published face models and says what is wrong with them: which file, where to get it, what then."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io

LFS_POINTER = b"version https://git-lfs"
_HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = b"PK\x03\x04"
_XZ = b"\xfd7zXZ\x00"


@dataclass(frozen=True)
class Format:
    """One kind of published model: what it is called here, what it needs, where it comes from."""

    name: str  # on the command line
    title: str
    files: str  # what the user must have
    page: str  # where to request or download it
    licence: str

    @property
    def remedy(self) -> str:
        """Where to get the model and how to convert it."""
        return (
            f"{self.title} needs {self.files}; get it from {self.page} (licence: {self.licence}), "
            f"then run `sirjax face-model import {self.name} PATH --out model.npz`"
        )

    def wrong(self, path: Path, problem: str) -> ValueError:
        """The error for a file that is not what it should be."""
        return ValueError(f"{path} {problem}. {self.remedy}")

    def missing(self, path: Path, problem: str = "does not exist") -> FileNotFoundError:
        """The error for a file that is not there."""
        return FileNotFoundError(f"{path} {problem}. {self.remedy}")

    def find(self, folder: Path, *names: str) -> Path:
        """The file in `folder` that has one of the names (the first that is there).

        Raises:
          FileNotFoundError: if none is there.
          ValueError: if it is a git-LFS pointer or empty.
        """
        for name in names:
            if (folder / name).is_file():
                return self.check(folder / name)
        raise self.missing(folder / names[0], "is missing" + (f" (nor is there {names[1]})" if names[1:] else ""))

    def check(self, path: Path) -> Path:
        """The path itself, if it is a file with content.

        Raises:
          FileNotFoundError: if there is no such file.
          ValueError: if it is a git-LFS pointer or empty.
        """
        if not path.is_file():
            raise self.missing(path, "is a folder, not a file" if path.is_dir() else "does not exist")
        start = read_start(path)
        if start.startswith(LFS_POINTER):
            raise self.wrong(path, "is a git-LFS pointer, not the file itself: run `git lfs pull` where it was cloned")
        if not start:
            raise self.wrong(path, "is empty")
        return path

    def read_mat(self, path: Path, fields: Sequence[str]) -> dict[str, np.ndarray]:
        """The named arrays of a Matlab file.

        Raises:
          ValueError: if it is another kind of file, damaged, or misses a field.
        """
        present = self.fields_of(path)
        self.require(path, fields, present)
        content = self._parsed(path, lambda: scipy.io.loadmat(path, variable_names=list(fields)))
        return {field: content[field] for field in fields}

    def fields_of(self, path: Path) -> set[str]:
        """The names of the arrays of a Matlab file.

        Raises:
          ValueError: if it is another kind of file or damaged.
        """
        self.check(path)
        if not read_start(path).startswith(b"MATLAB 5.0"):
            raise self.wrong(path, f"is not a Matlab file (version 5 to 7.2) but {describe(path)}")
        if (missing := _missing_bytes(path)) > 0:
            raise self.wrong(path, f"is cut short: at least {missing} bytes are missing at its end")
        return {name for name, _, _ in self._parsed(path, lambda: scipy.io.whosmat(path))}

    def _parsed(self, path: Path, parse: Callable[[], Any]) -> Any:
        try:
            return parse()
        except Exception as error:  # scipy raises whatever the parser runs into
            raise self.wrong(path, f"is cut short or damaged ({type(error).__name__}: {error})") from error

    def require(self, path: Path, fields: Iterable[str], present: set[str]) -> None:
        """Refuses a file without all fields, naming what it is if that is known.

        Raises:
          ValueError: if a field is missing.
        """
        missing = [field for field in fields if field not in present]
        if missing:
            known = _variant(present)
            listed = ", ".join(sorted(present)[:12]) or "nothing"
            raise self.wrong(path, f"has no field {', '.join(missing)}{known} (it holds {listed})")

    def shaped(self, path: Path, field: str, array: Any, shape: tuple[int | None, ...]) -> np.ndarray:
        """The array as float64, if it has the shape (None: any size) and is finite.

        Raises:
          ValueError: otherwise.
        """
        array = np.asarray(array)
        fits = array.ndim == len(shape) and all(
            want is None or size == want for size, want in zip(array.shape, shape, strict=True)
        )
        if not fits or array.dtype.kind not in "fiub":
            wanted = ", ".join("any" if want is None else str(want) for want in shape)
            raise self.wrong(path, f"has {field} of {array.dtype} {list(array.shape)}, expected numbers [{wanted}]")
        if not np.isfinite(array).all():
            raise self.wrong(path, f"has values in {field} that are not finite")
        return array.astype(np.float64)

    def indices(self, path: Path, field: str, array: Any, count: int, *, first: int = 1) -> np.ndarray:
        """Whole numbers from `first` up, as 0-based int64 that number `count` things.

        Raises:
          ValueError: if they are no such numbers.
        """
        array = np.asarray(array)
        if array.dtype.kind not in "fiu" or not array.size or (array != np.floor(array)).any():
            raise self.wrong(path, f"has a {field} that does not hold whole numbers")
        array = array.astype(np.int64) - first
        if array.min() < 0 or array.max() >= count:
            low, high = array.min() + first, array.max() + first
            raise self.wrong(path, f"has {field} from {low} to {high}, expected {first} to {count - 1 + first}")
        return array


# Fields that give another model away.
_VARIANTS = {
    "shapePC": "it looks like BFM-2009's 01_MorphableModel.mat (format bfm2009)",
    "idBase": "it looks like Deep3DFaceReconstruction's BFM_model_front.mat (format bfm2009)",
    "mu_shape": "it looks like 3DDFA's Model_Shape.mat (format 3ddfa)",
    "w_exp": "it looks like 3DDFA's Model_Exp.mat (format 3ddfa)",
    "vertex_identity_basis": "it looks like a GNM Head file (format gnm)",
    "shapedirs": "it looks like FLAME (format flame)",
    "lmk_face_idx": "it looks like FLAME's landmark embedding",
    "id_basis": "it is a model of sirjax already: use it as it is",
    "Shape_Para": "it looks like an annotation of 300W-LP or AFLW2000-3D, not a face model",
    "Pose_Para": "it looks like an annotation of 300W-LP or AFLW2000-3D, not a face model",
}


def _variant(present: set[str]) -> str:
    for field, meaning in _VARIANTS.items():
        if field in present:
            return f": {meaning}"
    return ""


def _missing_bytes(path: Path) -> int:
    """How many bytes a Matlab file announces beyond its end: each array begins with its type and size."""
    size = path.stat().st_size
    place = 128
    with path.open("rb") as file:
        order = "little" if file.read(128)[126:] == b"IM" else "big"
        while place < size:
            file.seek(place + 4)
            place += 8 + int.from_bytes(file.read(4), order)
    return place - size


def read_start(path: Path, size: int = 128) -> bytes:
    """The first bytes of a file."""
    with path.open("rb") as file:
        return file.read(size)


def describe(path: Path) -> str:
    """What a file is, in words, from its first bytes and its name."""
    start = read_start(path)
    if start.startswith(_HDF5) or start.startswith(b"MATLAB 7.3"):
        return "an HDF5 file, as BFM-2017 and BFM-2019 come (format bfm2017)"
    if start.startswith(b"MATLAB"):
        return "a Matlab file, as BFM-2009 (format bfm2009) and 3DDFA (format 3ddfa) come"
    if start.startswith(_ZIP):
        return "a .zip or .npz archive, as GNM (format gnm) and some FLAME files (format flame) come"
    if start.startswith(_XZ):
        return "an .xz archive, as ICT-FaceKit comes (format ict)"
    if start[:1] == b"\x80" or path.suffix == ".pkl":
        return "a pickle, as FLAME comes (format flame)"
    if start.lstrip().lower().startswith((b"<!doctype", b"<html")):
        return "a web page: the download asked for a login or a confirmation"
    return f"a file of unknown kind ({path.suffix or 'no suffix'})"


def provenance(*paths: Path) -> str:
    """Names and SHA-256 of the files a model was made from."""
    return "; ".join(f"{path.name} SHA-256 {sha256(path)}" for path in paths)


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
