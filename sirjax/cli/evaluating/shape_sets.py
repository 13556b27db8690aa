"""Shapes of people from anywhere: read by a run, from a file of codes, or as meshes of one topology.

A set of meshes is a folder of .obj or .ply files (identities are the folders in it, `person/photo.obj`, unless a list
says otherwise) or an array `vertices` [N, V, 3] in an .npz or .npy file. N shapes, S modes, V vertices.
"""

import dataclasses
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from sirjax.cli.evaluating.codes import face_model_of, load_codes, read_codes
from sirjax.cli.mesh_files import read_mesh
from sirjax.constants import NO_IDENTITY
from sirjax.data.records import open_records
from sirjax.evaluation.codes import Codes, vertex_descriptors, whitened
from sirjax.evaluation.conditions import neutral_frontal_confidence
from sirjax.morphable.builtin import builtin_face_model
from sirjax.morphable.model import FaceModel
from sirjax.morphable.storage import fingerprint
from sirjax.training.setup import is_trained, load_run


@dataclasses.dataclass(frozen=True)
class ShapeSet:
    """N shapes, and what is known about them; None where something is not."""

    names: list[str]
    identity: np.ndarray  # int32 [N], NO_IDENTITY for none
    descriptor: np.ndarray  # [N, D]: Euclidean distance is that of all vertices together, or of parameters, mm
    num_vertices: int | None  # V, if distances are those of vertices
    parameters: np.ndarray | None  # [N, S] mm
    whitened: np.ndarray | None  # [N, S]
    confidence: np.ndarray | None  # [N] how neutral and frontal, Eq. 19
    basis: np.ndarray | None  # [S, 3V]
    source: dict

    @property
    def unit(self) -> float:
        """Divides a distance of descriptors: sqrt(V), which makes it a vertex RMSE, or 1."""
        return float(np.sqrt(self.num_vertices)) if self.num_vertices else 1.0

    @property
    def measure(self) -> str:
        """What distances are, in words."""
        return "vertex RMSE, mm" if self.num_vertices else "distance of parameters, mm"


def read_shapes(
    what: Path,
    *,
    records: Path | None = None,
    identities: Path | None = None,
    face_model: Path | None = None,
    batch_size: int = 64,
) -> ShapeSet:
    """The shapes of `what`.

    Args:
      what: run directory (with `records`), codes (`.npz`, `.npy` [N, S] in mm), or meshes.
      records: what a run reads.
      identities: table `name <tab> person` or a person per line in the order of the shapes; wins over what is known.
      face_model: model file that codes belong to, for distances of vertices; found by itself for a run, and for codes
        of the built-in model.
      batch_size: images read at once.

    Raises:
      FileNotFoundError: if something named is not there.
      ValueError: if shapes and what is said about them do not fit.
    """
    if is_trained(what):
        if records is None:
            raise ValueError("a run needs photos to read: give --records RECORDS with identities")
        trained = load_run(what)
        codes = read_codes(trained, open_records(records), batch_size=batch_size, run_name=str(what))
        found = _of_codes(codes, trained.face_model)
    elif what.is_dir() or _holds_vertices(what):
        found = _of_meshes(what)
    else:
        codes = load_codes(what)
        found = _of_codes(codes, _model_of(codes, face_model))
    if identities is not None:
        found = dataclasses.replace(found, identity=read_identities(identities, found.names))
    if (found.identity == NO_IDENTITY).all():
        raise ValueError(
            f"{what} does not say whose shapes they are: give --identities FILE, a line `name<tab>person` each"
        )
    return found


