from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import skimage.data
from ml_collections import ConfigDict

from sirjax import decode
from sirjax.constants import IMAGE_SIZE
from sirjax.data.alignment import DETECTOR_BOX
from sirjax.decode import CameraGains
from sirjax.networks.model import make_networks
from sirjax.networks.mtcnn import MTCNN
from sirjax.pictures.in_photo import overlay, render_in_photo
from sirjax.predictor import Predictor, align_box, align_center, align_landmarks, align_points
from sirjax.training.setup import TrainedRun, make_confidence
from sirjax.types import Camera, Coefficients
from tests.oracles import MODEL, TEMPLATE, UV, GivenFaces, Oracle, answers
from tests.reconstructions import rotation, similarity

SETTINGS = ConfigDict({"pose_weight": "relu_cos", "expression_decay": 0.5})


def oracle(rng, detector=None, **options):
    return Predictor(Oracle(), answers(rng), MODEL, {"step": 1}, detector=detector, **options)


def points_in_photo(crop_from_photo):
    """Where a face has its five points if this is the matrix that aligns it."""
    inverse = np.linalg.inv(np.vstack([crop_from_photo, [0, 0, 1]]))[:2]
    return TEMPLATE @ inverse[:, :2].T + inverse[:, 2]


def photo_truth(params, crop_from_photo):
    """Camera and landmarks in the photo by NumPy in float64, from the equations of the camera (spec 4)."""
    template = decode.camera_template(MODEL)
    q = params["camera"][:4].astype(float) + np.array([0, 0, 0, 1])
    x, y, z, w = q / np.linalg.norm(q)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    pose = np.eye(3) + 2 * w * cross + 2 * cross @ cross
    scale = float(template.scale) * np.exp(0.1 * params["camera"][4])
    shift = np.asarray(template.translation) + 0.1 * IMAGE_SIZE[1] * params["camera"][5:]
    mm = np.concatenate([
        params["shape"] * np.asarray(MODEL.shape_std), params["expression"] * np.asarray(MODEL.expression_std)
    ])  # fmt: skip
    basis = np.concatenate([MODEL.shape_basis, MODEL.expression_basis]).astype(float)
    vertices = np.asarray(MODEL.mean, float) + (mm @ basis).reshape(-1, 3)
    corners = vertices[np.asarray(MODEL.landmark_vertices)]
    landmarks = (corners * np.asarray(MODEL.landmark_weights)[..., None]).sum(axis=1)
    inverse = np.linalg.inv(np.vstack([crop_from_photo, [0, 0, 1]]))[:2]
    turned = landmarks @ pose.T * scale
    crop = np.column_stack([turned[:, 0] + shift[0], -turned[:, 1] + shift[1]])
    degrees = np.degrees(np.arctan2(inverse[1, 0], inverse[0, 0]))  # clockwise on the screen: a negative roll
    camera = Camera(
        rotation=jnp.asarray(rotation(0, 0, -degrees) @ pose, jnp.float32)[None],
        scale=jnp.array([scale * np.hypot(*inverse[:, 0])], jnp.float32),
        translation=jnp.asarray(inverse[:, :2] @ shift + inverse[:, 2], jnp.float32)[None],
    )
    return camera, crop @ inverse[:, :2].T + inverse[:, 2]


@pytest.mark.parametrize(
    "crop_from_photo", [similarity(0.45, 17.0, (-60.0, -40.0)), similarity(1.6, -8.0, (-150.0, -90.0))]
)
def test_a_known_face_in_a_photo_comes_back_to_its_own_pixels(rng, crop_from_photo):
    # The face is drawn into a photo by a camera of the photo; the networks know its answer in the crop. If the way
    # there and back is right, landmarks and overlay fall onto the drawn face.
    predictor = oracle(rng, GivenFaces(points_in_photo(crop_from_photo)))
    params = answers(np.random.default_rng(0))
    camera, landmarks = photo_truth(params, crop_from_photo)
    albedo, light = jnp.full((1, UV, UV, 3), 0.5), jnp.asarray(params["light"])[None]
    coefficients = Coefficients(jnp.asarray(params["shape"])[None], jnp.asarray(params["expression"])[None])
    render = jax.jit(partial(decode.render_face, image_size=(280, 360)))
    drawn, _ = render(MODEL, coefficients, camera, albedo, light)
    mask = np.asarray(drawn.mask[0]) > 0.5
    photo = np.repeat(np.where(mask[..., None], 200, 0), 3, axis=2).astype(np.uint8)

    (face,) = predictor.reconstruct(photo)
    assert np.linalg.norm(face.landmarks_in_photo - landmarks, axis=1).max() < 0.5
    np.testing.assert_allclose(face.crop_from_photo, crop_from_photo, atol=1e-3)
    np.testing.assert_allclose(face.photo_rotation, camera.rotation[0], atol=1e-4)
    over = overlay(photo * 0, [render_in_photo(face, MODEL, photo.shape[:2])], opacity=1.0).any(axis=-1)
    assert (over & mask).sum() / (over | mask).sum() > 0.97
    assert mask.sum() > 2000
    assert face.crop[50:80, 30:66].mean() > 190  # the crop shows the face


