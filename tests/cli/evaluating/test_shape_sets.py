"""Shapes from codes, arrays and meshes, and whose they are."""

import dataclasses

import numpy as np
import pytest
import trimesh

from sirjax.cli.evaluating import shape_sets
from sirjax.cli.evaluating.codes import load_codes, save_codes
from sirjax.cli.evaluating.shape_sets import read_identities, read_obj_triangles, read_obj_vertices, read_shapes
from sirjax.evaluation.codes import Codes
from sirjax.export.toolkit_mesh import write_plain_obj
from sirjax.morphable.storage import fingerprint, save_face_model
from sirjax.training.setup import TrainedRun
from tests.face_models import dome_face_model

MODEL = dome_face_model()


@pytest.fixture
def codes(rng):
    return Codes(
        ["a/1", "a/2", "b/1"],
        rng.normal(size=(3, MODEL.num_shape)).astype(np.float32),
        shape_std=np.asarray(MODEL.shape_std),
        expression=np.zeros((3, 2), np.float32),
        rotation=np.repeat(np.eye(3, dtype=np.float32)[None], 3, axis=0),
        identity=np.array([0, 0, 1], np.int32),
        source={"face_model": fingerprint(MODEL)},
    )


def test_distances_of_codes_with_their_model_are_those_of_all_vertices(tmp_path, codes):
    save_codes(tmp_path / "codes.npz", codes)
    save_face_model(MODEL, tmp_path / "model.npz")
    found = read_shapes(tmp_path / "codes.npz", face_model=tmp_path / "model.npz")
    vertices = np.asarray(codes.shape, float) @ np.asarray(MODEL.shape_basis, float)
    want = np.sqrt(np.sum((vertices[0] - vertices[2]) ** 2) / MODEL.num_vertices)
    got = np.linalg.norm(found.descriptor[0] - found.descriptor[2]) / found.unit
    assert got == pytest.approx(want, rel=1e-5)
    assert found.measure == "vertex RMSE, mm"
    np.testing.assert_allclose(found.confidence, 1)
    np.testing.assert_allclose(found.whitened, codes.shape / codes.shape_std, rtol=1e-6)


def test_codes_without_a_known_model_have_distances_of_parameters(tmp_path, codes):
    save_codes(tmp_path / "codes.npz", codes)
    found = read_shapes(tmp_path / "codes.npz")
    assert (found.unit, found.measure, found.basis) == (1, "distance of parameters, mm", None)


def test_a_run_reads_records_with_its_own_model(tmp_path, monkeypatch, codes):
    (tmp_path / "config.json").write_text("{}")
    run = TrainedRun(None, {}, MODEL, None, {})
    monkeypatch.setattr(shape_sets, "load_run", lambda path: run)
    monkeypatch.setattr(shape_sets, "open_records", lambda path: path)
    monkeypatch.setattr(shape_sets, "read_codes", lambda *_, **__: codes)
    assert read_shapes(tmp_path, records=tmp_path).num_vertices == MODEL.num_vertices
    with pytest.raises(ValueError, match="a run needs photos to read: give --records RECORDS with identities"):
        read_shapes(tmp_path)


def test_meshes_in_folders_of_people(tmp_path, rng):
    meshes = rng.normal(size=(3, 5, 3))
    for name, mesh in zip(("ada/1.obj", "ada/2.obj", "bob/1.obj"), meshes, strict=True):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_plain_obj(tmp_path / name, mesh, np.array([[0, 1, 2]]))
    found = read_shapes(tmp_path)
    assert (found.names, list(found.identity)) == (["ada/1.obj", "ada/2.obj", "bob/1.obj"], [0, 0, 1])
    got = np.linalg.norm(found.descriptor[0] - found.descriptor[1]) / found.unit
    assert got == pytest.approx(np.sqrt(np.mean(np.sum((meshes[0] - meshes[1]) ** 2, axis=1))), abs=1e-4)
    write_plain_obj(tmp_path / "bob" / "2.obj", meshes[0, :4], np.array([[0, 1, 2]]))
    with pytest.raises(ValueError, match=r"bob/2.obj has 4 vertices, ada/1.obj has 5: distances need one topology"):
        read_shapes(tmp_path)


