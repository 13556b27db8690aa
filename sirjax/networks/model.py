"""One photo in, everything the face model and the renderer need out.

    image -> Conv1.x, Conv2.x (shared) -+-> Conv3.x, Conv4.x -> shape
                                        +-> Conv3.x, Conv4.x -> camera, expression, light
                                        +-> Conv3.x, Conv4.x -> albedo code -> decoder -> residual albedo map
          -> ConfNet -> pixel and feature confidence

Outputs that are not used cost nothing under `jax.jit`: whoever reads only `shape` pays for one branch.
"""

from typing import Literal

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from sirjax.constants import IMAGE_SIZE
from sirjax.networks.albedo_decoder import PAPER_CHANNELS, PAPER_LAYERS, AlbedoDecoder, DecoderLayer
from sirjax.networks.confidence import ConfNet, LightConfNet
from sirjax.networks.heads import AlbedoHead, NonIdentityHead, ShapeHead
from sirjax.networks.sphere import Stages
from sirjax.types import NetworkOutput

IMAGE_MEAN = (0.485, 0.456, 0.406)  # of ImageNet, RGB in [0, 1]
IMAGE_STD = (0.229, 0.224, 0.225)
NUM_STAGES = 4
STRIDE = 16  # of the four stages together, in every preset
LIGHT_FACTOR = 4  # `last_factor` of the light albedo decoder
PRESETS = ("sphere64", "sphere20", "tiny", "debug")

Preset = Literal["sphere64", "sphere20", "tiny", "debug"]


class FaceNetworks(nn.Module):
    """Encoder with one branch per kind of output, albedo decoder and ConfNet. Made by `make_networks`.

    Attributes:
      num_shape, num_expression: S and E, modes of the face model.
      channels, blocks, strides: of the four stages.
      shared_stages: how many stages all outputs share; with 4 there is a single branch (the unsplit baseline).
      albedo_code, hidden: sizes of the albedo code and of the non-identity head's hidden layer.
      decoder_channels, decoder_layers, albedo_maps, uv_size: see `AlbedoDecoder`.
      light: `LightConfNet` instead of `ConfNet`, and an albedo decoder without transposed convolutions.
      block_bias, groups: see `sphere.Stage`.
      image_size: height and width of the images; the weights of the heads fit one size only.
      dtype: of the computation. Parameters and outputs are float32.
      remat: whether residual blocks, decoder and ConfNet are computed again in the backward pass: same values and
        parameters, less memory.
    """

    num_shape: int
    num_expression: int
    channels: tuple[int, ...]
    blocks: tuple[int, ...]
    strides: tuple[int, ...]
    shared_stages: int
    albedo_code: int
    hidden: int
    decoder_channels: int
    decoder_layers: tuple[DecoderLayer, ...]
    albedo_maps: int
    uv_size: int
    light: bool
    block_bias: bool = True
    groups: int = 0
    image_size: tuple[int, int] = IMAGE_SIZE
    dtype: DTypeLike = jnp.float32
    remat: bool = False

    @nn.compact
    def __call__(self, image: Float[Array, "B H W 3"], drawn: int | None = None) -> NetworkOutput:
        """Reads aligned RGB images in [0, 1]; they are normalized here.

        Args:
          image: the images.
          drawn: how many of them will be drawn: albedo and confidence, the dearer half of the networks, are read from
            the first so many images only. None: from all.

        Raises:
          ValueError: if the images are not of `image_size`.
        """
        if image.shape[1:] != (*self.image_size, 3):
            raise ValueError(
                f"these networks read images of shape [B, {self.image_size[0]}, {self.image_size[1]}, 3], got "
                f"{list(image.shape)}: align the photo to that size or build the networks with another image_size"
            )
        image = normalize(image).astype(self.dtype)
        shared = self._stages(slice(None, self.shared_stages), "trunk")(image)
        split = self.shared_stages < NUM_STAGES
        own = slice(self.shared_stages, None)

        def features(branch: str, shared: Float[Array, "N h w C"] = shared) -> Float[Array, "N F"]:
            x = self._stages(own, branch)(shared) if split else shared
            return x.reshape(len(x), -1)

        shape = ShapeHead(self.num_shape, self.dtype, name="shape_head")(features("shape_branch"))
        head = NonIdentityHead(self.num_expression, self.hidden, self.dtype, name="non_identity_head")
        camera, expression, light = head(features("non_identity_branch"))
        albedo_code = AlbedoHead(self.albedo_code, self.dtype, name="albedo_head")(
            features("albedo_branch", shared[:drawn])
        )
        decoder = self._layer(AlbedoDecoder)(
            uv_size=self.uv_size,
            channels=self.decoder_channels,
            layers=self.decoder_layers,
            subpixel=self.light,
            last_factor=LIGHT_FACTOR if self.light else 1,
            maps=self.albedo_maps,
            dtype=self.dtype,
            name="albedo_decoder",
        )
        confidence = self._layer(LightConfNet if self.light else ConfNet)
        pixel_confidence, feature_confidence = confidence(dtype=self.dtype, name="confidence")(image[:drawn])
        return NetworkOutput(
            shape=shape,
            expression=expression,
            camera=camera,
            light=light,
            albedo_code=albedo_code,
            albedo_residual=decoder(albedo_code),
            pixel_confidence=pixel_confidence,
            feature_confidence=feature_confidence,
        )

    def _stages(self, part: slice, name: str) -> Stages:
        return Stages(
            self.channels[part],
            self.blocks[part],
            self.strides[part],
            self.block_bias,
            self.groups,
            self.dtype,
            self.remat,
            name=name,
        )

    def _layer(self, layer: type[nn.Module]) -> type[nn.Module]:
        return nn.remat(layer) if self.remat else layer


