"""A picture of many aligned crops at once: eyes level and in the same places, landmarks on the faces?

Without landmarks, crosses mark where the template has the eyes, the nose and the corners of the mouth.
"""

from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from sirjax.data.alignment import TEMPLATE
from sirjax.data.images import decode_image
from sirjax.data.records import JoinedRecords, RecordSource
from sirjax.data.sample import Sample
from sirjax.files import write_bytes
from sirjax.pictures.draw import YELLOW, draw_landmarks

CROPS, COLUMNS = 64, 8
ENLARGED = 2


def contact_sheet(records: RecordSource | JoinedRecords, *, seed: int = 0) -> UInt8[np.ndarray, "H W 3"]:
    """64 samples drawn at random (all, if there are fewer), in the order of the records, with their marks."""
    count = min(CROPS, len(records))
    chosen = np.sort(np.random.default_rng(seed).choice(len(records), count, replace=False))
    tiles = [_tile(records[int(index)]) for index in chosen]
    tiles += [np.full_like(tiles[0], 255)] * (-count % COLUMNS)
    rows = [np.concatenate(tiles[start : start + COLUMNS], axis=1) for start in range(0, len(tiles), COLUMNS)]
    return np.concatenate(rows)


def write_contact_sheet(records: RecordSource | JoinedRecords, path: Path) -> None:
    """Saves `contact_sheet` as an image file.

    Raises:
      OSError: if it cannot be written.
    """
    picture = cv2.cvtColor(contact_sheet(records), cv2.COLOR_RGB2BGR)
    write_bytes(path, cv2.imencode(".png", picture)[1].tobytes())


def _tile(sample: Sample) -> UInt8[np.ndarray, "h w 3"]:
    crop = cv2.resize(decode_image(sample.image), None, fx=ENLARGED, fy=ENLARGED, interpolation=cv2.INTER_CUBIC)
    if sample.landmarks is not None:
        return draw_landmarks(crop, _enlarged(sample.landmarks), thickness=1)
    for u, v in np.rint(_enlarged(TEMPLATE)).astype(int).tolist():
        cv2.drawMarker(crop, (u, v), YELLOW, cv2.MARKER_CROSS, 7)
    return crop


def _enlarged(points: Float[np.ndarray, "N 2"]) -> Float[np.ndarray, "N 2"]:
    return (np.asarray(points, np.float64) + 0.5) * ENLARGED - 0.5
