"""Files for the NoW benchmark's toolkit (github.com/soubhiksanyal/now_evaluation, `compute_error.py`).

The toolkit reads a list of photos, takes the last three parts of each line as SUBJECT/CHALLENGE/PHOTO.jpg, cuts four
characters off the name, and opens FOLDER/SUBJECT/CHALLENGE/PHOTO.obj (or .ply) and PHOTO.npy (or .txt) there.
"""

import io
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import Float, Int

from sirjax.export.toolkit_mesh import Problem, write_plain_obj
from sirjax.files import write_bytes

# The seven points in the order of the toolkit, as iBUG's: the mask of the scan is cut by the first five.
LANDMARKS = (36, 39, 42, 45, 33, 48, 54)
LANDMARK_NAMES = (
    "right eye, outer corner",
    "right eye, inner corner",
    "left eye, inner corner",
    "left eye, outer corner",
    "nose bottom",
    "mouth, right corner",
    "mouth, left corner",
)
CHALLENGES = ("multiview_neutral", "multiview_expressions", "multiview_occlusions", "selfie")


def place_of(line: str) -> PurePosixPath:
    """SUBJECT/CHALLENGE/PHOTO without suffix: where the toolkit looks for a line of its list.

    Raises:
      ValueError: if the line has fewer than three parts, or a suffix that the toolkit cuts wrongly.
    """
    path = PurePosixPath(line.strip())
    if len(path.parts) < 3:
        raise ValueError(f"{line!r} is not SUBJECT/CHALLENGE/PHOTO: the toolkit needs the last three parts of the path")
    if len(path.suffix) != 4:
        raise ValueError(
            f"{line!r}: the toolkit cuts four characters off the name, so its suffix must have three letters"
        )
    return PurePosixPath(*path.parts[-3:-1], path.name[:-4])


def check_places(places: list[PurePosixPath]) -> list[Problem]:
    """What is odd about the places of a list."""
    problems = []
    unknown = sorted({place.parts[-2] for place in places} - set(CHALLENGES))
    if unknown:
        problems.append(
            Problem(
                f"{unknown[0]!r} is none of the challenges {', '.join(CHALLENGES)}",
                "results of one challenge would lack these photos; name the folders as the benchmark does",
            )
        )
    twice = len(places) - len(set(places))
    if twice:
        problems.append(Problem(f"{twice} photos share a name up to the suffix", "keep one of each"))
    return problems


def write_now(
    folder: Path,
    place: PurePosixPath,
    vertices: Float[np.ndarray, "V 3"],
    triangles: Int[np.ndarray, "T 3"],
    landmarks: Float[np.ndarray, "68 3"],
) -> list[Path]:
    """Writes PLACE.obj and PLACE.npy (float64 [7, 3]) of one photo under the folder, in the unit of the vertices."""
    target = folder / place.parent
    target.mkdir(parents=True, exist_ok=True)
    mesh, points = target / f"{place.name}.obj", target / f"{place.name}.npy"
    write_plain_obj(mesh, vertices, triangles)
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(landmarks, np.float64)[list(LANDMARKS)], allow_pickle=False)
    write_bytes(points, buffer.getvalue())
    return [mesh, points]
