"""The rasterizer in plain JAX, for every platform: exact z-buffer visibility, nothing dropped, no triangle-size limit.

Per image: bounding box of each triangle -> number of candidate pixels -> prefix sum. A window of fixed size walks over
all candidates (most faces fit in one or two), tests each against its triangle and resolves by scatter-min on depth,
then on index. Every gather is one-dimensional: a TPU would pad a trailing axis of 4 to 128. Coverage is decided in
float32 with edges evaluated in one canonical direction, so that neighbors agree on their common edge whatever the
compiler fuses.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Float, Int

from sirjax.constants import NO_TRIANGLE

NEVER = np.int32(np.iinfo(np.int32).max)  # a pixel index that scatters drop, a depth that any triangle beats
BOX_SLACK = 1e-2  # pixels added around boxes, far above float rounding; the edge functions decide


def rasterize(
    positions: Float[Array, "N V 4"], triangles: Int[Array, "T 3"], image_size: tuple[int, int]
) -> tuple[Int[Array, "N H W"], Float[Array, "N H W 3"], Float[Array, "N H W"]]:
    """Triangle ids, barycentric coordinates and depth; see sirjax.render.rasterize."""
    height, width = image_size
    window = max(1024, min(len(triangles), 2 * height * width))

    def one_image(vertices):
        ids = visible_triangles(vertices, triangles, image_size, window)
        depth_weights = vertices[:, 2], vertices[:, 3]
        edges, corners = edge_areas(vertices, triangles, ids)
        z, w = (sum(a * values[i] for a, i in zip(edges, corners, strict=True)) for values in depth_weights)
        return ids, jnp.where(ids == NO_TRIANGLE, 0.0, z / w)

    ids, depth = lax.map(one_image, positions)
    return ids, barycentric_of(positions, triangles, ids), depth


def rasterize_gradient(
    positions: Float[Array, "N V 4"],
    triangles: Int[Array, "T 3"],
    ids: Int[Array, "N H W"],
    gradient: Float[Array, "N H W 3"],
) -> Float[Array, "N V 4"]:
    """Gradient with respect to the positions, for that of the barycentric coordinates; visibility is constant."""
    return jax.vjp(lambda p: barycentric_of(p, triangles, ids), positions)[1](gradient)[0]


def barycentric_of(
    positions: Float[Array, "N V 4"], triangles: Int[Array, "T 3"], ids: Int[Array, "N H W"]
) -> Float[Array, "N H W 3"]:
    """Barycentric coordinates of pixel centers in known triangles, differentiable; 0 where there is none."""

    def one_image(vertices, ids):
        (a0, a1, a2), _ = edge_areas(vertices, triangles, ids)
        return jnp.stack((a0, a1, a2), axis=-1) / (a0 + a1 + a2)[..., None]

    return jnp.where((ids == NO_TRIANGLE)[..., None], 0.0, jax.vmap(one_image)(positions, ids))


def edge_areas(vertices: Float[Array, "V 4"], triangles: Int[Array, "T 3"], ids: Int[Array, "H W"]):
    """The three edge functions at each pixel center (1 where nothing is hit), and the three corners' vertex numbers."""
    height, width = ids.shape
    hit = ids != NO_TRIANGLE
    corners = [triangles[:, k][jnp.maximum(ids, 0)] for k in range(3)]
    column = pixel_center(jnp.arange(width), width)[None, :]
    row = pixel_center(jnp.arange(height), height)[:, None]
    x = [(vertices[:, 0] * width)[i] - column * vertices[:, 3][i] for i in corners]
    y = [(vertices[:, 1] * height)[i] - row * vertices[:, 3][i] for i in corners]
    areas = [jnp.where(hit, x[m] * y[n] - y[m] * x[n], 1.0) for m, n in ((1, 2), (2, 0), (0, 1))]
    return areas, corners


def pixel_center(index: Int[Array, "..."], size: int) -> Float[Array, "..."]:
    """Clip coordinates of a pixel center, times the image size: whole numbers."""
    return (2 * index + 1 - size).astype(jnp.float32)


