import numpy as np
import pytest

from sirjax.pictures.maps import surface_maps
from tests.face_models import dome_face_model
from tests.reconstructions import known_face, similarity

MODEL = dome_face_model(grid=17)
FACE = known_face(similarity(0.5, 20.0, (-30.0, -55.0)), MODEL)
SIZES = {"photo": (300, 340), "crop": (112, 96)}


def exact(image):
    """Pixels, depth (mm) and rotation by NumPy."""
    rotation = FACE.photo_rotation if image == "photo" else FACE.rotation
    pixels = (FACE.projected_in_photo if image == "photo" else FACE.projected)[:, :2]
    return pixels, (FACE.vertices @ rotation.T)[:, 2], rotation


@pytest.mark.parametrize("image", ["photo", "crop"])
def test_depth_at_the_vertices_is_their_distance_to_the_viewer(image):
    maps = surface_maps(FACE, MODEL, image, SIZES[image])
    assert maps.depth.shape == SIZES[image]
    pixels, depth, _ = exact(image)
    u, v = np.rint(pixels).astype(int).T
    inside = (u >= 0) & (u < SIZES[image][1]) & (v >= 0) & (v < SIZES[image][0])
    seen = maps.depth[v[inside], u[inside]]
    close = np.abs(seen - depth[inside]) < 3  # rounding to whole pixels on a slope
    assert np.isfinite(seen).mean() > 0.8
    assert close[np.isfinite(seen)].mean() > 0.9


@pytest.mark.parametrize("image", ["photo", "crop"])
def test_normals_are_those_of_the_depth(image):
    maps = surface_maps(FACE, MODEL, image, SIZES[image])
    found = np.isfinite(maps.depth)
    np.testing.assert_allclose(np.linalg.norm(maps.normals[found], axis=1), 1, atol=1e-5)
    assert np.isnan(maps.normals[~found]).all()
    scale = float(FACE.photo_camera.scale[0]) if image == "photo" else FACE.scale  # pixels per mm
    down, right = np.gradient(maps.depth.astype(float) * scale)  # mm -> pixels, so that slopes have no unit
    slope = np.stack([-right, down, np.ones_like(right)], axis=-1)
    slope /= np.linalg.norm(slope, axis=-1, keepdims=True)
    cosine = (slope * maps.normals).sum(axis=-1)[np.isfinite(slope).all(axis=-1) & found]
    assert np.median(cosine) > 0.98


def test_a_known_eye_distance_scales_depth_but_not_normals():
    plain = surface_maps(FACE, MODEL, "crop", SIZES["crop"])
    metric = surface_maps(FACE.with_eye_distance(1.5 * FACE.eye_distance), MODEL, "crop", SIZES["crop"])
    np.testing.assert_allclose(metric.depth, 1.5 * plain.depth, rtol=1e-4, atol=1e-3)
    np.testing.assert_array_equal(metric.normals, plain.normals)


def test_another_image_is_refused():
    with pytest.raises(ValueError, match="image must be one of crop, photo, got 'film'"):
        surface_maps(FACE, MODEL, "film", (10, 10))
