"""Writes records folders: all or nothing, the same samples to the same bytes."""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
from array import array
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from sirjax.constants import IMAGE_SIZE, NO_IDENTITY, NUM_LANDMARKS
from sirjax.data import description, records
from sirjax.data import sample as samples
from sirjax.data.sample import Sample
from sirjax.files import umask

SHARD_BYTES = 64 * 2**20


class RecordWriter:
    """Collects samples in a hidden folder beside the target and gives it the target's name when all went well.

        with RecordWriter(path, parameters={"seed": 0}) as writer:
            writer.add(sample)
            writer.reject("folder/photo.jpg", "no face found")

    An exception (or Ctrl-C) inside the block leaves nothing behind.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        parameters: Mapping[str, Any] | None = None,
        overwrite: bool = False,
        shard_bytes: int = SHARD_BYTES,
        origin: Mapping[str, Any] | None = None,
        in_order: bool = False,
        scratch: str | Path | None = None,
    ):
        """Starts a folder.

        Args:
          path: the folder to make.
          parameters: how the samples were made (JSON), kept in the manifest: the preparer's name and options, a seed,
            the face model's fingerprint, a licence. No machine-dependent paths, or the bytes differ between machines.
          overwrite: replace an existing records folder once the new one is complete.
          shard_bytes: start another file after so many bytes of samples.
          origin: what the samples were made from (JSON), kept in the manifest beside the parameters.
          in_order: names come in increasing order, so that they need not be remembered: with millions of samples this
            saves hundreds of megabytes.
          scratch: build in this folder, which must be empty or missing and on the same file system; by default a new
            hidden one beside the target.

        Raises:
          FileExistsError: if `path` exists and `overwrite` is off, or is something other than a records folder.
        """
        self.path = Path(path)
        if self.path.exists():
            is_records = (self.path / records.MANIFEST).is_file()
            if not is_records and not (self.path.is_dir() and not any(self.path.iterdir())):
                raise FileExistsError(f"{self.path} exists and is no records folder: choose another name")
            if is_records and not overwrite:
                raise FileExistsError(f"{self.path} already holds records: choose another name, or ask to overwrite")
        self._parameters = dict(parameters or {})
        self._origin = dict(origin or {})
        self._scratch = None if scratch is None else Path(scratch)
        self._shard_bytes = shard_bytes
        self._classes: dict[str, int] = {}
        self._identity_class = array("i")
        self._in_order = in_order
        self._last_name = ""
        self._names: set[str] = set()
        self._rejected: dict[str, str] = {}
        self._layout: dict[str, Any] | None = None
        self._shards: list[dict[str, Any]] = []
        self._shard: Any = None
        self._digest = hashlib.sha256()

    def __enter__(self) -> "RecordWriter":
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self._scratch is not None:
            self._folder = self._scratch
            self._folder.mkdir(parents=True, exist_ok=True)
        else:
            self._folder = Path(tempfile.mkdtemp(prefix=f".{self.path.name}.", suffix=".partial", dir=self.path.parent))
            self._folder.chmod(0o777 & ~umask())  # mkdtemp makes it private
        return self

    def add(self, sample: Sample) -> None:
        """Appends a sample; identities get their class number in the order in which they first appear.

        Raises:
          ValueError: if the sample is malformed, has other fields than the first one, or its name was used already.
        """
        _check(sample)
        fields = samples.layout(sample)
        if self._layout is None:
            self._layout = fields
        elif fields != self._layout:
            raise ValueError(
                f"sample {sample.name!r} has the fields {fields}, earlier ones {self._layout}: "
                "write samples with different labels to different folders"
            )
        self._take_name(sample.name)
        identity_class = NO_IDENTITY
        if sample.identity is not None:
            identity_class = self._classes.setdefault(sample.identity, len(self._classes))
        self._identity_class.append(identity_class)
        self._write(samples.to_message(sample))

    def _take_name(self, name: str) -> None:
        if self._in_order and name < self._last_name:
            raise ValueError(f"sample {name!r} follows {self._last_name!r}: sort them, or write without in_order")
        if name in self._names or (self._in_order and name == self._last_name):
            raise ValueError(f"two samples are named {name!r}: names must be unique")
        self._last_name = name
        if not self._in_order:
            self._names.add(name)

    def reject(self, name: str, reason: str) -> None:
        """Notes in the manifest an input that did not become a sample."""
        self._rejected[name] = reason

    def add_file(self, name: str, text: str) -> None:
        """Puts a text file beside the samples: what the set as a whole comes with, such as pairs to compare.

        Raises:
          ValueError: if the name is a path, or that of a file that records are made of.
        """
        if Path(name).name != name or name.endswith((".json", ".npy")) or "array_record" in name:
            raise ValueError(f"a file beside records cannot be named {name!r}: choose a plain name such as pairs.tsv")
        (self._folder / name).write_text(text, encoding="utf-8")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._close_shard()
            if kind is None:
                self._finish()
                self._publish()
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _write(self, message: bytes) -> None:
        from array_record.python.array_record_module import ArrayRecordWriter

        if self._shard is None or self._shards[-1]["message_bytes"] >= self._shard_bytes:
            self._close_shard()
            # Images are compressed already; groups of one make random access cheap.
            path = self._folder / f"shard-{len(self._shards)}"
            self._shard = ArrayRecordWriter(str(path), "group_size:1,uncompressed")
            self._shards.append({"samples": 0, "message_bytes": 0})
        with _as_os_error():
            self._shard.write(message)
        self._digest.update(message)
        self._shards[-1]["samples"] += 1
        self._shards[-1]["message_bytes"] += len(message)

    def _close_shard(self) -> None:
        if self._shard is not None:
            shard, self._shard = self._shard, None
            with _as_os_error():
                shard.close()

    def _finish(self) -> None:
        for index, shard in enumerate(self._shards):
            file = f"{samples.DATASET_NAME}-{samples.SPLIT}.array_record-{index:05d}-of-{len(self._shards):05d}"
            (self._folder / f"shard-{index}").rename(self._folder / file)
            shard["file"] = file
            shard["bytes"] = (self._folder / file).stat().st_size
        if self._layout is not None:
            description.write(
                self._folder,
                self._layout,
                (*IMAGE_SIZE, 3),
                [shard["samples"] for shard in self._shards],
                sum(shard["message_bytes"] for shard in self._shards),
            )
        np.save(self._folder / records.CLASS_FILE, np.array(self._identity_class, np.int32))
        manifest = {
            "format_version": samples.FORMAT_VERSION,
            "samples": len(self._identity_class),
            "num_identities": len(self._classes),
            "has_landmarks": self._layout is not None and "landmarks" in self._layout,
            "has_truth": self._layout is not None and "truth_shape" in self._layout,
            "content_sha256": self._digest.hexdigest(),
            "parameters": self._parameters,
            **({"origin": self._origin} if self._origin else {}),
            "rejected_count": len(self._rejected),
            "rejected": dict(sorted(self._rejected.items())),
            "shards": [{key: shard[key] for key in ("file", "samples", "bytes")} for shard in self._shards],
            "identities": list(self._classes),
        }
        text = json.dumps(manifest, indent=1, ensure_ascii=False, sort_keys=False)
        (self._folder / records.MANIFEST).write_text(text + "\n", encoding="utf-8")

    def _publish(self) -> None:
        if self.path.exists():
            # A folder cannot be replaced in one step: move the old one aside first, delete it last.
            old = self._folder.with_suffix(".old")
            self.path.rename(old)
            os.replace(self._folder, self.path)
            shutil.rmtree(old)
        else:
            os.replace(self._folder, self.path)


def write_records(
    path: str | Path,
    samples: Iterable[Sample],
    *,
    parameters: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> records.RecordSource | records.JoinedRecords:
    """Writes samples to a new folder and opens it; see `RecordWriter`."""
    with RecordWriter(path, parameters=parameters, overwrite=overwrite) as writer:
        for sample in samples:
            writer.add(sample)
    return records.open_records(path)


def _check(sample: Sample) -> None:
    if np.shape(sample.crop_from_photo) != (2, 3):
        raise ValueError(f"crop_from_photo of sample {sample.name!r} is {np.shape(sample.crop_from_photo)}, not (2, 3)")
    for landmarks in (sample.landmarks, None if sample.truth is None else sample.truth.landmarks):
        if landmarks is not None and (np.shape(landmarks) != (NUM_LANDMARKS, 2) or not np.isfinite(landmarks).all()):
            raise ValueError(f"landmarks of sample {sample.name!r} are not {NUM_LANDMARKS} finite points")
    if sample.identity == "":
        raise ValueError(f"sample {sample.name!r} has an empty identity: use None where there is none")


@contextlib.contextmanager
def _as_os_error() -> Iterator[None]:
    """The ArrayRecord writer says that the disk is full by a RuntimeError."""
    try:
        yield
    except RuntimeError as error:
        raise OSError(errno.EIO, str(error)) from None
