"""The loss terms of one batch: networks, face model and renderer meet the labels (Eqs. 9-21)."""

import dataclasses
from typing import cast

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax import struct
from jax import Array
from jaxtyping import Bool, Float, Int

from sirjax import decode as decoding
from sirjax.geometry.camera import CameraTemplate
from sirjax.losses import landmark, margin, perceptual, photometric, regularization, sir, teacher
from sirjax.losses.total import LossWeights, Members
from sirjax.morphable import coefficients as units
from sirjax.morphable.model import FaceModel
from sirjax.networks.vgg16 import VGG16Features
from sirjax.training import identity_table
from sirjax.training.identity_table import Classes, ShardedTables
from sirjax.types import Batch, Camera, Coefficients, NetworkOutput, Rendering


@struct.dataclass
class Frozen:
    """What training reads and never changes."""

    face_model: FaceModel
    camera_template: CameraTemplate
    vgg16: dict | None  # parameters of VGG16Features, or None: no perceptual loss


@dataclasses.dataclass(frozen=True)
class Method:
    """The choices of the method: which losses, in which form. One compiled step per value."""

    weights: LossWeights = dataclasses.field(default_factory=LossWeights)
    landmark_norm: str = "mse"
    contour_weight: float = 1.0
    albedo_squared: bool = False
    albedo_mirror_probability: float = 0.5
    softmax: str = "cosface"  # or softmax, arcface, none
    scale: float = 32.0
    margin: float = 0.2
    embedding: str = "raw"  # or whitened
    center: str = "weighted"  # or plain, none
    center_rate: float = 0.5
    pose_weight: str = "paper"  # or relu_cos
    expression_decay: float = 1 / 3
    kl_scope: str = "identity"  # or all
    tables: ShardedTables | None = None  # how class weights and centers are spread; None: one copy on each device
    renders: bool = True  # off in the first phase of the warm-up: landmarks only, nothing is drawn
    drawn_share: float = 1.0  # of each device's samples that are drawn, in (0, 1]
    compares_features: bool = True  # the perceptual loss; needs VGG16
    camera_gains: decoding.CameraGains = dataclasses.field(default_factory=decoding.CameraGains)
    backend: str = "auto"
    seed: int = 0

    def __post_init__(self):
        if not 0 < self.drawn_share <= 1:
            raise ValueError(
                f"losses.drawn_share must be in (0, 1], got {self.drawn_share}; to draw nothing, set losses.pixel=0"
            )

    @property
    def uses_identities(self) -> bool:
        """Whether any SIR term is on."""
        return self.weights.sir > 0 and (self.softmax != "none" or self.center != "none" or self.weights.kl > 0)


@struct.dataclass
class Reading:
    """What the networks made of a batch, for center updates, logs and pictures."""

    output: NetworkOutput
    camera: Camera
    landmarks: Array  # [B, 68, 2]
    rendering: Rendering | None  # of the first D samples; None while nothing is drawn
    mirrored: Array  # bool [B], drawn with mirrored albedo


def drawn_mirrored(method: Method, step: Array, batch_size: int, axis_name: str | None) -> Bool[Array, " B"]:
    """Which samples of this device are drawn with mirrored albedo: a function of (seed, step, place in the batch)."""
    key = jax.random.fold_in(jax.random.key(method.seed), step)
    if axis_name is None:
        return jax.random.bernoulli(key, method.albedo_mirror_probability, (batch_size,))
    shape = (jax.lax.axis_size(axis_name), batch_size)
    return jax.random.bernoulli(key, method.albedo_mirror_probability, shape)[jax.lax.axis_index(axis_name)]


def read_batch(
    networks: nn.Module, method: Method, network_params: dict, frozen: Frozen, image: Array, mirrored: Array
) -> Reading:
    """Runs the networks and decodes as much as the phase needs."""
    drawn = max(1, round(method.drawn_share * len(image)))
    output = cast(NetworkOutput, networks.apply({"params": network_params}, image, drawn))
    image_size = (image.shape[1], image.shape[2])
    camera = decoding.decode_camera(output, frozen.camera_template, image_size=image_size, gains=method.camera_gains)
    coefficients = Coefficients(shape=output.shape, expression=output.expression)
    landmarks = decoding.project_landmarks(frozen.face_model, coefficients, camera)
    rendering = None
    if method.renders:
        rendering = decoding.decode(
            frozen.face_model,
            jax.tree.map(lambda values: values[:drawn], output),
            frozen.camera_template,
            image_size=image_size,
            gains=method.camera_gains,
            mirrored=mirrored[:drawn],
            backend=method.backend,
        ).rendering
    return Reading(output, camera, landmarks, rendering, mirrored)


