"""From a raw data set to a records folder: in parts, by several processes, restartable, the same bytes every time.

    source.entries() -> parts of 256 -> worker processes -> .NAME.parts/part-* -> duplicates out -> records folder

A part is written atomically and depends on nothing but its entries, the settings and the versions of the libraries that
decode and detect. So a killed run goes on with the parts that are missing, and neither the number of workers nor the
number of interruptions shows in the result.
"""

import hashlib
import importlib.metadata
import itertools
import json
import shutil
import sys
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from data_prep.duplicates import find_duplicates
from data_prep.identity_folders import printable
from data_prep.part_worker import Settings
from data_prep.parts import PartsError, PartStore, read_digests, read_part, storage_advice
from data_prep.source import Entry, HasSideFiles, Source
from data_prep.workers import Made, Task, make_parts
from sirjax.constants import IMAGE_SIZE
from sirjax.data.records import MANIFEST, RecordsError, RecordSource, open_records, read_manifest
from sirjax.data.sample import Sample
from sirjax.data.writing import RecordWriter

ENGINE_VERSION = 1  # raised when the same input gives other bytes than before
PART_ENTRIES = 256
# Who makes the missing parts; the number is that of workers.
MakeParts = Callable[[Source, Sequence[Task], Settings, int], Generator[Made, None, None]]
_LIBRARIES = ("jax", "numpy", "opencv-python")  # the crops' bytes may differ from one version to the next


