"""From what an importer read to a complete face model: landmarks, origin, mirror map, UV layout, albedo, modes."""

from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np

from data_prep.face_models.albedo import UV_SIZE, mean_albedo
from data_prep.face_models.landmarks import complete, on_triangles, reference_points
from data_prep.face_models.meshes import midline, mirror_error, mirror_map
from data_prep.face_models.raw import Landmarks, RawModel, unit_modes
from data_prep.face_models.uv_layout import computed_layout, flipped, symmetric_layout
from sirjax.geometry.mesh import mesh_topology
from sirjax.morphable.model import FaceModel
from sirjax.morphable.orthonormalize import orthonormalize

EYE_CORNERS_MM = (60.0, 130.0)  # between the outer corners; adults have 85 to 100
MIRROR_LIMIT = 0.05  # mean mirror error over the face's width, beyond which "mirror" would mean nothing


@dataclass(frozen=True)
class Report:
    """What building a model had to make up or found out, in sentences for the user."""

    notes: tuple[str, ...]


def build(
    raw: RawModel,
    *,
    num_shape: int | None = None,
    num_expression: int | None = None,
    orthonormal: bool = False,
    uv_size: int = UV_SIZE,
) -> tuple[FaceModel, Report]:
    """A complete model in sirjax's conventions (docs/face_model.md).

    Args:
      raw: what was read.
      num_shape: keep the first modes only; all if None.
      num_expression: likewise; of models whose expressions have no order, the strongest mixtures of all.
      orthonormal: make the shape modes orthonormal (after trimming).
      uv_size: side of the albedo map.

    Raises:
      ValueError: if counts are out of range, or the mesh is no upright face in millimeters with x to the image's right.
    """
    notes = [f"the files' unit is {raw.unit_mm:g} mm"]
    raw = _trimmed(_used_vertices(raw), num_shape, num_expression)
    known = raw.landmarks.known
    landmarks = complete(raw.landmarks, raw.mean, raw.triangles)
    if not known.all():
        made_up = ", ".join(str(k) for k in np.flatnonzero(~known))
        notes.append(f"landmarks carried over from the built-in model (the files do not tell them): {made_up}")
    _check_pose(raw, landmarks.points(raw.mean))
    raw, shift = _centered(raw, landmarks)
    notes.append("origin moved by {:.1f}, {:.1f}, {:.1f} mm to lie inside the head".format(*shift))
    landmarks = on_triangles(landmarks, raw.mean, raw.triangles)
    mirror = _mirror(raw, notes)
    uv, uv_triangles = _layout(raw, mirror, notes)
    albedo, mask = mean_albedo(
        raw.mean,
        raw.triangles,
        uv,
        uv_triangles,
        landmarks.points(raw.mean),
        raw.colors,
        raw.parts,
        size=uv_size,
    )
    notes.append("mean albedo " + ("painted plain: the model has none" if raw.colors is None else "from the model"))
    model = FaceModel(
        mean=_floats(raw.mean),
        shape_basis=_floats(raw.shape_basis.reshape(len(raw.shape_std), -1)),
        expression_basis=_floats(raw.expression_basis.reshape(len(raw.expression_std), -1)),
        shape_std=_floats(raw.shape_std),
        expression_std=_floats(raw.expression_std),
        topology=mesh_topology(raw.triangles, len(raw.mean)),
        uv=_floats(uv),
        uv_triangles=jnp.asarray(uv_triangles, jnp.int32),
        landmark_vertices=jnp.asarray(landmarks.vertices, jnp.int32),
        landmark_weights=_floats(landmarks.weights),
        mean_albedo=_floats(albedo),
        uv_mask=jnp.asarray(mask),
        mirror_vertices=jnp.asarray(mirror, jnp.int32),
        name=raw.name,
        licence=raw.licence,
        provenance="; ".join([f"made by `sirjax face-model import` from {raw.provenance}", *notes]),
    )
    return (orthonormalize(model)[0] if orthonormal else model), Report(tuple(notes))


def _floats(array: np.ndarray) -> jnp.ndarray:
    return jnp.asarray(np.asarray(array, np.float32))


def _used_vertices(raw: RawModel) -> RawModel:
    """The model without the vertices that no triangle names."""
    used = np.unique(raw.triangles)
    if len(used) == len(raw.mean):
        return raw
    new = np.full(len(raw.mean), -1)
    new[used] = np.arange(len(used))
    corners = np.where(raw.landmarks.vertices >= 0, raw.landmarks.vertices, used[0])
    lost = raw.landmarks.known & (new[corners] < 0).any(axis=1)
    if lost.any():
        raise ValueError(f"the landmarks {', '.join(map(str, np.flatnonzero(lost)))} lie on vertices outside the mesh")
    vertices = np.where(raw.landmarks.known[:, None], new[corners], raw.landmarks.vertices)
    mirror = None if raw.mirror is None else new[raw.mirror[used]]
    if mirror is not None and (mirror < 0).any():
        mirror = None
    return replace(
        raw,
        mean=raw.mean[used],
        shape_basis=raw.shape_basis[:, used],
        expression_basis=raw.expression_basis[:, used],
        triangles=new[raw.triangles],
        landmarks=Landmarks(vertices, raw.landmarks.weights),
        colors=None if raw.colors is None else raw.colors[used],
        parts=None if raw.parts is None else raw.parts[used],
        mirror=mirror,
    )


