"""The variants of Table II differ in the SIR loss and in nothing else."""

import pytest

from configs import ablations, photos
from sirjax.training.resume import flatten


@pytest.mark.parametrize("real", [False, True])
@pytest.mark.parametrize("variant", ablations.VARIANTS)
def test_variants_differ_in_the_sir_loss_only(variant, real):
    full, other = (flatten(ablations.get_config(name, real=real).to_dict()) for name in ("sm+wc+kl", variant))
    assert {name.split(".")[0] for name in full if full[name] != other[name]} <= {"sir"}


@pytest.mark.parametrize(
    ("variant", "softmax", "center", "has_kl", "weight"),
    [
        ("none", "none", "none", False, 0.0),
        ("kl", "none", "none", True, 1.0),
        ("sm", "cosface", "none", False, 1.0),
        ("sm+c", "cosface", "plain", False, 1.0),
        ("sm+wc+kl", "cosface", "weighted", True, 1.0),
    ],
)
def test_a_variant_has_the_losses_it_names(variant, softmax, center, has_kl, weight):
    sir = ablations.get_config(variant).sir
    assert (sir.softmax, sir.center, sir.kl_weight > 0, sir.weight) == (softmax, center, has_kl, weight)


def test_the_warm_up_has_no_sir_loss():
    assert ablations.get_config("warmup").sir.weight == 0.0


def test_real_photos_have_their_augmentation_and_warm_up():
    rendered, real = (ablations.get_config("sm+wc", real=real) for real in (False, True))
    assert rendered.data.augmentation.occlusion == 0 < real.data.augmentation.occlusion
    assert real.schedule.steps == rendered.schedule.steps
    on = ablations.get_config("sm+wc+kl", real=True)
    variance = 1 / (1 + 2 * on.losses.shape_prior / on.sir.kl_weight)  # of a mode, where KL and the shape prior balance
    assert variance > 0.8
    assert ablations.get_config("warmup", real=True).schedule.steps == photos.get_config("warmup").schedule.steps


@pytest.mark.parametrize(("taught", "alone"), [("teacher", "none"), ("sm+wc+kl+teacher", "sm+wc+kl")])
def test_a_teacher_adds_its_loss_only(taught, alone):
    settings = [flatten(ablations.get_config(name).to_dict()) for name in (taught, alone)]
    assert [name for name in settings[0] if settings[0][name] != settings[1][name]] == ["losses.teacher"]
    assert taught in ablations.TAUGHT


@pytest.mark.parametrize("variant", ["sm+x", "c+wc", "", "sm,c"])
def test_other_variants_are_refused(variant):
    with pytest.raises(ValueError, match="unknown variant"):
        ablations.get_config(variant)
