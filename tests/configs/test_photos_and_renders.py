"""The recipe for photos and renderings together: the ablation's losses on real photos, for longer."""

import pytest

from configs import ablations, photos_and_renders


@pytest.mark.parametrize("variant", ["sm+wc+kl", "sm+wc+kl+teacher"])
def test_only_steps_and_what_is_kept_differ_from_the_ablation(variant):
    recipe = photos_and_renders.get_config(variant)
    expected = ablations.get_config(variant, real=True)
    assert recipe.sir.to_dict() == expected.sir.to_dict()
    assert recipe.losses.to_dict() == expected.losses.to_dict()
    expected.schedule.steps = 3000
    expected.run = recipe.run
    assert recipe.to_dict() == expected.to_dict()


def test_an_unknown_variant_is_refused():
    with pytest.raises(ValueError, match=r"unknown variant 'sir'"):
        photos_and_renders.get_config("sir")
