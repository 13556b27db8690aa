"""Codes in and out: read from records with a trained run, kept in files, or taken from another system's arrays.

A file is a `.npz` with the fields of `sirjax.evaluation.codes.Codes` (`shape` [N, S] in mm, and any of `names`,
`shape_std`, `expression`, `landmarks`, `rotation`, `identity`), or a bare `.npy` [N, S]. Nothing in it is executed.
"""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, cast

import jax
import numpy as np
from jaxtyping import UInt8
from tqdm import tqdm

from sirjax import decode as decoding
from sirjax.data.images import decode_image
from sirjax.data.records import JoinedRecords, RecordSource, Sample
from sirjax.evaluation.codes import Codes, check_codes
from sirjax.files import write_bytes
from sirjax.morphable.builtin import load
from sirjax.morphable.model import FaceModel
from sirjax.morphable.orthonormalize import orthonormality_error
from sirjax.morphable.storage import fingerprint
from sirjax.networks.batches import in_batches
from sirjax.training.setup import TrainedRun, is_orthonormal
from sirjax.types import Coefficients, NetworkOutput

_OPTIONAL = ("shape_std", "expression", "landmarks", "rotation")


class Reading(NamedTuple):
    """What the networks see in N crops."""

    shape: np.ndarray  # [N, S] whitened
    expression: np.ndarray  # [N, E] whitened
    rotation: np.ndarray  # [N, 3, 3] camera_from_model
    landmarks: np.ndarray  # [N, 68, 2] crop pixels


def make_reader(trained: TrainedRun, batch_size: int):
    """A function from batches of crops (uint8 [up to batch_size, 112, 96, 3]) to their `Reading`; compiled once."""
    model = trained.face_model
    template = decoding.camera_template(model)

    @jax.jit
    def read(params, images) -> tuple[jax.Array, ...]:
        output = cast(NetworkOutput, trained.networks.apply({"params": params}, images.astype(np.float32) / 255.0))
        camera = decoding.decode_camera(output, template, gains=trained.gains)
        coefficients = Coefficients(shape=output.shape, expression=output.expression)
        landmarks = decoding.project_landmarks(model, coefficients, camera)
        return output.shape, output.expression, camera.rotation, landmarks

    return lambda batches: Reading(*in_batches(lambda batch: read(trained.params, batch), batches, batch_size))


def read_codes(
    run: TrainedRun,
    records: RecordSource | JoinedRecords,
    *,
    batch_size: int = 64,
    mirror: bool = False,
    run_name: str = "",
) -> Codes:
    """Reads every image of records with the networks of a run.

    Args:
      run: the trained networks.
      records: the images; one that lies in several of the joined folders is read once.
      batch_size: images read at once.
      mirror: the shape is the mean of those of the image and of its mirror image; all else is the image's own.
      run_name: kept in the codes' source.

    Raises:
      ValueError: if two different images have one name.
    """
    rows = _unique_rows(records)
    reader = make_reader(run, batch_size)
    names: list[str] = []
    whole = reader(_crops(records, rows, batch_size, names))
    shape = whole.shape
    if mirror:
        shape = (shape + reader(crops[:, :, ::-1] for crops in _crops(records, rows, batch_size, [])).shape) / 2
    std = np.asarray(run.face_model.shape_std)
    source = {
        **run.metadata,
        "run": run_name,
        "records": str(records.path),
        "mirror": mirror,
        "orthonormal": is_orthonormal(run.face_model),
        "orthonormality_error": orthonormality_error(run.face_model),
    }
    return Codes(
        names=names,
        shape=(shape * std).astype(np.float32),
        shape_std=std,
        expression=whole.expression,
        landmarks=whole.landmarks,
        rotation=whole.rotation,
        identity=np.asarray(records.identity_class, np.int32)[rows],
        source=source,
    )


def save_codes(path: Path, codes: Codes) -> None:
    """Writes codes as `.npz`, whole or not at all.

    Raises:
      ValueError: if they are not in order, see `check_codes`.
    """
    check_codes(codes)
    arrays = {"shape": np.asarray(codes.shape, np.float32), "names": np.array(codes.names, np.str_)}
    for name in _OPTIONAL:
        if getattr(codes, name) is not None:
            arrays[name] = np.asarray(getattr(codes, name), np.float32)
    if codes.identity is not None:
        arrays["identity"] = np.asarray(codes.identity, np.int32)
    arrays["source"] = np.array(json.dumps(codes.source))
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_bytes(path, buffer.getvalue())


