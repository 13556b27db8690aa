"""Codes go into files and come back; those of other systems are read if they are plain numbers."""

import dataclasses

import jax
import numpy as np
import pytest

from sirjax.cli.evaluating.codes import face_model_of, load_codes, make_reader, read_codes, save_codes
from sirjax.data.images import decode_image
from sirjax.data.records import open_records
from sirjax.evaluation.codes import Codes
from sirjax.morphable.storage import fingerprint, save_face_model
from sirjax.networks.batches import split
from tests.face_models import dome_face_model
from tests.noise_records import random_run, write_noise_records

NAMES = [f"{person}/{photo}.jpg" for person in ("ada", "bob", "eve") for photo in (1, 2, 3)]


@pytest.fixture(scope="module")
def trained():
    return random_run()


@pytest.fixture(scope="module")
def records_path(tmp_path_factory):
    return write_noise_records(tmp_path_factory.mktemp("records") / "noise", NAMES)


def test_codes_of_records_are_what_the_networks_read(trained, records_path):
    records = open_records(records_path)
    codes = read_codes(trained, records, batch_size=4, run_name="run")
    assert codes.names == [sample.name for sample in records]
    np.testing.assert_array_equal(codes.identity, [sample.identity_class for sample in records])
    images = np.stack([decode_image(sample.image) for sample in records])
    output = jax.jit(trained.networks.apply)({"params": trained.params}, images.astype(np.float32) / 255)
    std = np.asarray(trained.face_model.shape_std)
    np.testing.assert_allclose(codes.shape, np.asarray(output.shape) * std, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(codes.expression, output.expression, rtol=1e-4, atol=1e-4)
    assert np.ptp(codes.shape, axis=0).max() > 1e-3
    assert codes.source["step"] == 7
    assert codes.source["orthonormal"] is True
    assert codes.landmarks.shape == (9, 68, 2)
    np.testing.assert_allclose(np.linalg.det(codes.rotation), 1, atol=1e-5)


def test_mirrored_codes_average_the_image_and_its_mirror(trained, records_path):
    records = open_records(records_path)
    plain, mirrored = (read_codes(trained, records, batch_size=4, mirror=mirror) for mirror in (False, True))
    images = np.stack([decode_image(sample.image) for sample in records])
    flipped = make_reader(trained, 4)(split(images[:, :, ::-1], 4)).shape * plain.shape_std
    np.testing.assert_allclose(mirrored.shape, (plain.shape + flipped) / 2, rtol=1e-4, atol=1e-3)
    np.testing.assert_array_equal(mirrored.landmarks, plain.landmarks)


def test_an_image_of_two_folders_is_read_once(trained, records_path):
    codes = read_codes(trained, open_records([records_path, records_path]), batch_size=4)
    assert len(codes.names) == 9


def test_two_images_of_one_name_are_refused(trained, records_path, tmp_path):
    write_noise_records(tmp_path / "others", NAMES, seed=1)
    with pytest.raises(ValueError, match=r"holds two different images named '.*': evaluate them apart"):
        read_codes(trained, open_records([records_path, tmp_path / "others"]))


def test_saved_codes_come_back(rng, tmp_path):
    codes = Codes(
        names=["ada/1.jpg", "Jürgen/ \udcff.jpg"],
        shape=rng.normal(size=(2, 3)).astype(np.float32),
        shape_std=np.ones(3, np.float32),
        expression=rng.normal(size=(2, 4)).astype(np.float32),
        rotation=np.repeat(np.eye(3, dtype=np.float32)[None], 2, axis=0),
        identity=np.array([4, -1], np.int32),
        source={"orthonormal": True, "step": 3},
    )
    save_codes(tmp_path / "codes.npz", codes)
    got = load_codes(tmp_path / "codes.npz")
    assert got.source == {"file": str(tmp_path / "codes.npz"), "orthonormal": True, "step": 3}
    assert (got.names, got.landmarks) == (codes.names, None)
    for name in ("shape", "shape_std", "expression", "rotation", "identity"):
        np.testing.assert_array_equal(getattr(got, name), getattr(codes, name))
        assert getattr(got, name).dtype == getattr(codes, name).dtype


def test_bare_arrays_of_another_system_are_codes(rng, tmp_path):
    table = rng.normal(size=(3, 4))
    np.save(tmp_path / "bare.npy", table)
    np.savez(tmp_path / "other.npz", embeddings=table, names=np.array(["x", "y", "z"]))
    (tmp_path / "names.txt").write_text("a\nb\nc c\n", encoding="utf-8")
    bare, other = load_codes(tmp_path / "bare.npy"), load_codes(tmp_path / "other.npz")
    np.testing.assert_allclose(bare.shape, table, rtol=1e-6)
    np.testing.assert_allclose(other.shape, table, rtol=1e-6)
    assert bare.names == ["0", "1", "2"]
    assert other.names == ["x", "y", "z"]
    assert load_codes(tmp_path / "bare.npy", tmp_path / "names.txt").names == ["a", "b", "c c"]


def test_pickled_objects_are_refused_unread(tmp_path):
    np.save(tmp_path / "objects.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"objects.npy cannot be read as arrays .*: save numbers with np.save or"):
        load_codes(tmp_path / "objects.npy")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"a": np.ones((2, 2)), "b": np.ones((2, 3))},
            r"not just one table \(found a \[2, 2\], b \[2, 3\]\)",
        ),
        ({}, r"no array `shape` \[N, S\] and not just one table \(found nothing\)"),
        ({"shape": np.array([["a"]])}, "shape must hold numbers, got <U1"),
        ({"shape": np.ones((1, 2)), "identity": np.ones(1)}, "identity must hold whole numbers, got float64"),
        ({"shape": np.ones((1, 2)), "names": np.ones(1)}, r"names must be a list of text, got float64 \[1\]"),
        ({"shape": np.ones((2, 2)), "names": np.array(["a"])}, "1 names for 2 codes: give one name per row"),
        ({"shape": np.array([[1.0, np.nan]])}, "1 of 1 rows of shape are not finite, the first is row 0"),
    ],
)
def test_files_that_hold_no_codes_are_refused_by_name(arrays, message, tmp_path):
    path = tmp_path / "other.npz"
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=message) as refused:
        load_codes(path)
    assert str(refused.value).startswith(str(path))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"not an array"])
