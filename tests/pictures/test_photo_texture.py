import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from sirjax.pictures.in_photo import draw, vertex_normals
from sirjax.pictures.photo_texture import photo_texture
from sirjax.render.shading import NEUTRAL_LIGHT
from tests.face_models import dome_face_model
from tests.reconstructions import known_face, similarity

MODEL = dome_face_model(grid=17)
SIZE = (400, 400)
CROP = similarity(0.3, 0.0, (-10.0, 0.0))


def striped(size=256):
    """A texture that is red on the image's left and green on the right, brighter toward the top."""
    rows, columns = np.mgrid[0:size, 0:size] / size
    left = columns < 0.5
    return np.stack([0.2 + 0.6 * left, 0.2 + 0.6 * ~left, 0.9 - 0.7 * rows], axis=-1).astype(np.float32)


def photo_of(face, albedo):
    """The face in even light, drawn into a photo."""
    normals = vertex_normals(MODEL, face.vertices) @ face.rotation.T
    rendering = draw(MODEL, face.projected_in_photo, normals, albedo, np.asarray(NEUTRAL_LIGHT), SIZE)
    return np.rint(np.asarray(rendering.albedo) * 255).astype(np.uint8)


def face_turned(yaw):
    return known_face(CROP, MODEL, angles=(0.0, yaw, 0.0))


def test_a_frontal_photo_gives_back_the_texture_it_was_drawn_with():
    face, albedo = face_turned(0.0), striped()
    texture = photo_texture(photo_of(face, albedo), face, MODEL, size=256)
    sure = texture.shares[..., 0] > 0.95
    assert sure.mean() > 0.3
    error = np.abs(texture.image - albedo)[sure]
    assert np.median(error) < 0.01
    assert np.quantile(error, 0.95) < 0.1  # the border of red and green is blurred by the photo


def test_shares_sum_to_one_and_the_hidden_half_is_mirrored():
    face = face_turned(60.0)  # the nose points to the image's right: the image's right half of the face is hidden
    texture = photo_texture(photo_of(face, striped()), face, MODEL, size=256)
    np.testing.assert_allclose(texture.shares.sum(axis=-1), 1, atol=1e-5)
    assert texture.shares.min() >= -1e-6
    photo, mirrored = texture.shares[..., 0], texture.shares[..., 1]
    left, right = photo[:, :128].mean(), photo[:, 128:].mean()
    seen, hidden = (slice(0, 128), slice(128, 256)) if left > right else (slice(128, 256), slice(0, 128))
    assert photo[:, seen].mean() > 2 * photo[:, hidden].mean()
    filled = mirrored[:, hidden] > 0.95
    assert filled.mean() > 0.1
    # The mirrored half shows the colors of the half that was seen, which is not what is really there.
    other = texture.image[:, ::-1][:, hidden]
    np.testing.assert_allclose(texture.image[:, hidden][filled], other[filled], atol=0.05)


def test_what_no_half_shows_is_albedo_in_the_colors_of_the_photo():
    # The photo is half as bright as the albedo, and cut off in the middle of the face: below there is only albedo.
    albedo = np.full((64, 64, 3), 0.8, np.float32)
    face = dataclasses.replace(face_turned(0.0), albedo=albedo)
    photo = photo_of(face, 0.5 * albedo)[:230]
    texture = photo_texture(photo, face, MODEL, size=256)
    rest = texture.shares[..., 2] > 0.95
    used = np.asarray(MODEL.uv_mask).repeat(4, axis=0).repeat(4, axis=1)
    assert (rest & used).mean() > 0.1
    np.testing.assert_allclose(texture.image[rest & used], 0.4, atol=0.02)


def test_what_lies_behind_the_nose_is_not_painted_with_it():
    # A face turned far: the photo's pixels of the nose must not land on the cheek behind it.
    face = face_turned(70.0)
    red_nose = np.full((256, 256, 3), 0.5, np.float32)
    rows, columns = np.mgrid[0:256, 0:256] / 256
    nose = ((columns - 0.5) ** 2 + (rows - 0.54) ** 2) < 0.06**2
    red_nose[nose] = (1.0, 0.0, 0.0)
    texture = photo_texture(photo_of(face, red_nose), face, MODEL, size=256)
    far = ((columns - 0.5) ** 2 + (rows - 0.54) ** 2) > 0.12**2
    red = (texture.image[..., 0] - texture.image[..., 1] > 0.3) & far & (texture.shares[..., 0] > 0.3)
    assert red.mean() < 0.002


def test_the_texture_is_as_fine_as_the_photo(rng):
    for scale, size in ((0.9, 256), (0.25, 512)):
        face = known_face(similarity(scale, 0.0, (0.0, 0.0)), MODEL)
        photo = rng.integers(0, 256, (60, 60, 3), dtype=np.uint8)
        assert photo_texture(photo, face, MODEL).image.shape == (size, size, 3)


def test_a_face_beside_the_photo_keeps_its_albedo():
    face = known_face(similarity(1.0, 0.0, (5000.0, 0.0)), MODEL)
    texture = photo_texture(np.zeros((50, 50, 3), np.uint8), face, MODEL, size=256)
    assert texture.shares[..., 2].min() == pytest.approx(1.0)
    expected = jnp.clip(jnp.asarray(face.albedo), 0, 1).mean(axis=(0, 1))
    np.testing.assert_allclose(texture.image.mean(axis=(0, 1)), expected, atol=0.03)
