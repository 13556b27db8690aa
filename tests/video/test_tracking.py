import dataclasses

import numpy as np
import pytest

from sirjax.fusion import fuse_shapes
from sirjax.video.tracking import Lead, Tracker, cosine, face_box, intersection_over_union
from tests.face_models import dome_face_model
from tests.reconstructions import known_face, similarity

MODEL = dome_face_model(grid=9)


def face(person, left=0.0, size=1.0):
    """A face of a person at a place of the video; its crop is `size` times as small."""
    made = known_face(similarity(1 / size, 0.0, (-left / size, 0.0)), MODEL, seed=person)
    code = np.zeros(MODEL.num_shape, np.float32)
    code[person] = 3.0
    return dataclasses.replace(made, shape=code)


def numbers(tracker, frames):
    """Track numbers of each frame."""
    return [[track.number for track in tracker.update(faces, i)[0]] for i, faces in enumerate(frames)]


def test_faces_keep_their_tracks_whatever_their_order():
    frames = [[face(0, 0), face(1, 200)], [face(1, 205), face(0, 4)], [face(0, 8)], [face(1, 210), face(0, 12)]]
    assert numbers(Tracker(max_gap=5), frames) == [[0, 1], [1, 0], [0], [1, 0]]


def test_another_person_in_the_same_place_is_a_new_track():
    opposite = dataclasses.replace(face(0), shape=-face(0).shape)
    assert numbers(Tracker(max_gap=5), [[face(0)], [opposite]]) == [[0], [1]]


def test_somebody_who_turns_up_elsewhere_is_recognized():
    assert numbers(Tracker(max_gap=5), [[face(0)], [], [face(0, 500)], [face(1, 1000)]]) == [[0], [], [0], [1]]


def test_a_face_that_is_gone_too_long_is_a_new_one():
    assert numbers(Tracker(max_gap=2), [[face(0)], [], [], [], [face(0)]]) == [[0], [], [], [], [1]]


def test_tracks_that_end_are_handed_over_once():
    tracker = Tracker(max_gap=1)
    assert tracker.update([face(0)], 0)[1] == []
    assert tracker.update([], 1)[1] == []
    (ended,) = tracker.update([], 2)[1]
    assert (ended.number, ended.frames, ended.first_frame, ended.last_frame) == (0, 1, 0, 0)
    assert tracker.update([], 3)[1] == []
    assert tracker.tracks == []


def test_a_track_fuses_its_shapes_by_confidence(rng):
    tracker = Tracker(max_gap=5)
    faces = []
    for i in range(5):
        made = known_face(similarity(1.0, 0.0, (0.0, 0.0)), MODEL, angles=(0, 15.0 * i, 0), seed=0)
        code = (made.shape + 0.3 * rng.normal(size=MODEL.num_shape)).astype(np.float32)
        faces.append(dataclasses.replace(made, shape=code))
        tracker.update([faces[-1]], i)
    (track,) = tracker.tracks
    fused = fuse_shapes(MODEL, np.stack([f.shape for f in faces]), np.array([f.confidence for f in faces]))
    np.testing.assert_allclose(track.shape.mean, fused.shape, rtol=1e-4, atol=1e-5)
    assert track.spread_mm(MODEL) == pytest.approx(fused.spread_mm, rel=1e-3)  # the dome's basis is orthonormal


def test_the_lead_follows_the_largest_until_it_is_gone():
    tracker, lead, chosen = Tracker(max_gap=1), Lead(), []
    frames = [
        [face(0, 0, size=1.0), face(1, 400, size=2.0)],
        [face(0, 0, size=4.0), face(1, 400, size=2.0)],  # now larger, but not who is followed
        [face(0, 0, size=4.0)],
        [face(0, 0, size=4.0)],
        [face(0, 0, size=4.0)],
    ]
    for i, faces in enumerate(frames):
        tracks, _ = tracker.update(faces, i)
        chosen.append([tracks[k].number for k in lead.choose(tracks, tracker.tracks)])
    assert chosen == [[1], [1], [], [0], [0]]
    assert lead.followed == {0, 1}


def test_boxes_and_codes_are_compared():
    box = np.array([0.0, 0.0, 2.0, 2.0])
    assert intersection_over_union(box, box) == 1.0
    assert intersection_over_union(box, np.array([1.0, 0.0, 3.0, 2.0])) == pytest.approx(1 / 3)
    assert intersection_over_union(box, box + 5) == 0.0
    assert intersection_over_union(box * 0, box * 0) == 0.0
    assert cosine(np.array([1.0, 0.0]), np.array([2.0, 2.0])) == pytest.approx(np.sqrt(0.5))
    assert cosine(np.zeros(2), np.ones(2)) == 0.0


def test_the_box_of_a_face_is_that_of_its_landmarks_in_the_video():
    made = face(0, left=30.0, size=2.0)
    np.testing.assert_allclose(face_box(made)[:2], made.landmarks.min(axis=0) * 2 + [30, 0], rtol=1e-4)
