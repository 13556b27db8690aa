import numpy as np
import pytest
import trimesh

from sirjax.export.parameters import Provenance
from sirjax.export.person import write_person, write_track
from sirjax.fusion import fuse_shapes
from tests.face_models import dome_face_model

MODEL = dome_face_model(grid=9)
SHAPES = np.random.default_rng(0).normal(size=(2, MODEL.num_shape)).astype(np.float32)
FUSED = fuse_shapes(MODEL, SHAPES, np.array([3.0, 1.0]))
ORIGIN = Provenance("f00d", run="runs/sir", licence="CC0-1.0")
ALBEDO = np.asarray(MODEL.mean_albedo)


def written(folder, formats=("obj", "ply", "glb", "npz"), **options):
    return write_person(folder, FUSED, ALBEDO, ["a.jpg", "b.jpg"], MODEL, ORIGIN, formats, **options)


def test_meshes_hold_the_fused_shape(tmp_path):
    names = {path.name for path in written(tmp_path)}
    meshes = {f"person_neutral.{suffix}" for suffix in ("obj", "mtl", "png", "ply", "glb")}
    assert names == meshes | {"person.npz"} == {path.name for path in tmp_path.iterdir()}
    ply = trimesh.load(tmp_path / "person_neutral.ply", process=False)
    np.testing.assert_allclose(ply.vertices, FUSED.vertices, atol=1e-4)
    assert "not metric; model frame, without expression" in (tmp_path / "person_neutral.obj").read_text()
    assert "of 2 photos" in (tmp_path / "person_neutral.obj").read_text()


def test_numbers_hold_weights_and_spread(tmp_path):
    written(tmp_path, ("npz",))
    with np.load(tmp_path / "person.npz") as data:
        np.testing.assert_allclose(data["weights"], [0.75, 0.25])
        np.testing.assert_allclose(data["shape_whitened"], 0.75 * SHAPES[0] + 0.25 * SHAPES[1], atol=1e-5)
        np.testing.assert_allclose(data["shape_mm"], data["shape_whitened"] * MODEL.shape_std, rtol=1e-5)
        assert data["photos"].tolist() == ["a.jpg", "b.jpg"]
        assert data["spread_mm"] == pytest.approx(FUSED.spread_mm)
        assert data["vertex_spread_mm"].shape == (MODEL.num_vertices,)
        assert (str(data["run"]), str(data["licence"])) == ("runs/sir", "CC0-1.0")
        assert np.isnan(data["metric_scale"])


def test_a_metric_scale_is_applied_to_meshes(tmp_path):
    written(tmp_path, ("ply", "npz"), metric_scale=1.5)
    ply = trimesh.load(tmp_path / "person_neutral.ply", process=False)
    np.testing.assert_allclose(ply.vertices, 1.5 * FUSED.vertices, rtol=1e-4, atol=1e-4)
    with np.load(tmp_path / "person.npz") as data:
        assert data["metric_scale"] == 1.5


def test_a_weight_without_its_photo_is_refused(tmp_path):
    with pytest.raises(ValueError, match="1 photos but 2 weights: name the photo of each weight"):
        write_person(tmp_path, FUSED, ALBEDO, ["a.jpg"], MODEL, ORIGIN, ("npz",))


def test_a_track_of_a_video_says_which_frames_it_comes_from(tmp_path):
    written = write_track(
        tmp_path,
        "track2",
        FUSED.shape,
        FUSED.vertices,
        ALBEDO,
        MODEL,
        ORIGIN,
        ("ply", "npz"),
        spread_mm=0.5,
        frames=(10, 40, 25),
        metric_scale=1.5,
    )
    assert [path.name for path in written] == ["track2_neutral.ply", "track2.npz"]
    ply = trimesh.load(written[0], process=False)
    np.testing.assert_allclose(ply.vertices, 1.5 * FUSED.vertices, rtol=1e-4, atol=1e-4)
    with np.load(written[1]) as data:
        assert [int(data[f"{name}"]) for name in ("first_frame", "last_frame", "num_frames")] == [10, 40, 25]
        assert data["spread_mm"] == 0.5
        np.testing.assert_allclose(data["vertices"], FUSED.vertices)
