"""AFLW2000-3D: the first 2,000 photos of AFLW, 450 x 450, each with a Matlab file. For evaluation, not for training.

    AFLW2000/image00002.jpg, .mat    pt3d_68 [3, 68], Pose_Para [1, 7] (pitch, yaw, roll in radians, ...), pt2d [2, 21]

The 68 points are those of a fitted 3DMM: the jaw is the true one, also where it is hidden. Coordinates are Matlab's,
from 1; one is subtracted. The angles are kept in `poses.tsv` beside the records, in degrees, for results by yaw.

The data: http://www.cbsr.ia.ac.cn/users/xiangyuzhu/projects/3DDFA/main.htm (X. Zhu et al., CVPR 2016).
"""

import argparse
from pathlib import Path

import numpy as np

from data_prep.matlab import landmarks_from_matlab, read_fields
from data_prep.raw_files import file_stamp, find_folder, read_bytes
from data_prep.source import Entry, RawImage, Rejected

PAGE = "http://www.cbsr.ia.ac.cn/users/xiangyuzhu/projects/3DDFA/main.htm"
LICENCE = "AFLW2000-3D: for research; see " + PAGE
POSES_FILE = "poses.tsv"
_FIELDS = ("pt3d_68", "Pose_Para")


class AFLW2000:
    """The folder of photos and Matlab files."""

    def __init__(self, root: str | Path):
        """Looks for the folder.

        Raises:
          FileNotFoundError: if there are no photos in it.
        """
        self.root = find_folder(Path(root), ("*.jpg",), "AFLW2000-3D", PAGE, nested=("AFLW2000",))
        self.parameters = {"preparer": "aflw2000", "landmarks": "pt3d_68", "licence": LICENCE}

    def entries(self) -> list[Entry]:
        """Every .jpg of the folder."""
        paths = sorted(self.root.glob("*.jpg"))
        return [Entry(path.name, None, file_stamp(path) + file_stamp(path.with_suffix(".mat"))) for path in paths]

    def read(self, entry: Entry) -> RawImage:
        """The photo and its 68 landmarks."""
        landmarks, _ = self._labels(entry)
        return RawImage(data=read_bytes(self.root / entry.name, entry.name), landmarks=landmarks)

    def side_files(self) -> dict[str, str]:
        """`poses.tsv`: name, pitch, yaw and roll in degrees of every photo whose labels can be read."""
        lines = ["name\tpitch\tyaw\troll"]
        for entry in self.entries():
            try:
                _, angles = self._labels(entry)
            except Rejected:
                continue  # `read` says why
            lines.append("\t".join([entry.name, *(f"{angle:.4f}" for angle in angles)]))
        return {POSES_FILE: "\n".join(lines) + "\n"}

    def _labels(self, entry: Entry) -> tuple[np.ndarray, np.ndarray]:
        """Landmarks [68, 2] in photo pixels; pitch, yaw, roll [3] in degrees."""
        path = Path(entry.name).with_suffix(".mat")
        fields = read_fields(self.root / path, _FIELDS, str(path))
        pose = fields["Pose_Para"].ravel()
        if pose.dtype.kind != "f" or pose.size != 7 or not np.isfinite(pose).all():
            raise Rejected(f"Pose_Para of {path} is {pose.dtype} {list(fields['Pose_Para'].shape)}, not 7 numbers")
        return landmarks_from_matlab(fields["pt3d_68"], "pt3d_68", str(path)), np.degrees(pose[:3].astype(np.float64))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """There is nothing to choose."""


def from_arguments(args: argparse.Namespace) -> AFLW2000:
    """The source that the command line asks for."""
    return AFLW2000(args.raw)
