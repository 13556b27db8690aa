import cv2
import numpy as np
import pytest
import skimage.data
from hypothesis import given
from hypothesis import strategies as st

from sirjax.networks.mtcnn import MTCNN, non_maximum_suppression

# Eyes, nose tip and corners of the mouth of the NASA portrait, checked by eye on an enlarged copy; (u, v).
ASTRONAUT_POINTS = np.array([[203.5, 100.5], [246, 103], [224, 128], [203, 140], [244.5, 141.5]])
SWAP_SIDES = [1, 0, 2, 4, 3]


@pytest.fixture(scope="module")
def detector():
    return MTCNN()


@pytest.fixture(scope="module")
def portrait():
    return skimage.data.astronaut()


def test_the_portrait_has_one_face_with_points_in_place(detector, portrait):
    found = detector.detect(portrait)
    assert len(found) == 1
    np.testing.assert_allclose(found.points[0], ASTRONAUT_POINTS, atol=2.5)
    left, top, right, bottom = found.boxes[0]
    assert np.all((found.points[0] > [left, top]) & (found.points[0] < [right, bottom]))
    assert 0.9 < found.scores[0] <= 1


def test_mirrored_photo_gives_mirrored_points(detector, portrait):
    points = detector.detect(portrait).points[0]
    mirrored = detector.detect(np.ascontiguousarray(portrait[:, ::-1])).points[0, SWAP_SIDES]
    mirrored[:, 0] = portrait.shape[1] - 1 - mirrored[:, 0]
    np.testing.assert_allclose(mirrored, points, atol=2)
    assert abs(np.mean(mirrored - points)) < 0.75  # a wrong pixel convention would shift all of them by one


def test_moved_face_gives_moved_points(detector, portrait):
    still, moved = (detector.detect(portrait[y : y + 240, x : x + 240]).points[0] for x, y in ((120, 10), (100, 0)))
    np.testing.assert_allclose(moved - still, np.full((5, 2), [20, 10]), atol=2)


def test_large_photo_is_reduced_and_found_in_its_own_pixels(detector, portrait):
    large = cv2.resize(portrait, (2048, 2048), interpolation=cv2.INTER_LINEAR)
    points = detector.detect(large).points[0]
    np.testing.assert_allclose((points + 0.5) / 4 - 0.5, ASTRONAUT_POINTS, atol=4)


def test_all_faces_of_a_tiled_photo_are_found_the_largest_first(detector, portrait):
    face = portrait[20:220, 140:320]
    small = cv2.resize(face, (90, 100), interpolation=cv2.INTER_AREA)
    photo = np.zeros((400, 450, 3), np.uint8)
    photo[:, :360] = np.tile(face, (2, 2, 1))
    photo[150:250, 360:] = small
    found = detector.detect(photo)
    assert len(found) == 5
    sizes = np.prod(found.boxes[:, 2:] - found.boxes[:, :2], axis=1)
    assert np.all(np.diff(sizes) <= 0)
    assert found.points[-1, :, 0].min() > 360  # the small one


def test_photos_searched_together_give_what_each_gives_alone(detector, portrait):
    photos = [
        portrait[20:240, 120:340],
        np.full((50, 70, 3), 127, np.uint8),
        portrait,
        np.ascontiguousarray(portrait[:250, 300:60:-1]),
        np.zeros((5, 5, 3), np.uint8),
    ]
    together = detector.detect_all(photos)
    assert [len(found) for found in together] == [1, 0, 1, 1, 0]
    for photo, found in zip(photos, together, strict=True):
        alone = detector.detect(photo)
        for field in ("boxes", "scores", "points"):
            np.testing.assert_allclose(getattr(found, field), getattr(alone, field), atol=0.01)


def test_faces_below_the_given_share_of_the_photo_are_passed_over(portrait):
    # The face is about 75 pixels of 512: 0.15.
    assert len(MTCNN(min_face_share=0.5).detect(portrait)) == 0
    assert len(MTCNN(min_face_share=0.05).detect(portrait)) == 1
    assert len(MTCNN(min_face_share=0.5).detect(portrait[60:180, 165:285])) == 1


def test_face_of_ten_pixels_width_needs_a_smaller_minimum(portrait):
    small = cv2.resize(portrait, (70, 70), interpolation=cv2.INTER_AREA)  # the face is 12 pixels wide, 16 high
    assert len(MTCNN(min_face_size=40).detect(small)) == 0
    found = MTCNN(min_face_size=12).detect(small)
    assert len(found) >= 1
    np.testing.assert_allclose((found.points[0] + 0.5) * 512 / 70 - 0.5, ASTRONAUT_POINTS, atol=12)


@pytest.mark.parametrize("size", [(1, 1), (11, 11), (12, 12), (13, 300), (120, 90)])
def test_photos_without_a_face_give_none(detector, size, rng):
    for image in (np.full((*size, 3), 127, np.uint8), rng.integers(0, 256, (*size, 3), dtype=np.uint8)):
        found = detector.detect(image)
        assert (found.boxes.shape, found.scores.shape, found.points.shape) == ((0, 4), (0,), (0, 5, 2))


@pytest.mark.parametrize(
    "image", [np.zeros((20, 20, 3)), np.zeros((20, 20), np.uint8), np.zeros((20, 20, 4), np.uint8)]
)
def test_other_images_are_refused(detector, image):
    with pytest.raises(ValueError, match=r"the detector reads uint8 images of shape \[H, W, 3\], got"):
        detector.detect(image)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"min_face_size": 11}, "min_face_size must be at least 12, got 11"),
        ({"min_face_share": 1.5}, "min_face_share must be between 0 and 1, got 1.5"),
        (
            {"thresholds": (0.6, 0.7, 1.0)},
            r"thresholds must be three numbers between 0 and 1, got \(0\.6, 0\.7, 1\.0\)",
        ),
    ],
)
def test_settings_outside_their_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        MTCNN(**settings)


def overlap(a, b, relative_to):
    shared = max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))
    first, second = (a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1])
    return shared / (min(first, second) if relative_to == "smaller" else first + second - shared)


@given(
    st.lists(st.tuples(*[st.integers(0, 12)] * 2, *[st.integers(1, 8)] * 2), max_size=12, unique=True),
    st.sampled_from([0.3, 0.5, 0.7]),
    st.sampled_from(["union", "smaller"]),
    st.randoms(use_true_random=False),
)
def test_suppression_matches_the_greedy_definition(corners, limit, relative_to, random):
    boxes = np.array([(x, y, x + w, y + h) for x, y, w, h in corners], float).reshape(-1, 4)
    scores = np.array(random.sample(range(100), len(boxes)), float)
    expected = []
    for i in sorted(range(len(boxes)), key=lambda i: -scores[i]):
        if all(overlap(boxes[i], boxes[j], relative_to) <= limit for j in expected):
            expected.append(i)
    assert non_maximum_suppression(boxes, scores, limit, relative_to=relative_to).tolist() == expected
