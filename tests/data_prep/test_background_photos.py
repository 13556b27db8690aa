import os
import re

import cv2
import numpy as np
import pytest
import skimage.data

from data_prep import background_photos
from data_prep.background_photos import BackgroundFolder, turned_back
from sirjax.data.photo_backgrounds import UNKNOWN_LICENCE
from sirjax.networks.mtcnn import Detections

GREY, HAIR, CHIN, EAR = (120, 130, 110), (250, 250, 0), (250, 0, 250), (0, 250, 250)


class ColorDetector:
    """Sees drawn faces that are upright, and where `one_sided`, only those with the ear on the left."""

    def __init__(self, one_sided=False):
        self.one_sided = one_sided

    def detect_all(self, images):
        return [self._detect(image.astype(int)) for image in images]

    def _detect(self, image):
        hair, chin, ear = (np.abs(image - color).max(axis=2) < 60 for color in (HAIR, CHIN, EAR))
        boxes = []
        if hair.any() and chin.any() and np.nonzero(hair)[0].mean() < np.nonzero(chin)[0].min():
            v, u = np.nonzero(hair | chin)
            if not self.one_sided or np.nonzero(ear)[1].mean() < u.min():
                boxes.append([u.min(), v.min(), u.max(), v.max()])
        return Detections(np.array(boxes, float).reshape(-1, 4), np.ones(len(boxes)), np.zeros((len(boxes), 5, 2)))


