"""What an outside face recognizer sees in records: `teacher.npz` beside them, a descriptor of each sample.

descriptors      float32 [N, D], in the records' order; zeros where the recognizer saw nothing
content_sha256   of the records it belongs to (see their manifest.json)
teacher          which recognizer, as text
"""

import io
import logging
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from sirjax.data.records import JoinedRecords, RecordSource
from sirjax.files import write_bytes

FILE = "teacher.npz"

logger = logging.getLogger("sirjax")


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


def load_descriptors(kinds: Sequence[RecordSource | JoinedRecords | None]) -> list[Float32[np.ndarray, "N D"] | None]:
    """The descriptors of the samples of each kind of records, None for a kind that there is not.

    Folders without descriptors, such as renderings that no recognizer was shown, get zeros: their samples have no part
    in the teacher's loss. One teacher must have seen the others.

    Raises:
      FileNotFoundError: if no folder has descriptors.
      ValueError: if they belong to other records or to different teachers, or a file holds something else.
    """
    parts = [_parts(records) for records in kinds]
    found = {part.path: _of_folder(part) for kind in parts for part in kind if (Path(part.path) / FILE).is_file()}
    unseen = [str(part.path) for kind in parts for part in kind if part.path not in found]
    if not found:
        raise FileNotFoundError(
            f"none of {', '.join(unseen)} has a {FILE}: write it (python -m data_prep.teacher {unseen[0]}), or set "
            "losses.teacher=0"
        )
    teachers = {f"{teacher} (of {array.shape[1]} numbers)" for array, teacher in found.values()}
    if len(teachers) > 1:
        raise ValueError(f"photos were seen by different teachers, {' and '.join(sorted(teachers))}: use one")
    if unseen:
        logger.info("no teacher has seen %s: no part in losses.teacher", ", ".join(unseen))
    size = next(iter(found.values()))[0].shape[1]

    def descriptors(part: RecordSource) -> np.ndarray:
        return found[part.path][0] if part.path in found else np.zeros((len(part), size), np.float32)

    return [np.concatenate([descriptors(part) for part in kind]) if kind else None for kind in parts]


def _parts(records: RecordSource | JoinedRecords | None) -> Sequence[RecordSource]:
    if records is None:
        return ()
    return records.parts if isinstance(records, JoinedRecords) else (records,)


def _of_folder(records: RecordSource) -> tuple[np.ndarray, str]:
    path = Path(records.path) / FILE
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
