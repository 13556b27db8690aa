"""The one sample format: aligned crops with the labels they have, as ArrayRecord shards in a folder.

A folder holds
  sirjax_records-samples.array_record-*   the samples, tf.Example messages; neither written nor read by tensorflow
  features.json, dataset_info.json        what tensorflow-datasets needs to open the folder by itself
  identity_class.npy                      int32 [N]: the class of each sample, NO_IDENTITY without one
  manifest.json                           counts, identities, parameters, rejected images, SHA-256 of the content

`open_records(path)` is the way to read it here. With tensorflow-datasets alone:
`tfds.builder_from_directory(path).as_data_source("samples")`.

Every sample of a folder carries the same optional fields. The same samples in the same order give the same bytes.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sirjax.constants import NO_IDENTITY
from sirjax.data import sample as samples
from sirjax.data.sample import FORMAT_VERSION, Sample, Truth

__all__ = ["JoinedRecords", "RecordSource", "RecordsError", "Sample", "Truth", "open_records", "read_manifest"]

MANIFEST = "manifest.json"
CLASS_FILE = "identity_class.npy"


class RecordsError(ValueError):
    """A records folder that cannot be used; the message says what to do."""


class RecordSource(Sequence[Sample]):
    """Random access to the samples of one folder; safe to read from several threads."""

    def __init__(self, path: Path, manifest: dict[str, Any], identity_class: np.ndarray, readers: list[Any]):
        self.path = path
        self.manifest = manifest
        self.identity_class = identity_class  # int32 [N]
        self.identities: list[str] = manifest["identities"]  # names; the index is the class
        self._readers = readers
        self._ends = np.cumsum([shard["samples"] for shard in manifest["shards"]])

    @property
    def num_identities(self) -> int:
        """How many different people the folder labels; 0 without identity labels."""
        return len(self.identities)

    @property
    def has_landmarks(self) -> bool:
        """Whether the samples carry landmark labels."""
        return self.manifest["has_landmarks"]

    def __len__(self) -> int:
        return len(self.identity_class)

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < len(self):
            raise IndexError(f"sample {index} of {self.path}, which has {len(self)}")
        return self._read(int(np.searchsorted(self._ends, index, side="right")), [int(index)])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[Sample]:
        """Several samples at once, in the order asked for: fewer waits for storage and for Python's lock."""
        wanted = np.asarray(indices, np.int64)
        if len(wanted) and not 0 <= wanted.min() <= wanted.max() < len(self):
            raise IndexError(f"samples {wanted.min()} to {wanted.max()} of {self.path}, which has {len(self)}")
        found: list[Any] = [None] * len(wanted)
        shard_of = np.searchsorted(self._ends, wanted, side="right")
        for shard in np.unique(shard_of):
            places = np.flatnonzero(shard_of == shard).tolist()
            for place, sample in zip(places, self._read(int(shard), wanted[places].tolist()), strict=True):
                found[place] = sample
        return found

    def _read(self, shard: int, indices: list[int]) -> list[Sample]:
        first = int(self._ends[shard - 1]) if shard else 0
        classes = self.identity_class[indices].tolist()
        try:
            messages = self._readers[shard].read([index - first for index in indices])
            return [samples.from_message(*pair) for pair in zip(messages, classes, strict=True)]
        except Exception as error:
            name = self.manifest["shards"][shard]["file"]
            which = f"sample {indices[0]}" if len(indices) == 1 else f"one of the samples {sorted(indices)}"
            raise RecordsError(
                f"{which} of {self.path / name} cannot be read ({error}): write the folder again"
            ) from error

    def __reduce__(self):
        return open_records, (self.path,)  # open files cannot be sent to a worker process, names can


class JoinedRecords(Sequence[Sample]):
    """Several folders as one; the identity classes of later folders follow those of earlier ones."""

    def __init__(self, parts: Sequence[RecordSource]):
        self.parts = list(parts)
        self.path = Path("+".join(str(part.path) for part in self.parts))
        self.identities = [f"{part.path.name}/{name}" for part in self.parts for name in part.identities]
        self._ends = np.cumsum([len(part) for part in self.parts])
        self._class_offsets = np.cumsum([0, *(part.num_identities for part in self.parts)])
        self.identity_class = np.concatenate(
            [
                np.where(part.identity_class == NO_IDENTITY, NO_IDENTITY, part.identity_class + offset)
                for part, offset in zip(self.parts, self._class_offsets, strict=False)
            ]
        ).astype(np.int32)

    @property
    def num_identities(self) -> int:
        """How many different people the folders label together; nobody is taken to be in two of them."""
        return len(self.identities)

    @property
    def has_landmarks(self) -> bool:
        """Whether every folder's samples carry landmark labels."""
        return all(part.has_landmarks for part in self.parts)

    def __len__(self) -> int:
        return len(self.identity_class)

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < len(self):
            raise IndexError(f"sample {index} of {self.path}, which has {len(self)}")
        part = int(np.searchsorted(self._ends, index, side="right"))
        sample = self.parts[part][index - (int(self._ends[part - 1]) if part else 0)]
        return dataclasses.replace(sample, identity_class=int(self.identity_class[index]))

    def __getitems__(self, indices: Sequence[int]) -> list[Sample]:
        """Several samples at once, in the order asked for."""
        wanted = np.asarray(indices, np.int64)
        if len(wanted) and not 0 <= wanted.min() <= wanted.max() < len(self):
            raise IndexError(f"samples {wanted.min()} to {wanted.max()} of {self.path}, which has {len(self)}")
        found: list[Any] = [None] * len(wanted)
        part_of = np.searchsorted(self._ends, wanted, side="right")
        for part in np.unique(part_of):
            places = np.flatnonzero(part_of == part)
            own = (wanted[places] - (self._ends[part - 1] if part else 0)).tolist()
            for place, sample in zip(places.tolist(), self.parts[part].__getitems__(own), strict=True):
                found[place] = dataclasses.replace(sample, identity_class=int(self.identity_class[wanted[place]]))
        return found

    def __reduce__(self):
        return open_records, ([part.path for part in self.parts],)