def scene(size=(150, 200), face=(30, 30, 16), ear=-1):
    """A grey picture with a face: left, top, and width, which is its height; above it is hair, below chin."""
    image = np.full((*size, 3), GREY, np.uint8)
    if face is not None:
        left, top, width = face
        image[top : top + width // 2, left : left + width] = HAIR
        image[top + width // 2 : top + width, left : left + width] = CHIN
        beside = left - 3 if ear < 0 else left + width
        image[top + width // 3 : top + width // 2, beside : beside + 3] = EAR
    return image


def save(path, image, **exif):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image if image.ndim == 2 else np.ascontiguousarray(image[..., ::-1]))
    return path


def search(folder, detector=None, **options):
    return BackgroundFolder(folder, **{"share": 0.5, **options}).search(detector or ColorDetector(), progress=False)


def shown(backgrounds, seeds=60):
    """All colors that patches show, [N, 3]."""
    always = background_photos.PhotoBackgrounds(backgrounds.photos, 1.0)
    patches = [always.draw(np.random.default_rng(seed)) for seed in range(seeds)]
    return 255 * np.concatenate([patch.reshape(-1, 3) for patch in patches])


def test_patches_never_show_a_face(tmp_path):
    save(tmp_path / "a.png", scene())
    save(tmp_path / "b.jpg", scene((450, 700), (550, 80, 60)))
    backgrounds = search(tmp_path)
    assert [photo.name for photo in backgrounds.photos] == ["a.png", "b.jpg"]
    np.testing.assert_allclose(shown(backgrounds), np.broadcast_to(GREY, (60 * 112 * 96, 3)), atol=12)
    # Without the detector's boxes they would.
    nobody = np.array([[0, 0, *photo.free[:, 2:].max(axis=0)] for photo in backgrounds.photos])
    blind = [
        background_photos.BackgroundPhoto(photo.name, photo.jpeg, box[None])
        for photo, box in zip(backgrounds.photos, nobody, strict=True)
    ]
    assert np.abs(shown(background_photos.PhotoBackgrounds(tuple(blind), 1.0)) - GREY).max() > 60


def test_a_face_seen_only_in_the_mirror_counts(tmp_path):
    save(tmp_path / "a.png", scene(ear=+1))
    backgrounds = search(tmp_path, ColorDetector(one_sided=True))
    np.testing.assert_allclose(shown(backgrounds), np.broadcast_to(GREY, (60 * 112 * 96, 3)), atol=12)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_face_that_lies_on_its_side_or_head_counts(tmp_path, quarters):
    save(tmp_path / "a.png", np.rot90(scene(), quarters))
    np.testing.assert_allclose(shown(search(tmp_path)), np.broadcast_to(GREY, (60 * 112 * 96, 3)), atol=12)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_boxes_are_turned_back_to_the_pixels_they_mark(quarters, rng):
    for _ in range(20):
        image = np.zeros((7, 11), bool)
        top, left = rng.integers(0, 5), rng.integers(0, 9)
        image[top : top + 2, left : left + 2] = True
        v, u = np.nonzero(np.rot90(image, quarters))
        box = np.array([[u.min(), v.min(), u.max() + 1, v.max() + 1]], float)
        np.testing.assert_array_equal(turned_back(box, quarters, image.shape), [[left, top, left + 2, top + 2]])


def test_copies_are_small_upright_and_keep_the_color(tmp_path):
    image = np.full((450, 600, 3), (40, 120, 200), np.uint8)
    image[:, 300:] = (200, 120, 40)
    save(tmp_path / "plain.jpg", image)
    data = (tmp_path / "plain.jpg").read_bytes()
    # An EXIF block with orientation 6: the camera was held upright, the picture is to be turned clockwise.
    block = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    turned = data[:2] + b"\xff\xe1" + (len(block) + 2).to_bytes(2, "big") + block + data[2:]
    (tmp_path / "turned.jpg").write_bytes(turned)
    plain, upright = search(tmp_path).photos
    copies = [cv2.imdecode(np.frombuffer(photo.jpeg, np.uint8), cv2.IMREAD_COLOR_RGB) for photo in (plain, upright)]
    assert [copy.shape for copy in copies] == [(300, 400, 3), (400, 300, 3)]
    assert plain.free.tolist() == [[0, 0, 400, 300]]
    assert upright.free.tolist() == [[0, 0, 300, 400]]
    np.testing.assert_allclose(copies[0][100, 100], (40, 120, 200), atol=6)
    np.testing.assert_allclose(copies[1][100, 100], (40, 120, 200), atol=6)
    np.testing.assert_allclose(copies[1][300, 100], (200, 120, 40), atol=6)


def test_grey_small_and_nested_photos_are_used_and_hidden_ones_are_not(tmp_path):
    save(tmp_path / "deep" / "er" / "grey.png", np.full((100, 90), 77, np.uint8))
    save(tmp_path / "tiny.webp", scene((60, 50), None))
    save(tmp_path / ".hidden" / "c.png", scene())
    save(tmp_path / ".d.png", scene())
    (tmp_path / "notes.txt").write_text("no photo")
    backgrounds = search(tmp_path)
    assert [photo.name for photo in backgrounds.photos] == ["deep/er/grey.png", "tiny.webp"]
    assert backgrounds.description["photos"] == 2


def test_photos_without_use_are_named_with_the_reason(tmp_path):
    save(tmp_path / "good.png", scene())
    save(tmp_path / "portrait.png", scene((120, 100), (30, 30, 40)))
    save(tmp_path / "oblong.png", scene((20, 500), None))
    (tmp_path / "broken.jpg").write_bytes(b"no image at all")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "pointer.jpg").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    backgrounds = search(tmp_path)
    assert [photo.name for photo in backgrounds.photos] == ["good.png"]
    assert dict(backgrounds.left_out) == {
        "broken.jpg": "not an image format that sirjax reads (starts with b'no image'): "
        "convert it to JPEG, PNG, WebP, BMP, GIF or TIFF",
        "empty.png": "the file is empty: copy or download it again",
        "oblong.png": "500 x 20 pixels are too few, or too oblong, for a background",
        "pointer.jpg": "pointer.jpg is a git-LFS pointer, not the file itself: "
        "run `git lfs pull` in the data set's folder",
        "portrait.png": "no room for a background beside the faces",
    }


def test_the_description_says_what_the_backgrounds_are(tmp_path):
    save(tmp_path / "a.png", scene())
    described = BackgroundFolder(tmp_path, share=0.25, licence=" CC0-1.0, my own ").description
    assert re.fullmatch("[0-9a-f]{64}", described["fingerprint"])
    assert described == {
        "version": background_photos.VERSION,
        "share": 0.25,
        "photos": 1,
        "photos_of_folder": 1,
        "fingerprint": described["fingerprint"],
        "licence": "CC0-1.0, my own",
    }
    assert BackgroundFolder(tmp_path, share=0.25).description["licence"] == UNKNOWN_LICENCE


def test_the_fingerprint_is_that_of_names_and_bytes(tmp_path):
    def fingerprint(root):
        return BackgroundFolder(root, share=0.5).description["fingerprint"]

    for name in ("one", "two"):
        save(tmp_path / name / "a.png", scene())
        save(tmp_path / name / "b.png", scene(face=None))
    first = fingerprint(tmp_path / "one")
    os.utime(tmp_path / "two" / "a.png", (0, 0))
    assert fingerprint(tmp_path / "two") == first
    (tmp_path / "two" / "b.png").rename(tmp_path / "two" / "c.png")
    assert fingerprint(tmp_path / "two") != first
    save(tmp_path / "one" / "b.png", scene(face=(90, 30, 16)))
    assert fingerprint(tmp_path / "one") != first


def test_of_large_folders_a_part_is_drawn_by_the_seed(tmp_path, monkeypatch):
    monkeypatch.setattr(background_photos, "MAX_PHOTOS", 5)
    for index in range(12):
        save(tmp_path / f"{index:02d}.png", scene((60, 50), None))
    first, again, other = (BackgroundFolder(tmp_path, share=0.5, seed=seed) for seed in (0, 0, 1))
    assert len(first.names) == len(set(first.names)) == 5
    assert first.names == again.names == sorted(first.names)
    assert first.names != other.names
    assert (first.description["photos"], first.description["photos_of_folder"]) == (5, 12)
    assert first.description["fingerprint"] != other.description["fingerprint"]


def test_photos_are_searched_in_groups_with_the_same_result(tmp_path, monkeypatch):
    for index in range(5):
        save(tmp_path / f"{index}.png", scene(face=(20 + 30 * index, 30, 16)))
    whole = search(tmp_path).photos
    monkeypatch.setattr(background_photos, "GROUP", 2)
    parts = search(tmp_path).photos
    assert [(photo.name, photo.jpeg, photo.free.tolist()) for photo in parts] == [
        (photo.name, photo.jpeg, photo.free.tolist()) for photo in whole
    ]


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="none is not a folder: name the one that holds the photos for backgro"):
        BackgroundFolder(tmp_path / "none", share=0.5)


