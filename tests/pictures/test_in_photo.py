from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sirjax import decode
from sirjax.pictures import window
from sirjax.pictures.draw import to_uint8
from sirjax.pictures.in_photo import overlay, render_in_photo
from tests.face_models import dome_face_model
from tests.reconstructions import known_face, similarity

MODEL = dome_face_model(grid=9)
# Photo pixels of the crop's origin, the size and the turn of a crop pixel in the photo: spelled the other way round.
PLACES = {
    "inside": similarity(0.7, 18.0, (-40.0, -50.0)),
    "tiny": similarity(4.0, -30.0, (-200.0, -300.0)),
    "over the left edge": similarity(0.6, 0.0, (60.0, -20.0)),
    "over the lower edge": similarity(0.6, 5.0, (-40.0, -110.0)),
    "larger than the photo": similarity(0.15, 0.0, (30.0, 40.0)),
}
PHOTO_SIZE = (240, 300)


def directly(face):
    """The whole photo rendered at once, through the photo's camera: another path to the same pixels."""
    turn = np.asarray(face.photo_rotation) @ np.asarray(face.rotation).T
    rendering, _ = jax.jit(partial(decode.render_face, image_size=PHOTO_SIZE))(
        MODEL,
        face.coefficients,
        face.photo_camera,
        jnp.asarray(face.albedo)[None],
        jnp.asarray(turned_light(face.light, turn))[None],
    )
    return np.asarray(rendering.image[0]), np.asarray(rendering.mask[0]) > 0.5


def turned_light(light, turn):
    """Light of bands 0 and 1 after the camera was turned: band 1 is a direction (n_z, n_x, n_y)."""
    vector = turn @ light[[2, 3, 1]]
    return np.concatenate([light[:1], vector[[2, 0, 1]], np.zeros((5, 3))]).astype(np.float32)


def pasted(drawing):
    image, mask = np.zeros((*PHOTO_SIZE, 3), np.float32), np.zeros(PHOTO_SIZE, bool)
    image[drawing.where], mask[drawing.where] = drawing.image, drawing.mask
    return image, mask


@pytest.mark.parametrize("place", PLACES)
def test_the_face_lies_where_direct_rendering_puts_it(place):
    face = known_face(PLACES[place], MODEL)
    image, mask = pasted(render_in_photo(face, MODEL, PHOTO_SIZE))
    expected, expected_mask = directly(face)
    assert expected_mask.sum() > 100
    union = (mask | expected_mask).sum()
    assert (mask & expected_mask).sum() / union > 0.97
    both = mask & expected_mask
    np.testing.assert_allclose(image[both], expected[both], atol=0.02)


def test_a_face_larger_than_any_window_is_enlarged(monkeypatch):
    monkeypatch.setattr(window, "SIDES", (64, 128))
    face = known_face(PLACES["inside"], MODEL)
    image, mask = pasted(render_in_photo(face, MODEL, PHOTO_SIZE))
    expected, expected_mask = directly(face)
    assert expected_mask.sum() > 128**2 / 2
    assert (mask & expected_mask).sum() / (mask | expected_mask).sum() > 0.97
    both = mask & expected_mask
    assert np.abs(image[both] - expected[both]).mean() < 0.02


def test_a_face_beside_the_photo_draws_nothing():
    face = known_face(similarity(1.0, 0.0, (5000.0, 0.0)), MODEL)
    drawing = render_in_photo(face, MODEL, PHOTO_SIZE)
    assert drawing.mask.size == 0
    photo = np.full((*PHOTO_SIZE, 3), 77, np.uint8)
    np.testing.assert_array_equal(overlay(photo, [drawing]), photo)


def test_overlay_changes_only_the_pixels_of_the_face(rng):
    photo = rng.integers(0, 256, (*PHOTO_SIZE, 3), dtype=np.uint8)
    drawing = render_in_photo(known_face(PLACES["inside"], MODEL), MODEL, PHOTO_SIZE)
    before = photo.copy()
    whole, half = overlay(photo, [drawing], opacity=1.0), overlay(photo, [drawing], opacity=0.5)
    image, mask = pasted(drawing)
    np.testing.assert_array_equal(photo, before)
    np.testing.assert_array_equal(whole[~mask], photo[~mask])
    np.testing.assert_array_equal(whole[mask], to_uint8(image)[mask])
    mixed = (np.clip(image, 0, 1) * 255 + photo) / 2
    np.testing.assert_allclose(half[mask], mixed[mask], atol=0.51)


def test_faces_that_come_later_lie_on_top():
    drawing = render_in_photo(known_face(PLACES["inside"], MODEL), MODEL, PHOTO_SIZE)
    white = replace(drawing, image=np.ones_like(drawing.image))
    photo = np.zeros((*PHOTO_SIZE, 3), np.uint8)
    _, mask = pasted(drawing)
    assert (overlay(photo, [drawing, white], opacity=1.0)[mask] == 255).all()


def test_an_overlay_clips_what_is_darker_than_black_and_brighter_than_white(rng):
    drawing = render_in_photo(known_face(PLACES["inside"], MODEL), MODEL, PHOTO_SIZE)
    photo = rng.integers(0, 256, (*PHOTO_SIZE, 3), dtype=np.uint8)
    _, mask = pasted(drawing)
    for light, color in ((-1.0, 0), (2.0, 255)):
        lit = replace(drawing, image=np.full_like(drawing.image, light))
        half = overlay(photo, [lit], opacity=0.5)[mask]
        np.testing.assert_allclose(half, (color + photo[mask].astype(float)) / 2, atol=0.51)
