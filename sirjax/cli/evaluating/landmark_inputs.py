"""Predicted and true landmarks side by side, whatever they come from: a run, codes, arrays or folders of .pts files.

Everything is brought into the pixels of the original photos, counted from 0, where the box of a face is the one that
benchmarks divide by.
"""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, UInt8

from data_prep.landmark_files import FIRST_PIXEL, parse_pts
from data_prep.source import Rejected
from sirjax.cli.evaluating.codes import load_codes, read_codes
from sirjax.constants import NO_IDENTITY, NUM_LANDMARKS
from sirjax.data.alignment import invert, transform_points
from sirjax.data.images import decode_image
from sirjax.data.records import RecordSource, Sample, open_records
from sirjax.evaluation.codes import Codes
from sirjax.geometry.rotation import euler_from_rotation
from sirjax.photo import SUFFIXES, PhotoError, read_photo
from sirjax.training.setup import is_trained, load_run

POSES_FILE = "poses.tsv"  # beside records: name, pitch, yaw, roll in degrees


@dataclasses.dataclass(frozen=True)
class Faces:
    """N faces with predicted and true points in photo pixels."""

    names: list[str]
    predicted: np.ndarray  # float64 [N, 68, 2]
    target: np.ndarray  # float64 [N, 68, 2]
    yaw: np.ndarray | None  # [N] radians
    group: np.ndarray | None  # int [N], the person of each photo, or a number of its own
    missing: list[str]  # photos with labels that nothing was predicted for
    # Image and the transform [2, 3] from photo pixels to its own of a face; None if there is no image.
    image_of: Callable[[int], tuple[UInt8[np.ndarray, "H W 3"], Float[np.ndarray, "2 3"]] | None]
    source: dict


def read_faces(
    predictions: Path,
    *,
    records: Path | None = None,
    truth: Path | None = None,
    poses: Path | None = None,
    first_pixel: float = FIRST_PIXEL,
    batch_size: int = 64,
) -> Faces:
    """Predictions beside the labels of `records` or of `truth`.

    Args:
      predictions: a run directory or codes with landmarks (crop pixels of `records`), a folder of .pts files (photo
        pixels), or an array [N, 68, 2] (`.npy`, or `.npz` with `landmarks` and perhaps `names`) in the pixels of
        `truth`.
      records: prepared records with landmarks.
      truth: a folder of .pts files or an array, instead of records.
      poses: table of angles; that of the records if not given.
      first_pixel: coordinate of the center of the top-left pixel in .pts files.
      batch_size: images read at once by a run.

    Raises:
      FileNotFoundError: if something named is not there.
      ValueError: if there are no labels, or predictions and labels do not belong together.
    """
    if (records is None) == (truth is None):
        raise ValueError("name the true landmarks: either --records RECORDS or --truth FOLDER_OR_ARRAY")
    if records is not None:
        return _of_records(predictions, records, poses, first_pixel, batch_size)
    assert truth is not None
    return _of_truth(predictions, truth, poses, first_pixel)


def _of_records(predictions: Path, path: Path, poses: Path | None, first_pixel: float, batch_size: int) -> Faces:
    records = open_records(path)
    if not isinstance(records, RecordSource) or not (records.has_landmarks or records[0].truth is not None):
        raise ValueError(f"{path} has no landmarks to compare with: prepare a set that does, see sirjax prepare --help")
    samples = {sample.name: sample for sample in records.__getitems__(range(len(records)))}
    codes, source = _codes_of(predictions, records, batch_size)
    if codes is not None:
        if codes.landmarks is None:
            raise ValueError(
                f"{predictions} holds no landmarks: write the codes with landmarks, or give a run directory"
            )
        found = dict(zip(codes.names, codes.landmarks, strict=True))
        found = {
            name: transform_points(invert(samples[name].crop_from_photo), points)
            for name, points in found.items()
            if name in samples
        }
    else:
        found, _ = _read_points(predictions, first_pixel)
        found = {name: found[Path(name).with_suffix("").as_posix()] for name in samples
                 if Path(name).with_suffix("").as_posix() in found}  # fmt: skip
    names, missing = _split(samples, found, predictions)
    own = [samples[name] for name in names]
    target = [transform_points(invert(sample.crop_from_photo), _labels(sample)) for sample in own]
    angles = _read_poses(poses or path / POSES_FILE, names, required=poses is not None)
    turns = [sample.truth.rotation for sample in own if sample.truth is not None]
    if angles is None and turns:
        angles = np.asarray(euler_from_rotation(jnp.asarray(np.stack(turns)))[1])
    return Faces(
        names,
        np.stack([found[name] for name in names]).astype(np.float64),
        np.stack(target).astype(np.float64),
        angles,
        _groups([sample.identity_class for sample in own]),
        missing,
        lambda i: (decode_image(own[i].image), own[i].crop_from_photo),
        {"predictions": str(predictions), "records": str(path), **source},
    )


