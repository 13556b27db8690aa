"""Settings: every config loads, overrides are checked against the schema."""

import pytest

from sirjax.cli.train import load_config


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


def test_an_unknown_setting_names_itself():
    with pytest.raises(ValueError, match="unknown setting 'bach_size'. Did you mean \"batch_size\" instead of"):
        load_config("sir", ["--config.data.bach_size=8"])


def test_a_value_of_the_wrong_type_is_refused():
    with pytest.raises(ValueError, match="batch_size"):
        load_config("sir", ["--config.data.batch_size=many"])


def test_an_unknown_config_lists_the_known_ones():
    with pytest.raises(
        FileNotFoundError,
        match="no config 'sirr'; give a path to a .py file, or one of: ablations, default, demo, photos, sir, warmup",
    ):
        load_config("sirr", [])


@pytest.mark.parametrize("stage", ["warmup", "sir"])
def test_real_photos_are_augmented_in_both_stages(stage):
    config = load_config(f"photos:{stage}", [])
    assert config.data.augmentation.occlusion > 0
    assert (config.sir.weight == 0) == (stage == "warmup")
