"""Stored faces come back as they were reconstructed, and lie on their photos."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sirjax.cli.viewing.faces import cut, distances, face_model_of, read_folder, viewed
from tests.cli.viewing.stored_faces import MODEL, write_face, write_model


@pytest.fixture
def faces(tmp_path):
    folder = tmp_path / "faces"
    folder.mkdir()
    return folder


def test_a_stored_face_has_the_shapes_of_its_reconstruction(faces):
    known = write_face(faces, "anna")
    face = viewed(read_folder(faces)[0], MODEL)
    np.testing.assert_allclose(face.neutral, known.neutral_vertices, atol=1e-3)
    np.testing.assert_allclose(face.in_photo.posed, known.posed_vertices, atol=1e-3)
    assert face.norm == pytest.approx(np.linalg.norm(known.shape), rel=1e-5)


def test_the_mesh_lies_on_the_pixels_of_the_photo_that_it_came_from(faces):
    known = write_face(faces, "anna")
    photo = cv2.imread(str(faces.parent / "anna.png"))[..., ::-1]
    face = viewed(read_folder(faces)[0], MODEL).in_photo
    placed = face.scale * face.posed[:, :2] * [1, -1] + face.translation
    # The part was not scaled (the photo is small): it starts at a whole pixel.
    left, top = np.round(known.projected_in_photo[0, :2] - placed[0]).astype(int)
    np.testing.assert_allclose(placed + np.array([left, top]), known.projected_in_photo[:, :2], atol=1e-2)
    height, width = face.image.shape[:2]
    np.testing.assert_array_equal(face.image, photo[top : top + height, left : left + width])


def test_without_its_photo_a_face_lies_on_the_crop(faces):
    known = write_face(faces, "anna", with_photo=False)
    face = viewed(read_folder(faces)[0], MODEL).in_photo
    placed = face.scale * face.posed[:, :2] * [1, -1] + face.translation
    shift = known.projected[0, :2] - placed[0]
    np.testing.assert_allclose(placed + shift, known.projected[:, :2], atol=1e-2)
    left, top = np.round(shift).astype(int)
    height, width = face.image.shape[:2]
    np.testing.assert_array_equal(face.image, known.crop[top : top + height, left : left + width])


def test_photos_that_moved_are_found_in_their_new_folder(faces, tmp_path):
    write_face(faces, "anna", with_photo=False)
    (tmp_path / "new").mkdir()
    cv2.imwrite(str(tmp_path / "new" / "anna.png"), np.full((200, 300, 3), 77, np.uint8))
    assert viewed(read_folder(faces)[0], MODEL).facts["Photo"] == "not found; shown is the crop that the networks saw"
    face = viewed(read_folder(faces)[0], MODEL, tmp_path / "new")
    assert "Photo" not in face.facts
    assert (face.in_photo.image == 77).all()


def test_lit_colors_are_the_light_of_the_crop_times_the_albedo(faces):
    known = write_face(faces, "anna")
    face = viewed(read_folder(faces)[0], MODEL)
    corners = (known.vertices @ known.rotation.T)[np.asarray(MODEL.triangles)].astype(float)
    areas = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros_like(face.neutral)
    for triangle, area in zip(np.asarray(MODEL.triangles), areas, strict=True):
        normals[triangle] += area
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    # known_face's light: 0.9 for the constant, 0.25 along z.
    shading = 0.886227 * 0.9 + 1.023327 * 0.25 * normals[:, 2:]
    np.testing.assert_allclose(face.in_photo.lit, np.clip(face.albedo * shading, 0, 1), atol=2e-3)


def test_faces_come_by_photo_and_number_and_have_different_names(faces):
    for photo, number in (("b10", 0), ("b2", 1), ("b2", 0), ("a", 0)):
        write_face(faces, photo, number)
    assert [face.name for face in read_folder(faces)] == ["a", "b2, face 0", "b2, face 1", "b10"]


def test_people_and_tracks_are_shown_without_a_photo(faces):
    write_face(faces, "anna")
    with np.load(faces / "anna" / "face0.npz") as file:
        shape = {key: file[key] for key in ("shape_whitened", "shape_mm", "albedo", "face_model_fingerprint")}
    (faces / "people" / "anna").mkdir(parents=True)
    np.savez(faces / "people" / "anna" / "person.npz", **shape, photos=np.array(["a.jpg", "b.jpg"]), spread_mm=1.234)
    (faces / "holiday").mkdir()
    np.savez(faces / "holiday" / "track2.npz", **shape, num_frames=40, metric_scale=1.05)
    stored = read_folder(faces)
    assert [face.name for face in stored] == ["anna", "anna, all photos", "holiday, track 2"]
    one, person, track = (viewed(face, MODEL) for face in stored)
    np.testing.assert_allclose(person.neutral, one.neutral, atol=1e-6)
    assert (person.in_photo, person.thumbnail, track.in_photo) == (None, None, None)
    assert person.facts["Mean of"] == "2 photos"
    assert person.facts["They differ from it by"] == "1.23 mm"
    assert track.facts["Mean of"] == "40 frames"
    assert track.facts["True size"] == "1.050 times as large (an eye distance was given)"


def test_distances_are_those_of_the_meshes(faces):
    known = [write_face(faces, photo, seed=seed) for seed, photo in enumerate("abc")]
    stored = read_folder(faces)
    found = distances(stored, [viewed(face, MODEL).neutral for face in stored])
    for i, one in enumerate(known):
        for j, other in enumerate(known):
            apart = np.linalg.norm(one.neutral_vertices.astype(float) - other.neutral_vertices, axis=1)
            assert found.rmse[i, j] == pytest.approx(np.sqrt((apart**2).mean()), abs=1e-3)
            assert found.largest[i, j] == pytest.approx(np.quantile(apart, 0.99), abs=1e-3)
            millimeters = (one.shape - other.shape) * np.asarray(MODEL.shape_std)
            assert found.coefficients[i, j] == pytest.approx(np.linalg.norm(millimeters), abs=1e-3)
            cosine = one.shape @ other.shape / np.linalg.norm(one.shape) / np.linalg.norm(other.shape)
            assert found.cosine[i, j] == pytest.approx(cosine, abs=1e-5)


@given(
    st.tuples(st.integers(2, 40), st.integers(2, 900)),
    st.tuples(st.floats(-50, 950), st.floats(-50, 90)),
    st.floats(0.5, 400),
)
def test_parts_of_photos_are_where_they_say(size, middle, reach):
    photo = np.zeros((*size, 3), np.uint8)
    photo[:] = (np.arange(size[1]) // 4)[None, :, None]
    points = np.array(middle) + reach * np.array([[-1, -1], [1, 1.0]])
    part, (left, top), factor = cut(photo, points)
    assert max(part.shape) <= 560
    assert 0 <= left < size[1]
    assert 0 <= top < size[0]
    # A pixel of the part, carried back, has the photo's color (which changes slowly).
    u = (part.shape[1] // 2 + 0.5) / factor - 0.5 + left
    assert abs(int(part[0, part.shape[1] // 2, 0]) - u / 4) <= 2
    if factor == 1:
        np.testing.assert_array_equal(
            part, photo[int(top) : int(top) + len(part), int(left) : int(left) + part.shape[1]]
        )


def test_the_face_model_is_checked_by_its_fingerprint(faces, tmp_path):
    write_face(faces, "anna")
    stored, path = read_folder(faces), write_model(tmp_path)
    assert face_model_of(stored, path).num_vertices == MODEL.num_vertices
    with pytest.raises(ValueError, match=r"the faces belong to face model dome \(\w{12}\), the built-in one is \w{12}"):
        face_model_of(stored, None)
    write_face(faces, "bert", face_model="f00d")
    with pytest.raises(ValueError, match="belong to different face models: view them apart"):
        face_model_of(read_folder(faces), path)


def test_folders_without_faces_are_refused(faces):
    with pytest.raises(FileNotFoundError, match="holds no reconstructed face"):
        read_folder(faces)
    with pytest.raises(FileNotFoundError, match="nowhere is no folder"):
        read_folder(faces / "nowhere")


def test_damaged_and_foreign_files_are_named(faces):
    write_face(faces, "anna")
    path = faces / "anna" / "face0.npz"
    np.savez(path, shape_whitened=np.zeros(3))
    with pytest.raises(ValueError, match=r"face0.npz has no shape_mm, albedo, .*, scale_crop, .*: reconstruct its"):
        read_folder(faces)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(ValueError, match=r"face0.npz cannot be read \(.*\): reconstruct its photo again"):
        read_folder(faces)
    np.savez(path, shape_whitened=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="face0.npz cannot be read"):
        read_folder(faces)