def _trimmed(raw: RawModel, num_shape: int | None, num_expression: int | None) -> RawModel:
    for what, wanted, there in (
        ("shape", num_shape, len(raw.shape_std)),
        ("expression", num_expression, len(raw.expression_std)),
    ):
        if wanted is not None and not 1 <= wanted <= there:
            raise ValueError(f"{wanted} {what} modes were asked for, {raw.name} has 1 to {there}")
    if num_expression is not None and num_expression < len(raw.expression_std) and not raw.expressions_are_ordered:
        basis, std = _strongest(raw.expression_basis, raw.expression_std, num_expression)
        raw = replace(raw, expression_basis=basis, expression_std=std)
    return replace(
        raw,
        shape_basis=raw.shape_basis[:num_shape],
        shape_std=raw.shape_std[:num_shape],
        expression_basis=raw.expression_basis[:num_expression],
        expression_std=raw.expression_std[:num_expression],
    )


def _strongest(basis: np.ndarray, std: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The `count` orthogonal modes that keep most of what the modes do together under their prior."""
    scaled = (basis * std[:, None, None]).reshape(len(std), -1)
    values, mixtures = np.linalg.eigh(scaled @ scaled.T)  # few modes, many vertices: the small Gram matrix tells all
    strongest = mixtures[:, np.argsort(values)[::-1][:count]]
    return unit_modes((strongest.T @ scaled).reshape(count, -1, 3))


def _check_pose(raw: RawModel, points: np.ndarray) -> None:
    eyes = float(np.linalg.norm(points[45] - points[36]))
    if not EYE_CORNERS_MM[0] <= eyes <= EYE_CORNERS_MM[1]:
        raise ValueError(
            f"the outer eye corners of {raw.name} lie {eyes:.3g} mm apart, expected {EYE_CORNERS_MM[0]:.0f} to "
            f"{EYE_CORNERS_MM[1]:.0f}: the file is in another unit than the published one, or the landmarks are others"
        )
    right = points[45, 0] - points[36, 0]
    up = points[[19, 24], 1].mean() - points[8, 1]
    forward = points[30, 2] - points[[36, 45], 2].mean()
    if min(right, up, forward) <= 0:
        raise ValueError(
            f"{raw.name} does not look toward the viewer (x right, y up, z forward): its eyes are {right:.0f} mm "
            f"apart to the right, brows {up:.0f} mm over the chin, nose {forward:.0f} mm before the eyes; is the "
            "landmark list in iBUG's order?"
        )


def _centered(raw: RawModel, landmarks: Landmarks) -> tuple[RawModel, np.ndarray]:
    """The model moved so that its landmarks lie about where the built-in model's do: heads turn about their inside."""
    shift = reference_points().mean(axis=0) - landmarks.points(raw.mean).mean(axis=0)
    shift[0] = -midline(raw.mean)
    return replace(raw, mean=raw.mean + shift), shift


def _mirror(raw: RawModel, notes: list[str]) -> np.ndarray:
    mirror = mirror_map(raw.mean) if raw.mirror is None else raw.mirror
    if (mirror[mirror] != np.arange(len(mirror))).any():
        mirror = mirror_map(raw.mean)
    error = mirror_error(raw.mean, mirror)
    own = "found" if raw.mirror is None else "the model's own"
    notes.append(f"mirror map {own}, off by {error.mean():.2f} mm on average")
    width = np.ptp(raw.mean[:, 0])
    if error.mean() > MIRROR_LIMIT * width:
        raise ValueError(
            f"{raw.name} is not symmetric: mirrored vertices miss each other by {error.mean():.1f} mm on average, the "
            f"limit is {MIRROR_LIMIT * width:.1f}"
        )
    return mirror


def _layout(raw: RawModel, mirror: np.ndarray, notes: list[str]) -> tuple[np.ndarray, np.ndarray]:
    if raw.uv is not None and raw.uv_triangles is not None:
        uv, off = symmetric_layout(raw.uv, raw.uv_triangles, raw.triangles, mirror)
        if uv is not None:
            notes.append(f"UV layout the model's own, made exactly symmetric (was off by {off:.4f})")
            used, renumbered = np.unique(raw.uv_triangles, return_inverse=True)
            return uv[used], renumbered.reshape(raw.uv_triangles.shape)
        notes.append(f"the model's own UV layout is not symmetric (off by {off:.2f})")
    uv = computed_layout(raw.mean, raw.triangles, mirror)
    notes.append(f"UV layout computed, {flipped(uv, raw.triangles):.2%} of the triangles flipped")
    return uv, raw.triangles