def test_the_confidence_is_equation_19_with_the_settings_of_the_run(rng):
    run = TrainedRun(Oracle(), answers(rng), MODEL, CameraGains(), {}, confidence=make_confidence(SETTINGS))
    crops = [align_center(np.zeros((120, 120, 3), np.uint8))]
    (ours,), (paper,) = (made.reconstruct_aligned(crops) for made in (Predictor.of_run(run), oracle(rng)))
    for face, form, decay in ((ours, lambda cosine: max(cosine, 0.0), 0.5), (paper, lambda c: (c + 1) / 2, 1 / 3)):
        pitch, yaw, roll = np.radians(face.euler_degrees)  # an upright crop: its pose is the photo's
        frontal = form(np.cos(pitch)) * form(np.cos(yaw)) * form(np.cos(roll))
        expected = frontal * np.exp(-decay * np.linalg.norm(face.expression))
        assert face.confidence == pytest.approx(expected, rel=1e-4)
        assert 0.01 < face.confidence < 0.99


def test_everything_of_the_networks_arrives(rng):
    params = answers(np.random.default_rng(0))
    (face,) = oracle(rng, GivenFaces(TEMPLATE + 20)).reconstruct(np.zeros((180, 160, 3), np.uint8))
    np.testing.assert_allclose(face.shape, params["shape"])
    np.testing.assert_allclose(face.expression, params["expression"])
    np.testing.assert_allclose(face.light, params["light"])
    mean, mask = np.asarray(MODEL.mean_albedo), np.asarray(MODEL.uv_mask)
    np.testing.assert_allclose(face.albedo, mean + 0.05 * mask[..., None], atol=1e-6)
    np.testing.assert_allclose(face.score, 0.9)
    np.testing.assert_allclose(face.points, TEMPLATE + 20, atol=1e-4)
    assert not face.metric


def test_neutral_vertices_leave_out_the_expression(rng):
    params = answers(np.random.default_rng(0))
    (face,) = oracle(rng, GivenFaces(TEMPLATE)).reconstruct(np.zeros((180, 160, 3), np.uint8))
    mm = params["expression"] * np.asarray(MODEL.expression_std)
    offset = (mm @ np.asarray(MODEL.expression_basis)).reshape(-1, 3)
    np.testing.assert_allclose(face.vertices - face.neutral_vertices, offset, atol=1e-4)


@pytest.mark.parametrize("count", [1, 3, 4, 7])
def test_batches_of_any_size_give_every_crop_its_own_answer(rng, count):
    predictor = oracle(rng, batch_size=3)
    crops = rng.integers(0, 256, (count, *IMAGE_SIZE, 3), dtype=np.uint8)
    output = predictor.encode(crops)
    np.testing.assert_allclose(output.albedo_code, crops.mean(axis=(1, 2)) / 255, rtol=1e-5)
    assert output.shape.shape == (count, MODEL.num_shape)


def test_only_one_program_is_compiled(rng):
    traces = []

    class Counting(Oracle):
        @nn.compact
        def __call__(self, image):
            traces.append(image.shape)
            return Oracle.__call__(self, image)

    predictor = Predictor(Counting(), answers(rng), MODEL, batch_size=4)
    for count in (1, 4, 6):
        faces = [align_center(np.zeros((120, 100, 3), np.uint8))] * count
        assert len(predictor.reconstruct_aligned(faces)) == count
    assert traces == [(4, *IMAGE_SIZE, 3)]


def test_the_largest_face_or_all_of_them(rng):
    predictor = oracle(rng, GivenFaces([TEMPLATE * 2, TEMPLATE + 100]))
    photo = np.zeros((300, 300, 3), np.uint8)
    assert len(predictor.reconstruct(photo)) == 2
    (largest,) = predictor.reconstruct(photo, "largest")
    np.testing.assert_allclose(largest.points, TEMPLATE * 2, atol=1e-4)
    with pytest.raises(ValueError, match="which must be 'largest' or 'all', got 'first'"):
        predictor.find_faces(photo, "first")


def test_without_a_face_there_is_none_unless_the_center_is_asked_for(rng):
    predictor = oracle(rng, GivenFaces([]))
    photo = np.zeros((300, 200, 3), np.uint8)
    assert predictor.reconstruct(photo) == []
    (face,) = predictor.reconstruct(photo, center_if_none=True)
    assert face.notes == ("no face was found: the middle of the photo was taken for one",)
    assert np.isnan(face.box).all()
    assert np.isnan(face.score)


