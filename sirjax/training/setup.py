"""From settings to parts: the one place below the command line that reads the config's names."""

import dataclasses
import difflib
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import optax
from ml_collections import ConfigDict

from sirjax import decode
from sirjax.losses.sir import neutral_frontal_confidence
from sirjax.losses.total import LossWeights
from sirjax.morphable.builtin import load
from sirjax.morphable.model import FaceModel
from sirjax.morphable.orthonormalize import orthonormality_error, orthonormalize
from sirjax.morphable.storage import fingerprint
from sirjax.networks.model import FaceNetworks, make_networks
from sirjax.networks.pretrained import load_vgg16
from sirjax.training import checkpoint, weights
from sirjax.training.identity_table import choose_tables, gradient_norm
from sirjax.training.optimizer import make_optimizer, make_schedule
from sirjax.training.parallel import DEVICES
from sirjax.training.step import make_train_step
from sirjax.training.terms import Frozen, Method, center_weight_of

Settings = Any  # a ConfigDict or a part of one; its attributes have no static types


def make_face_model(settings: Settings) -> FaceModel:
    """The face model of `config.face_model`, its basis made orthonormal if asked for (condition (3) of Table I)."""
    model = load(settings.path)
    if not settings.orthonormalize or is_orthonormal(model):
        return model
    return orthonormalize(model)[0]


def is_orthonormal(model: FaceModel, tolerance: float = 1e-4) -> bool:
    """Whether the shape basis's Gram matrix is the identity (condition 3 of Table I)."""
    return orthonormality_error(model) < tolerance


def make_networks_for(settings: Settings, face_model: FaceModel, *, remat: bool = False) -> FaceNetworks:
    """The networks of `config.networks`, with as many outputs as the face model has modes; `remat` is for training."""
    return make_networks(
        settings.preset,
        num_shape=face_model.num_shape,
        num_expression=face_model.num_expression,
        uv_size=settings.uv_size,
        shared_stages=settings.shared_stages,
        albedo_maps=settings.albedo_maps,
        block_bias=settings.block_bias,
        remat=remat,
        dtype=jnp.dtype(settings.dtype),
    )


def make_frozen(config: Settings, face_model: FaceModel) -> Frozen:
    """Face model, camera template and, if the perceptual loss is on, VGG16."""
    wants_features = config.losses.perceptual > 0
    return Frozen(
        face_model=face_model,
        camera_template=decode.camera_template(face_model),
        vgg16=load_vgg16(config.losses.vgg16_weights or None) if wants_features else None,
    )


def make_method(config: Settings, face_model: FaceModel) -> Method:
    """The losses and their forms, with every phase's terms on."""
    losses, sir = config.losses, config.sir
    weights = LossWeights(
        landmark=losses.landmark,
        pixel=losses.pixel,
        perceptual=losses.perceptual,
        regularization=losses.regularization,
        shape_prior=losses.shape_prior,
        shape_prior_on_identity=losses.shape_prior_on_identity,
        expression_prior=losses.expression_prior,
        albedo=losses.albedo,
        albedo_magnitude=losses.albedo_uv,
        sir=sir.weight,
        softmax=sir.softmax_weight,
        center=center_weight_of(face_model, sir.center_weight),
        kl=sir.kl_weight,
        teacher=losses.teacher,
    )
    return Method(
        weights=weights,
        landmark_norm=losses.landmark_norm,
        contour_weight=losses.contour_weight,
        albedo_squared=losses.albedo_squared,
        albedo_mirror_probability=losses.albedo_mirror_probability,
        softmax=sir.softmax,
        scale=sir.scale,
        margin=sir.margin,
        embedding=sir.embedding,
        center=sir.center,
        center_rate=sir.center_rate,
        pose_weight=sir.pose_weight,
        expression_decay=sir.expression_decay,
        kl_scope=sir.kl_scope,
        drawn_share=losses.drawn_share,
        compares_features=losses.perceptual > 0,
        camera_gains=make_gains(config.camera),
        backend=config.render.backend,
        seed=config.seed,
    )


def make_gains(settings: Settings) -> decode.CameraGains:
    """The gains of `config.camera`."""
    return decode.CameraGains(
        quaternion=settings.quaternion_gain, scale=settings.scale_gain, translation=settings.translation_gain
    )


def make_confidence(settings: Settings) -> Callable:
    """Eq. 19 of `config.sir`; with the paper's settings where a weights file names none."""
    names = {"pose_weight": "form", "expression_decay": "decay"}
    return partial(neutral_frontal_confidence, **{names[name]: settings[name] for name in names if name in settings})


@dataclasses.dataclass(frozen=True)
class Timeline:
    """A run in steps: how long it is and when its phases begin."""

    total: int
    pixel_from: int
    perceptual_from: int
    steps_per_epoch: float

    @classmethod
    def of(cls, settings: Settings, *, num_samples: int, batch_size: int) -> "Timeline":
        """Turns `config.schedule`'s epochs (passes over `num_samples`) into steps."""
        per_epoch = num_samples / batch_size
        total = settings.steps or round(settings.epochs * per_epoch)
        return cls(
            total=total,
            pixel_from=round(settings.pixel_from * per_epoch),
            perceptual_from=round(settings.perceptual_from * per_epoch),
            steps_per_epoch=per_epoch,
        )

    def phase(self, method: Method, step: int) -> Method:
        """The method with the terms that are active when `step` steps have been taken."""
        return dataclasses.replace(
            method,
            renders=step >= self.pixel_from and method.weights.pixel + method.weights.perceptual > 0,
            compares_features=method.compares_features and step >= self.perceptual_from,
        )


