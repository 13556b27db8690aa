"""The linear face model, equation 1: S = mean + A_id alpha_id + A_exp alpha_exp.

V vertices, T triangles, S/E shape/expression modes, Vt texture vertices, U side of the UV maps. Millimeters, model
frame (see `sirjax.types`): x to the image's right, y up, z toward the viewer. Landmarks follow iBUG's 68 points,
0-based: 0-16 jaw, 17-26 brows, 27-35 nose, 36-47 eyes, 48-67 lips; the subject's right side, which is on the left of a
frontal image, comes first.
"""

import jax.numpy as jnp
from flax import struct
from jax import Array
from jaxtyping import Float

from sirjax.geometry.mesh import MeshTopology
from sirjax.morphable.coefficients import to_millimeters
from sirjax.types import Coefficients

RIGHT_EYE = slice(36, 42)  # the subject's right eye, on the left of a frontal image
LEFT_EYE = slice(42, 48)
NOSE_TIP = 30
MOUTH_CORNERS = (48, 54)


@struct.dataclass
class FaceModel:
    """A 3D morphable model. Basis rows are modes, flattened x0 y0 z0 x1 ..., mm per mm; orthonormal if built here."""

    mean: Array  # [V, 3] mm, the neutral mean face
    shape_basis: Array  # [S, 3V]
    expression_basis: Array  # [E, 3V]
    shape_std: Array  # [S] mm
    expression_std: Array  # [E] mm
    topology: MeshTopology  # triangles int32 [T, 3], counterclockwise seen from outside
    uv: Array  # [Vt, 2] in [0, 1], v down; symmetric about u = 0.5
    uv_triangles: Array  # int32 [T, 3], rows of uv, parallel to the triangles
    landmark_vertices: Array  # int32 [68, 3]
    landmark_weights: Array  # [68, 3] barycentric, each row sums to 1
    mean_albedo: Array  # [U, U, 3] in [0, 1]
    uv_mask: Array  # bool [U, U], texels that some triangle uses
    mirror_vertices: Array  # int32 [V], the vertex on the other side of the face
    name: str = struct.field(pytree_node=False, default="")
    licence: str = struct.field(pytree_node=False, default="")
    provenance: str = struct.field(pytree_node=False, default="")
    unit_mm: float = struct.field(pytree_node=False, default=1.0)  # millimeters per unit of the file it came from

    @property
    def triangles(self) -> Array:
        """The vertices of each triangle, int32 [T, 3]."""
        return self.topology.triangles

    @property
    def num_vertices(self) -> int:
        """V."""
        return self.mean.shape[0]

    @property
    def num_shape(self) -> int:
        """S."""
        return self.shape_std.shape[0]

    @property
    def num_expression(self) -> int:
        """E."""
        return self.expression_std.shape[0]

    @property
    def uv_size(self) -> int:
        """U."""
        return self.mean_albedo.shape[0]


def vertices(model: FaceModel, coefficients: Coefficients) -> Float[Array, "B V 3"]:
    """The faces of whitened coefficients, in millimeters (equation 1)."""
    shape = to_millimeters(coefficients.shape, model.shape_std) @ model.shape_basis
    expression = to_millimeters(coefficients.expression, model.expression_std) @ model.expression_basis
    return model.mean[None] + (shape + expression).reshape(-1, model.num_vertices, 3)


def neutral_vertices(model: FaceModel, shape: Float[Array, "B S"]) -> Float[Array, "B V 3"]:
    """The faces of whitened shape coefficients without any expression, in millimeters."""
    offset = to_millimeters(shape, model.shape_std) @ model.shape_basis
    return model.mean[None] + offset.reshape(-1, model.num_vertices, 3)


def landmarks(model: FaceModel, coefficients: Coefficients) -> Float[Array, "B 68 3"]:
    """The 68 landmarks of whitened coefficients, in millimeters: equation 1 for the vertices they rest on alone."""

    def offset(whitened: Array, std: Array, basis: Array) -> Array:
        rows = basis.reshape(basis.shape[0], -1, 3)[:, model.landmark_vertices]  # [S, 68, 3 corners, 3]
        points = jnp.einsum("slkc,lk->slc", rows, model.landmark_weights)
        return jnp.einsum("bs,slc->blc", to_millimeters(whitened, std), points)

    mean = landmarks_of(model, model.mean[None])
    shape = offset(coefficients.shape, model.shape_std, model.shape_basis)
    return mean + shape + offset(coefficients.expression, model.expression_std, model.expression_basis)


def landmarks_of(model: FaceModel, vertices: Float[Array, "B V C"]) -> Float[Array, "B 68 C"]:
    """The landmarks on given vertices, whatever their frame or unit (projected ones too)."""
    return jnp.einsum("blkc,lk->blc", vertices[:, model.landmark_vertices], model.landmark_weights)


def five_points(landmarks: Float[Array, "*B 68 D"]) -> Float[Array, "*B 5 D"]:
    """Right eye, left eye (means of six points each), nose tip and mouth corners: the points a crop is aligned by.

    Right and left are the subject's; in a frontal image the right eye and the right mouth corner are on the left.
    """
    right_eye = landmarks[..., RIGHT_EYE, :].mean(axis=-2, keepdims=True)
    left_eye = landmarks[..., LEFT_EYE, :].mean(axis=-2, keepdims=True)
    single = [landmarks[..., i : i + 1, :] for i in (NOSE_TIP, *MOUTH_CORNERS)]
    return jnp.concatenate([right_eye, left_eye, *single], axis=-2)
