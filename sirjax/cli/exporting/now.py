"""Neutral meshes and seven landmarks of the NoW benchmark's photos, as its toolkit reads them.

example:
  sirjax export now runs/sir NoW_Dataset/final_release_version/iphone_pictures \\
    --list NoW_Dataset/imagepathsvalidation.txt --out now
  python compute_error.py --dataset_folder NoW_Dataset --predicted_mesh_folder now/meshes --image_set val

Photos are read, and everything is checked before a file is written: all photos of the list are there and show a face,
names, size of the faces, triangles without area. Then DIR/meshes/SUBJECT/CHALLENGE/PHOTO.obj and .npy,
DIR/landmarks.png (look at it) and DIR/status.csv are written. Meshes are in millimeters, those of an average head: one
photo does not tell the size, so the toolkit's metrical evaluation (--predicted_mesh_unit mm) measures the average.
Docs: docs/evaluation.md.

Exit code: 0 done, 2 if there were problems (nothing is written then, unless --allow-failures).
"""

import argparse
from pathlib import Path, PurePosixPath

from sirjax.cli.exporting import benchmark
from sirjax.cli.exporting.photo_shapes import PhotoShape
from sirjax.export import now
from sirjax.export.toolkit_mesh import topology_of
from sirjax.photo import SUFFIXES

MESHES = "meshes"  # the folder for the toolkit's --predicted_mesh_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `sirjax export now`."""
    benchmark.add_arguments(parser)
    parser.add_argument(
        "--list",
        type=Path,
        metavar="FILE",
        help="imagepathsvalidation.txt or imagepathstest.txt; without one, all photos SUBJECT/CHALLENGE/PHOTO",
    )


def run(args: argparse.Namespace) -> int:
    """Exports; returns the exit code.

    Raises:
      FileNotFoundError: if there are no photos, or a photo of the list is not there and nothing allows that.
      FileExistsError: if the target is not empty.
    """
    benchmark.check_target(args.out)
    photos = listed_photos(args.photos, args.list)
    problems = now.check_places(list(photos.values()))
    model, rows = benchmark.predict(args, list(photos))
    topology = topology_of(model)

    def name_of(row: PhotoShape) -> str:
        return str(photos[row.path])

    problems += benchmark.check(model, topology, rows, name_of)
    if not benchmark.settle(problems, allow=args.allow_failures):
        return 2
    folder = args.out / MESHES
    folder.mkdir(parents=True)
    for part, vertices in benchmark.meshes(model, topology, rows):
        for row, mesh, points in zip(part, vertices, topology.landmarks(vertices), strict=True):
            now.write_now(folder, photos[row.path], mesh, topology.triangles, points)
    benchmark.write_picture(
        args.out / benchmark.PICTURE,
        model,
        rows,
        lambda vertices: topology.landmarks(vertices[None, topology.kept])[0, list(now.LANDMARKS)],
        range(len(now.LANDMARKS)),
        args.backend,
    )
    benchmark.write_status(args.out, rows, name_of)
    written = sum(row.shape is not None for row in rows)
    names = "; ".join(f"{number} {name}" for number, name in enumerate(now.LANDMARK_NAMES))
    print(f"{written} of {len(rows)} photos in {folder}; check {args.out / benchmark.PICTURE}: {names}")
    return 2 if problems else 0


def listed_photos(folder: Path, names: Path | None) -> dict[Path, PurePosixPath]:
    """Each photo and where the toolkit looks for its mesh.

    Raises:
      FileNotFoundError: if there is no list, or no photo.
      ValueError: if a name does not suit the toolkit.
    """
    if names is not None:
        if not names.is_file():
            raise FileNotFoundError(f"{names} is missing: --list takes imagepathsvalidation.txt of the NoW data set")
        lines = [line.strip() for line in names.read_text(encoding="utf-8").splitlines() if line.strip()]
        candidates = {line: (folder / line, folder.joinpath(*PurePosixPath(line).parts[-3:])) for line in lines}
        found = {line: next((p for p in paths if p.is_file()), paths[-1]) for line, paths in candidates.items()}
    else:
        paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
        found = {path.relative_to(folder).as_posix(): path for path in paths}
    if not found:
        raise FileNotFoundError(f"no photos in {names or folder}: name the folder of the NoW photos")
    return {path: now.place_of(line) for line, path in found.items()}
