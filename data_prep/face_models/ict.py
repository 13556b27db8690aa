"""ICT-FaceKit (light stage scans, MIT): `FaceXModel/`, a folder of OBJ files, or its .tar.xz archive.

Units are centimeters. Kept are skin, head, mouth, teeth and the outer eyeballs; the irises behind their clear corneas
and the transparent shells (tears, lashes, shadows) would hide what they cover in an opaque rendering, and are left out.

Prior of the identities: the 100 identity meshes are the neutral face plus one principal component each, released to be
mixed with standard normal weights; so one weight is one standard deviation. Prior of the expressions: 53 units with
weights from 0 to 1, of which a face shows few at a time. One standard deviation is a weight of 0.2: the root mean
square of a unit that rests in seven faces of eight and is anywhere from 0 to 1 in the eighth. Units that move nothing
that is kept drop out.
"""

import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

import numpy as np

from data_prep.face_models.files import Format, describe, provenance, sha256
from data_prep.face_models.meshes import triangulate
from data_prep.face_models.raw import EYE, MOUTH, SKIN, TEETH, Landmarks, RawModel, unit_modes

FORMAT = Format(
    "ict",
    "ICT-FaceKit",
    "the folder FaceXModel (generic_neutral_mesh.obj, identity*.obj, vertex_indices.json) or its .tar.xz archive",
    "https://github.com/ICT-VGL/ICT-FaceKit",
    "MIT, Copyright (c) 2020 USC Institute for Creative Technologies",
)
UNIT_MM = 10.0
EXPRESSION_WEIGHT = 0.2  # blendshape weight of one standard deviation
_LEAST_EXPRESSION = 1.0  # mm, the root of the sum over all vertices
NEUTRAL, INDICES = "generic_neutral_mesh.obj", "vertex_indices.json"
# Material -> part, and its rectangle (left, top, right, bottom) of the map. The face keeps its own chart, which is
# symmetric. The others' are not: the head is spread around a cylinder, teeth and eyeballs lie as seen from the front.
_KEPT = {
    "M_Face": (SKIN, (0.0, 0.0, 1.0, 0.74)),
    "M_BackHead": (SKIN, (0.28, 0.75, 0.72, 0.89)),
    "M_GumsTongue": (MOUTH, (0.28, 0.90, 0.72, 0.945)),
    "M_Teeth": (TEETH, (0.28, 0.955, 0.72, 1.0)),
    "M_ScleraRight": (EYE, (0.02, 0.76, 0.25, 0.99)),
    "M_ScleraLeft": (EYE, (0.75, 0.76, 0.98, 0.99)),
}
_OWN_CHART, _CYLINDER = "M_Face", "M_BackHead"
_MAX_FILE_MIB = 64  # of one OBJ file; the published ones have under 3


def read(path: Path) -> RawModel:
    """Reads the model from its folder (or the one above it) or archive.

    Raises:
      FileNotFoundError: if a file is missing.
      ValueError: if one is damaged, cut short, or not of this model.
    """
    if path.is_dir():
        folder = path / "FaceXModel" if (path / "FaceXModel" / NEUTRAL).is_file() else path
        neutral = FORMAT.find(folder, NEUTRAL)
        files = {
            file.name: file.read_bytes() for file in folder.iterdir() if _is_wanted(file.name) and FORMAT.check(file)
        }
        source = f"{provenance(neutral)} and {len(files) - 1} files beside it"
    else:
        files = _unpacked(FORMAT.check(path))
        source = f"{path.name} SHA-256 {sha256(path)}"
    return _assembled(path, files, source)