def visible_triangles(
    vertices: Float[Array, "V 4"], triangles: Int[Array, "T 3"], image_size: tuple[int, int], window: int
) -> Int[Array, "H W"]:
    """The triangle nearest to the eye at each pixel center of one image, the first one of several at the same depth."""
    height, width = image_size
    scaled = [vertices[:, 0] * width, vertices[:, 1] * height, vertices[:, 2], vertices[:, 3]]
    corners = [triangles[:, k] for k in range(3)]
    left, top, columns, count = pixel_boxes(vertices, corners, image_size)
    end = jnp.cumsum(count)
    begin, total = end - count, end[-1]
    numbers = jnp.arange(len(triangles), dtype=jnp.int32)

    def test_window(state):
        start, depth, ids = state
        # Which triangle owns each slot: mark the first slot of each triangle, then carry the mark on.
        slot = jnp.where(begin >= start, begin - start, jnp.where(end > start, 0, NEVER))
        marks = jnp.zeros(window, jnp.int32).at[jnp.where(count > 0, slot, NEVER)].max(numbers, mode="drop")
        owner = lax.cummax(marks)
        candidate = start + jnp.arange(window, dtype=jnp.int32)
        local, box_width = candidate - begin[owner], jnp.maximum(columns[owner], 1)
        line = local // box_width
        px, py = left[owner] + local - line * box_width, top[owner] + line
        inside, z = covers(scaled, [i[owner] for i in corners], pixel_center(px, width), pixel_center(py, height))
        pixel = jnp.where(inside & (candidate < total), py * width + px, NEVER)
        key = ordered_bits(z)
        nearer = depth.at[pixel].min(key, mode="drop")
        ids = jnp.where(nearer < depth, NEVER, ids)
        wins = key == nearer.at[pixel].get(mode="fill", fill_value=-NEVER)
        ids = ids.at[jnp.where(wins, pixel, NEVER)].min(owner, mode="drop")
        return start + window, nearer, ids

    none = total * 0  # a constant would not have the type of the data under shard_map
    empty = jnp.full(height * width, NEVER) + none
    _, _, ids = lax.while_loop(lambda state: state[0] < total, test_window, (none, empty, empty))
    return jnp.where(ids == NEVER, NO_TRIANGLE, ids).reshape(height, width)


def pixel_boxes(vertices: Float[Array, "V 4"], corners: list[Array], image_size: tuple[int, int]):
    """Left column, top row, number of columns and number of pixels of each triangle's box of candidate pixels.

    A triangle with a vertex behind the eye may be seen anywhere; one that names a vertex out of range is nowhere.
    """
    height, width = image_size
    in_front = vertices[:, 3] > 1e-12
    inverse = 1.0 / jnp.where(in_front, vertices[:, 3], 1.0)
    all_in_front = in_front[corners[0]] & in_front[corners[1]] & in_front[corners[2]]
    exists = jnp.ones_like(all_in_front)
    for i in corners:
        exists &= (i >= 0) & (i < len(vertices))

    def span(coordinate, size):
        pixels = (coordinate * inverse) * (0.5 * size) + (0.5 * size - 0.5)
        a, b, c = (pixels[i] for i in corners)
        low = jnp.minimum(jnp.minimum(a, b), c) - BOX_SLACK
        high = jnp.maximum(jnp.maximum(a, b), c) + BOX_SLACK
        first = jnp.where(all_in_front, jnp.ceil(jnp.clip(low, 0.0, size)), 0.0)
        last = jnp.where(all_in_front, jnp.floor(jnp.clip(high, -1.0, size - 1.0)), size - 1.0)
        seen = exists & (~all_in_front | (low <= high))  # not for NaN
        return first.astype(jnp.int32), jnp.where(seen, last - first + 1, 0.0).astype(jnp.int32)

    left, columns = span(vertices[:, 0], width)
    top, rows = span(vertices[:, 1], height)
    columns = jnp.maximum(columns, 0)
    return left, top, columns, columns * jnp.maximum(rows, 0)


def covers(scaled: list[Array], corners: list[Array], column: Array, row: Array) -> tuple[Array, Array]:
    """Whether each triangle covers its candidate pixel, and z/w there. All arrays have one entry per candidate."""
    px, py, pz, pw = ([values[i] for i in corners] for values in scaled)
    x = [p - column * w for p, w in zip(px, pw, strict=True)]
    y = [p - row * w for p, w in zip(py, pw, strict=True)]
    edges = ((1, 2), (2, 0), (0, 1))
    flipped = [corners[n] < corners[m] for m, n in edges]
    areas = [
        jnp.where(flip, -(x[n] * y[m] - y[n] * x[m]), x[m] * y[n] - y[m] * x[n])
        for (m, n), flip in zip(edges, flipped, strict=True)
    ]
    total = areas[0] + areas[1] + areas[2]
    sign = jnp.sign(total)
    inside = sign != 0
    for area, (m, n), flip in zip(areas, edges, flipped, strict=True):
        # Exactly on an edge, the center belongs to the triangle on one fixed side of it.
        nx = jnp.where(flip, -(py[n] * pw[m] - py[m] * pw[n]), py[m] * pw[n] - py[n] * pw[m]) * sign
        ny = jnp.where(flip, -(px[m] * pw[n] - px[n] * pw[m]), px[n] * pw[m] - px[m] * pw[n]) * sign
        inside &= (area * sign > 0) | ((area == 0) & ((nx > 0) | ((nx == 0) & (ny > 0))))
    z = pz[0] * areas[0] + pz[1] * areas[1] + pz[2] * areas[2]
    w = pw[0] * areas[0] + pw[1] * areas[1] + pw[2] * areas[2]
    depth = z / w
    return inside & (w * total > 0) & (jnp.abs(depth) <= 1), depth


def ordered_bits(depth: Float[Array, " M"]) -> Int[Array, " M"]:
    """Integers in the order of the floats: scatter-min on integers is exact and the same in any order."""
    bits = lax.bitcast_convert_type(depth, jnp.int32)
    return jnp.where(bits < 0, bits ^ np.int32(0x7FFFFFFF), bits)
