"""What all parts of one run of `sirjax reconstruct` share."""

from dataclasses import dataclass
from pathlib import Path

from sirjax.cli.reconstructing.profile import Profile
from sirjax.cli.reconstructing.stream import Search
from sirjax.cli.reconstructing.writing import FaceWriter
from sirjax.photo import MAX_MEGAPIXELS
from sirjax.predictor import Predictor


@dataclass(frozen=True)
class Session:
    """The predictor, what is looked for, and where results go."""

    predictor: Predictor
    search: Search
    writer: FaceWriter
    profile: Profile
    out: Path  # folder of the results, which exists
    tables: tuple[str, ...] = ()  # of `face_table.KINDS`
    max_megapixels: float = MAX_MEGAPIXELS