def _assembled(path: Path, files: dict[str, bytes], source: str) -> RawModel:
    identities = sorted(name for name in files if name.startswith("identity"))
    expressions = _expression_files(files, identities)
    absent = [what for what in (NEUTRAL, INDICES) if what not in files]
    if absent or not identities or not expressions:
        what = ", ".join(absent) or ("identity*.obj" if not identities else "expression meshes")
        raise FORMAT.missing(path, f"holds no {what}")
    mean = _positions(path, NEUTRAL, files[NEUTRAL], None)
    mesh = _Mesh(path, files[NEUTRAL], mean)

    def offsets(names: list[str]) -> np.ndarray:
        return np.array([_positions(path, name, files[name], len(mean)) - mean for name in names]) * UNIT_MM

    shape_basis, shape_std = unit_modes(_on(mesh.used, offsets(identities)))
    expression_basis, expression_std = unit_modes(
        _on(mesh.used, EXPRESSION_WEIGHT * offsets(expressions)), _LEAST_EXPRESSION
    )
    return RawModel(
        name="ict-facekit",
        licence=FORMAT.licence,
        provenance=source,
        unit_mm=UNIT_MM,
        mean=mean * UNIT_MM,
        shape_basis=shape_basis,
        shape_std=shape_std,
        expression_basis=expression_basis,
        expression_std=expression_std,
        expressions_are_ordered=False,
        triangles=mesh.triangles,
        landmarks=Landmarks.on_vertices(_landmark_vertices(path, files[INDICES], len(mean))),
        parts=mesh.parts,
        uv=mesh.uv,
        uv_triangles=mesh.uv_triangles,
    )


def _expression_files(files: dict[str, bytes], identities: list[str]) -> list[str]:
    """The expressions that vertex_indices.json lists (there are more meshes), or all if it lists none."""
    try:
        listed = json.loads(files.get(INDICES, b"{}")).get("expressions", [])
    except (ValueError, AttributeError):
        listed = []
    found = [f"{name}.obj" for name in listed if f"{name}.obj" in files]
    return found or sorted(set(files) - set(identities) - {NEUTRAL, INDICES})


