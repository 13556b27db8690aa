"""From settings to parts: epochs become steps, phases switch terms on, the schema's defaults are the paper's."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
from ml_collections import ConfigDict

from configs import default, sir, warmup
from sirjax.losses.total import LossWeights
from sirjax.morphable.storage import save_face_model
from sirjax.training import setup
from sirjax.training.terms import Method
from tests.face_models import dome_face_model
from tests.runs import STEP, write_run


def test_epochs_become_steps():
    settings = ConfigDict({"epochs": 2.5, "steps": 0, "pixel_from": 1.0, "perceptual_from": 2.0})
    timeline = setup.Timeline.of(settings, num_samples=400, batch_size=40)
    assert timeline == setup.Timeline(total=25, pixel_from=10, perceptual_from=20, steps_per_epoch=10.0)


def test_given_steps_replace_epochs():
    settings = ConfigDict({"epochs": 2.5, "steps": 7, "pixel_from": 0.0, "perceptual_from": 0.0})
    assert setup.Timeline.of(settings, num_samples=400, batch_size=40).total == 7


def test_phases_switch_terms_on_one_after_the_other():
    timeline = setup.Timeline(total=30, pixel_from=10, perceptual_from=20, steps_per_epoch=10.0)
    phases = [timeline.phase(Method(), step) for step in (0, 9, 10, 19, 20)]
    assert [phase.renders for phase in phases] == [False, False, True, True, True]
    assert [phase.compares_features for phase in phases] == [False, False, False, False, True]


def test_nothing_is_drawn_without_pixel_and_perceptual_loss():
    timeline = setup.Timeline(total=1, pixel_from=0, perceptual_from=0, steps_per_epoch=1.0)
    method = Method(weights=dataclasses.replace(LossWeights(), pixel=0.0, perceptual=0.0))
    assert not timeline.phase(method, 0).renders


def test_defaults_are_those_of_the_specification():
    config, model = default.get_config(), dome_face_model()
    method = setup.make_method(config, model)
    assert (method.scale, method.margin, method.softmax, method.embedding) == (32.0, 0.2, "cosface", "raw")
    assert (method.weights.softmax, method.weights.kl, method.weights.sir) == (20.0, 5.0, 1.0)
    assert (method.center, method.center_rate, method.pose_weight) == ("weighted", 0.5, "paper")
    assert method.expression_decay == pytest.approx(1 / 3)
    assert method.uses_identities


def test_a_zero_sir_weight_switches_identities_off():
    config = warmup.get_config()
    assert not setup.make_method(config, dome_face_model()).uses_identities


def test_learning_rates_restart_with_each_stage_and_fall_at_milestones():
    for config, epoch in ((warmup.get_config(), 2.0), (sir.get_config(), 0.4)):
        timeline = setup.Timeline.of(config.schedule, num_samples=8000, batch_size=80)
        schedule = setup.make_schedule_for(config.optimizer, timeline)
        milestone = round(epoch * 100)
        np.testing.assert_allclose(
            [schedule(0), schedule(milestone - 1), schedule(milestone)], [1e-3, 1e-3, 1e-4], rtol=1e-5
        )


def test_orthonormal_models_are_recognized():
    model = dome_face_model()
    assert setup.is_orthonormal(model)
    assert not setup.is_orthonormal(model.replace(shape_basis=2.0 * model.shape_basis))


def test_models_that_are_not_orthonormal_are_made_so(tmp_path):
    model = dome_face_model()
    skewed = model.replace(shape_basis=model.shape_basis + 0.3 * model.shape_basis[::-1])
    save_face_model(skewed, tmp_path / "skewed.npz")
    settings = ConfigDict({"path": str(tmp_path / "skewed.npz"), "orthonormalize": True})
    assert setup.is_orthonormal(setup.make_face_model(settings))
    settings.orthonormalize = False
    assert not setup.is_orthonormal(setup.make_face_model(settings))


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="is not a run directory: it has no config.json"):
        setup.load_run(tmp_path)


def test_a_misspelt_run_brings_the_nearest_name(tmp_path):
    (tmp_path / "sir").mkdir()
    with pytest.raises(FileNotFoundError, match=r"there is nothing at .*/sri: did you mean .*/sir\? Name a run's"):
        setup.load_run(str(tmp_path / "sri"))
    with pytest.raises(FileNotFoundError, match=r"there is nothing at .*/other: name a run's --workdir or a"):
        setup.load_run(tmp_path / "other")


def test_a_run_is_read_with_its_own_settings_whatever_kind_of_path_names_it(tmp_path):
    run = setup.load_run(str(write_run(tmp_path / "sir", {"pose_weight": "relu_cos", "expression_decay": 0.5})))
    assert run.metadata["step"] == STEP
    assert run.confidence.keywords == {"form": "relu_cos", "decay": 0.5}


def test_a_face_model_that_has_changed_since_the_training_is_named_with_the_remedy(tmp_path):
    write_run(tmp_path / "sir")
    path = tmp_path / "dome.npz"
    save_face_model(dome_face_model().replace(mean=1.01 * dome_face_model().mean), path)
    remedy = (
        f"the face model at {path} has changed since then: put the one of the training back there, or write where it "
        f"lies into face_model.path of {tmp_path / 'sir' / 'config.json'}"
    )
    with pytest.raises(ValueError, match=f"was trained with face model .*, this one is .*; {re.escape(remedy)}$"):
        setup.load_run(tmp_path / "sir")


def test_what_is_meant_as_trained_networks(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    assert all(map(setup.is_trained, (tmp_path, tmp_path / "any.safetensors", Path("builtin"))))
    assert not any(map(setup.is_trained, (tmp_path / "codes.npz", tmp_path / "none", tmp_path / "config.json")))
