"""What an outside face recognizer sees in records: `teacher.npz` beside them, a descriptor of each sample.

descriptors      float32 [N, D], in the records' order; zeros where the recognizer saw nothing
content_sha256   of the records it belongs to (see their manifest.json)
teacher          which recognizer, as text
"""

import io
import zipfile
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from sirjax.data.records import JoinedRecords, RecordSource
from sirjax.files import write_bytes

FILE = "teacher.npz"


def save_descriptors(records: RecordSource, descriptors: Float32[np.ndarray, "N D"], teacher: str) -> Path:
    """Writes the descriptors of records beside them; returns the file.

    Raises:
      ValueError: if there is not one for each sample, or one is not finite.
    """
    if descriptors.ndim != 2 or len(descriptors) != len(records) or not np.isfinite(descriptors).all():
        raise ValueError(
            f"{records.path} needs {len(records)} rows of finite numbers, got an array {list(descriptors.shape)}"
        )
    buffer = io.BytesIO()
    np.savez(
        buffer,
        descriptors=descriptors,
        content_sha256=np.array(records.manifest["content_sha256"]),
        teacher=np.array(teacher),
    )
    path = Path(records.path) / FILE
    write_bytes(path, buffer.getvalue())
    return path


def load_descriptors(records: RecordSource | JoinedRecords) -> Float32[np.ndarray, "N D"]:
    """The descriptors of records; of several folders those of all, which one teacher must have seen.

    Raises:
      FileNotFoundError: if a folder has none.
      ValueError: if they belong to other records or to different teachers, or the file holds something else.
    """
    parts = records.parts if isinstance(records, JoinedRecords) else [records]
    found = [_of_folder(part) for part in parts]
    teachers = {teacher for _, teacher in found}
    if len(teachers) > 1:
        raise ValueError(f"{records.path} was seen by different teachers, {' and '.join(sorted(teachers))}: use one")
    return np.concatenate([descriptors for descriptors, _ in found])


def _of_folder(records: RecordSource) -> tuple[np.ndarray, str]:
    path = Path(records.path) / FILE
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is missing: write it (python -m data_prep.teacher {records.path}), or set losses.teacher=0"
        )
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
            descriptors, seen = arrays["descriptors"], str(arrays["content_sha256"])
            teacher = str(arrays["teacher"])
    except (ValueError, KeyError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is no file of descriptors ({error}): write it again") from None
    if seen != records.manifest["content_sha256"]:
        raise ValueError(f"{path} belongs to other records: write it again (python -m data_prep.teacher)")
    if descriptors.dtype != np.float32 or descriptors.ndim != 2 or len(descriptors) != len(records):
        raise ValueError(
            f"{path} holds {descriptors.dtype} {list(descriptors.shape)}, need float32 [{len(records)}, D]: "
            "write it again"
        )
    return descriptors, teacher
