"""Neutral meshes of one topology and its 85 keypoints for the REALY benchmark's toolkit.

examples:
  sirjax export realy runs/sir REALY/image --toolkit REALY/data --out realy
  sirjax export realy runs/sir REALY/image --keypoints my_85_keypoints.txt --out realy
  cp realy/template/sirjax.* REALY/data/
  python main.py --prediction realy/meshes --template_topology sirjax --save results    (in the toolkit's folder)

DIR/meshes/PHOTO.obj and the template DIR/template/sirjax.obj with its keypoints sirjax.txt, DIR/landmarks.png (look at
it) and DIR/status.csv. The first 68 keypoints are the face model's landmarks. Four others decide a result (70, 71, 76,
77: for nose and cheeks) and are no landmarks of the face model: they are carried over from the toolkit's own template
(HIFI3D.obj and HIFI3D.txt in --toolkit, by the smoothest warp of the 68), or taken from --keypoints, a file of all 85
for this mesh. Units do not matter to the toolkit, which scales by seven points. Docs: docs/evaluation.md.

Exit code: 0 done, 2 if there were problems (nothing is written then, unless --allow-failures).
"""

import argparse
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from data_prep.face_models.meshes import place_on_surface
from sirjax.cli.evaluating.shape_sets import read_obj_triangles, read_obj_vertices
from sirjax.cli.exporting import benchmark
from sirjax.cli.exporting.photo_shapes import PhotoShape
from sirjax.export import realy
from sirjax.export.toolkit_mesh import Problem, Topology, topology_of, write_plain_obj
from sirjax.morphable.model import FaceModel
from sirjax.photo import list_photos
from sirjax.training.setup import load_run

MESHES = "meshes"  # the folder for the toolkit's --prediction: nothing but meshes, since it reads every .obj there
TEMPLATE = "template"
REFERENCE = "HIFI3D"  # the template that the benchmark's keypoints were marked on


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `sirjax export realy`."""
    benchmark.add_arguments(parser)
    parser.add_argument("--toolkit", type=Path, metavar="DIR", help="REALY/data, with HIFI3D.obj and HIFI3D.txt")
    parser.add_argument("--keypoints", type=Path, metavar="FILE", help="all 85 for this mesh, instead of --toolkit")
    parser.add_argument("--name", default="sirjax", help="of the template (default: %(default)s)")


def run(args: argparse.Namespace) -> int:
    """Exports; returns the exit code.

    Raises:
      FileNotFoundError: if there are no photos, or the toolkit's files are not there.
      FileExistsError: if the target is not empty.
      ValueError: if nothing tells the further keypoints.
    """
    benchmark.check_target(args.out)
    if (args.toolkit is None) == (args.keypoints is None):
        raise ValueError(
            "REALY needs 85 keypoints, the face model marks the 68 of iBUG: give --toolkit REALY/data (its template "
            "tells the other 17, which are carried over), or --keypoints FILE with all 85 for this mesh"
        )
    photos = list_photos([args.photos])
    if not photos:
        raise FileNotFoundError(f"no photos in {args.photos}: name the folder of the REALY photos")
    problems = realy.check_names([photo.stem for photo in photos])
    model = load_run(args.run_directory).face_model
    topology = topology_of(model)
    keypoints, found = keypoints_of(model, topology, args.toolkit, args.keypoints)
    problems += found
    _, rows = benchmark.predict(args, photos)

    def name_of(row: PhotoShape) -> str:
        return row.path.stem

    problems += benchmark.check(model, topology, rows, name_of)
    if not benchmark.settle(problems, allow=args.allow_failures):
        return 2
    folder, template = args.out / MESHES, args.out / TEMPLATE
    folder.mkdir(parents=True)
    template.mkdir()
    for part, vertices in benchmark.meshes(model, topology, rows):
        for row, mesh in zip(part, vertices, strict=True):
            write_plain_obj(folder / f"{row.path.stem}.obj", mesh, topology.triangles)
    write_plain_obj(template / f"{args.name}.obj", np.asarray(model.mean)[topology.kept], topology.triangles)
    realy.write_keypoints(template / f"{args.name}.txt", *keypoints)
    benchmark.write_picture(
        args.out / benchmark.PICTURE,
        model,
        rows,
        lambda vertices: realy.keypoint_positions(vertices[topology.kept], topology.triangles, *keypoints),
        # 85 numbers would hide each other: only those that were carried over and decide a result get one.
        [number if number in realy.READ_BEYOND_68 else None for number in range(realy.NUM_KEYPOINTS)],
        args.backend,
    )
    benchmark.write_status(args.out, rows, name_of)
    written = sum(row.shape is not None for row in rows)
    print(f"{written} of {len(rows)} photos in {folder}; copy {template}/{args.name}.* to REALY/data")
    print(f"check {args.out / benchmark.PICTURE}: 70 and 71 are used for the nose, 76 and 77 for the cheeks")
    return 2 if problems else 0


def keypoints_of(
    model: FaceModel, topology: Topology, toolkit: Path | None, given: Path | None
) -> tuple[tuple[Int[np.ndarray, " 85"], Float[np.ndarray, "85 3"]], list[Problem]]:
    """The 85 keypoints on the face model's mesh: triangle and weights of each.

    Raises:
      FileNotFoundError: if a file is missing.
      ValueError: if a file holds something else, or belongs to another mesh.
    """
    mean = np.asarray(model.mean, np.float64)[topology.kept]
    own = topology.landmarks(mean[None])[0]
    if given is not None:
        rows, weights = realy.read_keypoints(given)
        residual = _distance(realy.keypoint_positions(mean, topology.triangles, rows, weights)[: len(own)], own)
        return (rows, weights), _doubts(given, residual)
    assert toolkit is not None
    obj = toolkit / f"{REFERENCE}.obj"
    template = realy.keypoint_positions(
        read_obj_vertices(obj), read_obj_triangles(obj), *realy.read_keypoints(toolkit / f"{REFERENCE}.txt")
    )
    further, residual = realy.carried_over(template, own)
    corners, shares = place_on_surface(further, mean, topology.triangles)
    corners = np.concatenate([topology.landmark_vertices, corners])
    weights = np.concatenate([topology.landmark_weights, shares])
    return realy.triangle_rows(corners, weights, topology.triangles), _doubts(obj, residual)


def _distance(points: np.ndarray, own: np.ndarray) -> float:
    """RMS distance as a share of the distance of the outer eye corners."""
    return float(np.sqrt(np.mean(np.sum(np.square(points - own), axis=1))) / np.linalg.norm(own[36] - own[45]))


def _doubts(path: Path, residual: float) -> list[Problem]:
    if residual <= realy.MAX_RESIDUAL:
        return []
    return [
        Problem(
            f"the first 68 keypoints of {path} lie {residual:.0%} of the eye distance from the face model's landmarks",
            "they follow another order or belong to another mesh; give the file of this one",
        )
    ]
