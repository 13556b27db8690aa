"""Small videos, and sessions that read them with networks whose answers are known."""

import numpy as np

from sirjax.cli.reconstructing.profile import Profile
from sirjax.cli.reconstructing.session import Session
from sirjax.cli.reconstructing.stream import Search
from sirjax.cli.reconstructing.writing import FaceWriter, Outputs
from sirjax.networks.mtcnn import Detections
from sirjax.predictor import Predictor
from sirjax.video.frames import VideoWriter
from tests.oracles import MODEL, TEMPLATE, Oracle, answers

DARK, ONE, TWO = 0, 100, 200  # grey of frames that show nobody, one person, two of them
METADATA = {"step": 7, "face_model": "f00d", "face_model_licence": "CC0-1.0"}


class GreyFaces:
    """Finds as many faces as the grey of the image says; the first is the larger one."""

    def detect(self, image):
        count = round(image.mean() / 100)
        points = np.array([TEMPLATE + 5, 0.5 * TEMPLATE + [120, 10]])[:count].reshape(-1, 5, 2)
        boxes = np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1)
        return Detections(boxes, np.full(count, 0.9), points)


def make_video(path, greys, rate=10.0, size=(128, 192)):
    """Frames of one grey each."""
    with VideoWriter(path, rate) as film:
        for grey in greys:
            film.add(np.full((*size, 3), grey, np.uint8))
    return path


def make_predictor(batch_size=4):
    """Everybody has the same face."""
    parameters = answers(np.random.default_rng(0))
    return Predictor(Oracle(), parameters, MODEL, METADATA, detector=GreyFaces(), batch_size=batch_size)


def make_session(predictor, out, **outputs):
    """A session that writes into a new folder."""
    out.mkdir(exist_ok=True)
    profile = Profile()
    return Session(predictor, Search(), FaceWriter(predictor, "run", Outputs(**outputs), profile), profile, out)
