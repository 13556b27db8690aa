"""What an interrupted preparation has done so far: a hidden folder beside the target, one file per part.

.NAME.parts/fingerprint     what the parts were made from; others are never mixed in
.NAME.parts/lock            held while a preparation runs, free again when it dies
.NAME.parts/part-00000042   the rows of one part: a .npz file, written under another name and renamed
"""

import fcntl
import io
import json
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sirjax.data.sample import Sample, from_message, to_message
from sirjax.files import write_bytes

DIGEST_BYTES = 32


@dataclass(frozen=True)
class Row:
    """What became of one entry: a sample, or the reason why there is none."""

    name: str
    digest: bytes  # SHA-256 of the image; zeros where it could not be read
    sample: Sample | None = None
    reason: str = ""
    unreadable: bool = False  # the file could not be read at all: many of these in a row mean a lost disk


class PartsError(RuntimeError):
    """The parts cannot be used or written; the message says what to do. What was done before is kept."""


class PartStore:
    """The parts of one preparation. Use as a context manager: it holds the lock."""

    def __init__(self, target: Path, fingerprint: str, *, drop_others: bool = False):
        """Names the folder; nothing is touched before the context is entered.

        Args:
          target: the records folder that is being made.
          fingerprint: of everything that the parts depend on.
          drop_others: delete parts with another fingerprint instead of refusing.
        """
        self.folder = target.parent / f".{target.name}.parts"
        self._target, self._fingerprint, self._drop_others = target, fingerprint, drop_others

    def __enter__(self) -> "PartStore":
        """Opens the folder.

        Raises:
          PartsError: if it cannot be made, another process works on it, or its parts have another fingerprint.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = open(self.folder / "lock", "ab")
        except OSError as error:
            raise PartsError(
                f"cannot write to {self.folder.parent} ({error.strerror}): choose another place for the records"
            ) from None
        try:
            self._open()
        except BaseException:
            self._lock.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.close()

    def _open(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise PartsError(f"another process is preparing {self._target}: wait for it, or end it") from None
        mark = self.folder / "fingerprint"
        if mark.is_file() and mark.read_text() != self._fingerprint:
            if not self._drop_others:
                raise PartsError(
                    f"{self.folder} holds an unfinished preparation of other input or settings: finish it with those, "
                    "or give --overwrite to start anew"
                )
            for part in self.folder.glob("part-*"):
                part.unlink()
        for leftover in self.folder.glob("tmp*"):  # of a process that was killed while writing
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        write_atomically(mark, self._fingerprint.encode())

    def path(self, index: int) -> Path:
        """The file of a part, there or not."""
        return self.folder / f"part-{index:08d}"

    def done(self) -> set[int]:
        """The numbers of the parts that are there."""
        return {int(path.name.removeprefix("part-")) for path in self.folder.glob("part-*")}

    def remove(self) -> None:
        """Deletes the folder with everything in it."""
        shutil.rmtree(self.folder, ignore_errors=True)


def write_part(path: Path, rows: list[Row]) -> None:
    """Writes a part, wholly or not at all.

    Raises:
      PartsError: if there is no room or no permission.
    """
    messages = [b"" if row.sample is None else to_message(row.sample) for row in rows]
    notes = json.dumps([[row.name, row.reason] for row in rows], ensure_ascii=False)
    content = io.BytesIO()
    np.savez(
        content,
        lengths=np.array([len(message) for message in messages], np.int64),
        messages=np.frombuffer(b"".join(messages), np.uint8),
        digests=np.frombuffer(b"".join(row.digest for row in rows), np.uint8).reshape(-1, DIGEST_BYTES),
        notes=np.frombuffer(notes.encode(), np.uint8),
    )
    write_atomically(path, content.getvalue())


def read_part(path: Path) -> list[Row]:
    """The rows of a part.

    Raises:
      PartsError: if the file is damaged.
    """
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as part:
            ends = np.cumsum(part["lengths"]).tolist()
            messages, digests = part["messages"].tobytes(), part["digests"]
            notes = json.loads(part["notes"].tobytes())
        spans = zip([0, *ends[:-1]], ends, strict=True)
        return [
            Row(name, digest.tobytes(), from_message(messages[start:end]) if end > start else None, reason)
            for (name, reason), digest, (start, end) in zip(notes, digests, spans, strict=True)
        ]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise PartsError(f"{path} is damaged ({error}): delete it and start the same command again") from None


def read_digests(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(digests u8 [N, 32], accepted bool [N]) of a part, without its images."""
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as part:
            return part["digests"], part["lengths"] > 0
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise PartsError(f"{path} is damaged ({error}): delete it and start the same command again") from None


def write_atomically(path: Path, content: bytes) -> None:
    """Writes a file, wholly or not at all, even if the machine stops meanwhile.

    Raises:
      PartsError: if there is no room or no permission.
    """
    try:
        write_bytes(path, content, durable=True)
    except OSError as error:
        raise PartsError(storage_advice(path.parent, error)) from None


def storage_advice(folder: Path, error: OSError) -> str:
    """What to say where `folder` cannot be written to."""
    return (
        f"cannot write to {folder} ({error.strerror}): make room or mend the permissions and start the same command "
        "again, it goes on where it stopped"
    )