def make_schedule_for(settings: Settings, timeline: Timeline):
    """The learning rate of `config.optimizer` as a function of the step."""
    return make_schedule(
        settings.schedule,
        learning_rate=settings.learning_rate,
        total_steps=timeline.total,
        milestones=[round(epoch * timeline.steps_per_epoch) for epoch in settings.milestones],
        decay=settings.decay,
        warmup_steps=settings.warmup_steps,
    )


def with_tables(
    method: Method, settings: Settings, face_model: FaceModel, *, num_identities: int, num_devices: int
) -> Method:
    """The method with class weights and centers kept as `config.sir` says."""
    tables = choose_tables(
        settings.tables,
        num_identities=num_identities,
        num_shape=face_model.num_shape,
        num_devices=num_devices,
        sampled=settings.sampled_negatives,
    )
    return dataclasses.replace(method, tables=tables)


def make_optimizer_for(settings: Settings, schedule: optax.Schedule, method: Method) -> optax.GradientTransformation:
    """The optimizer of `config.optimizer`, with the gradient norm that `method`'s tables need."""
    return make_optimizer(
        schedule,
        kind=settings.kind,
        muon_factor=settings.muon_factor,
        weight_decay=settings.weight_decay,
        clip_norm=settings.clip_norm,
        norm=gradient_norm(method.tables),
    )


def make_step_for(
    settings: Settings, networks: FaceNetworks, optimizer: optax.GradientTransformation
) -> Callable[[Method], Callable]:
    """Makes one device's step of a phase's method, with `config.optimizer`'s accumulation and average."""

    def of_method(method: Method) -> Callable:
        return make_train_step(
            networks,
            optimizer,
            method,
            axis_name=DEVICES,
            accumulate=settings.accumulate,
            ema_decay=settings.ema_decay,
        )

    return of_method


@dataclasses.dataclass(frozen=True)
class TrainedRun:
    """What prediction needs of a run."""

    networks: FaceNetworks
    params: dict
    face_model: FaceModel
    gains: decode.CameraGains
    metadata: dict  # step, face_model (fingerprint), face_model_licence, face_model_name
    settings: dict = dataclasses.field(default_factory=dict)  # parts of the config: networks, camera, face_model, sir
    confidence: Callable = neutral_frontal_confidence  # Eq. 19 as in training: (rotation, expression) -> [B]


def load_run(path: str | os.PathLike) -> TrainedRun:
    """The networks, newest parameters and face model of a run directory, or of a weights file (.safetensors).

    "builtin" are the weights that come with sirjax.

    Raises:
      FileNotFoundError: if `path` is neither, a run holds no checkpoint, or the face model of a file is not beside it.
      ValueError: if the face model is not the one the networks were trained with.
    """
    path = weights.locate(path)
    if not path.exists():
        name = f"did you mean {_nearest(path)}? Name" if _nearest(path) else "name"
        raise FileNotFoundError(f"there is nothing at {path}: {name} a run's --workdir or a .safetensors file")
    if weights.is_weights_file(path):
        return _load_weights(path)
    config: Settings = ConfigDict(checkpoint.load_config(path))
    face_model = make_face_model(config.face_model)
    identity = fingerprint(face_model)
    remedy = (
        f"the face model at {config.face_model.path} has changed since then: put the one of the training back there, "
        f"or write where it lies into face_model.path of {path / checkpoint.CONFIG}"
    )
    params, step = checkpoint.load_network_params(path, fingerprint=identity, remedy=remedy)
    return _trained(config, params, face_model, identity, step)


def is_trained(path: Path) -> bool:
    """Whether a path is meant as trained networks: a run directory, a weights file, or "builtin"."""
    found = weights.locate(path)
    return weights.is_weights_file(found) or (found / checkpoint.CONFIG).is_file()


def _nearest(path: Path) -> str:
    """What lies beside a path and was most likely meant; "" if nothing is near."""
    beside = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
    return next((str(path.with_name(like)) for like in difflib.get_close_matches(path.name, beside, n=1)), "")


def _load_weights(path: Path) -> TrainedRun:
    params, about = weights.load_weights(path)
    settings: Settings = ConfigDict(
        {
            "networks": about.networks,
            "camera": about.camera,
            "face_model": weights.face_model_settings(path, about),
            "sir": about.sir,
        }
    )
    face_model = make_face_model(settings.face_model)
    identity = fingerprint(face_model)
    weights.check_face_model(path, about, identity)
    return _trained(settings, params, face_model, identity, about.step)


def _trained(config: Settings, params: dict, face_model: FaceModel, identity: str, step: int) -> TrainedRun:
    return TrainedRun(
        networks=make_networks_for(config.networks, face_model),
        params=params,
        face_model=face_model,
        gains=make_gains(config.camera),
        metadata={
            "step": step,
            "face_model": identity,
            "face_model_name": face_model.name,
            "face_model_licence": face_model.licence,
        },
        settings={part: config[part].to_dict() for part in ("networks", "camera", "face_model", "sir")},
        confidence=make_confidence(config.sir),
    )
