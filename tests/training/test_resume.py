"""A run directory belongs to one set of settings; a run goes on where it stopped."""

import numpy as np
import pytest
from ml_collections import ConfigDict

from configs import default
from sirjax.training import checkpoint, resume
from sirjax.training.state import TrainState
from sirjax.training.weights import About, save_weights


def test_new_directories_receive_the_settings(tmp_path):
    config = default.get_config()
    resume.claim(tmp_path / "run", config)
    assert ConfigDict(checkpoint.load_config(tmp_path / "run")).sir.margin == config.sir.margin


def test_the_same_settings_may_go_on(tmp_path):
    resume.claim(tmp_path, default.get_config())
    resume.claim(tmp_path, default.get_config())


def test_other_settings_are_refused_by_name(tmp_path):
    resume.claim(tmp_path, default.get_config())
    changed = default.get_config()
    changed.sir.margin = 0.35
    with pytest.raises(
        ValueError, match=r"holds a run with sir.margin = 0.2, this one has 0.35; give the same settings"
    ):
        resume.claim(tmp_path, changed)


def test_length_and_logging_may_change(tmp_path):
    resume.claim(tmp_path, default.get_config())
    longer = default.get_config()
    longer.schedule.epochs = 100.0
    longer.run.log_every = 1
    resume.claim(tmp_path, longer)
    assert checkpoint.load_config(tmp_path)["schedule"]["epochs"] == 100.0


def test_flatten_names_nested_settings_and_makes_tuples_lists():
    assert resume.flatten({"a": {"b": 1, "c": (2, 3)}, "d": 4}) == {"a.b": 1, "a.c": [2, 3], "d": 4}


def test_a_run_starts_from_a_weights_file_of_the_same_face_model(tmp_path):
    path = tmp_path / "start.safetensors"
    face_model = {"file": "builtin", "orthonormalize": True, "name": "dome", "fingerprint": "1" * 64}
    params = {"trunk": {"kernel": np.arange(3, dtype=np.float32)}}
    save_weights(path, params, About(networks={}, camera={}, face_model=face_model, licences={}))
    fresh = TrainState(step=0, params={"networks": {}}, opt_state=None, centers=None, skipped=0)

    class Empty:
        def restore_latest(self, like):
            return None

    started = resume.starting_state(Empty(), fresh, init_from=str(path), fingerprint="1" * 64)
    np.testing.assert_array_equal(started.params["networks"]["trunk"]["kernel"], [0, 1, 2])
    with pytest.raises(ValueError, match="trained with face model 'dome', 111111111111; builtin here is 222222222222"):
        resume.starting_state(Empty(), fresh, init_from=str(path), fingerprint="2" * 64)
