"""Predictions of every kind meet their labels in photo pixels."""

import dataclasses

import cv2
import numpy as np
import pytest

from sirjax.cli.evaluating import landmark_inputs
from sirjax.cli.evaluating.codes import save_codes
from sirjax.cli.evaluating.landmark_inputs import read_faces
from sirjax.data.alignment import transform_points
from sirjax.data.writing import write_records
from sirjax.evaluation.codes import Codes
from sirjax.evaluation.landmark_error import nme
from tests.data.samples import sample

CROP_FROM_PHOTO = np.array([[0.3, 0.1, -20.0], [-0.1, 0.3, 5.0]])  # turned by 18 degrees and shrunk


def write_pts(path, points, first_pixel=1.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = "\n".join(f"{u:.6f} {v:.6f}" for u, v in points + first_pixel)
    path.write_text(f"version: 1\nn_points: 68\n{{\n{rows}\n}}\n")


@pytest.fixture
def photo_points(rng):
    """Labels and predictions of three photos, photo pixels."""
    target = rng.uniform(100, 300, size=(3, 68, 2))
    return target + rng.normal(size=target.shape), target


@pytest.fixture
def records(tmp_path, photo_points):
    samples = [
        dataclasses.replace(
            sample(i, landmarks=True, person=("ada", "ada", "bob")[i]),
            crop_from_photo=CROP_FROM_PHOTO,
            landmarks=transform_points(CROP_FROM_PHOTO, photo_points[1][i]).astype(np.float32),
        )
        for i in range(3)
    ]
    write_records(tmp_path / "records", samples)
    return tmp_path / "records"


@pytest.fixture
def codes(tmp_path, photo_points):
    landmarks = transform_points(CROP_FROM_PHOTO, photo_points[0]).astype(np.float32)
    names = [f"photos/{i:04d}.jpg" for i in range(3)]
    path = tmp_path / "codes.npz"
    save_codes(path, Codes(names, np.ones((3, 2), np.float32), landmarks=landmarks))
    return path


def test_crops_are_carried_back_so_that_errors_are_those_of_the_photos(records, codes, photo_points):
    faces = read_faces(codes, records=records)
    np.testing.assert_allclose(faces.target, photo_points[1], atol=1e-3)
    np.testing.assert_allclose(faces.predicted, photo_points[0], atol=1e-3)
    np.testing.assert_allclose(nme(faces.predicted, faces.target), nme(*photo_points), rtol=1e-4)
    in_crop = [transform_points(CROP_FROM_PHOTO, points) for points in photo_points]
    np.testing.assert_allclose(nme(*in_crop, "eyes"), nme(*photo_points, "eyes"), rtol=1e-9)
    assert np.abs(nme(*in_crop) / nme(*photo_points) - 1).max() > 0.05  # the box of a turned face is another one
    assert list(faces.group) == [0, 0, 1]
    assert faces.yaw is None


def test_points_files_are_matched_by_name_and_counted_from_one(records, tmp_path, photo_points):
    for i in (0, 2):
        write_pts(tmp_path / "predicted" / "photos" / f"{i:04d}.pts", photo_points[0][i])
    faces = read_faces(tmp_path / "predicted", records=records)
    np.testing.assert_allclose(faces.predicted, photo_points[0][[0, 2]], atol=1e-4)
    assert faces.names == ["photos/0000.jpg", "photos/0002.jpg"]
    assert faces.missing == ["photos/0001.jpg"]


def test_poses_beside_the_records_give_the_yaw(records, codes):
    lines = ["name\tpitch\tyaw\troll", *(f"photos/{i:04d}.jpg\t1\t{30 * i}\t2" for i in range(3))]
    (records / "poses.tsv").write_text("\n".join(lines) + "\n")
    np.testing.assert_allclose(np.rad2deg(read_faces(codes, records=records).yaw), [0, 30, 60])
    (records / "poses.tsv").write_text("\n".join(lines[:3]) + "\n")
    with pytest.raises(ValueError, match=r"poses.tsv does not tell the pose of 1 photos, the first is 'photos/0002"):
        read_faces(codes, records=records)


def test_rendered_faces_tell_their_yaw_and_points_themselves(tmp_path, codes):
    turn = np.array([[0.6, 0, 0.8], [0, 1, 0], [-0.8, 0, 0.6]], np.float32)  # R[2, 0] = -sin yaw
    samples = [sample(i, truth=True) for i in range(3)]
    turned = [dataclasses.replace(s, truth=dataclasses.replace(s.truth, rotation=turn)) for s in samples]
    write_records(tmp_path / "rendered", turned)
    faces = read_faces(codes, records=tmp_path / "rendered")
    np.testing.assert_allclose(np.rad2deg(faces.yaw), 53.1301, atol=1e-3)
    in_crop = transform_points(samples[1].crop_from_photo, faces.target[1])
    np.testing.assert_allclose(in_crop, samples[1].truth.landmarks, atol=1e-3)


def test_two_folders_of_points_files_are_compared_as_they_are(tmp_path, photo_points):
    for i in range(3):
        write_pts(tmp_path / "truth" / f"{i}.pts", photo_points[1][i])
        write_pts(tmp_path / "mine" / f"{i}.pts", photo_points[0][i])
    cv2.imwrite(str(tmp_path / "truth" / "1.png"), np.full((40, 50, 3), 7, np.uint8))
    faces = read_faces(tmp_path / "mine", truth=tmp_path / "truth")
    np.testing.assert_allclose(nme(faces.predicted, faces.target), nme(*photo_points), rtol=1e-4)
    assert faces.image_of(0) is None
    assert faces.image_of(1)[0].shape == (40, 50, 3)
    assert faces.group is None


def test_arrays_are_matched_by_row_or_by_name(tmp_path, photo_points):
    np.save(tmp_path / "truth.npy", photo_points[1])
    np.save(tmp_path / "mine.npy", photo_points[0])
    faces = read_faces(tmp_path / "mine.npy", truth=tmp_path / "truth.npy")
    np.testing.assert_array_equal(faces.predicted, photo_points[0])
    names = np.array(["2", "1"])
    np.savez(tmp_path / "named.npz", landmarks=photo_points[0][[2, 1]], names=names)
    faces = read_faces(tmp_path / "named.npz", truth=tmp_path / "truth.npy")
    np.testing.assert_array_equal(faces.predicted, photo_points[0][1:])
    assert faces.missing == ["0"]


def test_a_run_reads_the_records(monkeypatch, tmp_path, records, codes, photo_points):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text("{}")
    monkeypatch.setattr(landmark_inputs, "load_run", lambda path: path)
    read = landmark_inputs.load_codes(codes)
    monkeypatch.setattr(landmark_inputs, "read_codes", lambda run, records, **_: read)
    faces = read_faces(tmp_path / "run", records=records)
    np.testing.assert_allclose(faces.predicted, photo_points[0], atol=1e-3)


def test_what_does_not_belong_together_is_refused(tmp_path, records, codes, photo_points):
    with pytest.raises(
        ValueError, match="name the true landmarks: either --records RECORDS or --truth FOLDER_OR_ARRAY"
    ):
        read_faces(codes)
    np.save(tmp_path / "flat.npy", np.ones((3, 136)))
    with pytest.raises(ValueError, match=r"flat.npy: landmarks must be numbers \[N, 68, 2\], got float64 \[3, 136\]"):
        read_faces(tmp_path / "flat.npy", truth=tmp_path / "flat.npy")
    write_pts(tmp_path / "other" / "zoe.pts", photo_points[0][0])
    with pytest.raises(ValueError, match="has points for none of the 3 labelled photos"):
        read_faces(tmp_path / "other", records=records)
    with pytest.raises(FileNotFoundError, match="missing: give a run directory, a folder of .pts files or an array"):
        read_faces(tmp_path / "nothing.npy", truth=tmp_path / "other")
    save_codes(tmp_path / "bare.npz", Codes(["a"], np.ones((1, 2), np.float32)))
    with pytest.raises(ValueError, match="holds no landmarks: write the codes with landmarks, or give a run directory"):
        read_faces(tmp_path / "bare.npz", records=records)
    unlabelled = tmp_path / "unlabelled"
    write_records(unlabelled, [sample(0)])
    with pytest.raises(ValueError, match="has no landmarks to compare with: prepare a set that does"):
        read_faces(codes, records=unlabelled)