def prepare(
    source: Source,
    out: str | Path,
    *,
    workers: int = 1,
    overwrite: bool = False,
    progress: bool = True,
    settings: Settings | None = None,
    entries: Sequence[Entry] | None = None,
    selection: str = "all",
    part_entries: int = PART_ENTRIES,
    make: MakeParts = make_parts,
) -> RecordSource:
    """Makes the records of a raw data set, or goes on making them, or finds them made.

    Processes are spawned: a script that calls this needs an `if __name__ == "__main__":`.

    Args:
      source: the raw data set.
      out: the records folder to make. What is done so far is kept in a hidden folder beside it until all is done.
      workers: processes; the bytes do not depend on it.
      overwrite: replace other records at `out`, and drop an unfinished preparation of other input or settings.
      progress: draw a bar with rate and remaining time.
      settings: how samples are encoded.
      entries: which of the source's entries to take, in increasing order of name; by default all.
      selection: in words, how `entries` were selected; kept in the manifest.
      part_entries: entries per part.
      make: who makes the missing parts: processes of this machine, or other machines (data_prep.beam_pipeline).

    Returns:
      The records.

    Raises:
      ValueError: if there is nothing to prepare, or no image could be used.
      FileExistsError: if `out` holds other records and `overwrite` is off.
      PartsError: if the target cannot be written; what was done before is kept.
    """
    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    out, settings = Path(out), settings or Settings()
    entries = _with_printable_names(source.entries() if entries is None else entries)
    _check_entries(entries)
    parameters = {
        **source.parameters,
        "image_size": list(IMAGE_SIZE),
        **asdict(settings),
        "selection": selection,
    }
    side_files = source.side_files() if isinstance(source, HasSideFiles) else {}
    origin = {
        "entries": len(entries),
        "entries_sha256": _digest((entry.name, entry.identity) for entry in entries),
        "side_files_sha256": _digest(sorted(side_files.items())),
    }
    store = PartStore(out, _fingerprint(entries, parameters, part_entries), drop_others=overwrite)
    if _is_made(out, parameters, origin):
        shutil.rmtree(store.folder, ignore_errors=True)  # of a run that was killed just after its last step
        return _open(out)
    _refuse_other_records(out, overwrite)
    with store:
        _make_missing_parts(source, entries, store, settings, workers, part_entries, progress, make)
        paths = [store.path(index) for index in range(-(-len(entries) // part_entries))]
        writer = RecordWriter(
            out,
            parameters=parameters,
            origin=origin | {"images_sha256": _digest_of_images(paths)},
            overwrite=overwrite,
            in_order=True,
            scratch=store.folder / "tmp-records",  # cleared away like everything that a killed process leaves
        )
        _assemble(paths, writer, side_files, progress)
        store.remove()
    return _open(out)


def _with_printable_names(entries: Sequence[Entry]) -> Sequence[Entry]:
    """File names that are no text cannot be stored: they become text here, if their source did not see to it."""

    def is_text(entry: Entry) -> bool:
        return all(text == printable(text) for text in (entry.name, entry.identity or ""))

    if all(is_text(entry) for entry in entries):
        return entries
    changed = (
        replace(entry, name=printable(entry.name), identity=entry.identity and printable(entry.identity))
        for entry in entries
    )
    return sorted(changed, key=lambda entry: entry.name)


def _check_entries(entries: Sequence[Entry]) -> None:
    if not entries:
        raise ValueError("there is nothing to prepare: the data set, or the selected part of it, is empty")
    for before, entry in itertools.pairwise(entries):
        if entry.name <= before.name:
            raise ValueError(f"entries must be sorted and unique, {entry.name!r} follows {before.name!r}")


def _is_made(out: Path, parameters: dict[str, Any], origin: dict[str, Any]) -> bool:
    try:
        manifest = read_manifest(out)
    except RecordsError:
        return False
    # Through JSON: tuples become lists there.
    same_parameters = manifest["parameters"] == json.loads(json.dumps(parameters))
    return same_parameters and origin.items() <= manifest.get("origin", {}).items()


def _refuse_other_records(out: Path, overwrite: bool) -> None:
    if (out / MANIFEST).is_file() and not overwrite:
        raise FileExistsError(
            f"{out} was made from other input or with other settings: choose another name, or give --overwrite"
        )


def _fingerprint(entries: Sequence[Entry], parameters: dict[str, Any], part_entries: int) -> str:
    """Of everything that a part's bytes depend on."""
    settings = json.dumps([ENGINE_VERSION, part_entries, parameters, library_versions()], sort_keys=True)
    return _digest([settings, *((entry.name, entry.identity, entry.where) for entry in entries)])


def library_versions() -> dict[str, str]:
    """Versions of the libraries on which a part's bytes depend."""
    return {name: importlib.metadata.version(name) for name in _LIBRARIES}


def _digest(items: Iterable[Any]) -> str:
    digest = hashlib.sha256()
    for item in items:
        digest.update(repr(item).encode() + b"\n")
    return digest.hexdigest()


def _make_missing_parts(
    source: Source,
    entries: Sequence[Entry],
    store: PartStore,
    settings: Settings,
    workers: int,
    part_entries: int,
    progress: bool,
    make: MakeParts,
) -> None:
    done = store.done()
    tasks = [
        Task(index, store.path(index), entries[start : start + part_entries])
        for index, start in enumerate(range(0, len(entries), part_entries))
        if index not in done
    ]
    finished = len(entries) - sum(len(task.entries) for task in tasks)
    bar = tqdm(total=len(entries), initial=finished, unit=" photos", desc="preparing", disable=not progress)
    rejected = 0
    with bar, closing(make(source, tasks, settings, workers)) as parts:
        try:
            for made in parts:
                rejected += made.rejected
                bar.set_postfix(rejected=rejected, refresh=False)
                bar.update(made.entries)
        except KeyboardInterrupt:
            print(f"\n{bar.n} of {len(entries)} photos are done; the same command goes on from there", file=sys.stderr)
            raise


def _assemble(paths: list[Path], writer: RecordWriter, side_files: dict[str, str], progress: bool) -> None:
    """Joins the parts to a records folder, without the faces that are in there twice."""
    duplicates = find_duplicates(paths)
    _check_room(paths, writer.path)
    first: Sample | None = None
    try:
        with writer, tqdm(total=len(paths), unit=" parts", desc="writing", disable=not progress) as bar:
            for path in paths:
                for row in read_part(path):
                    reason = duplicates.get(row.name, row.reason)
                    if row.sample is None or reason:
                        writer.reject(row.name, reason)
                        continue
                    first = first or row.sample
                    if _labels(row.sample) == _labels(first):
                        writer.add(row.sample)
                    else:
                        writer.reject(row.name, f"it has not the labels of the first image, {first.name}")
                bar.update()
            for name, text in side_files.items():
                writer.add_file(name, text)
    except OSError as error:
        raise PartsError(storage_advice(writer.path.parent, error)) from None


def _labels(sample: Sample) -> tuple[bool, bool]:
    """All samples of a set carry the same labels: which of them this one has."""
    return sample.landmarks is not None, sample.identity is not None


def _digest_of_images(paths: list[Path]) -> str:
    """SHA-256 of the SHA-256 of all images as found, zeros for those that could not be read."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(read_digests(path)[0].tobytes())
    return digest.hexdigest()


def _check_room(paths: list[Path], out: Path) -> None:
    needed = sum(path.stat().st_size for path in paths)
    free = shutil.disk_usage(out.parent).free
    if free < needed:
        raise PartsError(
            f"{out.parent} has {free / 2**20:.0f} MiB left, the records need {needed / 2**20:.0f}: make room and start "
            "the same command again, it goes on where it stopped"
        )


def _open(out: Path) -> RecordSource:
    records = open_records(out)
    if not isinstance(records, RecordSource):
        raise TypeError(f"{out} is one folder")
    return records
