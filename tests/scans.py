"""A synthetic face as a mesh, for tests of scans."""

import numpy as np

SIZE = 160.0  # mm, of the synthetic face


def grid_triangles(rows, columns):
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    return np.concatenate([np.stack(corners, axis=-1).reshape(-1, 3) for corners in ((a, c, b), (b, c, d))])


def face(grid=25):
    """A mask with nose, lips and eye sockets: vertices in mm, triangles, nose tip."""
    x, y = np.meshgrid(np.linspace(-SIZE / 2, SIZE / 2, grid), np.linspace(SIZE / 2, -SIZE / 2, grid))
    z = 55 * (1 - (x / 95) ** 2 - (y / 120) ** 2)
    z += 18 * np.exp(-((x / 13) ** 2) - ((y + 5) / 22) ** 2)
    z += 4 * np.exp(-((x / 25) ** 2) - ((y + 45) / 9) ** 2)
    z -= 5 * np.exp(-(((np.abs(x) - 32) / 12) ** 2) - ((y - 25) / 9) ** 2)
    vertices = np.stack([x, y, z], axis=-1).reshape(-1, 3)
    return vertices, grid_triangles(grid, grid), vertices[z.argmax()]


def write_obj(path, vertices, triangles):
    lines = [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in vertices]
    path.write_text("\n".join(lines + [f"f {a + 1} {b + 1} {c + 1}" for a, b, c in triangles]) + "\n")