def read_identities(path: Path, names: list[str]) -> Int[np.ndarray, " N"]:
    """The person of each name, numbered; names that are not listed have none.

    Raises:
      FileNotFoundError: if there is no such file.
      ValueError: if the file lists nobody of `names`, or is a bare list of another length.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: --identities takes lines `name<tab>person`, or a person per line")
    lines = [line.rstrip("\n") for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    if all("\t" in line for line in lines):
        person_of = dict(line.split("\t")[:2] for line in lines)
        people = [person_of.get(name) for name in names]
        if not any(people):
            raise ValueError(f"{path} lists none of the {len(names)} shapes, such as {names[0]!r}")
    elif len(lines) == len(names):
        people = lines
    else:
        raise ValueError(f"{path} has {len(lines)} lines for {len(names)} shapes: give one each, or `name<tab>person`")
    numbers = {person: number for number, person in enumerate(sorted({p for p in people if p}))}
    return np.array([numbers.get(person, NO_IDENTITY) if person else NO_IDENTITY for person in people], np.int32)


def _of_codes(codes: Codes, model: FaceModel | None) -> ShapeSet:
    basis = None if model is None else np.asarray(model.shape_basis)
    if basis is not None and len(basis) != codes.shape.shape[1]:
        raise ValueError(
            f"the codes have {codes.shape.shape[1]} modes, the face model {len(basis)}: give the model they belong to"
        )
    confidence = None
    if codes.rotation is not None and codes.expression is not None:
        confidence = neutral_frontal_confidence(codes.rotation, codes.expression)
    return ShapeSet(
        names=codes.names,
        identity=np.full(len(codes.names), NO_IDENTITY, np.int32) if codes.identity is None else codes.identity,
        descriptor=codes.shape if basis is None else vertex_descriptors(codes.shape, basis),
        num_vertices=None if model is None else model.num_vertices,
        parameters=codes.shape,
        whitened=None if codes.shape_std is None else whitened(codes),
        confidence=confidence,
        basis=basis,
        source=codes.source,
    )


def _model_of(codes: Codes, path: Path | None) -> FaceModel | None:
    """The face model that codes belong to, if it is named, or the built-in one."""
    if path is not None:
        return face_model_of(codes, path)
    model = builtin_face_model()
    return model if codes.source.get("face_model") == fingerprint(model) else None


def _holds_vertices(path: Path) -> bool:
    if not path.is_file() or path.suffix not in (".npz", ".npy"):
        return False
    try:
        loaded = np.load(path, allow_pickle=False)
        return loaded.ndim == 3 if isinstance(loaded, np.ndarray) else "vertices" in loaded
    except (ValueError, OSError, EOFError):
        return False  # `load_codes` says what is wrong


def _of_meshes(path: Path) -> ShapeSet:
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix.lower() in (".obj", ".ply"))
        if not files:
            raise ValueError(f"{path} is neither a run directory nor a folder of .obj or .ply meshes")
        names = [file.relative_to(path).as_posix() for file in files]
        vertices = _stack([_mesh_vertices(file) for file in files], names)
        folders = [name.rpartition("/")[0] for name in names]
        numbers = {folder: number for number, folder in enumerate(sorted(set(folders) - {""}))}
        identity = np.array([numbers.get(folder, NO_IDENTITY) for folder in folders], np.int32)
    else:
        loaded = np.load(path, allow_pickle=False)
        vertices = loaded if isinstance(loaded, np.ndarray) else loaded["vertices"]
        others = {} if isinstance(loaded, np.ndarray) else {name: loaded[name] for name in loaded.files}
        if vertices.ndim != 3 or vertices.shape[2] != 3 or not np.isfinite(vertices).all():
            raise ValueError(f"{path}: vertices must be finite numbers [N, V, 3], got {list(vertices.shape)}")
        names = others["names"].tolist() if "names" in others else [str(row) for row in range(len(vertices))]
        identity = others.get("identity", np.full(len(vertices), NO_IDENTITY)).astype(np.int32)
    if not len(names) == len(vertices) == len(identity):
        raise ValueError(f"{path}: {len(names)} names and {len(identity)} identities for {len(vertices)} meshes")
    flat = np.asarray(vertices, np.float32).reshape(len(vertices), -1)
    return ShapeSet(names, identity, flat, vertices.shape[1], None, None, None, None, {"meshes": str(path)})


def _mesh_vertices(file: Path) -> Float[np.ndarray, "V 3"]:
    # Readers of .obj may split vertices at seams of the texture; the order of the file is the topology here.
    return read_obj_vertices(file) if file.suffix.lower() == ".obj" else read_mesh(file)[0]


def _stack(meshes: list[np.ndarray], names: list[str]) -> Float[np.ndarray, "N V 3"]:
    for mesh, name in zip(meshes, names, strict=True):
        if mesh.shape != meshes[0].shape:
            raise ValueError(
                f"{name} has {len(mesh)} vertices, {names[0]} has {len(meshes[0])}: distances need one topology"
            )
    return np.stack(meshes)


def read_obj_vertices(path: Path) -> Float[np.ndarray, "V 3"]:
    """The vertices of an .obj file in their order.

    Raises:
      FileNotFoundError: if there is no such file.
      ValueError: if there are none, or one is not three numbers.
    """
    try:
        vertices = np.array([line.split()[1:4] for line in _obj_lines(path) if line.startswith("v ")], np.float64)
    except ValueError:
        raise ValueError(f"{path} has a vertex that is not three numbers") from None
    if vertices.ndim != 2 or not np.isfinite(vertices).all():
        raise ValueError(f"{path} has no vertices, or such that are not finite")
    return vertices


def read_obj_triangles(path: Path) -> Int[np.ndarray, "T 3"]:
    """The triangles of an .obj file from 0, texture and normal indices left out; quadrangles are cut in two.

    Raises:
      FileNotFoundError: if there is no such file.
      ValueError: if there are none, or one has another number of corners.
    """
    triangles = []
    for line in _obj_lines(path):
        if not line.startswith("f "):
            continue
        corners = [int(word.split("/")[0]) - 1 for word in line.split()[1:]]
        if len(corners) not in (3, 4) or min(corners) < 0:
            raise ValueError(f"{path} has a face of {len(corners)} corners, or such that count from the end")
        triangles.append(corners[:3])
        if len(corners) == 4:
            triangles.append([corners[0], *corners[2:]])
    if not triangles:
        raise ValueError(f"{path} has no faces: a mesh is needed, not points")
    return np.array(triangles)


def _obj_lines(path: Path) -> list[str]:
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: an .obj mesh is expected there")
    return path.read_text(encoding="utf-8", errors="replace").splitlines()
