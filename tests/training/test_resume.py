"""A run directory belongs to one set of settings; a run goes on where it stopped."""

import pytest
from ml_collections import ConfigDict

from configs import default
from sirjax.training import checkpoint, resume


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
