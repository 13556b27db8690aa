"""The recipe of the shipped weights: the demo's stages, seen through the photos' augmentation, for longer."""

import pytest

from configs import demo, photos, renders


@pytest.mark.parametrize(("stage", "steps"), [("warmup", 12000), ("sir", 3000)])
def test_only_augmentation_and_steps_differ_from_the_demo(stage, steps):
    recipe = renders.get_config(stage)
    expected = demo.get_config(stage)
    expected.data.augmentation = photos.get_config(stage).data.augmentation
    expected.schedule.steps = steps
    assert recipe.to_dict() == expected.to_dict()


@pytest.mark.parametrize("stage", ["warmup", "sir"])
def test_photos_are_moved_recolored_and_covered(stage):
    augmentation = photos.get_config(stage).data.augmentation
    off = demo.get_config(stage).data.augmentation
    assert {name for name in off if augmentation[name] != off[name]} == set(off) - {"mirror"}


def test_an_unknown_stage_is_refused():
    with pytest.raises(ValueError, match="unknown stage 'both' of the demo; choose warmup or sir"):
        renders.get_config("both")
