"""What does aligning and scoring one face on a scan cost, beside open3d's ICP?

    pip install open3d            # not an extra: 900 MB, needs libusb
    taskset -c 0 python -m experiments.benchmarks.scan_error
    python -m experiments.benchmarks.scan_error [--model ict.npz]

A mesh of about 35,000 vertices against a scan of about 100,000 points of another person of the same face model, with
noise, turned, shifted and scaled. Prints milliseconds of CPU and of wall time (the least of several runs), and the
error left: RMSE of the scan points to the surface, computed for all by the same exact code. open3d gets the same start
and the same crop for nothing, its time is that of `registration_icp` with scale alone, in both directions, and it
reports no distances to surfaces; sirjax's time is that of cropping, starting, aligning and scoring.
"""

import argparse
import os
import time
from collections.abc import Callable

import numpy as np
from scipy.interpolate import LinearNDInterpolator

from sirjax.evaluation.closest_point import Surface, fcpw_is_installed
from sirjax.evaluation.scan_alignment import Alignment, fit_alignment
from sirjax.evaluation.scan_error import scan_error
from sirjax.morphable import load

TURN = 0.12  # radians about each axis
REACH = 50.0  # mm, of open3d's pairs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="builtin", help="face model file")
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()

    model = load(args.model)
    vertices, triangles = grid_face(model, person=1, side=225)
    scan, scan_triangles = grid_face(model, person=2, side=412)
    tip, scan_tip = vertices[vertices[:, 2].argmax()], scan[scan[:, 2].argmax()]
    scan = scan + 0.3 * np.random.default_rng(0).normal(size=scan.shape)
    unmoved = Alignment(1.1, turn(TURN), np.array([15.0, -10.0, 30.0]))
    predicted, predicted_tip = unmoved.invert(vertices), unmoved.invert(tip[None])[0]
    print(f"mesh: {len(predicted)} vertices, {len(triangles)} triangles; fcpw: {fcpw_is_installed()}")

    def ours():
        return scan_error(
            scan,
            scan_triangles,
            predicted,
            triangles,
            scan_nose_tip=scan_tip,
            predicted_nose_tip=predicted_tip,
            threads=len(os.sched_getaffinity(0)),
        )

    cpu, wall, error = least(ours, args.runs)
    points = scan[error.crop]
    surface = Surface(predicted, triangles, use_fcpw=fcpw_is_installed())
    print(f"crop: {len(points)} scan points; noise 0.3 mm\n\n{'':44}{'CPU ms':>8}{'wall ms':>9}{'RMSE mm':>10}")
    report("sirjax, aligned and scored", cpu, wall, residual(points, surface, error.alignment))
    print(f"{'':8}{error.iterations} iterations; plane RMSE {error.plane.rmse:.4f}, converged: {error.converged}")

    start = Alignment(1.0, np.eye(3), scan_tip - predicted_tip)
    for limit in (20, 30):
        for name, moves_mesh in (("mesh to scan", True), ("scan to mesh", False)):
            register = lambda: open3d_icp(predicted, points, start, limit, moves_mesh)  # noqa: E731, B023
            cpu, wall, alignment = least(register, 1 if limit > 30 else args.runs)
            report(f"open3d, {name}, at most {limit}", cpu, wall, residual(points, surface, alignment))


def grid_face(model, person: int, side: int) -> tuple[np.ndarray, np.ndarray]:
    """A random face's front as a height map over `side` x `side` places; those off the face are left out."""
    shape = np.random.default_rng(person).normal(size=model.num_shape) * np.asarray(model.shape_std)
    face = np.asarray(model.mean) + (shape @ np.asarray(model.shape_basis)).reshape(-1, 3)
    tip = face[face[:, 2].argmax()]
    near = (np.linalg.norm(face - tip[None], axis=1) < 125) & (face[:, 2] > tip[2] - 75)
    x, y = np.meshgrid(np.linspace(-80, 80, side), np.linspace(-95, 95, side))
    z = LinearNDInterpolator(face[near][:, :2], face[near][:, 2])(x + tip[0], y + tip[1])
    grid = np.stack([x + tip[0], y + tip[1], z], axis=-1).reshape(-1, 3)
    index = np.arange(side * side).reshape(side, side)
    a, b, c, d = (part.ravel() for part in (index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]))
    triangles = np.concatenate([np.stack([a, b, c], axis=1), np.stack([b, d, c], axis=1)])
    steep = np.abs(np.diff(grid[triangles][:, [0, 1, 2, 0], 2], axis=1)).max(axis=1)  # NaN off the face
    kept = triangles[steep < 8]
    rows, place = np.unique(kept, return_inverse=True)
    return grid[rows], place.reshape(-1, 3)


def turn(angle: float) -> np.ndarray:
    """By `angle` about each axis in turn."""
    cos, sin = np.cos(angle), np.sin(angle)
    about_x = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    about_y, about_z = about_x[[2, 0, 1]][:, [2, 0, 1]], about_x[[1, 2, 0]][:, [1, 2, 0]]
    return about_z @ about_y @ about_x


def open3d_icp(mesh: np.ndarray, points: np.ndarray, start: Alignment, limit: int, moves_mesh: bool) -> Alignment:
    """Point-to-point ICP with scale, its own defaults for when to stop, from the vertices or from the scan's points."""
    import open3d

    registration = open3d.pipelines.registration
    ends = [open3d.geometry.PointCloud(open3d.utility.Vector3dVector(cloud)) for cloud in (mesh, points)]
    first = np.eye(4)
    first[:3, :3], first[:3, 3] = start.scale * start.rotation, start.translation
    source, target, begin = (*ends, first) if moves_mesh else (*ends[::-1], np.linalg.inv(first))
    result = registration.registration_icp(
        source,
        target,
        REACH,
        begin,
        registration.TransformationEstimationPointToPoint(True),
        registration.ICPConvergenceCriteria(max_iteration=limit),
    )
    matrix = np.array(result.transformation) if moves_mesh else np.linalg.inv(result.transformation)
    return fit_alignment(mesh, mesh @ matrix[:3, :3].T + matrix[:3, 3])


def residual(points: np.ndarray, surface: Surface, alignment: Alignment) -> float:
    """RMSE of the points to the surface, mm."""
    return float(alignment.scale * np.sqrt(np.mean(np.square(surface.closest(alignment.invert(points)).distance))))


def least(function: Callable, runs: int) -> tuple[float, float, object]:
    """Least CPU and wall seconds of several runs, and the last result."""
    cpu, wall, result = [], [], None
    for _ in range(runs):
        before = time.process_time(), time.perf_counter()
        result = function()
        cpu.append(time.process_time() - before[0])
        wall.append(time.perf_counter() - before[1])
    return min(cpu), min(wall), result


def report(name: str, cpu: float, wall: float, rmse: float) -> None:
    print(f"{name:44}{1000 * cpu:8.0f}{1000 * wall:9.0f}{rmse:10.4f}", flush=True)


if __name__ == "__main__":
    main()
