"""Every photo is a row, with a shape or a reason."""

import numpy as np
import pytest

from sirjax.cli.exporting.photo_shapes import read_shapes
from sirjax.predictor import Predictor
from tests.cli.photos_with_faces import MarkedFaces, make_photo
from tests.oracles import MODEL, Oracle, answers


@pytest.fixture
def predictor(rng):
    return Predictor(Oracle(), answers(rng), MODEL, batch_size=2, detector=MarkedFaces())


def test_photos_keep_their_order_and_failures_their_reason(tmp_path, predictor):
    for name, faces in (("a", 1), ("b", 0), ("d", 1), ("e", 1)):
        make_photo(tmp_path / f"{name}.png", faces)
    (tmp_path / "c.png").write_bytes(b"no image")
    found = read_shapes(predictor, [tmp_path / f"{name}.png" for name in "abcdef"])
    assert [row.path.stem for row in found] == list("abcdef")
    assert [row.status for row in found] == ["ok", "no_face", "unreadable", "ok", "ok", "missing"]
    assert found[1].message == "no face found; --center-if-none takes the middle of the photo"
    want = answers(np.random.default_rng(0))["shape"]
    for row in found:
        assert (row.shape is None) == (row.status != "ok")
    np.testing.assert_allclose([found[i].shape for i in (0, 3, 4)], [want] * 3, rtol=1e-6)


def test_the_middle_of_a_photo_without_a_face_can_be_read(tmp_path, predictor):
    make_photo(tmp_path / "b.png", 0)
    (row,) = read_shapes(predictor, [tmp_path / "b.png"], center_if_none=True)
    assert row.status == "ok"
    assert row.message  # says that no face was found
    assert row.shape is not None
