"""Shows prepared photos to an outside face recognizer and keeps its descriptors beside them, for `losses.teacher`:

  python -m data_prep.teacher records/people records/faces

The recognizer is dlib's network of 128 numbers (CC0), which needs `pip install dlib-bin face-recognition-models`. It is
shown each crop once, aligned by its own 68 points; photos are only read.
"""

import argparse
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
from jaxtyping import Float32, UInt8
from tqdm import tqdm

from sirjax.data.images import decode_image
from sirjax.data.records import RecordSource, open_records
from sirjax.data.teacher import save_descriptors

NAME = "dlib_face_recognition_resnet_model_v1"
_POINTS = "shape_predictor_68_face_landmarks.dat"
_BOX = (9, 36, 87, 114)  # left, top, right, bottom: a square over the face, as detectors of dlib draw it
_ENLARGED = 2  # its network looks at 150 x 150 pixels

Recognizer = Callable[[UInt8[np.ndarray, "112 96 3"]], Float32[np.ndarray, " D"]]


def main(argv: list[str] | None = None) -> int:
    """Writes teacher.npz beside each of the records."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("records", type=Path, nargs="+", help="folders of prepared photos")
    args = parser.parse_args(argv)
    recognize = dlib_recognizer()
    for folder in args.records:
        records = cast(RecordSource, open_records(folder))
        print(save_descriptors(records, describe(records, recognize), NAME))
    return 0


def describe(records: RecordSource, recognize: Recognizer) -> Float32[np.ndarray, "N D"]:
    """The descriptor of each sample."""
    rows = tqdm(range(len(records)), desc=records.path.name, unit="photo", leave=False)
    return np.stack([recognize(decode_image(records[row].image)) for row in rows]).astype(np.float32)


def dlib_recognizer() -> Recognizer:
    """dlib's network, from crops to descriptors.

    Raises:
      ImportError: if it or its weights are not installed.
    """
    weights = importlib.util.find_spec("face_recognition_models")
    if importlib.util.find_spec("dlib") is None or weights is None or weights.origin is None:
        raise ImportError("the teacher needs dlib and its weights: pip install dlib-bin face-recognition-models")
    dlib: Any = importlib.import_module("dlib")
    folder = Path(weights.origin).parent / "models"
    points = dlib.shape_predictor(str(folder / _POINTS))
    network = dlib.face_recognition_model_v1(str(folder / f"{NAME}.dat"))
    box = dlib.rectangle(*(_ENLARGED * side for side in _BOX))

    def recognize(crop: UInt8[np.ndarray, "112 96 3"]) -> Float32[np.ndarray, " D"]:
        image = np.ascontiguousarray(crop.repeat(_ENLARGED, axis=0).repeat(_ENLARGED, axis=1))
        return np.array(network.compute_face_descriptor(image, points(image, box)), np.float32)

    return recognize


if __name__ == "__main__":
    sys.exit(main())
