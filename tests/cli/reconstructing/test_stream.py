from pathlib import Path

import numpy as np
import pytest

from sirjax.cli.reconstructing import stream
from sirjax.cli.reconstructing.profile import Profile
from sirjax.cli.reconstructing.stream import Search, read_faces
from sirjax.networks.mtcnn import Detections
from sirjax.photo import Photo, PhotoError, PhotoHeader
from sirjax.predictor import Predictor, align_points
from tests.oracles import MODEL, TEMPLATE, Oracle, answers


class Detector:
    """Finds as many faces as the first pixel says; several photos at once, and remembers how many."""

    def __init__(self):
        self.calls = []

    def detect(self, image):
        count = int(image[0, 0, 0])
        if count == 99:
            raise RuntimeError("fell over")
        points = np.array([TEMPLATE + 5 * i for i in range(count)]).reshape(-1, 5, 2)
        return Detections(np.tile([[0.0, 0.0, 90.0, 110.0]], (count, 1)), np.ones(count), points)

    def detect_all(self, images):
        self.calls.append(len(images))
        return [self.detect(image) for image in images]


@pytest.fixture(scope="module")
def compiled():
    return Predictor(Oracle(), answers(np.random.default_rng(0)), MODEL, detector=Detector(), batch_size=4)


@pytest.fixture
def predictor(compiled):
    compiled.detector.calls.clear()
    return compiled


def photo(faces=1, side=120):
    image = np.zeros((side, side, 3), np.uint8)
    image[0, 0, 0] = faces
    return Photo(image, PhotoHeader("PNG", side, side), ())


def named(photos):
    return ((Path(f"{i}.png"), photo) for i, photo in enumerate(photos))


def test_photos_are_searched_together_and_read_in_full_batches(predictor):
    profile = Profile()
    items = list(read_faces(named(photo() for _ in range(19)), predictor, Search(), profile))
    assert predictor.detector.calls == [8, 8, 3]
    assert [str(item.path) for item in items] == [f"{i}.png" for i in range(19)]
    assert all(len(item.faces) == 1 for item in items)
    assert (profile.items["detect"], profile.items["align"], profile.items["predict"]) == (19, 19, 19)


def test_every_photo_stays_in_the_stream_in_order(predictor):
    photos = [photo(2), PhotoError("gone", "missing"), photo(0), photo(99), photo(1)]
    items = list(read_faces(named(photos), predictor, Search(), Profile()))
    assert [(item.status, len(item.faces)) for item in items] == [
        ("ok", 2), ("missing", 0), ("no_face", 0), ("error", 0), ("ok", 1)
    ]  # fmt: skip
    assert items[3].message == "RuntimeError: fell over"
    np.testing.assert_allclose(items[0].faces[1].points, TEMPLATE + 5, atol=1e-4)


def test_a_stream_reads_no_further_than_it_has_to(predictor, monkeypatch):
    monkeypatch.setattr(stream, "MAX_WAITING_PIXELS", 2.5 * 120 * 120)
    begun = []

    def photos():
        for i in range(20):
            begun.append(i)
            yield Path(f"{i}.png"), photo()

    for done, _ in enumerate(read_faces(photos(), predictor, Search(), Profile()), start=1):
        assert len(begun) - done <= 6  # at most three photos at each stage
    assert done == 20
    assert max(predictor.detector.calls) == 3


def test_known_faces_are_cut_out_again_without_a_search(predictor):
    original = photo(99)
    face = align_points(original.image, TEMPLATE + 3, score=0.5)
    known = {Path("0.png"): [face]}
    first, second = read_faces(named([original, photo(99)]), predictor, Search(known=known), Profile())
    np.testing.assert_allclose(first.faces[0].crop_from_photo, face.crop_from_photo)
    np.testing.assert_array_equal(first.faces[0].crop, face.crop)
    assert first.faces[0].score == 0.5
    assert second.status == "no_face"
    assert predictor.detector.calls == []
