"""What weights say of their training: every stage, its settings and its sets, and no folder of this machine."""

import dataclasses
import json

import pytest

from sirjax.training import weights
from sirjax.training.history import training_history
from tests.training.test_licences import records, workdir
from tests.training.test_weights import ABOUT


def stages(tmp_path):
    """Warm-up on two sets, one of which is gone, then a second stage."""
    landmark = f"{records(tmp_path / 'drawn', seed=3)}=3, {tmp_path / 'gone'}=1"
    workdir(tmp_path / "warmup", seed=5, init_from="", data={"landmark": landmark}, face_model={"path": "builtin"})
    return workdir(
        tmp_path / "sir",
        init_from=str(tmp_path / "warmup"),
        data={"landmark": str(tmp_path / "drawn"), "identity": records(tmp_path / "people", seed=4)},
        face_model={"path": str(tmp_path / "face.npz")},
    )


def test_stages_come_in_order_with_settings_and_sets(tmp_path):
    warmup, sir = training_history(stages(tmp_path))
    assert warmup["settings"]["seed"] == 5
    assert warmup["sets"] == {"drawn": {"parameters": {"seed": 3}}, "gone": {}}
    assert set(sir["sets"]) == {"drawn", "people"}
    assert sir["sets"]["people"]["parameters"] == {"seed": 4}


def test_folders_of_this_machine_are_left_out(tmp_path):
    found = training_history(stages(tmp_path))
    assert str(tmp_path) not in json.dumps(found)
    warmup, sir = (stage["settings"] for stage in found)
    assert warmup["data"]["landmark"] == "drawn=3, gone=1"
    assert (sir["init_from"], sir["face_model"]["path"]) == ("warmup", "face.npz")


def test_a_weights_file_hands_its_history_on(tmp_path):
    history = [{"settings": {"seed": 1}, "sets": {}}]
    path = tmp_path / "start.safetensors"
    weights.save_weights(path, {}, dataclasses.replace(ABOUT, training=history))
    assert training_history(path) == history
    later = workdir(tmp_path / "later", init_from=str(path), data={})
    assert training_history(later)[0] == history[0]
    assert len(training_history(later)) == 2


def test_a_start_that_is_gone_leaves_the_stages_after_it(tmp_path):
    assert len(training_history(workdir(tmp_path / "sir", init_from=str(tmp_path / "gone")))) == 1


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="is not a run directory"):
        training_history(tmp_path)