def load_codes(path: Path, names: Path | None = None) -> Codes:
    """Codes of a file, from here or from another system.

    Args:
      path: `.npz` with an array `shape` (or a single array [N, S] of whatever name), or `.npy` [N, S]; millimeters.
      names: text file with a name per line, in the order of the rows. Without one and without an array `names`, the
        images are called "0", "1", ...

    Raises:
      FileNotFoundError: if there is no such file.
      ValueError: if it holds no such arrays, pickled objects, numbers that are not finite, or names that do not fit.
    """
    arrays = _load_arrays(path)
    try:
        shape = _numbers("shape", arrays.pop(_shape_key(arrays)), np.float32)
        fields = {name: _numbers(name, arrays[name], np.float32) for name in _OPTIONAL if name in arrays}
        if "identity" in arrays:
            fields["identity"] = _numbers("identity", arrays["identity"], np.int32)
        source = json.loads(str(arrays["source"])) if "source" in arrays else {}
        codes = Codes(_names(arrays, names, len(shape)), shape, source={"file": str(path), **source}, **fields)
        check_codes(codes)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return codes


def face_model_of(codes: Codes, name_or_path: str | Path) -> FaceModel:
    """The face model that codes are said to belong to: a model file, or "builtin".

    Raises:
      ValueError: if it has another number of modes, or the codes name another model.
    """
    model = load(name_or_path)
    if model.num_shape != codes.shape.shape[1]:
        raise ValueError(
            f"the codes have {codes.shape.shape[1]} modes, the face model {name_or_path} has {model.num_shape}: "
            "give the model they belong to"
        )
    wanted = codes.source.get("face_model")
    if wanted not in (None, fingerprint(model)):
        raise ValueError(
            f"the codes belong to face model {str(wanted)[:12]}, "
            f"{name_or_path} is {fingerprint(model)[:12]}: give theirs"
        )
    return model


def _unique_rows(records: RecordSource | JoinedRecords) -> list[int]:
    """Row of each name; what several folders share under one name must be one image."""
    row_of: dict[str, int] = {}
    for row, sample in enumerate(_samples(records, range(len(records)))):
        first = row_of.setdefault(sample.name, row)
        if first != row and records[first].image != sample.image:
            raise ValueError(f"{records.path} holds two different images named {sample.name!r}: evaluate them apart")
    return list(row_of.values())


def _samples(records: RecordSource | JoinedRecords, rows) -> Iterator[Sample]:
    for start in range(0, len(rows), 256):
        yield from records.__getitems__(list(rows[start : start + 256]))


def _crops(
    records: RecordSource | JoinedRecords, rows: list[int], batch_size: int, names: list[str]
) -> Iterator[UInt8[np.ndarray, "_ 112 96 3"]]:
    """The crops of the rows in batches; their names are appended to `names` on the way."""
    for start in tqdm(range(0, len(rows), batch_size), desc="reading", unit="batch", leave=False):
        batch = records.__getitems__(rows[start : start + batch_size])
        names += [sample.name for sample in batch]
        yield np.stack([decode_image(sample.image) for sample in batch])


def _load_arrays(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: give a .npz or .npy file of codes, or a run directory")
    try:
        loaded = np.load(io.BytesIO(path.read_bytes()), allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return {"shape": loaded}
        with loaded:
            return {name: loaded[name] for name in loaded.files}
    except (ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{path} cannot be read as arrays ({error}): save numbers with np.save or np.savez, no Python objects"
        ) from None


def _shape_key(arrays: dict[str, np.ndarray]) -> str:
    """Which of the arrays holds the codes."""
    tables = [name for name, array in arrays.items() if array.ndim == 2 and name not in _OPTIONAL]
    if "shape" in arrays:
        return "shape"
    if len(tables) == 1:
        return tables[0]
    found = ", ".join(f"{name} {list(array.shape)}" for name, array in arrays.items()) or "nothing"
    raise ValueError(f"holds no array `shape` [N, S] and not just one table (found {found}): name the codes `shape`")


def _numbers(name: str, array: np.ndarray, dtype: type) -> np.ndarray:
    kinds = "iu" if np.issubdtype(dtype, np.integer) else "iuf"
    if array.dtype.kind not in kinds:
        raise ValueError(f"{name} must hold {'whole ' if kinds == 'iu' else ''}numbers, got {array.dtype}")
    return array.astype(dtype)


def _names(arrays: dict[str, np.ndarray], path: Path | None, count: int) -> list[str]:
    if path is not None:
        lines = path.read_text(encoding="utf-8").splitlines()
        return lines[:-1] if lines and not lines[-1] else lines
    if "names" not in arrays:
        return [str(row) for row in range(count)]
    if arrays["names"].dtype.kind != "U" or arrays["names"].ndim != 1:
        raise ValueError(f"names must be a list of text, got {arrays['names'].dtype} {list(arrays['names'].shape)}")
    return arrays["names"].tolist()
