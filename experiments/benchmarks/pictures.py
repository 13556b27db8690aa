"""What do the pictures and files of one face cost?

    OMP_NUM_THREADS=1 python -m experiments.benchmarks.pictures --faces 112 1400

Draws and writes a random face of the built-in model in photos of noise, as `sirjax reconstruct` does, stage by stage.
Prints processor ms of the whole process, the least of several runs, and each stage's share: on a busy machine the
shares say more than the times. An indented stage is a part of the one above.
"""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from experiments.benchmarks.timing import cpu_milliseconds
from sirjax.constants import IMAGE_SIZE
from sirjax.export.files import encode_image
from sirjax.export.mesh_files import FORMATS, write_face
from sirjax.export.parameters import Provenance
from sirjax.memory import keep_freed_memory
from sirjax.morphable.builtin import builtin_face_model
from sirjax.morphable.model import FaceModel
from sirjax.pictures.in_photo import overlay, render_in_photo
from sirjax.pictures.sheet import reconstruction_sheet
from sirjax.pictures.views import clay_view
from sirjax.reconstruction import FaceReconstruction, geometry_of
from sirjax.render.backends import here
from sirjax.types import Camera, Coefficients

CROP_SCALE = 0.45  # crop pixels per millimeter: the head fills most of the crop


def main() -> None:
    """Prints a table for each size of face."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=float, nargs="+", default=[112, 1400], help="face heights, photo pixels")
    parser.add_argument("--runs", type=int, default=9, help="of which the least is taken (default: %(default)s)")
    args = parser.parse_args()
    keep_freed_memory()  # as the `sirjax` command does
    face_model = builtin_face_model()
    for height in args.faces:
        photo, face = random_photo(face_model, height)
        with tempfile.TemporaryDirectory() as folder:
            times = {
                name: min(cpu_milliseconds(work, args.runs))
                for name, work in stages(photo, face, face_model, folder).items()
            }
        whole = sum(spent for name, spent in times.items() if not name.startswith("  "))
        print(f"\nface of {height:g} pixels in a photo of {photo.shape[1]} x {photo.shape[0]}\n")
        print("| stage | CPU ms | share |\n|---|---|---|")
        for name, spent in {**times, "all": whole}.items():
            print(f"| {name} | {spent:.1f} | {spent / whole:.0%} |")


def stages(photo: np.ndarray, face: FaceReconstruction, face_model: FaceModel, folder: str) -> dict[str, Callable]:
    """What is done for a face, by name; in order."""
    backend = here()
    drawing = render_in_photo(face, face_model, photo.shape[:2], backend=backend)
    sheet = reconstruction_sheet(photo, face, face_model, drawing=drawing, title="face", backend=backend)
    blended = overlay(photo, [drawing])

    def write(formats: tuple[str, ...]) -> None:
        write_face(Path(folder), "face0", face, face_model, Provenance("", licence="CC0-1.0"), formats)

    return {
        "draw: face in the photo": lambda: render_in_photo(face, face_model, photo.shape[:2], backend=backend),
        "draw: overlay": lambda: overlay(photo, [drawing]),
        "draw: sheet": lambda: reconstruction_sheet(
            photo, face, face_model, drawing=drawing, title="face", backend=backend
        ),
        "  of it one view in clay, of four": lambda: clay_view(face_model, face.vertices, backend=backend),
        "write: sheet as PNG": lambda: encode_image(sheet),
        "write: overlay as JPEG": lambda: encode_image(blended, ".jpg"),
        "write: meshes and numbers": lambda: write(FORMATS),
    }


def random_photo(face_model: FaceModel, height: float) -> tuple[np.ndarray, FaceReconstruction]:
    """Noise with a face `height` pixels high in its middle, and that face; the same each time."""
    rng = np.random.default_rng(0)
    side = round(2 * height)
    crop_height, crop_width = IMAGE_SIZE
    scale = crop_height / height
    crop_from_photo = np.array(
        [[scale, 0, (crop_width - scale * side) / 2], [0, scale, (crop_height - scale * side) / 2]]
    )
    shape, expression = (
        rng.normal(size=size).astype(np.float32) for size in (face_model.num_shape, face_model.num_expression)
    )
    yaw = np.radians(20)
    rotation = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]], np.float32)
    translation = np.array([crop_width / 2, crop_height / 2], np.float32)
    camera = Camera(*(jnp.asarray(value, jnp.float32)[None] for value in (rotation, CROP_SCALE, translation)))
    coefficients = Coefficients(jnp.asarray(shape)[None], jnp.asarray(expression)[None])
    geometry = jax.tree.map(lambda array: np.asarray(array[0]), geometry_of(face_model, coefficients, camera))
    light = np.zeros((9, 3), np.float32)
    light[0], light[1] = 0.9, 0.25
    face = FaceReconstruction(
        crop=rng.integers(0, 256, (*IMAGE_SIZE, 3), dtype=np.uint8),
        crop_from_photo=crop_from_photo,
        box=np.full(4, np.nan),
        score=float("nan"),
        points=np.full((5, 2), np.nan),
        shape=shape,
        expression=expression,
        rotation=rotation,
        scale=CROP_SCALE,
        translation=translation,
        light=light,
        albedo=np.asarray(face_model.mean_albedo),
        confidence=1.0,
        **geometry,
    )
    return rng.integers(0, 256, (side, side, 3), dtype=np.uint8), face


if __name__ == "__main__":
    main()