def _on(used: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Offsets of the vertices that are kept; 0 for the others, which will be dropped."""
    return np.where(used[None, :, None], offsets, 0.0)


class _Mesh:
    """Triangles, texture coordinates (v down, one map for all) and parts of the neutral mesh."""

    def __init__(self, path: Path, data: bytes, mean: np.ndarray):
        corners, texture, materials, coordinates = _polygons(path, data)
        kept = [k for k, material in enumerate(materials) if material in _KEPT]
        if not kept:
            known = ", ".join(dict.fromkeys(materials)) or "none"
            raise FORMAT.wrong(path, f"has a neutral mesh without the materials of ICT-FaceKit (found {known})")
        if max(max(corners[k]) for k in kept) >= len(mean) or max(max(texture[k]) for k in kept) >= len(coordinates):
            raise FORMAT.wrong(path, "has faces that name vertices beyond the last one: it is cut short")
        self.parts = np.full(len(mean), SKIN)
        self.used = np.zeros(len(mean), bool)
        self.uv = np.full((len(coordinates) + len(mean), 2), 0.5)  # the chart's places, then one for each vertex
        for material, (part, box) in _KEPT.items():
            own = [k for k in kept if materials[k] == material]
            vertices = np.unique([vertex for k in own for vertex in corners[k]]).astype(int)
            self.parts[vertices], self.used[vertices] = part, True
            if not len(vertices):
                continue
            if material == _OWN_CHART:
                places = np.unique([place for k in own for place in texture[k]]).astype(int)
                self.uv[places] = _boxed(coordinates[places] * [1.0, -1.0] + [0.0, 1.0], box)
            else:
                flat = _around(mean[vertices]) if material == _CYLINDER else mean[vertices][:, :2] * [1.0, -1.0]
                low, size = flat.min(axis=0), np.maximum(np.ptp(flat, axis=0), 1e-6)
                self.uv[len(coordinates) + vertices] = _boxed((flat - low) / size, box)
        charted = [
            texture[k] if materials[k] == _OWN_CHART else [len(coordinates) + vertex for vertex in corners[k]]
            for k in kept
        ]
        self.triangles = triangulate([corners[k] for k in kept])
        self.uv_triangles = triangulate(charted)


def _around(points: np.ndarray) -> np.ndarray:
    """Angle from straight behind, and depth below, of points around the head's axis."""
    low, high = points.min(axis=0), points.max(axis=0)
    behind = (low[2] + high[2]) / 2 - points[:, 2]
    return np.column_stack([np.arctan2(points[:, 0], behind), -points[:, 1]])


def _boxed(places: np.ndarray, box: tuple[float, float, float, float]) -> np.ndarray:
    """Places of the unit square in a rectangle of the map."""
    return np.array(box[:2]) + places * (np.array(box[2:]) - np.array(box[:2]))


def _polygons(path: Path, data: bytes) -> tuple[list[list[int]], list[list[int]], list[str], np.ndarray]:
    """Vertex and texture corners (from 0) and material of each polygon, and the texture coordinates."""
    corners, texture, materials, coordinates, material = [], [], [], [], ""
    for line in data.decode("ascii", "replace").splitlines():
        words = line.split()
        if not words:
            continue
        if words[0] == "vt":
            coordinates.append((float(words[1]), float(words[2])))
        elif words[0] == "usemtl":
            material = words[1]
        elif words[0] == "f":
            pairs = [word.split("/") for word in words[1:]]
            if any(len(pair) < 2 for pair in pairs):
                raise FORMAT.wrong(path, f"has a neutral mesh without texture coordinates ({line.strip()!r})")
            corners.append([int(pair[0]) - 1 for pair in pairs])
            texture.append([int(pair[1]) - 1 for pair in pairs])
            materials.append(material)
    if not corners:
        raise FORMAT.wrong(path, "has a neutral mesh without faces: it is cut short")
    return corners, texture, materials, np.array(coordinates, np.float64).reshape(-1, 2)


def _positions(path: Path, name: str, data: bytes, expected: int | None) -> np.ndarray:
    """The vertices [V, 3] of an OBJ file, in its unit."""
    first, last = (
        data.find(b"\nv "),
        data.rfind(b"\nv "),
    )  # the vertices follow each other: no need to look at each line
    block = data[first : data.find(b"\n", last + 1)] if first >= 0 else b""
    try:
        vertices = np.array(block.replace(b"\nv ", b" ").split(), np.float64).reshape(-1, 3)
    except ValueError as error:
        raise FORMAT.wrong(path, f"has a damaged {name} ({error})") from error
    if expected is not None and len(vertices) != expected:
        raise FORMAT.wrong(path, f"has {len(vertices)} vertices in {name}, {expected} in the neutral mesh")
    return vertices


def _landmark_vertices(path: Path, data: bytes, num_vertices: int) -> np.ndarray:
    field = "idx_to_landmark_verts"
    try:
        values = json.loads(data)[field]
    except (ValueError, KeyError, TypeError) as error:
        raise FORMAT.wrong(path, f"has no list {field} in {INDICES} ({error!r})") from error
    vertices = FORMAT.indices(path, field, values, num_vertices, first=0)
    if vertices.shape != (68,):
        raise FORMAT.wrong(path, f"has {vertices.size} landmarks in {INDICES}, expected 68")
    return vertices


def _is_wanted(name: str) -> bool:
    return name.endswith(".obj") or name == INDICES


def _unpacked(path: Path) -> dict[str, bytes]:
    """The files of the archive by name, read into memory: nothing is written to the disk."""
    files: dict[str, bytes] = {}
    with _archive(path) as archive:
        for member in archive:
            name = PurePosixPath(member.name).name
            if not member.isfile() or not _is_wanted(name):
                continue
            if member.size > _MAX_FILE_MIB << 20:
                raise FORMAT.wrong(path, f"holds {name} of {member.size >> 20} MiB, the limit is {_MAX_FILE_MIB}")
            content: IO[bytes] | None = archive.extractfile(member)
            files[name] = content.read() if content else b""
    return files


@contextmanager
def _archive(path: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(fileobj=io.BytesIO(path.read_bytes())) as archive:
            yield archive
    except (tarfile.TarError, EOFError, OSError) as error:
        raise FORMAT.wrong(path, f"is {describe(path)}, and cannot be unpacked: cut short? ({error})") from error
    except Exception as error:
        if type(error).__name__ != "LZMAError":
            raise
        raise FORMAT.wrong(path, f"is a damaged .xz archive ({error})") from error
