"""300W-LP as tensorflow-datasets prepares it (`the300w_lp`): read from its files, without tensorflow.

    the300w_lp/1.0.0/the300w_lp-train.tfrecord-00000-of-00016       as its builder writes by default, or
    the300w_lp/1.0.0/the300w_lp-train.array_record-00000-of-00016   with file_format="array_record"

Each record is a tf.Example with `image` (JPEG, 450 x 450) and landmarks [68, 2] divided by 450: `landmarks_2d` on the
visible outline, `landmarks_3d` on the true jaw, `landmarks_origin` (Matlab's pt2d, in many copies the points of the
photo before it was turned). Times 450 they are Matlab's coordinates, from 1; one is subtracted. Mirrored photos are
left out by that builder. Names of photos are not stored: samples are named by file and number.

The data: http://www.cbsr.ia.ac.cn/users/xiangyuzhu/projects/3DDFA/main.htm (X. Zhu et al., CVPR 2016).
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from data_prep import tfrecord
from data_prep.matlab import landmarks_from_matlab
from data_prep.source import Entry, RawImage, Rejected
from data_prep.w300_lp import LICENCE, PAGE
from sirjax.constants import NUM_LANDMARKS

SCALE = 450.0  # landmarks are stored as shares of the photo's side
FIELDS = ("landmarks_2d", "landmarks_3d", "landmarks_origin")
_COMMAND = "tfds build the300w_lp --file_format=array_record"


class The300WLP:
    """The prepared files of tensorflow-datasets."""

    def __init__(self, root: str | Path, *, landmarks: str = "landmarks_2d"):
        """Looks for the files.

        Args:
          root: a folder with the prepared files somewhere below it.
          landmarks: which of the three kinds of points to take.

        Raises:
          FileNotFoundError: if there are none.
          ValueError: for an unknown kind of points, or files of several versions.
        """
        if landmarks not in FIELDS:
            raise ValueError(f"landmarks must be one of {', '.join(FIELDS)}, got {landmarks!r}")
        pattern = "**/the300w_lp-train.*-of-*"
        files = sorted(path for path in Path(root).glob(pattern) if _kind(path.name))
        if not files:
            raise FileNotFoundError(
                f"{root} holds no the300w_lp-train.tfrecord-* or .array_record-*: make them with `{_COMMAND}` "
                f"(the data: {PAGE}), or prepare the original tree as w300_lp"
            )
        if len({(path.parent, _kind(path.name)) for path in files}) > 1:
            raise ValueError(f"{root} holds the300w_lp more than once: name one folder with files of one format")
        self.root, self.files = files[0].parent, [path.name for path in files]
        self.landmarks = landmarks
        self._readers: dict[str, Any] = {}
        self.parameters = {"preparer": "the300w_lp", "landmarks": landmarks, "licence": LICENCE}

    def entries(self) -> list[Entry]:
        """Every record, named by its file's and its own number; `where` is file and place."""
        entries = []
        for number, file in enumerate(self.files):
            if _kind(file) == "tfrecord":
                places = tfrecord.record_places(self.root / file)
            else:
                places = [(index,) for index in range(self._reader(file).num_records())]
            entries += [Entry(f"{number:05d}/{i:06d}.jpg", where=(number, *place)) for i, place in enumerate(places)]
        return entries

    def read(self, entry: Entry) -> RawImage:
        """The photo and its 68 landmarks."""
        number, *place = entry.where
        file = self.files[number]
        if len(place) == 2:
            message = tfrecord.read_record(self.root / file, (place[0], place[1]))
        else:
            message = self._reader(file).read([place[0]])[0]
        return self._parse(message, f"record {place[0]} of {file}")

    def _parse(self, message: bytes, name: str) -> RawImage:
        from google.protobuf.message import DecodeError
        from tensorflow_datasets.proto import tf_example_pb2

        try:
            fields = tf_example_pb2.Example.FromString(message).features.feature
        except DecodeError:
            raise Rejected(f"{name} is no tf.Example") from None
        missing = [field for field in ("image", self.landmarks) if field not in fields]
        if missing:
            raise Rejected(f"{name} has no {', '.join(missing)} (it has {', '.join(sorted(fields)) or 'nothing'})")
        values = np.array(fields[self.landmarks].float_list.value, np.float64)
        if values.size != 2 * NUM_LANDMARKS:
            raise Rejected(f"{self.landmarks} of {name} has {values.size} numbers, not {2 * NUM_LANDMARKS}")
        points = landmarks_from_matlab(SCALE * values.reshape(NUM_LANDMARKS, 2), self.landmarks, name)
        image = fields["image"].bytes_list.value
        if len(image) != 1:
            raise Rejected(f"image of {name} is not one encoded image")
        return RawImage(data=image[0], landmarks=points)

    def _reader(self, file: str) -> Any:
        from array_record.python.array_record_module import ArrayRecordReader

        if file not in self._readers:
            self._readers[file] = ArrayRecordReader(str(self.root / file), "readahead_buffer_size:0")
        return self._readers[file]

    def __getstate__(self) -> dict:
        return self.__dict__ | {"_readers": {}}  # an open file cannot go to another process


def _kind(file: str) -> str:
    return next((kind for kind in ("tfrecord", "array_record") if f".{kind}-" in file), "")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares what `from_arguments` reads."""
    parser.add_argument("--landmarks", choices=FIELDS, default=FIELDS[0], help=f"which points (default {FIELDS[0]})")


def from_arguments(args: argparse.Namespace) -> The300WLP:
    """The source that the command line asks for."""
    return The300WLP(args.raw, landmarks=args.landmarks)