def open_records(path: str | Path | Sequence[str | Path], *, verify: bool = False) -> RecordSource | JoinedRecords:
    """Opens a records folder, or several as one.

    Args:
      path: the folder, or a list of folders.
      verify: also read everything and compare it with the manifest's SHA-256 (about 1 s per GB).

    Raises:
      RecordsError: if the folder is missing, empty, of another format version, or not what its manifest says.
    """
    if not isinstance(path, str | Path):
        if not path:
            raise RecordsError("no records folder is named: give at least one")
        return JoinedRecords([_open_folder(Path(part), verify) for part in path])
    return _open_folder(Path(path), verify)


def read_manifest(path: str | Path) -> dict[str, Any]:
    """The manifest of a records folder, checked for its format version.

    Raises:
      RecordsError: if it is missing, unreadable or of another version.
    """
    path = Path(path)
    if not path.is_dir():
        raise RecordsError(f"{path} is not a folder: make records with `sirjax prepare` or data_prep, or mend the path")
    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecordsError(
            f"{path} has no {MANIFEST}: it is not a records folder (photos become one through data_prep)"
        ) from None
    except ValueError as error:
        raise RecordsError(f"{path / MANIFEST} is not JSON ({error}): write the folder again") from None
    version = manifest.get("format_version")
    if version != FORMAT_VERSION:
        raise RecordsError(
            f"{path} has records of format {version}, this sirjax reads {FORMAT_VERSION}: write the folder again"
        )
    return manifest


def _open_folder(path: Path, verify: bool) -> RecordSource:
    manifest = read_manifest(path)
    if not manifest["samples"]:
        raise RecordsError(f"{path} holds no samples: see 'rejected' in its {MANIFEST}")
    readers = [_open_shard(path / shard["file"], shard) for shard in manifest["shards"]]
    try:
        identity_class = np.load(path / CLASS_FILE, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise RecordsError(f"{path / CLASS_FILE} cannot be read ({error}): write the folder again") from None
    if identity_class.shape != (manifest["samples"],):
        raise RecordsError(
            f"{path / CLASS_FILE} lists {identity_class.shape} samples, {MANIFEST} {manifest['samples']}: "
            "write the folder again"
        )
    source = RecordSource(path, manifest, identity_class, readers)
    if verify:
        _verify(source)
    return source


def _open_shard(path: Path, shard: Mapping[str, Any]) -> Any:
    from array_record.python.array_record_module import ArrayRecordReader

    if not path.is_file():
        raise RecordsError(f"{path} is missing: copy the whole folder, or write it again")
    size = path.stat().st_size
    if size != shard["bytes"]:
        raise RecordsError(
            f"{path} has {size} bytes, its manifest says {shard['bytes']}: it was cut short or changed; "
            "copy or write the folder again"
        )
    reader = ArrayRecordReader(str(path), "readahead_buffer_size:0", file_reader_buffer_size=4096)
    # A file that is not an ArrayRecord opens as one without records instead of raising.
    found = reader.num_records()
    if found != shard["samples"]:
        raise RecordsError(f"{path} holds {found} readable samples instead of {shard['samples']}: write it again")
    return reader


def _verify(source: RecordSource) -> None:
    digest = hashlib.sha256()
    for message in messages(source):
        digest.update(message)
    if digest.hexdigest() != source.manifest["content_sha256"]:
        raise RecordsError(f"the samples of {source.path} are not those its manifest was written for: write it again")


def messages(source: RecordSource) -> Iterator[bytes]:
    """The stored messages of a folder, in order, as they are on disk."""
    for reader, shard in zip(source._readers, source.manifest["shards"], strict=True):
        for index in range(shard["samples"]):
            yield reader.read([index])[0]
