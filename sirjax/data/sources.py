"""The sets that training draws from, by the names they have in the settings."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sirjax.data.mixture import Part
from sirjax.data.records import JoinedRecords, RecordSource, open_records
from sirjax.data.teacher import load_descriptors


@dataclasses.dataclass(frozen=True)
class Sources:
    """The two kinds of training images (Eq. 9): opened records, or None for a kind that is left out."""

    identity: Any = None  # RecordSource or JoinedRecords with identity labels (S_id of the paper)
    landmark: Any = None  # RecordSource or JoinedRecords with landmarks (S_recon of the paper)
    identity_parts: tuple[Part, ...] = ()  # folders with shares of their own; empty: one shuffle of all
    landmark_parts: tuple[Part, ...] = ()
    identity_teacher: Any = None  # float32 [N, D] descriptors of the identity samples by an outside recognizer
    landmark_teacher: Any = None

    def __post_init__(self):
        if self.identity is not None and self.identity.num_identities == 0:
            raise ValueError(f"{self.identity.path} has no identity labels: use it as a landmark set")
        if self.landmark is not None and not self.landmark.has_landmarks:
            raise ValueError(f"{self.landmark.path} has no landmarks: use it as an identity set")
        if len(self._teacher_sizes) > 1:
            sizes = sorted(self._teacher_sizes)
            raise ValueError(f"descriptors of one teacher have one size, got {sizes}: use one teacher")

    @property
    def _teacher_sizes(self) -> set[int]:
        return {seen.shape[1] for seen in (self.identity_teacher, self.landmark_teacher) if seen is not None}

    @property
    def teacher_size(self) -> int:
        """Numbers of a teacher's descriptor; 0 without a teacher."""
        return max(self._teacher_sizes, default=0)

    @property
    def num_identities(self) -> int:
        """Rows that the identity tables need."""
        return 0 if self.identity is None else self.identity.num_identities


def open_sources(
    *, identity: str | Sequence[str] = "", landmark: str | Sequence[str] = "", teacher: bool = False
) -> Sources:
    """Opens the records folders of both kinds.

    A kind is one folder, or several separated by commas (or a sequence). Several are shuffled as one set, unless each
    name ends in "=" and the folder's share of the kind's draws: "records/web=3, records/studio=1" draws three samples
    of the first folder for each of the second, whatever their sizes. A set with both labels belongs to the identity
    sets: its landmarks are used there, too. With `teacher` the descriptors beside the folders are read, too;
    folders without any have no part in the teacher's loss.

    Raises:
      ValueError: if nothing is named, a folder twice, or only some with shares.
      RecordsError: if a folder cannot be opened.
    """
    if not identity and not landmark:
        raise ValueError("data.landmark and data.identity are both empty: name at least one folder of records")
    identity_records, identity_parts = _open_kind(identity)
    landmark_records, landmark_parts = _open_kind(landmark)
    kinds = (identity_records, landmark_records)
    seen = load_descriptors(kinds) if teacher else (None, None)
    return Sources(identity_records, landmark_records, identity_parts, landmark_parts, *seen)


def folders_of(names: str | Sequence[str]) -> list[str]:
    """The folders that a setting like `data.landmark` names, without their shares; they need not exist."""
    return [_folder_and_share(name)[0] for name in _split(names)] if names else []


def _open_kind(names: str | Sequence[str]) -> tuple[RecordSource | JoinedRecords | None, tuple[Part, ...]]:
    if not names:
        return None, ()
    folders, shares = zip(*map(_folder_and_share, _split(names)), strict=True)
    if len({str(Path(folder).resolve()) for folder in folders}) < len(folders):
        raise ValueError(f"a folder is named twice in {', '.join(folders)}: give it a larger share instead")
    if len(folders) == 1:
        return open_records(folders[0]), ()
    records = open_records(folders)
    if all(share is None for share in shares):
        return records, ()
    if None in shares:
        raise ValueError(f"of {', '.join(folders)} only some have a share: give one to each (folder=share) or to none")
    sizes = [len(part) for part in records.parts]
    return records, tuple(Part(size, share) for size, share in zip(sizes, shares, strict=True))


def _split(names: str | Sequence[str]) -> list[str]:
    if not isinstance(names, str):
        return [str(name) for name in names]
    if Path(names).is_dir():  # a comma may be part of a name
        return [names]
    return [name.strip() for name in names.split(",") if name.strip()]


def _folder_and_share(name: str) -> tuple[str, float | None]:
    folder, equals, share = name.rpartition("=")
    if not equals or Path(name).is_dir():
        return name, None
    try:
        return folder.strip(), float(share)
    except ValueError:
        return name, None
