"""Reads arrays and landmarks from Matlab files (.mat up to version 7.2) of which nothing is trusted.

Pixel coordinates in these files are Matlab's: the center of the top-left pixel is (1, 1). Here it is (0, 0), so one is
subtracted from every landmark.
"""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import scipy.io
from jaxtyping import Float, Shaped

from data_prep.raw_files import read_bytes
from data_prep.source import Rejected
from sirjax.constants import NUM_LANDMARKS

MAX_MEBIBYTES = 16  # the files of 300W-LP and AFLW2000-3D have a few hundred kilobytes at most


def read_fields(path: Path, fields: Sequence[str], name: str | None = None) -> dict[str, Shaped[np.ndarray, "..."]]:
    """The named arrays of a Matlab file.

    Args:
      path: the file.
      fields: their names; all must be there.
      name: what messages call the file.

    Raises:
      Rejected: if the file cannot be read or has not all of them; the message lists what it has.
    """
    name = name or path.name
    data = read_bytes(path, name)
    if len(data) > MAX_MEBIBYTES * 2**20:
        raise Rejected(f"{name} has {len(data) / 2**20:.0f} MiB, the limit is {MAX_MEBIBYTES}")
    if data.startswith(b"\x89HDF") or data[:19].startswith(b"MATLAB 7.3 MAT-file"):
        raise Rejected(f"{name} is a Matlab 7.3 file: save it again with `save -v7`")
    try:
        present = [field for field, _, _ in scipy.io.whosmat(io.BytesIO(data))]
        missing = [field for field in fields if field not in present]
        if missing:
            raise Rejected(
                f"{name} has no field {', '.join(missing)} (it has {', '.join(sorted(present)) or 'none'}): "
                "is it from another data set?"
            )
        content = scipy.io.loadmat(io.BytesIO(data), variable_names=list(fields))
    except Rejected:
        raise
    except Exception as error:  # whatever the parser runs into: a damaged file must not end the run
        raise Rejected(f"{name} is not a readable Matlab file ({type(error).__name__}: {error})") from error
    return {field: content[field] for field in fields}


def landmarks_from_matlab(
    array: Shaped[np.ndarray, "..."], field: str, name: str
) -> Float[np.ndarray, f"{NUM_LANDMARKS} 2"]:
    """68 landmarks as photo pixels whose top-left center is (0, 0).

    Args:
      array: [2, 68], [3, 68] (the depth is dropped), [68, 2] or [68, 3], 1-based.
      field: its name in the file, for messages.
      name: the file's name.

    Raises:
      Rejected: if it has another size or holds no numbers.
    """
    if array.dtype.kind not in "fiu" or array.ndim != 2:
        raise Rejected(f"{field} of {name} is {array.dtype} {list(array.shape)}, not a table of numbers")
    points = array.T if array.shape[0] in (2, 3) else array
    if points.shape not in ((NUM_LANDMARKS, 2), (NUM_LANDMARKS, 3)):
        raise Rejected(f"{field} of {name} is {list(array.shape)}, not 68 points")
    return points[:, :2].astype(np.float64) - 1.0
