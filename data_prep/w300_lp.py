"""300W-LP as published: photos of 300-W turned to large poses, each with a Matlab file of landmarks and a fitted 3DMM.

    300W_LP/AFW/AFW_134212_1_0.jpg, .mat     pt2d [2, 68], Pose_Para [1, 7], Shape_Para [199, 1], Exp_Para [29, 1], ...
    300W_LP/AFW_Flip/...                     the same photos mirrored
    300W_LP/landmarks/AFW/AFW_134212_1_0_pts.mat   pts_2d [68, 2] on the visible outline, pts_3d [68, 2] on the true jaw

and HELEN, IBUG, LFPW. All coordinates are Matlab's, from 1; one is subtracted. In many copies `pt2d` of a turned photo
(AFW_134212_1_7) still holds the points of the photo it was made from (AFW_134212_1_0), so `landmarks/` is preferred
where it is there, and such photos are rejected where it is not.

The data: http://www.cbsr.ia.ac.cn/users/xiangyuzhu/projects/3DDFA/main.htm (X. Zhu et al., CVPR 2016).
"""

import argparse
import os
import re
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import Float

from data_prep.matlab import landmarks_from_matlab, read_fields
from data_prep.raw_files import file_stamp, find_folder, read_bytes
from data_prep.source import Entry, RawImage, Rejected

PAGE = "http://www.cbsr.ia.ac.cn/users/xiangyuzhu/projects/3DDFA/main.htm"
LICENCE = "300W-LP: for research; see " + PAGE
LANDMARK_FOLDER = "landmarks"
LANDMARK_FIELDS = ("pts_2d", "pts_3d", "pt2d")
_NO_PHOTOS = {LANDMARK_FOLDER, "Code"}
_SAME_YAW = np.radians(1.0)  # a photo turned by less keeps its points


class W300LP:
    """The tree of photos and Matlab files."""

    def __init__(self, root: str | Path, *, landmarks: str = "auto", mirrored: bool = False):
        """Looks for the tree.

        Args:
          root: the folder 300W_LP, the one above it, or a flat folder of .jpg and .mat.
          landmarks: the field to take: "pts_2d" or "pts_3d" of `landmarks/`, "pt2d" of the photo's own file, or "auto":
            pts_2d where `landmarks/` exists, else pt2d.
          mirrored: also the *_Flip folders. Training can mirror by itself, so they are left out by default.

        Raises:
          FileNotFoundError: if the folder holds nothing of the kind.
          ValueError: for a choice that the data cannot serve.
        """
        patterns = ("AFW", "HELEN", "IBUG", "LFPW", "*.mat")
        self.root = find_folder(Path(root), patterns, "300W-LP", PAGE, nested=("300W_LP",))
        has_folder = (self.root / LANDMARK_FOLDER).is_dir()
        if landmarks == "auto":
            landmarks = "pts_2d" if has_folder and not mirrored else "pt2d"
        if landmarks not in LANDMARK_FIELDS:
            raise ValueError(f"landmarks must be auto, {', '.join(LANDMARK_FIELDS)}, got {landmarks!r}")
        if landmarks != "pt2d" and not has_folder:
            raise ValueError(
                f"{self.root} has no {LANDMARK_FOLDER} folder, so no {landmarks}: take pt2d, or get {PAGE}"
            )
        if landmarks != "pt2d" and mirrored:
            raise ValueError(f"{LANDMARK_FOLDER} does not cover the mirrored photos: leave them out, or take pt2d")
        self.landmarks, self.mirrored = landmarks, mirrored
        self.parameters = {"preparer": "w300_lp", "landmarks": landmarks, "mirrored": mirrored, "licence": LICENCE}

    def entries(self) -> list[Entry]:
        """Every .jpg of the tree."""
        names = []
        for folder, subfolders, files in os.walk(self.root):
            subfolders[:] = [
                name for name in subfolders if name not in _NO_PHOTOS and (self.mirrored or not name.endswith("_Flip"))
            ]
            below = Path(folder).relative_to(self.root)
            names += [(below / file).as_posix() for file in files if file.lower().endswith(".jpg")]
        if not names:
            raise FileNotFoundError(f"{self.root} holds no .jpg: unpack 300W-LP from {PAGE}")
        return [Entry(name, None, file_stamp(self.root / name)) for name in sorted(names)]

    def read(self, entry: Entry) -> RawImage:
        """The photo and its 68 landmarks."""
        path = PurePosixPath(entry.name)
        if self.landmarks == "pt2d":
            landmarks = self._own_points(path)
        else:
            file = PurePosixPath(LANDMARK_FOLDER, path.parent, f"{path.stem}_pts.mat")
            fields = read_fields(self.root / file, [self.landmarks], str(file))
            landmarks = landmarks_from_matlab(fields[self.landmarks], self.landmarks, str(file))
        return RawImage(data=read_bytes(self.root / path, entry.name), landmarks=landmarks)

    def _own_points(self, path: PurePosixPath) -> Float[np.ndarray, "68 2"]:
        file = path.with_suffix(".mat")
        fields = read_fields(self.root / file, ["pt2d", "Pose_Para"], str(file))
        points = landmarks_from_matlab(fields["pt2d"], "pt2d", str(file))
        turned = re.fullmatch(r"(.+_)(\d+)", path.stem)
        original = path.with_name(f"{turned[1]}0.mat") if turned else file
        if original != file and (self.root / original).is_file():
            others = read_fields(self.root / original, ["pt2d", "Pose_Para"], str(original))
            yaw = [_yaw(found, name) for found, name in ((fields, file), (others, original))]
            same = np.allclose(points, landmarks_from_matlab(others["pt2d"], "pt2d", str(original)), atol=1e-3)
            if same and abs(yaw[0] - yaw[1]) > _SAME_YAW:
                raise Rejected(
                    f"pt2d of {file} is that of {original}, of another yaw: this copy has points of turned photos only "
                    f"in its {LANDMARK_FOLDER} folder"
                )
        return points


def _yaw(fields: dict[str, np.ndarray], name: PurePosixPath) -> float:
    pose = fields["Pose_Para"].ravel()
    if pose.dtype.kind != "f" or pose.size != 7:
        raise Rejected(f"Pose_Para of {name} is {pose.dtype} {list(fields['Pose_Para'].shape)}, not 7 numbers")
    return float(pose[1])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares what `from_arguments` reads."""
    parser.add_argument(
        "--landmarks",
        choices=("auto", *LANDMARK_FIELDS),
        default="auto",
        help="pts_2d or pts_3d of landmarks/, or pt2d of the photo's own file (default: pts_2d if there)",
    )
    parser.add_argument("--mirrored", action="store_true", help="also the *_Flip folders")


def from_arguments(args: argparse.Namespace) -> W300LP:
    """The source that the command line asks for."""
    return W300LP(args.raw, landmarks=args.landmarks, mirrored=args.mirrored)
