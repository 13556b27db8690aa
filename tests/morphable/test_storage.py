import dataclasses
import os
import re

import jax.numpy as jnp
import numpy as np
import pytest

from sirjax.geometry.mesh import mesh_topology
from sirjax.morphable.storage import fingerprint, load_face_model, save_face_model
from tests.face_models import dome_face_model

ARRAYS = [
    "mean", "shape_basis", "expression_basis", "shape_std", "expression_std", "uv", "uv_triangles",
    "landmark_vertices", "landmark_weights", "mean_albedo", "uv_mask", "mirror_vertices",
]  # fmt: skip


@pytest.fixture(scope="module")
def model():
    return dome_face_model(grid=9)


@pytest.fixture
def arrays(model, tmp_path):
    """The arrays of a good file, to be spoilt."""
    save_face_model(model, tmp_path / "good.npz")
    with np.load(tmp_path / "good.npz", allow_pickle=False) as archive:
        return dict(archive)


def saved(tmp_path, arrays):
    path = tmp_path / "model.npz"
    np.savez(path, **arrays)
    return path


def test_a_saved_model_is_read_back_unchanged(model, tmp_path):
    save_face_model(model, tmp_path / "model.npz")
    loaded = load_face_model(tmp_path / "model.npz")
    for name in [*ARRAYS, "triangles"]:
        np.testing.assert_array_equal(getattr(loaded, name), getattr(model, name), err_msg=name)
    assert (loaded.name, loaded.licence, loaded.provenance, loaded.unit_mm) == (
        model.name, model.licence, model.provenance, 1.0,
    )  # fmt: skip
    assert fingerprint(loaded) == fingerprint(model)


def test_landmarks_on_vertices_are_stored_as_indices_and_read_back(model, tmp_path):
    on_vertices = model.replace(
        landmark_vertices=jnp.repeat(jnp.arange(68)[:, None], 3, axis=1),
        landmark_weights=jnp.eye(3)[jnp.zeros(68, int)],
    )
    save_face_model(on_vertices, tmp_path / "model.npz")
    with np.load(tmp_path / "model.npz") as archive:
        np.testing.assert_array_equal(archive["landmark_idx"], np.arange(68))
    loaded = load_face_model(tmp_path / "model.npz")
    np.testing.assert_array_equal(loaded.landmark_weights, on_vertices.landmark_weights)
    assert fingerprint(loaded) == fingerprint(on_vertices)


def test_nothing_but_the_model_is_left_in_the_folder(model, tmp_path):
    save_face_model(model, tmp_path / "model.npz")
    assert os.listdir(tmp_path) == ["model.npz"]


def test_units_of_the_file_become_millimeters(model, arrays, tmp_path):
    in_meters = arrays | {key: arrays[key] / 1000 for key in ("mean", "id_std", "exp_std")} | {"unit_mm": np.array(1e3)}
    loaded = load_face_model(saved(tmp_path, in_meters))
    np.testing.assert_allclose(loaded.mean, model.mean, rtol=1e-6)
    np.testing.assert_allclose(loaded.shape_std, model.shape_std, rtol=1e-6)
    np.testing.assert_array_equal(loaded.shape_basis, model.shape_basis)
    assert loaded.unit_mm == 1000


def test_compact_albedo_and_basis_are_read(model, arrays, tmp_path):
    compact = arrays | {
        "mean_albedo_uv": np.rint(arrays["mean_albedo_uv"] * 255).astype(np.uint8),
        "id_basis": arrays["id_basis"].astype(np.float16),
    }
    loaded = load_face_model(saved(tmp_path, compact))
    assert loaded.mean_albedo.dtype == loaded.shape_basis.dtype == jnp.float32
    np.testing.assert_allclose(loaded.mean_albedo, model.mean_albedo, atol=0.5 / 255 + 1e-6)
    np.testing.assert_allclose(loaded.shape_basis, model.shape_basis, atol=1e-3)


def test_fingerprint_does_not_depend_on_file_compression_or_names(model, arrays, tmp_path):
    plain = saved(tmp_path, arrays | {"name": np.array("another"), "provenance": np.array("elsewhere")})
    assert fingerprint(load_face_model(plain)) == fingerprint(model)
    assert re.fullmatch("[0-9a-f]{64}", fingerprint(model))


@pytest.mark.parametrize("name", ARRAYS)
def test_fingerprint_depends_on_every_array(model, name):
    array = np.asarray(getattr(model, name)).copy()
    array.flat[0] = not array.flat[0] if array.dtype == bool else array.flat[0] + 1
    assert fingerprint(model.replace(**{name: jnp.asarray(array)})) != fingerprint(model)


def test_fingerprint_depends_on_the_triangles(model):
    triangles = np.roll(np.asarray(model.triangles), 1, axis=0)
    turned = model.replace(topology=mesh_topology(triangles, model.num_vertices))
    assert fingerprint(turned) != fingerprint(model)


