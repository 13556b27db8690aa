import numpy as np
import pytest

from sirjax.pictures import sheet
from sirjax.pictures.draw import PAPER
from sirjax.pictures.grid import GAP
from sirjax.pictures.in_photo import render_in_photo
from sirjax.pictures.sheet import reconstruction_sheet
from tests.face_models import dome_face_model
from tests.reconstructions import known_face, similarity

MODEL = dome_face_model(grid=9)
TILE = 96


def tiles(picture):
    """The eight tiles of a sheet without title."""
    found = []
    for row in range(2):
        top = GAP + 26 + row * (TILE + GAP + 26)
        found += [picture[top : top + TILE, GAP + i * (TILE + GAP) :][:, :TILE] for i in range(4)]
    return found


@pytest.fixture(scope="module")
def example():
    photo = np.zeros((200, 260, 3), np.uint8)
    photo[..., 2] = 200  # blue: no color of a face
    face = known_face(similarity(0.7, 18.0, (-40.0, -50.0)), MODEL)
    return photo, face, tiles(reconstruction_sheet(photo, face, MODEL, tile=TILE))


def test_the_photo_is_framed(example):
    photo_tile = example[2][0]
    assert (photo_tile == [0, 0, 200]).all(axis=-1).any()
    assert (photo_tile[..., 0].astype(int) > photo_tile[..., 2]).sum() > 50  # the yellow frame


def test_landmarks_and_overlay_show_the_same_window(example):
    _, face, (_, landmarks, drawn, *_) = example
    green = np.argwhere(landmarks[..., 1].astype(int) > 150)
    # Every landmark lies on the drawn face, so that is what must be under the green marks.
    on_face = drawn[green[:, 0], green[:, 1]]
    assert (on_face[:, 0].astype(int) > on_face[:, 2]).mean() > 0.95
    assert len(face.landmarks) == 68


def test_the_shapes_are_drawn_in_clay_and_differ(example):
    neutral, side, expression, posed = example[2][4:]
    for view in (neutral, side, expression, posed):
        assert (view != np.array(PAPER)).any()
    assert (neutral != side).any()
    assert (neutral != expression).any()
    assert (expression != posed).any()


def test_a_drawing_that_is_there_is_not_made_again(example, monkeypatch):
    photo, face, before = example
    drawing = render_in_photo(face, MODEL, photo.shape[:2])
    monkeypatch.setattr(sheet, "render_in_photo", lambda *_, **__: pytest.fail("drawn again"))
    again = tiles(reconstruction_sheet(photo, face, MODEL, drawing=drawing, tile=TILE))
    np.testing.assert_array_equal(again[2], before[2])


def test_a_face_over_the_photos_edge_is_shown_on_paper():
    face = known_face(similarity(0.6, 0.0, (60.0, -20.0)), MODEL)
    close_up = tiles(reconstruction_sheet(np.zeros((200, 260, 3), np.uint8), face, MODEL, tile=TILE))[1]
    assert (close_up[:, 0] == PAPER).all()
