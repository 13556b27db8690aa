"""The command end to end: codes with everything, bare arrays, meshes."""

import json

import numpy as np
import pytest

from sirjax.cli.evaluating.codes import save_codes
from sirjax.cli.main import main
from sirjax.evaluation.codes import Codes
from sirjax.evaluation.distinctiveness import distinctiveness
from sirjax.morphable.storage import save_face_model
from tests.face_models import dome_face_model

MODEL = dome_face_model()


def evaluate(tmp_path, *words):
    assert (
        main(["evaluate", "distinctiveness", *map(str, words), "--resamples", "20", "--out", str(tmp_path / "out")])
        == 0
    )
    return json.loads((tmp_path / "out" / "results.json").read_text())


@pytest.fixture
def people(rng):
    identity = np.repeat(np.arange(8), 5)
    whitened = 0.8 * rng.normal(size=(8, MODEL.num_shape))[identity] + 0.3 * rng.normal(size=(40, MODEL.num_shape))
    return whitened, identity


def test_codes_with_their_model_tell_all_four_conditions(tmp_path, people, rng, capsys):
    whitened, identity = people
    std = np.asarray(MODEL.shape_std)
    turns = np.repeat(np.eye(3, dtype=np.float32)[None], 40, axis=0)
    codes = Codes(
        [str(i) for i in range(40)],
        (whitened * std).astype(np.float32),
        shape_std=std,
        expression=rng.normal(size=(40, 3)).astype(np.float32),
        rotation=turns,
        identity=identity.astype(np.int32),
    )
    save_codes(tmp_path / "codes.npz", codes)
    save_face_model(MODEL, tmp_path / "model.npz")
    found = evaluate(tmp_path, tmp_path / "codes.npz", "--face-model", tmp_path / "model.npz")
    figures, want = found["figures"], distinctiveness(whitened, std, identity, MODEL.num_vertices)
    assert figures["intra"] == pytest.approx(want.intra_rmse, rel=1e-4)
    assert figures["ratio"] == pytest.approx(want.ratio, rel=1e-4)
    assert figures["prior_length"] == pytest.approx(want.mean_length, rel=1e-5)
    np.testing.assert_allclose(figures["prior_variance"], want.variance, rtol=1e-4)
    assert figures["basis_error"] < 1e-4
    assert figures["center_people"] == 8
    assert 0.9 < figures["auc"] <= 1
    shown = capsys.readouterr().out
    assert "8 people, all 780 pairs (80 of one person), vertex RMSE, mm" in shown
    for condition in ("separable (1)", "center (2)", "orthonormal (3)", "Gaussian (4)"):
        assert condition in shown
    assert "not measured" not in shown
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Table I as numbers" in page
    assert "Variance of each mode" in page


def test_what_bare_arrays_do_not_tell_is_named(tmp_path, people, capsys):
    np.save(tmp_path / "theirs.npy", people[0].astype(np.float32))
    (tmp_path / "people").write_text("\n".join(f"p{i}" for i in people[1]))
    figures = evaluate(tmp_path, tmp_path / "theirs.npy", "--identities", tmp_path / "people")["figures"]
    assert not any(name.startswith(("center", "basis", "prior")) for name in figures)
    shown = capsys.readouterr().out
    for reason in ("needs pose and expression", "needs the face model", "needs standard deviations"):
        assert reason in shown


def test_meshes_are_compared_by_their_vertices(tmp_path, people, rng):
    vertices = (people[0] @ rng.normal(size=(MODEL.num_shape, 30))).reshape(40, 10, 3)
    np.savez(tmp_path / "meshes.npz", vertices=vertices, identity=people[1])
    figures = evaluate(tmp_path, tmp_path / "meshes.npz")["figures"]
    square = [
        np.mean(np.sum((vertices[i] - vertices[j]) ** 2, axis=1))
        for i in range(40)
        for j in range(i)
        if people[1][i] == people[1][j]
    ]
    assert figures["intra"] == pytest.approx(np.sqrt(np.mean(square)), rel=1e-4)


def test_shapes_of_one_person_are_refused(tmp_path, capsys):
    np.savez(tmp_path / "one.npz", vertices=np.ones((2, 4, 3)), identity=np.array([0, 0]))
    assert main(["evaluate", "distinctiveness", str(tmp_path / "one.npz"), "--out", str(tmp_path / "out")]) == 1
    assert (
        "need two people, one of them with two samples; got 2 labelled samples of 1 people" in capsys.readouterr().err
    )
