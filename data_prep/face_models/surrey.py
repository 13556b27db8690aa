"""The Surrey Face Model as eos publishes it: `sfm_shape_3448.bin`, a C++ archive (cereal) of Eigen matrices.

Little-endian: a class version (uint32, 1), then two PCA models (shape; colors, empty in the public file), each of mean,
orthonormal basis and eigenvalues (matrices: int32 rows, int32 columns, float32 column by column) and a triangle list
(uint64 count, int32 triples); then texture coordinates (uint64 count, double pairs). The eigenvalues are variances in
mm^2. The six expression blendshapes have their own file: uint64 count, then name (uint64 length, bytes) and matrix
each.

Prior of the expressions: they are offsets to be mixed with weights from 0 (neutral) to 1 (the whole expression). One
standard deviation is the root mean square weight, sqrt(1 / 18) = 0.24, of faces that show one of the six at a time, to
a degree that is anywhere from 0 to 1.
"""

from pathlib import Path

import numpy as np

from data_prep.face_models.files import Format, describe, provenance
from data_prep.face_models.landmarks import read_landmark_list
from data_prep.face_models.raw import RawModel, unit_modes

FORMAT = Format(
    "surrey",
    "the Surrey Face Model",
    "sfm_shape_3448.bin, expression_blendshapes_3448.bin and ibug_to_sfm.txt in one folder (share/ of eos)",
    "https://github.com/patrikhuber/eos",
    "University of Surrey, non-commercial research only",
)
EXPRESSION_WEIGHT = (1 / 18) ** 0.5  # blendshape weight of one standard deviation
_MAX_COUNT = 1 << 24  # larger counts than any model has are damage


class _Archive:
    """Reads a cereal binary archive from its beginning."""

    def __init__(self, path: Path):
        self._path, self._data, self._place = path, path.read_bytes(), 0

    def numbers(self, kind: str, count: int) -> np.ndarray:
        dtype = np.dtype(kind)
        end = self._place + count * dtype.itemsize
        if not 0 <= count <= _MAX_COUNT or end > len(self._data):
            raise FORMAT.wrong(
                self._path,
                f"is cut short or no archive of eos of this kind: {count} numbers are announced at byte {self._place}, "
                f"the file has {len(self._data)} bytes ({describe(self._path)})",
            )
        values = np.frombuffer(self._data, dtype, count, self._place)
        self._place = end
        return values

    def count(self) -> int:
        return int(self.numbers("<u8", 1)[0])

    def matrix(self) -> np.ndarray:
        """float64 [rows, columns]."""
        rows, columns = (int(size) for size in self.numbers("<i4", 2))
        return self.numbers("<f4", rows * columns).reshape(columns, rows).T.astype(np.float64)

    def text(self) -> str:
        return bytes(self.numbers("u1", self.count())).decode("utf-8", "replace")

    def finish(self) -> None:
        if self._place != len(self._data):
            raise FORMAT.wrong(
                self._path,
                f"has {len(self._data) - self._place} bytes left over: it was written by another version of eos",
            )


def read(path: Path) -> RawModel:
    """Reads the model from its folder, or from sfm_shape_3448.bin with the other files beside it.

    Raises:
      FileNotFoundError: if a file is missing.
      ValueError: if one is another file, cut short or damaged.
    """
    folder = path if path.is_dir() else path.parent
    shape_path = FORMAT.find(folder, "sfm_shape_3448.bin") if path.is_dir() else FORMAT.check(path)
    expression_path = FORMAT.find(folder, "expression_blendshapes_3448.bin")
    list_path = FORMAT.find(folder, "ibug_to_sfm.txt")
    mean, basis, variance, triangles, uv = _read_shape(shape_path)
    expression_basis, expression_std = unit_modes(EXPRESSION_WEIGHT * _read_blendshapes(expression_path, len(mean)))
    landmarks = read_landmark_list(list_path)
    if landmarks.vertices.max() >= len(mean):
        raise FORMAT.wrong(list_path, f"names vertex {landmarks.vertices.max()}, the model has {len(mean)}")
    return RawModel(
        name="surrey-3448",
        licence=FORMAT.licence,
        provenance=provenance(shape_path, expression_path, list_path),
        unit_mm=1.0,
        mean=mean,
        shape_basis=basis,
        shape_std=np.sqrt(variance),
        expression_basis=expression_basis,
        expression_std=expression_std,
        expressions_are_ordered=False,
        triangles=triangles,
        landmarks=landmarks,
        uv=uv,
        uv_triangles=triangles,
    )


def _read_shape(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    archive = _Archive(path)
    version = int(archive.numbers("<u4", 1)[0])
    if version != 1:
        raise FORMAT.wrong(
            path, f"is no model archive of eos of version 1 but starts with {version} ({describe(path)})"
        )
    mean, basis, variance = archive.matrix(), archive.matrix(), archive.matrix()
    triangles = archive.numbers("<i4", 3 * archive.count()).reshape(-1, 3).astype(np.int64)
    for _ in range(3):
        archive.matrix()  # the color model, empty in the public file
    archive.numbers("<i4", 3 * archive.count())
    uv = archive.numbers("<f8", 2 * archive.count()).reshape(-1, 2).copy()
    archive.finish()
    count = mean.size // 3
    if mean.shape != (3 * count, 1) or basis.shape[0] != 3 * count or variance.shape != (basis.shape[1], 1):
        raise FORMAT.wrong(path, f"has a mean of {mean.shape}, a basis of {basis.shape}, variances {variance.shape}")
    FORMAT.indices(path, "triangle list", triangles, count, first=0)
    if len(uv) != count:
        raise FORMAT.wrong(path, f"has {len(uv)} texture coordinates for {count} vertices")
    return mean.reshape(-1, 3), basis.T.reshape(-1, count, 3), variance[:, 0], triangles, uv


def _read_blendshapes(path: Path, num_vertices: int) -> np.ndarray:
    """Offsets [6, V, 3] in mm at full weight."""
    archive = _Archive(path)
    offsets = []
    for _ in range(archive.count()):
        name, offset = archive.text(), archive.matrix()
        if offset.shape != (3 * num_vertices, 1):
            raise FORMAT.wrong(path, f"has an expression {name!r} of {offset.shape}, the model {num_vertices} vertices")
        offsets.append(offset.reshape(-1, 3))
    archive.finish()
    return np.array(offsets)
