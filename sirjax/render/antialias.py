"""Smooth silhouettes: pixels at the border of a surface become mixtures, so that gradients know which way it moves.

Between two neighboring pixel centers that see different triangles, the outline of the nearer one passes somewhere. If
it passes beyond the middle, the farther pixel takes a share of the nearer color, else the other way round:

    d = where the outline crosses the line between the centers, 0 at the nearer surface's pixel, 1 at the other one
    far  += max(d - 1/2, 0) (near - far)        near += max(1/2 - d, 0) (far - near)

The mixture is continuous in the vertices, also where an outline passes a pixel center; not where a corner of the
outline passes a row of centers. After Laine et al. (2020), section 3.5. An outline that belongs to another triangle
than the one seen by the nearer pixel is missed: meshes whose triangles are smaller than pixels stay as they are at most
of their border.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from sirjax.constants import NO_TRIANGLE
from sirjax.types import Fragments

EDGES = ((1, 2), (2, 0), (0, 1))  # edge k lies opposite to corner k
FLAT = 1e-6  # pixels; an edge that rises less does not cross a line between centers


def antialias(
    image: Float[Array, "N H W C"], fragments: Fragments, positions: Float[Array, "N V 4"], triangles: Int[Array, "T 3"]
) -> Float[Array, "N H W C"]:
    """Mixes pixels along silhouettes; differentiable in the image and in x, y, w of the positions.

    Args:
      image: what to smooth: colors, a mask, or both side by side.
      fragments: from `rasterize`, of the same positions and triangles.
      positions: clip space.
      triangles: must share vertices where the surface is connected, or every edge is taken for an outline.
    """
    height, width = image.shape[1:3]
    triangles = jnp.asarray(triangles)
    w = positions[..., 3]
    in_front = w > 0
    inverse = jnp.where(in_front, 1.0, 0.0) / jnp.where(in_front, w, 1.0)
    x = (positions[..., 0] * inverse + 1) * (0.5 * width) - 0.5
    y = (positions[..., 1] * inverse + 1) * (0.5 * height) - 0.5
    opposite = opposite_vertices(triangles)

    def one_image(image, ids, depth, x, y, in_front):
        depth = jnp.where(ids == NO_TRIANGLE, jnp.inf, depth)
        mesh = triangles, opposite, in_front
        across = _mixing(image, ids, depth, (x, y), mesh)
        down = _mixing(jnp.swapaxes(image, 0, 1), ids.T, depth.T, (y, x), mesh)
        return image + across + jnp.swapaxes(down, 0, 1)

    return jax.vmap(one_image)(image, fragments.triangle_id, fragments.depth, x, y, in_front)


def opposite_vertices(triangles: Int[Array, "T 3"]) -> Int[Array, "T 3"]:
    """For each edge of each triangle (edge k is opposite to corner k) the third corner of the one beyond it, or -1."""
    triangles = jnp.asarray(triangles)
    ends = jnp.stack([triangles[:, list(edge)] for edge in EDGES], axis=1).reshape(-1, 2)
    low, high = ends.min(axis=1), ends.max(axis=1)
    order = jnp.lexsort((high, low))
    low, high, corner = low[order], high[order], triangles.reshape(-1)[order]
    like_next = jnp.append((low[1:] == low[:-1]) & (high[1:] == high[:-1]), False)
    like_previous = jnp.roll(like_next, 1)
    beyond = jnp.where(like_next, jnp.roll(corner, -1), jnp.where(like_previous, jnp.roll(corner, 1), -1))
    return jnp.zeros_like(beyond).at[order].set(beyond).reshape(-1, 3)


def _mixing(image: Float[Array, "H W C"], ids, depth, screen, mesh) -> Float[Array, "H W C"]:
    """What pairs of neighbors along rows add to the image. `screen`: coordinates along and across rows, in pixels."""
    height, width = ids.shape
    left, right = ids[:, :-1], ids[:, 1:]
    left_is_near = depth[:, :-1] <= depth[:, 1:]
    near = jnp.where(left_is_near, left, right)
    step = jnp.where(left_is_near, 1, -1)
    column = jnp.arange(width - 1)[None, :] + jnp.where(left_is_near, 0, 1)
    row = jnp.broadcast_to(jnp.arange(height)[:, None], near.shape)
    crosses, place = _crossing(near, column, row, step, screen, mesh)
    share = jnp.where(crosses & (left != right), place - 0.5, 0.0)[
        ..., None
    ]  # > 0: of near in far, < 0: of far in near
    to_far = jnp.where(left_is_near[..., None], image[:, :-1] - image[:, 1:], image[:, 1:] - image[:, :-1])
    given, taken = jnp.maximum(share, 0.0) * to_far, jnp.minimum(share, 0.0) * to_far
    to_left = jnp.where(left_is_near[..., None], taken, given)
    to_right = jnp.where(left_is_near[..., None], given, taken)
    return jnp.pad(to_left, ((0, 0), (0, 1), (0, 0))) + jnp.pad(to_right, ((0, 0), (1, 0), (0, 0)))


def _crossing(near, column, row, step, screen, mesh) -> tuple[Bool[Array, "H W"], Float[Array, "H W"]]:
    """Whether an outline of each pixel's triangle crosses the way to its neighbor, and where (0 .. 1)."""
    triangles, opposite, in_front = mesh
    along, across = screen
    triangle = jnp.maximum(near, 0)
    corners = [triangles[:, k][triangle] for k in range(3)]
    beyond = [opposite[:, k][triangle] for k in range(3)]
    seen = (near != NO_TRIANGLE) & in_front[corners[0]] & in_front[corners[1]] & in_front[corners[2]]

    def place_of(vertex):
        return (along[vertex] - column) * step, across[vertex] - row

    best_place, found = jnp.zeros(near.shape), jnp.zeros(near.shape, bool)
    points = [place_of(corner) for corner in corners]
    for k, (i, j) in enumerate(EDGES):
        (xa, ya), (xb, yb) = points[i], points[j]
        rise, run = yb - ya, xb - xa
        other = place_of(jnp.maximum(beyond[k], 0))
        side = [run * (py - ya) - rise * (px - xa) for px, py in (points[k], other)]
        is_outline = (beyond[k] < 0) | (side[0] * side[1] > 0)  # the surface ends here, or folds back
        # Each outline serves the pairs that it separates best: rows for steep ones, columns for flat ones.
        is_steep = (jnp.abs(rise) >= jnp.abs(run)) & (jnp.abs(rise) > FLAT)
        meets = ((ya <= 0) & (yb > 0)) | ((yb <= 0) & (ya > 0))
        place = xa - ya * run / jnp.where(is_steep, rise, 1.0)
        valid = seen & is_outline & is_steep & meets & (place >= 0) & (place <= 1) & (~found | (place > best_place))
        best_place, found = jnp.where(valid, place, best_place), found | valid
    return found, best_place
