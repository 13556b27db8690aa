import numpy as np
import pytest
import skimage.data

from data_prep.cropping import OpenPhoto
from data_prep.detection import FaceFinder, choose, face_matrix
from data_prep.source import Rejected
from sirjax.data import alignment
from sirjax.networks.mtcnn import Detections


def photo(near=None, size=(200, 300)):
    return OpenPhoto(np.zeros((*size, 3), np.uint8), b"", near=None if near is None else np.array(near, float))


def faces(*boxes, points=None):
    boxes = np.array(boxes, float).reshape(-1, 4)
    points = np.zeros((len(boxes), 5, 2)) if points is None else points
    return Detections(boxes, np.ones(len(boxes)), points)


LEFT, MIDDLE, CORNER = (10, 60, 90, 160), (110, 55, 180, 145), (200, 100, 295, 198)


def test_the_central_face_is_meant_unless_another_one_is_much_larger():
    assert choose(faces(LEFT, MIDDLE, CORNER), photo()) == 1
    assert choose(faces(MIDDLE, (0, 0, 200, 199)), photo()) == 1


def test_the_face_nearest_the_given_place_is_meant():
    assert choose(faces(LEFT, MIDDLE, CORNER), photo([60, 100])) == 0
    assert choose(faces(LEFT, MIDDLE, CORNER), photo([210, 110, 280, 190])) == 2


def test_no_face_at_the_given_place_is_rejected():
    with pytest.raises(Rejected, match=r"no face was found at \(100, 20\), where the data set has one"):
        choose(faces(LEFT, MIDDLE), photo([100, 20]))


def test_no_face_is_rejected():
    with pytest.raises(Rejected, match="no face was found$"):
        choose(faces(), photo())


def test_points_that_fit_the_template_align_and_others_leave_it_to_the_box():
    good = alignment.TEMPLATE * 2 + 10
    found = faces(MIDDLE, points=good[None])
    np.testing.assert_allclose(face_matrix(found, 0), [[0.5, 0, -5], [0, 0.5, -5]], atol=0.01)
    for bad in (np.full((5, 2), 50.0), good[[3, 4, 2, 0, 1]]):
        got = face_matrix(faces(MIDDLE, points=bad[None]), 0)
        np.testing.assert_array_equal(got, alignment.crop_from_box(MIDDLE))
    with pytest.raises(Rejected, match="the face cannot be aligned: a face box needs"):
        face_matrix(faces((5, 5, 5, 9), points=np.full((1, 5, 2), 50.0)), 0)


def test_small_faces_are_found_in_the_second_search_and_each_photo_gets_its_own():
    portrait = skimage.data.astronaut()
    close_up = portrait[20:220, 140:320]
    wide = np.full((700, 700, 3), 90, np.uint8)
    wide[50:250, 400:580] = close_up  # the face is a tenth of the photo
    blank = np.full((150, 120, 3), 128, np.uint8)
    photos = [OpenPhoto(np.ascontiguousarray(image), b"") for image in (wide, blank, close_up)]
    first, none, last = FaceFinder().find(photos)
    assert isinstance(none, Rejected)
    expected = np.array([[203.5, 100.5], [246, 103], [224, 128], [203, 140], [244.5, 141.5]]) - [140, 20]
    for matrix, offset in ((first, [400, 50]), (last, [0, 0])):
        np.testing.assert_allclose(alignment.transform_points(matrix, expected + offset), alignment.TEMPLATE, atol=6)