def test_broken_files_are_refused(content, tmp_path):
    (tmp_path / "broken.npz").write_bytes(content)
    with pytest.raises(ValueError, match="cannot be read as arrays"):
        load_codes(tmp_path / "broken.npz")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none.npz is missing: give a .npz or .npy file of codes, or a run"):
        load_codes(tmp_path / "none.npz")


def test_codes_out_of_order_are_not_saved(rng, tmp_path):
    codes = Codes(names=["a"], shape=np.full((1, 2), np.nan, np.float32))
    with pytest.raises(ValueError, match="1 of 1 rows of shape are not finite"):
        save_codes(tmp_path / "codes.npz", dataclasses.replace(codes))
    assert not list(tmp_path.iterdir())


def test_codes_find_only_the_face_model_they_belong_to(rng, tmp_path):
    model = dome_face_model()
    path = tmp_path / "dome.npz"
    save_face_model(model, path)
    codes = Codes(names=["a"], shape=np.ones((1, 6), np.float32), source={"face_model": fingerprint(model)})
    assert face_model_of(codes, path).num_vertices == model.num_vertices
    with pytest.raises(
        ValueError, match=r"the codes have 6 modes, the face model builtin has \d+: give the model they"
    ):
        face_model_of(codes, "builtin")
    save_face_model(dome_face_model(seed=1), tmp_path / "other.npz")
    with pytest.raises(ValueError, match=r"the codes belong to face model \w{12}, .*other.npz is \w{12}: give theirs"):
        face_model_of(codes, tmp_path / "other.npz")
