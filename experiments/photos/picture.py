"""The picture of the study on real photos: neutral shapes of people held out. No photo is shown."""

import numpy as np
from jaxtyping import UInt8

from experiments.common.people_picture import PHOTOS, REACH, draw_people
from experiments.photos.study import PhotoStudy


def people(study: PhotoStudy, name: str) -> tuple[UInt8[np.ndarray, "H W 3"], str]:
    """The picture of a method's first seed, and what to say of it."""
    image, number = draw_people(study.model, study.shapes(name, study.people)[0], study.people.identity_class)
    words = (
        f"Neutral shapes by {name}, first seed: {PHOTOS} photos of each of {number} people held out, a person in "
        "each row; the first in the set, nobody picked them. In clay, then colored by how far the surface lies outside "
        f"the mean face (red, from {REACH:g} mm on) or inside it (blue). Beside them the distances of each two in the "
        "same order, mm RMS over vertices: dark is near, and photos of one person are framed."
    )
    return image, words
