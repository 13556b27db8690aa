"""All videos of a run: each one into a folder of its own, with rows in the status table."""

import sys
from collections import Counter
from pathlib import Path

from sirjax.cli.outputs import Row, StatusTable
from sirjax.cli.reconstructing.session import Session
from sirjax.cli.reconstructing.video_job import VideoJob, VideoSettings
from sirjax.video.frames import SUFFIXES, VideoError


def is_video(path: Path) -> bool:
    """Whether a path is taken for a video: by its suffix."""
    return path.suffix.lower() in SUFFIXES


def reconstruct_videos(videos: list[Path], session: Session, settings: VideoSettings) -> tuple[Counter, int]:
    """Writes the faces of all videos; returns how many faces are ok, videos failed why, and frames were read.

    A video that cannot be read is a row like any other; the others go on.
    """
    counts: Counter = Counter()
    frames = 0
    with StatusTable(session.out) as table:
        for path in videos:
            folder = table.folder_for(path)
            folder.mkdir(exist_ok=True)
            job = VideoJob(path, folder, session, settings)
            rows: list[Row]
            try:
                rows = job.run()
            except VideoError as error:
                rows = [{"status": error.status, "message": str(error).removeprefix(f"{path}: ")}]
            frames += job.frames_read
            table.add(path, rows)
            counts.update(str(row["status"]) for row in rows)
            if rows[0]["status"] != "ok":
                folder_is_empty = not any(folder.iterdir())
                if folder_is_empty:
                    folder.rmdir()
                print(f"{rows[0]['status']}: {path}: {rows[0]['message']}", file=sys.stderr)
    return counts, frames