def test_wrong_crops_are_refused(rng):
    predictor = oracle(rng)
    with pytest.raises(
        ValueError, match=r"crops must be uint8 of shape \[N, 112, 96, 3\], got uint8 \[2, 112, 112, 3\]"
    ):
        predictor.encode(np.zeros((2, 112, 112, 3), np.uint8))
    with pytest.raises(ValueError, match="there is no image to read"):
        predictor.encode(np.zeros((0, *IMAGE_SIZE, 3), np.uint8))
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        oracle(rng, batch_size=0)


def test_points_landmarks_and_boxes_give_the_same_crop():
    ramp = np.linspace(0, 255, 300)
    photo = np.stack(np.broadcast_arrays(ramp[None], ramp[:, None], 100.0), axis=-1).astype(np.uint8)
    matrix = similarity(0.5, 0.0, (-20.0, -25.0))
    points = points_in_photo(matrix)
    landmarks = np.tile(points[2], (68, 1))
    landmarks[36:42], landmarks[42:48], landmarks[[48, 54]] = points[0], points[1], points[3:]
    by_points, by_landmarks = align_points(photo, points), align_landmarks(photo, landmarks)
    np.testing.assert_allclose(by_points.crop_from_photo, matrix, atol=1e-3)
    np.testing.assert_allclose(by_landmarks.crop_from_photo, matrix, atol=1e-3)
    np.testing.assert_allclose(by_points.crop.astype(int), by_landmarks.crop, atol=2)
    # A detector's box around the same face: where such boxes lie in crops, taken back to the photo.
    box = (np.array(DETECTOR_BOX).reshape(2, 2) - matrix[:, 2]) / 0.5
    np.testing.assert_allclose(align_box(photo, box.reshape(4)).crop_from_photo, matrix, atol=1e-3)


def test_useless_points_give_way_to_the_box(rng):
    photo = rng.integers(0, 256, (300, 300, 3), dtype=np.uint8)
    box = np.array([50.0, 60.0, 150.0, 190.0])
    same = np.full((5, 2), 100.0)
    np.testing.assert_array_equal(align_points(photo, same, box=box).crop, align_box(photo, box).crop)
    with pytest.raises(ValueError, match="leave no similarity to fit"):
        align_points(photo, same)


@pytest.mark.parametrize("shape", [(112, 96), (224, 192), (50, 200), (400, 90)])
def test_the_center_crop_is_the_largest_that_fits(shape, rng):
    photo = rng.integers(1, 256, (*shape, 3), dtype=np.uint8)
    face = align_center(photo)
    assert (face.crop > 0).all()  # nothing of it lies outside the photo
    back = np.linalg.inv(np.vstack([face.crop_from_photo, [0, 0, 1]]))[:2]
    corners = np.array([[-0.5, -0.5], [95.5, 111.5]]) @ back[:, :2].T + back[:, 2]
    spare = np.abs(corners - [[-0.5, -0.5], [shape[1] - 0.5, shape[0] - 0.5]]).max(axis=0)
    assert spare.min() < 1e-6 + 0.5 * abs(back[0, 0] - 1)  # it touches two sides


def test_tiny_faces_and_faces_at_the_edge_are_noted(rng):
    photo = rng.integers(0, 256, (200, 200, 3), dtype=np.uint8)
    tiny = align_points(photo, TEMPLATE * 0.2 + 80)
    assert tiny.notes == ("the face is only about 19 pixels wide: expect little detail",)
    cut = align_points(photo, TEMPLATE - [60, 0])
    assert len(cut.notes) == 1
    assert "of the face's surroundings lie inside the photo" in cut.notes[0]
    assert align_points(photo, TEMPLATE + 30).notes == ()


def test_a_real_photo_gives_a_face_where_the_face_is():
    photo = np.ascontiguousarray(skimage.data.astronaut()[20:220, 120:320])
    networks = make_networks("tiny", num_shape=MODEL.num_shape, num_expression=MODEL.num_expression, uv_size=64)
    params = jax.jit(networks.init)(jax.random.key(0), jnp.zeros((1, *IMAGE_SIZE, 3)))["params"]
    (face,) = Predictor(networks, params, MODEL, batch_size=1, detector=MTCNN(min_face_size=60.0)).reconstruct(photo)
    # Untrained networks give the mean face of the aligned crop: in the middle of the astronaut's face all the same.
    eyes = face.landmarks_in_photo[36:48].mean(axis=0)
    np.testing.assert_allclose(eyes, [104, 85], atol=12)
    assert face.score > 0.99