def test_every_field_of_a_model_is_named_in_these_tests(model):
    fields = {field.name for field in dataclasses.fields(model)}
    assert fields == {*ARRAYS, "topology", "name", "licence", "provenance", "unit_mm"}


def test_a_missing_file_is_named_with_the_remedy(tmp_path):
    path = tmp_path / "absent.npz"
    with pytest.raises(FileNotFoundError) as error:
        load_face_model(path)
    assert str(error.value) == (
        f"no face model at {path}: use the built-in model (face model 'builtin'), "
        "or make a model file as docs/face_model.md describes"
    )


def test_a_git_lfs_pointer_is_recognized(tmp_path):
    path = tmp_path / "model.npz"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n")
    with pytest.raises(
        ValueError, match="is a git-LFS pointer, not the face model: fetch the file itself with `git lfs"
    ):
        load_face_model(path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Model_Shape.mat", "a Matlab file, as BFM-2009 and 3DDFA come: convert it with `sirjax face"),
        ("model2019.h5", "an HDF5 file, as BFM-2017 and BFM-2019 come: convert it with `sirjax face"),
        (
            "generic_model.pkl",
            "a pickle, as FLAME comes .and pickles are never opened here.: convert it with `sirjax face",
        ),
        ("notes.txt", "not a .npz file: convert it with `sirjax face"),
    ],
)
def test_other_formats_are_recognized(tmp_path, name, message):
    path = tmp_path / name
    path.write_bytes(b"whatever")
    with pytest.raises(ValueError, match=message):
        load_face_model(path)


def test_pickled_objects_are_refused(arrays, tmp_path):
    path = tmp_path / "model.npz"
    np.savez(path, allow_pickle=True, **(arrays | {"mean": np.array([{"a": 1}], dtype=object)}))
    with pytest.raises(ValueError, match="cannot be read as plain arrays"):
        load_face_model(path)


def test_a_damaged_archive_is_refused(arrays, tmp_path):
    path = saved(tmp_path, arrays)
    data = bytearray(path.read_bytes())
    data[300:400] = bytes(100)
    path.write_bytes(data)
    with pytest.raises(ValueError, match="cannot be read as plain arrays"):
        load_face_model(path)


def test_a_missing_key_is_named(arrays, tmp_path):
    del arrays["exp_std"]
    with pytest.raises(
        ValueError, match="is not a face model file: missing exp_std .found exp_basis, id_basis, id_std"
    ):
        load_face_model(saved(tmp_path, arrays))


def test_models_without_landmarks_are_refused(arrays, tmp_path):
    del arrays["landmark_bary"]
    with pytest.raises(ValueError, match="missing landmark_idx"):
        load_face_model(saved(tmp_path, arrays))


def spoilt(key, change):
    return lambda arrays: {key: change(arrays[key])}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (spoilt("mean", lambda a: a[:, :2]), r"mean has shape (81, 2), expected (n=81, 3)"),
        (spoilt("id_basis", lambda a: a[:, 1:]), "id_basis has shape (6, 80, 3), expected (m=6, n=81, 3)"),
        (spoilt("id_std", lambda a: a[1:]), "id_std has shape (5,), expected (m=6)"),
        (spoilt("tri_uv", lambda a: a[1:]), "tri_uv has shape (127, 3), expected (T=128, 3)"),
        (spoilt("tri", lambda a: a + 1), "tri reaches from 1 to 81, expected 0 to 80"),
        (spoilt("tri", lambda a: a.astype(float)), "tri has type float64, expected integers"),
        (spoilt("uv", lambda a: a * 2), "uv reaches from"),
        (spoilt("mean_albedo_uv", lambda a: a * 255), "mean_albedo_uv reaches from"),
        (spoilt("uv_mask", lambda a: a.astype(int)), "uv_mask has type int64, expected booleans"),
        (spoilt("exp_std", lambda a: -a), "exp_std must be positive"),
        (spoilt("exp_basis", lambda a: a * np.nan), "exp_basis holds values that are not finite"),
        (spoilt("landmark_bary", lambda a: a * 2), "rows of landmark_bary must sum to 1"),
        (spoilt("sym_idx", lambda a: np.roll(a, 1)), "sym_idx must lead back to the vertex it came from"),
        (spoilt("licence", lambda a: np.array(" ")), "licence is empty"),
        (spoilt("name", lambda a: np.array(3)), "name has type int64, expected text"),
    ],
)
def test_wrong_arrays_are_named(arrays, tmp_path, change, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        load_face_model(saved(tmp_path, arrays | change(arrays)))


def test_landmarks_off_the_mesh_cannot_be_saved(model, tmp_path):
    off = model.replace(landmark_vertices=model.landmark_vertices.at[0].set(jnp.array([0, 40, 80])))
    with pytest.raises(ValueError, match="are no triangle of the model, so they cannot be stored"):
        save_face_model(off, tmp_path / "model.npz")
    assert os.listdir(tmp_path) == []