def reconstruction_terms(
    method: Method, frozen: Frozen, batch: Batch, reading: Reading
) -> dict[str, Float[Array, " _"]]:
    """Terms that need no identity: landmarks, pixels, features, priors (Eqs. 10-16), a teacher's distances.

    Those of pixels and features are of drawn samples only.
    """
    output = reading.output
    terms = {
        "landmark": landmark.landmark_loss(
            reading.landmarks, batch.landmarks, norm=method.landmark_norm, contour_weight=method.contour_weight
        ),
        "shape_prior": regularization.coefficient_prior(output.shape),
        "expression_prior": regularization.coefficient_prior(output.expression),
    }
    if method.weights.teacher > 0 and batch.teacher is not None:
        # Pairs are those of this device's micro-batch: relations need no sample to be seen by all others.
        shape_mm = units.to_millimeters(output.shape, frozen.face_model.shape_std)
        terms["teacher"] = teacher.relational_loss(shape_mm, batch.teacher, jnp.any(batch.teacher != 0, axis=1))
    if reading.rendering is None:
        return terms
    rendering = reading.rendering
    drawn = len(rendering.image)
    target = batch.image[:drawn]
    channel = reading.mirrored[:drawn].astype(jnp.int32)[:, None, None, None]  # channel 1 is for mirrored albedo

    def sigma(confidence):
        return jnp.take_along_axis(confidence, channel, axis=-1)[..., 0]

    terms["pixel"] = photometric.pixel_loss(rendering.image, target, rendering.mask, sigma(output.pixel_confidence))
    size = output.albedo_residual.shape[1]
    uv_mask = jax.image.resize(frozen.face_model.uv_mask.astype(jnp.float32), (size, size), "nearest") > 0.5
    terms["albedo"] = regularization.albedo_regularization(
        output.albedo_residual, uv_mask, eps_uv=method.weights.albedo_magnitude, squared=method.albedo_squared
    )
    if method.compares_features and frozen.vgg16 is not None:
        vgg16, variables = VGG16Features(), {"params": frozen.vgg16}
        drawn = perceptual.compose_over(rendering.image, target, rendering.mask)
        terms["perceptual"] = perceptual.perceptual_loss(
            cast(Array, vgg16.apply(variables, drawn)),
            cast(Array, vgg16.apply(variables, target)),
            sigma(output.feature_confidence),
        )
    return terms


@struct.dataclass
class WholeStep:
    """What a micro-batch must know of all samples of its step, so that losses of parts add up to the loss of all."""

    members: Members  # of all devices
    classes: Classes | None  # of this device's rows of sharded tables
    codes: Array | None  # [K, M, S] whitened shapes of this device's K micro-batches; None: one micro-batch
    in_kl: Array  # bool [K, M], whose shapes the KL term is about


def identity_terms(
    method: Method,
    frozen: Frozen,
    batch: Batch,
    reading: Reading,
    class_weights: Float[Array, "C S"],
    centers: Float[Array, "C S"],
    axis_name: str | None,
    whole: WholeStep,
    index: Int[Array, ""],
) -> tuple[dict[str, Float[Array, " B"]], Float[Array, ""]]:
    """The SIR loss: classification and center terms per sample, KL of the global batch (Eqs. 17-21).

    The KL term is not a sum over samples: every micro-batch (this one is number `index`) computes it of all of them,
    its own shapes live and the others constant, and counts its share of the value, but the whole gradient of its own
    shapes.
    """
    whitened = reading.output.shape
    shapes = whitened[None] if whole.codes is None else whole.codes.at[index].set(whitened)
    kl = sir.kl_to_standard_normal(shapes.reshape(-1, shapes.shape[-1]), whole.in_kl.reshape(-1), axis_name=axis_name)
    kl = kl + jax.lax.stop_gradient(kl / len(shapes) - kl)
    if method.tables is not None and whole.classes is not None:
        return _sharded_identity_terms(method, frozen, batch, whitened, class_weights, centers, whole.classes), kl
    shape_mm = units.to_millimeters(whitened, frozen.face_model.shape_std)
    terms = {}
    if method.softmax != "none":
        embedding = shape_mm if method.embedding == "raw" else whitened
        terms["softmax"] = margin.identity_loss(
            method.softmax, embedding, class_weights, batch.identity, scale=method.scale, margin=method.margin
        )
    if method.center != "none":
        terms["center"] = sir.center_loss(shape_mm, centers, batch.identity)
    return terms, kl


def _sharded_identity_terms(
    method: Method,
    frozen: Frozen,
    batch: Batch,
    whitened: Float[Array, "B S"],
    class_weights: Float[Array, "R S"],
    centers: Float[Array, "R S"],
    classes: Classes,
) -> dict[str, Float[Array, " B"]]:
    everyone = identity_table.gather(whitened, batch.identity, len(centers))
    shape_mm = units.to_millimeters(everyone.whitened, frozen.face_model.shape_std)
    terms = {}
    if method.softmax != "none":
        embedding = shape_mm if method.embedding == "raw" else everyone.whitened
        terms["softmax"] = identity_table.classification_loss(
            method.softmax, embedding, class_weights, everyone, classes, scale=method.scale, margin=method.margin
        )
    if method.center != "none":
        terms["center"] = identity_table.center_loss(shape_mm, centers, everyone)
    return {name: identity_table.of_this_device(values) for name, values in terms.items()}


def center_trust(method: Method, reading: Reading) -> Float[Array, " B"]:
    """How far each sample may move its center (Eq. 19); 1 for plain centers."""
    if method.center != "weighted":
        return jnp.ones(len(reading.output.shape))
    return sir.neutral_frontal_confidence(
        reading.camera.rotation, reading.output.expression, form=method.pose_weight, decay=method.expression_decay
    )


def moved_centers(
    method: Method,
    frozen: Frozen,
    centers: Float[Array, "C S"],
    whitened: Float[Array, "B S"],
    identity: Int[Array, " B"],
    trust: Float[Array, " B"],
    axis_name: str | None,
) -> Float[Array, "C S"]:
    """The centers after the global batch (Eq. 20)."""
    shape_mm = units.to_millimeters(whitened, frozen.face_model.shape_std)
    if method.tables is not None:
        return identity_table.update_centers(centers, shape_mm, identity, trust, rate=method.center_rate)
    return sir.update_centers(centers, shape_mm, identity, trust, rate=method.center_rate, axis_name=axis_name)


def center_weight_of(face_model: FaceModel, weight_mm2: float) -> float:
    """The center loss's weight on `face_model`, given the one per mm^2 that the authors used with BFM-2009.

    Squared distances of shape codes scale with the model's total variance; a real face has a norm of 600-800 mm on
    BFM-2009, so its variance is taken as 700 mm squared.
    """
    return weight_mm2 * 700.0**2 / float(jnp.sum(jnp.square(face_model.shape_std)))
