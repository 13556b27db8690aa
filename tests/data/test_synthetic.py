import cv2
import jax.numpy as jnp
import numpy as np
import pytest

from sirjax.data import alignment, images, synthetic
from sirjax.data.photo_backgrounds import BackgroundPhoto, PhotoBackgrounds
from sirjax.data.synthetic import render_samples, write_synthetic_set
from sirjax.geometry import camera
from sirjax.morphable import model as morphable
from sirjax.types import Camera, Coefficients
from tests.face_models import dome_face_model

MODEL = dome_face_model()


def write(path, kind="benchmark", people=3, photos=2, **options):
    return write_synthetic_set(
        path, MODEL, num_identities=people, images_per_identity=photos, kind=kind, progress=False, **options
    )


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory):
    return write(tmp_path_factory.mktemp("synthetic") / "benchmark", people=10, photos=4)


def test_kinds_carry_the_labels_they_are_for(tmp_path, benchmark):
    identity, landmark = write(tmp_path / "i", "identity"), write(tmp_path / "l", "landmark")
    assert (identity.num_identities, identity.has_landmarks) == (3, False)
    assert (landmark.num_identities, landmark.has_landmarks) == (0, True)
    assert (benchmark.num_identities, benchmark.has_landmarks) == (10, True)
    assert len(identity) == len(landmark) == 6
    for records in (identity, landmark, benchmark):
        assert records.manifest["has_truth"]
        assert records.manifest["parameters"]["face_model"] == "dome"
        assert len(records.manifest["parameters"]["face_model_fingerprint"]) == 64


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    first, second, other = write(tmp_path / "a"), write(tmp_path / "b"), write(tmp_path / "c", seed=1)
    assert first.manifest["content_sha256"] == second.manifest["content_sha256"]
    assert first.manifest["content_sha256"] != other.manifest["content_sha256"]


@pytest.fixture(scope="module")
def photo_backgrounds():
    """One photo, all green."""
    green = cv2.imencode(".jpg", np.full((120, 100, 3), (0, 230, 0), np.uint8))[1].tobytes()
    photo = BackgroundPhoto("green.jpg", green, np.array([[0, 0, 100, 120]]))
    description = {"share": 0.5, "fingerprint": "f", "licence": "for research"}
    return PhotoBackgrounds((photo,), 0.5, description, {"b.jpg": "the file is empty"})


def test_real_backgrounds_change_nothing_but_the_backdrop_of_their_share(tmp_path, benchmark, photo_backgrounds):
    lent = write(tmp_path / "a", people=10, photos=4, photo_backgrounds=photo_backgrounds)
    changed = []
    for before, after in zip(benchmark, lent, strict=True):
        np.testing.assert_array_equal(before.truth.landmarks, after.truth.landmarks)
        changed.append(before.image != after.image)
        first, second = (images.decode_image(item.image).astype(float) for item in (before, after))
        # The middle of the face is the same, but for the quality of the JPEG as the whole picture allows it.
        assert np.abs(first[56:76, 40:56] - second[56:76, 40:56]).mean() < 8
    assert 8 < sum(changed) < 32
    again = write(tmp_path / "b", people=10, photos=4, photo_backgrounds=photo_backgrounds)
    assert again.manifest["content_sha256"] == lent.manifest["content_sha256"]


def test_backdrops_are_those_of_the_photo(photo_backgrounds):
    lent = PhotoBackgrounds(photo_backgrounds.photos, 1.0)
    samples = render_samples(MODEL, [(p, 0) for p in range(8)], kind="landmark", seed=0, photo_backgrounds=lent)
    corners = np.array([images.decode_image(item.image)[:6, [0, -1]] for item in samples], float)
    green = (corners[..., 1] > 1.5 * corners[..., 0]) & (corners[..., 1] > 1.5 * corners[..., 2])
    assert green.any(axis=(1, 2)).mean() > 0.6  # hair covers the corners of some


def test_the_manifest_names_the_photos_behind_the_faces_and_their_terms(tmp_path, benchmark, photo_backgrounds):
    manifest = write(tmp_path / "a", people=1, photos=1, photo_backgrounds=photo_backgrounds).manifest
    assert manifest["parameters"]["photo_backgrounds"] == dict(photo_backgrounds.description)
    assert manifest["parameters"]["licence"] == "for research"  # the dome's CC0 adds none
    assert manifest["origin"] == {"background_photos": 1}
    assert manifest["rejected"] == {"backgrounds/b.jpg": "the file is empty"}
    assert not {"photo_backgrounds", "licence"} & set(benchmark.manifest["parameters"])
    assert "origin" not in benchmark.manifest


def test_a_photo_is_the_same_in_a_larger_set(tmp_path, benchmark):
    for item in write(tmp_path / "a", people=2, photos=2):
        twin = next(other for other in benchmark if other.name == item.name)
        assert twin.image == item.image
        np.testing.assert_array_equal(twin.truth.shape, item.truth.shape)


def test_photos_of_a_person_share_the_shape_and_nothing_else(benchmark):
    one, two = benchmark[0], benchmark[1]
    assert one.identity == two.identity
    np.testing.assert_array_equal(one.truth.shape, two.truth.shape)
    assert (one.truth.rotation != two.truth.rotation).any()
    assert one.image != two.image
    assert (benchmark[4].truth.shape != one.truth.shape).any()


def test_every_photo_of_a_landmark_set_shows_another_person(tmp_path):
    shapes = [item.truth.shape for item in write(tmp_path / "l", "landmark", people=4, photos=5)]
    assert len(np.unique(shapes, axis=0)) == 20


