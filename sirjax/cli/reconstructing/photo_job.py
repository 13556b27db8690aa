"""Draws and writes the faces of photos in a thread, while the next ones are read; keeps the tables and the counts."""

import sys
from collections import Counter, deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from sirjax.cli.outputs import Row, StatusTable, key
from sirjax.cli.reconstructing.face_table import FaceTable
from sirjax.cli.reconstructing.stream import MAX_WAITING_PIXELS, Item, total_pixels
from sirjax.cli.reconstructing.writing import FaceWriter, face_row

MAX_UNWRITTEN = 16  # photos whose faces wait for being written


@dataclass
class PhotoJob:
    """Takes photos with their faces one by one; a context manager, whose end finishes what still waits.

    The writing thread is one: what is written in which order does not depend on chance.
    """

    writer: FaceWriter
    table: StatusTable
    face_table: FaceTable
    progress: Any
    counts: Counter = field(default_factory=Counter)  # faces that are ok; photos that failed, by status
    _unwritten: deque[tuple[Item, str, Future]] = field(default_factory=deque)
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(max_workers=1))

    def __enter__(self) -> "PhotoJob":
        return self

    def __exit__(self, kind: type | None, *_) -> None:
        self._pool.shutdown(cancel_futures=kind is not None)
        self._unwritten = deque(entry for entry in self._unwritten if not entry[2].cancelled())
        self._collect(finish=True)  # what an interrupted run has written all the same

    def take(self, item: Item) -> None:
        """Hands the faces of a photo to the writing thread, or notes why there are none."""
        if not item.faces:
            self._fail(item, item.status, item.message)
            return
        assert item.photo is not None
        item.faces = [self.writer.metric(face) for face in item.faces]
        folder = self.table.folder_for(item.path)
        work = self._pool.submit(
            self.writer.write, folder, key(item.path), item.path.name, item.photo.image, item.faces
        )
        self._unwritten.append((item, folder.name, work))
        self._collect()

    def _collect(self, *, finish: bool = False) -> None:
        """Records what became of the photos being written; waits until few enough wait, or none."""
        while self._unwritten:
            pixels = total_pixels(item for item, *_ in self._unwritten)
            few = len(self._unwritten) <= MAX_UNWRITTEN and pixels <= MAX_WAITING_PIXELS
            if few and not finish and not self._unwritten[0][2].done():
                return
            item, folder, work = self._unwritten.popleft()
            try:
                work.result()
            except Exception as error:  # a full disk must not take the other photos' rows along
                self._fail(item, "error", f"{type(error).__name__}: {error}")
                continue
            assert item.photo is not None
            self._record(item, [face_row(i, face, folder, item.photo) for i, face in enumerate(item.faces)])
            self.counts["ok"] += len(item.faces)

    def _fail(self, item: Item, status: str, message: str) -> None:
        item.fail(status, message)
        self.progress.write(f"{status}: {item.path}: {item.message}", file=sys.stderr)
        self.counts[status] += 1
        size = {} if item.photo is None else dict(zip(("height", "width"), item.photo.image.shape[:2], strict=True))
        self._record(item, [{"status": status, "message": item.message, **size}])

    def _record(self, item: Item, rows: list[Row]) -> None:
        self.table.add(item.path, rows)
        for row, face in zip(rows, item.faces or [None] * len(rows), strict=True):
            self.face_table.add({"photo": key(item.path), **row}, face)
        self.progress.update()
