"""The picture of people: whose photos it shows, and the matrix of distances."""

import numpy as np
import pytest

from experiments.common.people_picture import draw_distances, draw_people, offsets
from sirjax.pictures.in_photo import vertex_normals
from tests.face_models import dome_face_model

MODEL = dome_face_model(grid=9)


def test_distances_are_drawn_dark_where_small_and_framed_by_person():
    distances = np.full((6, 6), 2.0)
    distances[:2, :2] = distances[2:4, 2:4] = distances[4:, 4:] = 0.0
    image = draw_distances(distances, 40, 2)
    assert image.shape == (240, 240, 3)
    inside, outside = image[36, 36].astype(int), image[36, 116].astype(int)
    assert inside.sum() < outside.sum()
    assert image[0, 20].tolist() == image[80, 100].tolist() == [255, 70, 60]


def test_offsets_are_outward_along_the_mean_faces_normals():
    mean = np.asarray(MODEL.mean, np.float64)
    normals = vertex_normals(MODEL, mean)
    along = np.linspace(-3.0, 3.0, len(mean))
    tangent = np.cross(normals, [0.0, 1.0, 0.0])
    np.testing.assert_allclose(offsets(MODEL, mean + along[:, None] * normals + tangent), along, atol=1e-4)


def test_people_with_too_few_photos_are_left_out(rng):
    identity = np.array([0, 0, 1, 1, 1, 2, 2, 2, 2])
    shape = rng.normal(size=(9, MODEL.num_shape))
    image, number = draw_people(MODEL, shape, identity)
    assert number == 2
    same, _ = draw_people(MODEL, shape[[2, 3, 4, 5, 6, 7]], np.array([4, 4, 4, 7, 7, 7]))
    np.testing.assert_array_equal(image, same)


def test_somebody_must_have_three_photos(rng):
    with pytest.raises(ValueError, match="needs 3 photos of a person: nobody has as many"):
        draw_people(MODEL, rng.normal(size=(4, MODEL.num_shape)), np.array([0, 0, 1, 1]))