def test_meshes_in_ply_files_keep_their_order(tmp_path, rng):
    vertices = rng.normal(size=(2, 4, 3))
    for i, mesh in enumerate(vertices):
        (tmp_path / "ada").mkdir(exist_ok=True)
        trimesh.Trimesh(mesh, [[0, 2, 1], [1, 2, 3]], process=False).export(tmp_path / "ada" / f"{i}.ply")
    np.testing.assert_allclose(read_shapes(tmp_path).descriptor, vertices.reshape(2, 12), atol=1e-6)


def test_meshes_in_an_array(tmp_path, rng):
    vertices = rng.normal(size=(3, 5, 3))
    np.savez(tmp_path / "m.npz", vertices=vertices, identity=np.array([4, 4, 7]))
    found = read_shapes(tmp_path / "m.npz")
    assert found.num_vertices == 5
    np.testing.assert_array_equal(found.identity, [4, 4, 7])
    vertices[1, 0, 0] = np.nan
    np.save(tmp_path / "bad.npy", vertices)
    with pytest.raises(ValueError, match=r"bad.npy: vertices must be finite numbers \[N, V, 3\], got \[3, 5, 3\]"):
        read_shapes(tmp_path / "bad.npy")


def test_identities_by_name_or_by_row(tmp_path):
    path = tmp_path / "people.tsv"
    path.write_text("x\tada\nz\tbob\ny\tada\n")
    np.testing.assert_array_equal(read_identities(path, ["x", "y", "z", "w"]), [0, 0, 1, -1])
    path.write_text("bob\nada\n")
    np.testing.assert_array_equal(read_identities(path, ["x", "y"]), [1, 0])
    with pytest.raises(ValueError, match=r"has 2 lines for 3 shapes: give one each, or `name<tab>person`"):
        read_identities(path, ["x", "y", "z"])
    path.write_text("q\tada\n")
    with pytest.raises(ValueError, match="lists none of the 1 shapes, such as 'x'"):
        read_identities(path, ["x"])


def test_shapes_of_nobody_are_refused(tmp_path, codes):
    save_codes(tmp_path / "codes.npz", dataclasses.replace(codes, identity=None))
    with pytest.raises(ValueError, match="does not say whose shapes they are: give --identities FILE"):
        read_shapes(tmp_path / "codes.npz")
    (tmp_path / "people").write_text("a\na\nb\n")
    assert list(read_shapes(tmp_path / "codes.npz", identities=tmp_path / "people").identity) == [0, 0, 1]


def test_a_model_that_codes_do_not_belong_to_is_refused(tmp_path, codes):
    save_codes(tmp_path / "codes.npz", codes)
    save_face_model(dome_face_model(seed=3), tmp_path / "other.npz")
    with pytest.raises(ValueError, match=r"the codes belong to face model .*other.npz is .*: give theirs"):
        read_shapes(tmp_path / "codes.npz", face_model=tmp_path / "other.npz")
    assert load_codes(tmp_path / "codes.npz").source["face_model"] == fingerprint(MODEL)


def test_obj_files_of_other_programs(tmp_path):
    path = tmp_path / "face.obj"
    path.write_text("# x\nv 0 0 0 0.5 0.5 0.5\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\nf 1/1/1 2/1/1 3/1/1 4/1/1\nf 1 2 3\n")
    np.testing.assert_array_equal(read_obj_triangles(path), [[0, 1, 2], [0, 2, 3], [0, 1, 2]])
    assert read_obj_vertices(path).shape == (4, 3)
    path.write_text("v 0 0 0\n")
    with pytest.raises(ValueError, match="has no faces: a mesh is needed, not points"):
        read_obj_triangles(path)
    path.write_text("f 1 2 3\n")
    with pytest.raises(ValueError, match="has no vertices, or such that are not finite"):
        read_obj_vertices(path)
    with pytest.raises(FileNotFoundError, match=r"gone.obj is missing: an .obj mesh is expected there"):
        read_obj_vertices(tmp_path / "gone.obj")