def _labels(sample: Sample) -> Float[np.ndarray, "68 2"]:
    """The labelled points of a crop, or the true ones of a rendered face."""
    if sample.landmarks is not None:
        return sample.landmarks
    assert sample.truth is not None  # all samples of a folder have the same fields
    return sample.truth.landmarks


def _codes_of(predictions: Path, records: RecordSource, batch_size: int) -> tuple[Codes | None, dict]:
    """What a run or a file of codes says about records; None if it is neither."""
    if is_trained(predictions):
        codes = read_codes(load_run(predictions), records, batch_size=batch_size, run_name=str(predictions))
    elif predictions.suffix == ".npz":
        codes = load_codes(predictions)
    else:
        return None, {}
    return codes, codes.source


def _of_truth(predictions: Path, truth: Path, poses: Path | None, first_pixel: float) -> Faces:
    target, where = _read_points(truth, first_pixel)
    found, _ = _read_points(predictions, first_pixel)
    names, missing = _split(target, found, predictions)
    return Faces(
        names,
        np.stack([found[name] for name in names]),
        np.stack([target[name] for name in names]),
        _read_poses(poses, names, required=True) if poses is not None else None,
        None,
        missing,
        lambda i: _photo_beside(where.get(names[i])),
        {"predictions": str(predictions), "truth": str(truth)},
    )


def _split(labelled: Sequence[str] | dict, found: dict, predictions: Path) -> tuple[list[str], list[str]]:
    """Labelled photos with and without a prediction."""
    names = [name for name in labelled if name in found]
    if not names:
        raise ValueError(
            f"{predictions} has points for none of the {len(labelled)} labelled photos "
            f"(such as {next(iter(labelled))!r}): names must agree up to the suffix"
        )
    return names, [name for name in labelled if name not in found]


def _read_points(path: Path, first_pixel: float) -> tuple[dict[str, np.ndarray], dict[str, Path]]:
    """Points by name (relative path without suffix, or number of the row), and the files they are from."""
    if path.is_dir():
        files = sorted(path.rglob("*.pts"))
        if not files:
            raise ValueError(f"{path} is neither a run directory nor a folder of .pts files")
        points, where = {}, {}
        for file in files:
            name = file.relative_to(path).with_suffix("").as_posix()
            try:
                points[name] = parse_pts(file.read_bytes()) - first_pixel
            except Rejected as error:
                raise ValueError(f"{file}: {error}") from None
            where[name] = file
        return points, where
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: give a run directory, a folder of .pts files or an array")
    try:
        loaded = np.load(path, allow_pickle=False)
        array = loaded if isinstance(loaded, np.ndarray) else loaded["landmarks"]
        names = None if isinstance(loaded, np.ndarray) or "names" not in loaded else loaded["names"].tolist()
    except (ValueError, OSError, EOFError, KeyError) as error:
        raise ValueError(f"{path} holds no array `landmarks` [N, {NUM_LANDMARKS}, 2] ({error})") from None
    if array.ndim != 3 or array.shape[1:] != (NUM_LANDMARKS, 2) or array.dtype.kind not in "fiu":
        raise ValueError(
            f"{path}: landmarks must be numbers [N, {NUM_LANDMARKS}, 2], got {array.dtype} {list(array.shape)}"
        )
    names = [str(row) for row in range(len(array))] if names is None else names
    return dict(zip(names, array.astype(np.float64), strict=True)), {}


def _read_poses(path: Path, names: list[str], *, required: bool) -> np.ndarray | None:
    """|yaw| by the table, radians; None if there is no table, or it does not tell all of them and need not."""
    if not path.is_file():
        if required:
            raise FileNotFoundError(f"{path} is missing: --poses takes a table with the columns name and yaw (degrees)")
        return None
    header, *lines = path.read_text(encoding="utf-8").splitlines()
    columns = header.split("\t")
    if not {"name", "yaw"} <= set(columns):
        raise ValueError(
            f"{path} has the columns {', '.join(columns)}; name and yaw (degrees) are needed, tabs between"
        )
    rows = [dict(zip(columns, line.split("\t"), strict=False)) for line in lines if line]
    yaw = {row["name"]: float(row["yaw"]) for row in rows}
    yaw |= {Path(name).with_suffix("").as_posix(): angle for name, angle in yaw.items()}
    unknown = [name for name in names if name not in yaw]
    if unknown:
        raise ValueError(f"{path} does not tell the pose of {len(unknown)} photos, the first is {unknown[0]!r}")
    return np.deg2rad([yaw[name] for name in names])


def _groups(classes: list[int]) -> np.ndarray | None:
    """The person of each photo; photos of unknown people count for themselves."""
    known = np.array(classes)
    if (known == NO_IDENTITY).all():
        return None
    own = known.max() + 1 + np.arange(len(known))
    return np.where(known == NO_IDENTITY, own, known)


def _photo_beside(file: Path | None) -> tuple[np.ndarray, np.ndarray] | None:
    """The photo of the same name beside a .pts file."""
    if file is None:
        return None
    for suffix in SUFFIXES:
        try:
            return read_photo(file.with_suffix(suffix)).image, np.eye(2, 3)
        except PhotoError:
            continue
    return None