def make_networks(
    preset: Preset = "sphere64",
    *,
    num_shape: int,
    num_expression: int,
    uv_size: int = 256,
    shared_stages: int = 2,
    albedo_maps: int = 1,
    block_bias: bool = True,
    dtype: DTypeLike = jnp.float32,
    remat: bool = False,
    image_size: tuple[int, int] = IMAGE_SIZE,
) -> FaceNetworks:
    """Returns the networks of a preset.

    Args:
      preset: "sphere64" (the paper's), "sphere20" (the same with fewer blocks), "tiny" (for CPUs) or "debug" (to try
        out a pipeline: compiles in seconds, learns little).
      num_shape: modes of the face model's shape basis.
      num_expression: modes of its expression basis.
      uv_size: size U of the albedo map.
      shared_stages: how many of the four stages the branches share, 0 to 4; 4 is the unsplit baseline.
      albedo_maps: 1 as in the paper, or 2 maps that are added up.
      block_bias: whether the convolutions of the residual blocks carry a bias.
      dtype: of the computation, e.g. `jnp.bfloat16`; parameters and outputs stay float32.
      remat: see `FaceNetworks`.
      image_size: height and width, divisible by 16.

    Raises:
      ValueError: for an unknown preset or a setting outside its range.
    """
    if preset not in PRESETS:
        raise ValueError(f"unknown preset {preset!r}: choose one of {', '.join(PRESETS)}")
    if not 0 <= shared_stages <= NUM_STAGES:
        raise ValueError(f"shared_stages must be in 0..{NUM_STAGES}, got {shared_stages}")
    if albedo_maps not in (1, 2):
        raise ValueError(f"albedo_maps must be 1 or 2, got {albedo_maps}")
    if any(side <= 0 or side % STRIDE for side in image_size):
        raise ValueError(f"image_size must be divisible by {STRIDE}, got {tuple(image_size)}: pad or crop the images")
    sizes = {
        "sphere64": lambda: _sphere((3, 8, 16, 3)),
        "sphere20": lambda: _sphere((1, 2, 4, 1)),
        "tiny": lambda: _tiny(uv_size),
        "debug": lambda: _debug(uv_size),
    }[preset]()
    return FaceNetworks(
        num_shape=num_shape,
        num_expression=num_expression,
        shared_stages=shared_stages,
        albedo_maps=albedo_maps,
        uv_size=uv_size,
        block_bias=block_bias,
        image_size=(image_size[0], image_size[1]),
        dtype=dtype,
        remat=remat,
        **sizes,
    )


def normalize(image: Float[Array, "B H W 3"]) -> Float[Array, "B H W 3"]:
    """Subtracts ImageNet's mean color and divides by its standard deviation."""
    mean, std = (jnp.asarray(values, image.dtype).reshape(1, 1, 1, 3) for values in (IMAGE_MEAN, IMAGE_STD))
    return (image - mean) / std


def _sphere(blocks: tuple[int, ...]) -> dict:
    return {
        "channels": (64, 128, 256, 512),
        "blocks": blocks,
        "strides": (2, 2, 2, 2),
        "albedo_code": 512,
        "hidden": 512,
        "decoder_channels": PAPER_CHANNELS,
        "decoder_layers": PAPER_LAYERS,
        "light": False,
    }


def _tiny(uv_size: int) -> dict:
    """A first stage of stride 4: no convolution sees more than a quarter of the image's resolution."""
    return {
        "channels": (16, 32, 64, 64),
        "blocks": (1, 1, 1, 0),
        "strides": (4, 2, 2, 1),
        "albedo_code": 64,
        "hidden": 128,
        "decoder_channels": 64,
        "decoder_layers": tuple(DecoderLayer(max(16, 32 >> i), doubles=True) for i in range(_doublings(uv_size))),
        "light": True,
        "groups": 8,  # normalized features: half the landmark error after the same number of steps
    }


def _debug(uv_size: int) -> dict:
    """As few operations as show every part at work."""
    return {
        "channels": (8, 8, 8, 8),
        "blocks": (0, 0, 0, 0),
        "strides": (4, 2, 2, 1),
        "albedo_code": 8,
        "hidden": 8,
        "decoder_channels": 8,
        "decoder_layers": (DecoderLayer(8, doubles=True),) * _doublings(uv_size),
        "light": True,
    }


def _doublings(uv_size: int) -> int:
    """How often an 8x8 map is doubled until the light decoder's last layer reaches `uv_size`, however large that is."""
    return max(0, (uv_size // (8 * LIGHT_FACTOR)).bit_length() - 1)
