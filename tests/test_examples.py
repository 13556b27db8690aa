"""The examples run in miniature, and find what they claim to."""

import cv2
import numpy as np

from examples import export_to_jax, fit_mesh_to_image, loss_ablation, scaling_experiment
from sirjax.morphable.storage import save_face_model
from tests.face_models import dome_face_model
from tests.runs import write_run


def test_a_mesh_is_fitted_to_a_picture(tmp_path):
    save_face_model(dome_face_model(), tmp_path / "dome.npz")
    options = ["--out", str(tmp_path), "--steps", "120", "--face-model", str(tmp_path / "dome.npz")]
    first, last = fit_mesh_to_image.main(options)
    assert last < 0.3 * first
    start, fitted, target = (cv2.imread(str(tmp_path / f"{name}.png")) for name in ("start", "fitted", "target"))
    assert np.abs(fitted.astype(int) - target).mean() < 0.3 * np.abs(start.astype(int) - target).mean()


def test_losses_do_not_depend_on_the_number_of_devices(tmp_path):
    save_face_model(dome_face_model(grid=9), tmp_path / "dome.npz")
    losses = scaling_experiment.main(
        ["--devices", "1,2", "--batch", "4", "--steps", "3", "--face-model", str(tmp_path / "dome.npz")]
    )
    np.testing.assert_allclose(losses[1], losses[2], rtol=1e-4)
    assert losses[1][0] != losses[1][-1]


def test_every_set_of_losses_is_trained_and_measured(capsys, monkeypatch):
    some = ("true shapes only", "softmax + weighted centers + KL")  # each is a program of its own to compile
    monkeypatch.setattr(loss_ablation, "ABLATIONS", {name: loss_ablation.ABLATIONS[name] for name in some})
    results = loss_ablation.main(["--people", "24", "--photos", "6", "--steps", "150"])
    assert list(results) == list(loss_ablation.ABLATIONS)
    assert all(0.5 < accuracy <= 1.0 for accuracy, _, _ in results.values())
    assert len({round(error, 6) for _, error, _ in results.values()}) == len(results)  # every term does something
    assert len(capsys.readouterr().out.splitlines()) == 1 + len(results)


def test_a_run_is_used_without_sirjax(tmp_path, capsys):
    found, equal = export_to_jax.main([str(write_run(tmp_path / "run")), "--out", str(tmp_path / "exported")])
    assert found == [2, 1, 0]
    assert equal
    assert "the checkpoint holds the same" in capsys.readouterr().out
