"""Figures of a run on records with truth; records without it, or of another model, are refused."""

import json

import numpy as np
import pytest

from sirjax.cli.evaluating import benchmark as evaluate
from sirjax.cli.main import main
from sirjax.data.synthetic import write_synthetic_set
from sirjax.morphable.storage import fingerprint, save_face_model
from sirjax.networks.model import make_networks
from sirjax.training.setup import TrainedRun
from tests.face_models import dome_face_model


@pytest.fixture(scope="module")
def trained():
    """Networks as they start: they read the mean face everywhere."""
    import jax
    import jax.numpy as jnp

    from sirjax.decode import CameraGains

    model = dome_face_model()
    networks = make_networks("debug", num_shape=model.num_shape, num_expression=model.num_expression, uv_size=16)
    params = jax.jit(networks.init)(jax.random.key(0, impl="rbg"), jnp.zeros((1, 112, 96, 3)))["params"]
    return TrainedRun(networks, params, model, CameraGains(), {"face_model": fingerprint(model)})


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    path = tmp_path_factory.mktemp("records") / "benchmark"
    write_synthetic_set(
        path, dome_face_model(), num_identities=24, images_per_identity=2, kind="benchmark", progress=False
    )
    return path


def test_untrained_networks_score_like_the_mean_face(trained, records):
    result = evaluate.evaluate_records(trained, records, num_pairs=40, batch_size=16)
    assert (result.num_samples, result.num_identities) == (48, 24)
    assert result.shape_rmse.mean == pytest.approx(result.mean_face_rmse, rel=1e-5)
    assert result.nme.mean == pytest.approx(result.baseline_nme, rel=1e-5)
    assert result.distinctiveness.mean_length == pytest.approx(0.0, abs=1e-6)


def test_the_last_batch_may_be_smaller(trained, rng):
    images = rng.integers(0, 255, size=(5, 112, 96, 3), dtype=np.uint8)
    whole = evaluate.read_images(trained, images, 5)
    in_parts = evaluate.read_images(trained, images, 2)
    for a, b in zip(whole, in_parts, strict=True):
        assert len(b) == 5
        np.testing.assert_allclose(a, b, atol=1e-4)


def test_records_of_another_face_model_are_refused(trained, tmp_path):
    other = dome_face_model(shape_modes=4)
    save_face_model(other, tmp_path / "other.npz")
    write_synthetic_set(
        tmp_path / "records", other, num_identities=2, images_per_identity=1, kind="benchmark", progress=False
    )
    with pytest.raises(
        ValueError, match="face model of 4 shape modes, the run's has 6; use records of the same face model"
    ):
        evaluate.evaluate_records(trained, tmp_path / "records")


def test_records_of_another_version_of_the_face_model_are_refused(trained, tmp_path):
    other = dome_face_model(seed=5)
    write_synthetic_set(
        tmp_path / "records", other, num_identities=2, images_per_identity=1, kind="benchmark", progress=False
    )
    with pytest.raises(ValueError, match="was rendered from face model .*: their codes mean other shapes; render the"):
        evaluate.evaluate_records(trained, tmp_path / "records")


def test_figures_go_to_a_file_or_are_printed_instead_of_the_table(trained, records, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(evaluate, "load_run", lambda path: trained)
    words = ["evaluate", "benchmark", "run", "--records", str(records), "--pairs", "40", "--batch", "16"]
    assert main([*words, "--json", str(tmp_path / "figures.json")]) == 0
    assert "verification" in capsys.readouterr().out
    assert main([*words, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "figures.json").read_text())