def test_a_folder_without_photos_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("no photo")
    with pytest.raises(ValueError, match=r"holds no photos to take backgrounds from \(\.jpg, \.jpeg, "):
        BackgroundFolder(tmp_path, share=0.5)


def test_a_folder_of_useless_photos_is_refused(tmp_path):
    save(tmp_path / "portrait.png", scene((120, 100), (30, 30, 40)))
    (tmp_path / "text.jpg").write_text("no photo")
    expected = (
        f"none of the 2 photos of {tmp_path} can be a background (portrait.png: no room for a background beside the "
        "faces): give photos that show more than faces"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(expected)}$"):
        search(tmp_path)


@pytest.mark.parametrize("share", [-0.1, 1.5, float("nan")])
def test_a_share_outside_the_unit_interval_is_refused(tmp_path, share):
    with pytest.raises(
        ValueError, match=rf"the share of photos with backgrounds of .* must be from 0 to 1, got {share}"
    ):
        BackgroundFolder(tmp_path, share=share)


def test_the_detector_of_the_project_keeps_a_real_face_out(tmp_path):
    image = skimage.data.astronaut()  # her face is within u 170..280, v 60..200 of 512 x 512
    save(tmp_path / "portrait.jpg", image)
    (photo,) = BackgroundFolder(tmp_path, share=1.0).search(progress=False).photos
    face = np.array([170, 60, 280, 200]) * 400 / 512
    assert len(photo.free)
    for left, top, right, bottom in photo.free:
        assert right <= face[0] or left >= face[2] or bottom <= face[1] or top >= face[3]
