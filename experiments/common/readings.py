"""What runs read from records, kept beside the run, and the truth that rendered records carry. N photos, S modes."""

import dataclasses
import functools
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, UInt8

from sirjax.cli.evaluating.codes import load_codes, read_codes, save_codes
from sirjax.data.images import decode_image
from sirjax.data.records import RecordSource
from sirjax.evaluation.codes import Codes
from sirjax.geometry.rotation import euler_from_rotation
from sirjax.training.setup import load_run


@dataclasses.dataclass(frozen=True)
class Truths:
    """What rendered faces really are."""

    shape: np.ndarray  # [N, S] whitened
    expression: np.ndarray  # [N, E] whitened
    rotation: np.ndarray  # [N, 3, 3] camera_from_model
    landmarks: np.ndarray  # [N, 68, 2] crop pixels


def read(run: Path, records: RecordSource) -> Codes:
    """The codes that a run reads from records; read once, then kept in the run's folder."""
    path = run / f"codes-{records.manifest['content_sha256'][:12]}.npz"
    if not path.is_file():
        save_codes(path, read_codes(load_run(run), records, run_name=run.name))
    return load_codes(path)


@functools.lru_cache(maxsize=4)
def truths(records: RecordSource) -> Truths:
    """The truth of every record.

    Raises:
      ValueError: if the records carry none.
    """
    found = [records[index].truth for index in range(len(records))]
    whole = [truth for truth in found if truth is not None]
    if len(whole) < len(found):
        raise ValueError(f"{records.path} carries no true shapes: only rendered records do")
    names = [field.name for field in dataclasses.fields(Truths)]
    return Truths(**{name: np.stack([getattr(truth, name) for truth in whole]).astype(np.float64) for name in names})


def photo(records: RecordSource, index: int) -> UInt8[np.ndarray, "112 96 3"]:
    """One crop."""
    return decode_image(records[int(index)].image)


def yaw_degrees(rotation: Float[np.ndarray, "N 3 3"]) -> Float[np.ndarray, " N"]:
    """How far each head is turned to the side."""
    return np.degrees(np.asarray(euler_from_rotation(jnp.asarray(rotation, jnp.float32))[1], np.float64))


def neutral_frontal(
    rotation: Float[np.ndarray, "N 3 3"], expression: Float[np.ndarray, "N E"]
) -> Float[np.ndarray, " N"]:
    """The confidence f of Eq. 19 in the paper's form: 1 for a neutral frontal face."""
    cosines = np.cos(
        np.stack([np.asarray(a) for a in euler_from_rotation(jnp.asarray(rotation, jnp.float32))], axis=-1)
    )
    return np.prod((cosines + 1) / 2, axis=-1) * np.exp(-np.linalg.norm(expression, axis=-1) / 3)
