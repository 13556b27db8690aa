"""Settings: every config loads, overrides are checked against the schema."""

import re

import pytest

from sirjax.cli import train as train_command
from sirjax.cli.main import main
from sirjax.cli.train import config_names, load_config, setting_names


@pytest.mark.parametrize("name", ["default", "warmup", "sir", "demo"])
def test_every_config_loads_by_name(name):
    config = load_config(name, [])
    assert config.is_locked
    assert config.sir.margin == 0.2


def test_the_demo_has_a_setting_per_stage():
    assert load_config("demo:warmup", []).sir.weight == 0.0
    assert load_config("demo:sir", []).sir.weight > 0.0


def test_any_setting_can_be_given():
    config = load_config("sir", ["--config.data.batch_size=8", "--config.sir.center=plain"])
    assert (config.data.batch_size, config.sir.center) == (8, "plain")


def test_config_files_load_by_path(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "from configs import sir\n\ndef get_config():\n"
        "    config = sir.get_config()\n    config.seed = 7\n    return config\n"
    )
    assert load_config(str(path), []).seed == 7


@pytest.mark.parametrize(
    ("word", "message"),
    [
        (
            "data.bach_size=8",
            "unknown setting --config.data.bach_size: did you mean --config.data.batch_size? See",
        ),
        ("batch_size=8", "unknown setting --config.batch_size: did you mean --config.data.batch_size? See"),
        ("losses.margin=1", "unknown setting --config.losses.margin: did you mean --config.sir.margin? See"),
        ("losses.sir=1", "unknown setting --config.losses.sir: did you mean --config.sir.*? See"),
        ("qqqqq=1", "unknown setting --config.qqqqq: see configs/default.py, which has all"),
        (
            "camera=1",
            "--config.camera is a group of settings: give --config.camera.NAME, of quaternion_gain, ",
        ),
    ],
)
def test_an_unknown_setting_names_the_nearest_one(word, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        load_config("sir", [f"--config.{word}"])


def test_a_value_of_the_wrong_type_is_refused_with_an_example():
    with pytest.raises(ValueError, match="--config.data.batch_size=many: .*; give a int, such as 80"):
        load_config("sir", ["--config.data.batch_size=many"])


def test_an_unknown_config_names_the_nearest_and_lists_all():
    message = "no config 'sirr': did you mean sir? Give a path to a .py file, or one of ablations, default, demo, photo"
    with pytest.raises(FileNotFoundError, match=re.escape(message)):
        load_config("sirr", [])


def test_a_config_file_with_an_old_key_is_named_with_the_key(tmp_path):
    path = tmp_path / "old.py"
    path.write_text("from configs import sir\n\ndef get_config():\n    c = sir.get_config()\n    c.sir.margn = 0.1\n")
    message = "uses the setting 'margn', which there is not (any more): did you mean config.sir.margin? See configs/"
    with pytest.raises(ValueError, match=re.escape(message)):
        load_config(str(path), [])


def test_an_argument_for_a_config_that_takes_none_is_refused():
    with pytest.raises(ValueError, match="warmup.py takes no argument, got :large: leave out the colon"):
        load_config("warmup:large", [])


def test_all_settings_can_be_listed():
    assert {"seed", "data.batch_size", "data.augmentation.mirror"} <= set(setting_names())
    assert "sir" in config_names()


def test_training_on_the_cpu_of_a_gpu_machine_is_told(monkeypatch, tmp_path, caplog):
    monkeypatch.setattr(train_command, "idle_gpu", lambda: "no CUDA")
    monkeypatch.setattr(train_command, "train", lambda *args, **options: None)
    main(["train", "--config", "sir", "--workdir", str(tmp_path)])
    assert "training on the CPU: no CUDA" in caplog.text


@pytest.mark.parametrize("stage", ["warmup", "sir"])
def test_real_photos_are_augmented_in_both_stages(stage):
    config = load_config(f"photos:{stage}", [])
    assert config.data.augmentation.occlusion > 0
    assert (config.sir.weight == 0) == (stage == "warmup")