def test_the_stored_truth_projects_to_the_stored_landmarks(benchmark):
    for item in benchmark:
        coefficients = Coefficients(
            shape=jnp.asarray(item.truth.shape[None]), expression=jnp.asarray(item.truth.expression[None])
        )
        solid = np.asarray(morphable.landmarks(MODEL, coefficients))[0]
        turned = solid @ item.truth.rotation.T
        # Scale and translation are not stored: two unknowns and one, fitted to 136 numbers that must then agree.
        plane = turned[:, :2] * (1, -1)
        centered = plane - plane.mean(axis=0)
        target = item.landmarks - item.landmarks.mean(axis=0)
        scale = (centered * target).sum() / (centered**2).sum()
        np.testing.assert_allclose(scale * centered, target, atol=2e-3)


def test_faces_are_framed_as_alignment_would(benchmark):
    residuals = [alignment.template_residual(alignment.five_points(item.landmarks), np.eye(2, 3)) for item in benchmark]
    assert np.median(residuals) < 7
    frontal = [r for r, item in zip(residuals, benchmark, strict=True) if abs(item.truth.rotation[2, 0]) < 0.3]
    assert np.median(frontal) < 5


def test_pixels_show_the_face_where_the_landmarks_are():
    people = [synthetic.draw_person(MODEL, "benchmark", 0, 0, 0)]
    view = synthetic.scenes.draw_view(synthetic.scenes.view_generator(0, "benchmark", 0, 0), 3, people[0].skin)
    faces, landmarks, cameras = synthetic._render(MODEL, people, [view], synthetic.mean_skin_tone(MODEL))
    rotation, scale, translation = cameras[0]
    coefficients = Coefficients(
        shape=jnp.asarray(people[0].shape[None], jnp.float32),
        expression=jnp.asarray(view.expression[None], jnp.float32),
    )
    seen = camera.project(
        Camera(
            rotation=jnp.asarray(rotation[None], jnp.float32),
            scale=jnp.asarray([scale], jnp.float32),
            translation=jnp.asarray(translation[None], jnp.float32),
        ),
        morphable.vertices(MODEL, coefficients),
    )
    pixels = np.asarray(seen)[0, :, :2]
    v, u = np.nonzero(faces[0, 3] > 0.5)
    inside = (pixels >= 0).all(axis=1) & (pixels <= (95, 111)).all(axis=1)
    low, high = np.array([u.min(), v.min()]), np.array([u.max(), v.max()])
    np.testing.assert_allclose(pixels[inside].min(axis=0), low, atol=6)  # the dome's vertices are 4 px apart
    np.testing.assert_allclose(pixels[inside].max(axis=0), high, atol=6)
    np.testing.assert_allclose(
        camera.project(
            Camera(*(jnp.asarray(x, jnp.float32) for x in (rotation[None], [scale], translation[None]))),
            morphable.landmarks(MODEL, coefficients),
        )[0, :, :2],
        landmarks[0],
        atol=1e-3,
    )


def test_people_keep_their_skin_unless_told_otherwise():
    def skins(same):
        drawn = [synthetic.draw_person(MODEL, "identity", 0, 5, view, same) for view in range(3)]
        return np.array([person.skin for person in drawn]), np.array([person.shape for person in drawn])

    (kept, shapes), (changing, same_shapes) = skins(True), skins(False)
    assert np.ptp(kept, axis=0).max() == 0
    assert np.ptp(changing, axis=0).min() > 0
    np.testing.assert_array_equal(shapes, same_shapes)


def test_skin_takes_the_persons_tone_and_the_eyes_stay_white():
    tone = np.array([0.7, 0.5, 0.4], np.float32)
    albedo = np.tile(tone, (8, 8, 1))
    albedo[0, 0] = 0.95  # the white of an eye
    albedo[0, 1] = 0.1  # a brow
    dark, light = np.array([0.3, 0.2, 0.15], np.float32), np.array([0.9, 0.8, 0.7], np.float32)
    noise = jnp.zeros((2, 3, 3, 3))
    got = synthetic.person_albedo(jnp.asarray(albedo), jnp.asarray(tone), jnp.stack([dark, light]), noise)
    np.testing.assert_allclose(got[0, 4, 4], dark, atol=1e-5)
    np.testing.assert_allclose(got[1, 4, 4], light, atol=1e-5)
    assert got[0, 0, 0].min() > 0.85
    assert got[0, 0, 1].max() < 0.06
    np.testing.assert_allclose(got[1, 0, 1], 0.1, atol=0.01)


def test_photos_differ_in_brightness_and_are_never_blank(benchmark):
    pictures = np.array([images.decode_image(item.image) for item in benchmark], float)
    assert pictures.std(axis=(1, 2)).min() > 5
    assert np.std(pictures.mean(axis=(1, 2, 3))) > 10


def test_an_interrupted_run_leaves_nothing(tmp_path, monkeypatch):
    def stop(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(synthetic.photograph, "photograph", stop)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "sub" / "a")
    assert list((tmp_path / "sub").iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "video"}, "unknown kind 'video' of synthetic set: take one of identity, landmark, benchmark"),
        ({"people": 0}, "at least 1 identity with 1 image, got 0 with 2"),
    ],
)
def test_impossible_sets_are_refused(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        write(tmp_path / "a", **options)
    assert list(tmp_path.iterdir()) == []


def test_samples_can_be_rendered_without_writing():
    (item,) = render_samples(MODEL, [(3, 1)], kind="identity", seed=0)
    assert item.name == "identity/000003/0001"
    assert item.identity == "identity-000003"
