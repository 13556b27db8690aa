"""Triangle meshes: topology and vertex normals. B: batch, V: vertices, T: triangles.

Sums over the triangles around a vertex are gathers through a precomputed table, forward and backward: XLA runs scatters
on CPUs one element at a time, and on GPUs in an order that changes from run to run.
"""

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import Array
from jaxtyping import Float, Int

_TINY = 1e-20  # mm^4: squared length of a normal below which the vertex counts as degenerate


@struct.dataclass
class MeshTopology:
    """Which vertices make up each triangle, and the reverse. Corner c of triangle t has the number 3 t + c."""

    triangles: Array  # int32 [T, 3] vertices, counterclockwise seen from outside
    vertex_corners: Array  # int32 [V, K] corners that meet at each vertex, padded with 3 T


def mesh_topology(triangles: Int[np.ndarray, "..."], num_vertices: int) -> MeshTopology:
    """Builds the topology with NumPy, once per mesh. K is the largest number of triangles at one vertex.

    Raises:
      ValueError: if `triangles` is not [T, 3] or names a vertex outside [0, num_vertices).
    """
    triangles = np.asarray(triangles)
    if triangles.ndim != 2 or triangles.shape[1] != 3:
        raise ValueError(f"triangles must have shape [T, 3], got {list(triangles.shape)}")
    if triangles.size and not (triangles.min() >= 0 and triangles.max() < num_vertices):
        raise ValueError(
            f"triangles name the vertices {triangles.min()} to {triangles.max()}, but the mesh has {num_vertices}; "
            "number vertices from 0"
        )
    flat = triangles.reshape(-1)
    order = np.argsort(flat, kind="stable")  # corners, sorted by vertex
    count = np.bincount(flat, minlength=num_vertices)
    first = np.cumsum(count) - count
    place = np.arange(len(flat)) - first[flat[order]]  # place of each corner among its vertex's corners
    corners = np.full((num_vertices, max(1, count.max(initial=0))), len(flat))
    corners[flat[order], place] = order
    return MeshTopology(*jax.device_put((triangles.astype(np.int32), corners.astype(np.int32))))


@jax.custom_vjp
def _corners_of_vertices(
    vertices: Float[Array, "B V D"], triangles: Int[Array, "T 3"], vertex_corners: Int[Array, "V K"]
) -> Float[Array, "B T 3 D"]:
    """The value of each triangle's vertices. Linear; its transpose is `_sum_at_vertices`."""
    return vertices[:, triangles]


@jax.custom_vjp
def _sum_at_vertices(
    corners: Float[Array, "B T 3 D"], triangles: Int[Array, "T 3"], vertex_corners: Int[Array, "V K"]
) -> Float[Array, "B V D"]:
    """The sum over the corners that meet at each vertex. Linear; its transpose is `_corners_of_vertices`."""
    batch, _, _, dim = corners.shape
    flat = jnp.pad(corners.reshape(batch, -1, dim), ((0, 0), (0, 1), (0, 0)))  # row 3 T, the padding, is zero
    return jnp.sum(flat[:, vertex_corners], axis=2)


_corners_of_vertices.defvjp(
    lambda vertices, *topology: (_corners_of_vertices(vertices, *topology), topology),
    lambda topology, cotangent: (_sum_at_vertices(cotangent, *topology), None, None),
)
_sum_at_vertices.defvjp(
    lambda corners, *topology: (_sum_at_vertices(corners, *topology), topology),
    lambda topology, cotangent: (_corners_of_vertices(cotangent, *topology), None, None),
)


def _area_normals(corners: Float[Array, "B T 3 3"]) -> Float[Array, "B T 3"]:
    """Outward normal of each triangle, twice its area long."""
    origin = corners[:, :, 0]
    return jnp.cross(corners[:, :, 1] - origin, corners[:, :, 2] - origin)


def vertex_normals(vertices: Float[Array, "B V 3"], topology: MeshTopology) -> Float[Array, "B V 3"]:
    """Unit normal of each vertex: the mean of its triangles' normals weighted by their areas.

    A vertex whose triangles have no area, or cancel, gets a zero normal and a zero gradient, never NaN. Reverse-mode
    only: forward-mode differentiation is not defined.
    """
    triangles, vertex_corners = topology.triangles, topology.vertex_corners
    face_normals = _area_normals(_corners_of_vertices(vertices, triangles, vertex_corners))
    at_corners = jnp.broadcast_to(face_normals[:, :, None], (*face_normals.shape[:2], 3, 3))
    total = _sum_at_vertices(at_corners, triangles, vertex_corners)
    squared = jnp.sum(jnp.square(total), axis=-1, keepdims=True)
    degenerate = squared < _TINY
    return jnp.where(degenerate, 0.0, total * jax.lax.rsqrt(jnp.where(degenerate, 1.0, squared)))


def vertex_normals_of_one(vertices: Float[np.ndarray, "V 3"], topology: MeshTopology) -> Float[np.ndarray, "V 3"]:
    """`vertex_normals` of one mesh, as NumPy; one compiled program for all who draw and write meshes."""
    return np.asarray(_vertex_normals(np.asarray(vertices, np.float32)[None], topology))[0]


_vertex_normals = jax.jit(vertex_normals)


def triangle_areas(vertices: Float[Array, "B V 3"], triangles: Int[Array, "T 3"]) -> Float[Array, "B T"]:
    """Area of each triangle, in squared units of the vertices; the gradient is zero at triangles without area."""
    squared = jnp.sum(jnp.square(_area_normals(vertices[:, triangles])), axis=-1)
    flat = squared == 0.0
    return jnp.where(flat, 0.0, 0.5 * jnp.sqrt(jnp.where(flat, 1.0, squared)))
