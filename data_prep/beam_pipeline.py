"""The preparation on many machines: an Apache Beam pipeline makes the parts, this machine joins them.

    list of entries -> storage/entries.jsonl
    part numbers -> Reshuffle -> on each worker: read entries, detect, align, encode -> storage/part-00000042
    storage/part-* -> this machine's part folder -> records folder, as in a preparation on one machine

The parts are made by the very code that makes them here (data_prep.workers), in a process of its own with one thread,
so the records are the same, byte for byte. Parts that a stopped job left in the storage are not made again.

Needs the extra `beam`, on the workers as well.
"""

import copy
import json
import tempfile
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions

from data_prep.beam_files import BeamPath
from data_prep.part_worker import Settings
from data_prep.parts import PartsError, read_digests, write_atomically
from data_prep.preparation import MakeParts, library_versions
from data_prep.source import Entry, Source
from data_prep.workers import Made, Task, make_parts

PARTS_PER_ELEMENT = 8  # one process makes so many, or its start (a few seconds) would cost as much as the work
_ENTRIES = "entries.jsonl"


def beam_maker(options: Sequence[str] = (), *, storage: str | None = None, raw_url: str | None = None) -> MakeParts:
    """What `preparation.prepare` takes as `make`: lets a Beam runner make the missing parts.

    Args:
      options: Beam's own, like ["--runner=FlinkRunner", "--flink_master=host:8081"]; by default all runs here.
      storage: folder that this machine and the workers can reach (gs://bucket/folder, or a path that all of them mount)
        for parts under way; by default beside the records, for which they must be on such a path.
      raw_url: where workers find the folder that is the source's `root` here; by default at the same path.
    """

    def make(source: Source, tasks: Sequence[Task], settings: Settings, workers: int) -> Generator[Made, None, None]:
        del workers  # how many there are is for the runner to say
        if not tasks:
            return
        local = tasks[0].path.parent
        folder = BeamPath(str(local.resolve()) if storage is None else storage) / _mark(local)
        spans = _store_entries(tasks, folder)
        work = PartsWorker(moved(source, raw_url), settings, folder.url)
        with beam.Pipeline(options=PipelineOptions(list(options))) as pipeline:
            _ = (
                pipeline
                | "part numbers" >> beam.Create(_grouped(spans))
                | "spread" >> beam.Reshuffle()
                | "make parts" >> beam.ParDo(work)
            )
        for task in tasks:
            write_atomically(task.path, _fetched(folder, task))
            accepted = read_digests(task.path)[1]
            yield Made(task.index, len(task.entries), int((~accepted).sum()))
        FileSystems.delete([(folder / name).url for name in (_ENTRIES, *(_part_name(task.index) for task in tasks))])

    return make


class PartsWorker(beam.DoFn):
    """Makes the parts of one element and stores them."""

    def __init__(self, source: Source, settings: Settings, folder_url: str):
        self._source, self._settings, self._folder_url = source, settings, folder_url
        self._versions = library_versions()

    def setup(self) -> None:
        """Refuses a worker whose libraries would make other bytes.

        Raises:
          RuntimeError: naming the libraries.
        """
        here = library_versions()
        other = {name: here[name] for name in here if here[name] != self._versions[name]}
        if other:
            wanted = ", ".join(f"{name}=={self._versions[name]}" for name in other)
            raise RuntimeError(f"this worker has {other}: the same records need {wanted} on every worker")

    def process(self, element: Sequence[tuple[int, int, int]]) -> Iterator[int]:
        """Yields the numbers of the parts that were made.

        Args:
          element: (number, byte offset, length) of parts in the list of entries.
        """
        folder = BeamPath(self._folder_url)
        missing = [span for span in element if not (folder / _part_name(span[0])).is_file()]
        with tempfile.TemporaryDirectory() as scratch:
            tasks = [Task(i, Path(scratch, str(i)), _read_entries(folder, start, n)) for i, start, n in missing]
            for made in make_parts(self._source, tasks, self._settings, 1):
                (folder / _part_name(made.index)).write_bytes(Path(scratch, str(made.index)).read_bytes())
                yield made.index


def moved(source: Source, raw_url: str | None) -> Source:
    """The source as workers read it, its folder being somewhere else; the source itself without `raw_url`.

    Raises:
      ValueError: if the source is not one folder.
    """
    if raw_url is None:
        return source
    if not hasattr(source, "root"):
        raise ValueError(
            f"{type(source).__name__} cannot be read from {raw_url}: put the data on a path that all workers mount"
        )
    there: Any = copy.copy(source)
    there.root = BeamPath(raw_url)
    return there


def _mark(local: Path) -> str:
    """Keeps parts of other input, settings or versions apart."""
    return (local / "fingerprint").read_text()[:16]


def _part_name(index: int) -> str:
    return f"part-{index:08d}"


def _store_entries(tasks: Sequence[Task], folder: BeamPath) -> list[tuple[int, int, int]]:
    """Writes the list of entries, one part a line; returns (number, byte offset, length) of each part.

    The list may be too long to be part of the pipeline: runners limit the size of a job's description.
    """
    spans, lines, position = [], [], 0
    for task in tasks:
        line = json.dumps([[entry.name, entry.identity, entry.where] for entry in task.entries]).encode() + b"\n"
        spans.append((task.index, position, len(line)))
        lines.append(line)
        position += len(line)
    path = folder / _ENTRIES
    if not FileSystems.exists(folder.url):
        FileSystems.mkdirs(folder.url)
    if path.is_file():  # of a job that was stopped: some storages refuse to rename onto another file
        FileSystems.delete([path.url])
    path.write_bytes(b"".join(lines))
    return spans


def _read_entries(folder: BeamPath, start: int, length: int) -> list[Entry]:
    with (folder / _ENTRIES).open() as file:
        file.seek(start)
        content = json.loads(file.read(length))
    return [Entry(name, identity, tuple(where)) for name, identity, where in content]


def _grouped(spans: Sequence[tuple[int, int, int]]) -> list[list[tuple[int, int, int]]]:
    return [list(spans[i : i + PARTS_PER_ELEMENT]) for i in range(0, len(spans), PARTS_PER_ELEMENT)]


def _fetched(folder: BeamPath, task: Task) -> bytes:
    path = folder / _part_name(task.index)
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise PartsError(
            f"the job ended without {path}: see the runner's log; the same command goes on with what is missing"
        ) from None
