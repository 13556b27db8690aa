"""PyTorch weights of the paper's network family, as parameters of `FaceNetworks`.

Three namings of the same layers are known (i: block, s: stage from 1, n: convolution of the stage from 1):

    name in the file                                                    whose
    conv{s}_{n}.weight, relu{s}_{n}.weight                              sphereface: `sphere20a`, and longer ones alike
    layer{s}.0.weight, layer{s}.1.weight, layer{s}.{i+2}.conv1.weight   CosFace: `sphere`; no biases in the blocks
    layer{s}.0.0.weight, layer{s}.{i+1}.group1.conv1.weight             the paper's authors: `net.py`, with branches
                                                                        `layer3_up`, `layer4_tex`, ... and decoders

Recognition networks (the first two) give every branch the same upper stages to start from. Their last linear layers,
and the authors' heads for codes and camera, which speak other units, are left out: those start fresh. Arrays change
from PyTorch's order (channels first) to ours: convolutions OIHW -> HWIO, transposed ones also mirrored, and linear
layers that see a flattened map, or make one, have rows or columns rearranged from (C, H, W) to (H, W, C).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from sirjax.networks.model import IMAGE_MEAN, IMAGE_STD, NUM_STAGES

Arrays = Mapping[str, Float[np.ndarray, "..."]]

BRANCHES = {"shape_branch": "", "non_identity_branch": "_up", "albedo_branch": "_tex"}  # ours -> ending of the authors'
BLOCKS = {"sphere64": (3, 8, 16, 3), "sphere20": (1, 2, 4, 1)}
SHARED_STAGES = 2
MAP = (7, 6)  # height and width of the last stage's map
_CODE_MAP = (320, 8, 8)  # channels, height, width that the authors' albedo decoder starts from
_WRAPPERS = ("dict", "state_dict", "net", "model")  # keys under which training scripts keep the state dict
# Places in the authors' `texdecoder.network` of convolutions and group norms; ours are named in the same order.
_DECODER_CONVOLUTIONS = ((1, "Conv_0"), (3, "TransposedConv_0"), (6, "Conv_1"), (8, "TransposedConv_1"), (11, "Conv_2"),
                         (13, "TransposedConv_2"), (16, "Conv_3"), (18, "TransposedConv_3"), (21, "TransposedConv_4"),
                         (23, "Conv_4"))  # fmt: skip
_DECODER_NORMS = (4, 9, 14, 19)
_CONFIDENCE_DOWN = (0, 3, 6, 9)
_CONFIDENCE_UP = ("network_d.1", "network_d.4", "out_net1.0", "out_net1.3")
_CONFIDENCE_NORMS = ("network_e.1", "network_e.4", "network_e.7", "network_d.2", "network_d.5", "out_net1.1",
                     "out_net1.4")  # fmt: skip


@dataclass(frozen=True)
class Preprocessing:
    """What a foreign network does to images before its first convolution: y = scale * x + shift, x RGB in [0, 1]."""

    scale: float
    shift: float
    bgr: bool = False


PREPROCESSING = {
    "imagenet": None,  # as here: mean and deviation of each channel
    "sphereface": Preprocessing(255 / 128, -127.5 / 128, bgr=True),
    "cosface": Preprocessing(2.0, -1.0),
}


@dataclass(frozen=True)
class Imported:
    """What was found in a file, ready for `make_networks` and its parameters."""

    preset: str  # sphere64 or sphere20
    block_bias: bool
    albedo_maps: int
    params: dict  # by the names of `FaceNetworks`; parts that the file does not have are missing
    used: set[str] = field(default_factory=set)  # names in the file
    notes: list[str] = field(default_factory=list)


def convert_torch(arrays: Mapping[str, Any], preprocessing: str | None = None) -> Imported:
    """Parameters from a PyTorch state dict.

    Args:
      arrays: as `weight_files.read_torch` gives it.
      preprocessing: how the foreign network normalizes images, a key of `PREPROCESSING`; None: as its code has it.
        Another one than "imagenet" is folded into the first convolution: exact but for the first row and column of its
        output, whose padding means another color there.

    Raises:
      ValueError: if it is none of the known networks, or a layer is missing or of another shape.
    """
    if preprocessing not in (None, *PREPROCESSING):
        raise ValueError(f"preprocessing must be one of {', '.join(PREPROCESSING)}, got {preprocessing!r}")
    state = unwrapped(arrays)
    reader = _Reader(state)
    blocks = _count_blocks(reader)
    preset = _preset(blocks)
    notes = [] if blocks == BLOCKS[preset] else [_filled_up(blocks, BLOCKS[preset])]
    stages = [reader.stage(stage, "", BLOCKS[preset][stage]) for stage in range(NUM_STAGES)]
    params: dict[str, Any] = {"trunk": _numbered(stages[:SHARED_STAGES])}
    own = [f"layer3{ending}.0.0.weight" in state for ending in BRANCHES.values()]
    for branch, ending in BRANCHES.items():
        upper = range(SHARED_STAGES, NUM_STAGES)
        found = [reader.stage(stage, ending, BLOCKS[preset][stage]) for stage in upper] if all(own) else stages[2:]
        params[branch] = _numbered(found)
    if not all(own):
        notes.append("all branches start from the same upper stages")
    maps = 1
    if "texdecoder.fc.weight" in state:
        maps = reader.decoders(params)
    preprocessing = preprocessing or _USUAL[reader.naming]
    fold_preprocessing(params["trunk"]["Stage_0"]["Conv_0"], PREPROCESSING[preprocessing])
    notes.append(f"images were normalized the {preprocessing} way")
    bias = "bias" in params["trunk"]["Stage_0"]["ResidualBlock_0"]["Conv_0"]
    return Imported(preset, bias, maps, params, reader.used, notes)


def unwrapped(arrays: Mapping[str, Any]) -> dict[str, Float[np.ndarray, "..."]]:
    """The state dict itself: out of what training scripts put around it, without `module.` before the names."""
    for wrapper in _WRAPPERS:
        if isinstance(arrays.get(wrapper), Mapping):
            arrays = arrays[wrapper]
    return {name.removeprefix("module."): array for name, array in arrays.items() if isinstance(array, np.ndarray)}


def fold_preprocessing(convolution: dict, preprocessing: Preprocessing | None) -> None:
    """Changes the first convolution so that images normalized our way give what it was trained to see."""
    if preprocessing is None:
        return
    kernel = np.asarray(convolution["kernel"], np.float64)
    kernel = kernel[:, :, ::-1] if preprocessing.bgr else kernel
    mean, std = np.array(IMAGE_MEAN), np.array(IMAGE_STD)
    # x = std n + mean for what our networks make of an image, n; y = scale x + shift for what theirs do.
    shift = np.einsum("hwio,i->o", kernel, preprocessing.scale * mean + preprocessing.shift)
    convolution["kernel"] = (kernel * preprocessing.scale * std[:, None]).astype(np.float32)
    convolution["bias"] = (convolution["bias"] + shift).astype(np.float32)


class _Reader:
    """Takes layers out of a state dict, by whichever naming it has."""

    def __init__(self, state: Arrays):
        self.state, self.used = state, set()
        namings = {"conv1_1.weight": _sphereface, "layer1.0.0.weight": _authors, "layer1.0.weight": _cosface}
        found = [naming for name, naming in namings.items() if name in state]
        if not found:
            raise ValueError(
                f"no known network: none of {', '.join(namings)} among its {len(state)} arrays (first: "
                f"{', '.join(sorted(state)[:3]) or 'none'}); sphereface, CosFace and the paper's net.py can be read"
            )
        self.naming = found[0]

    def take(self, name: str, shape: tuple[int | None, ...]) -> Float[np.ndarray, "..."]:
        """An array of the file; None stands for any size."""
        if name not in self.state:
            raise ValueError(f"{name} is missing")
        array = self.state[name]
        fits = len(array.shape) == len(shape) and all(w in (None, n) for n, w in zip(array.shape, shape, strict=True))
        if not fits:
            expected = ", ".join("any" if want is None else str(want) for want in shape)
            raise ValueError(f"{name} has shape {list(array.shape)}, expected [{expected}]")
        self.used.add(name)
        return np.asarray(array, np.float32)

    def convolution(self, name: str, inputs: int | None, outputs: int | None, size: int = 3) -> dict:
        """OIHW -> HWIO, with its bias if it has one."""
        kernel = self.take(f"{name}.weight", (outputs, inputs, size, size)).transpose(2, 3, 1, 0)
        return {"kernel": kernel} | self.bias(name, kernel.shape[-1])

    def transposed(self, name: str, size: int) -> dict:
        """IOHW -> HWIO, mirrored: a transposed convolution correlates with the kernel turned by 180 degrees."""
        kernel = self.take(f"{name}.weight", (None, None, size, size)).transpose(2, 3, 0, 1)[::-1, ::-1]
        return {"kernel": kernel} | self.bias(name, kernel.shape[-1])

    def bias(self, name: str, size: int) -> dict:
        return {"bias": self.take(f"{name}.bias", (size,))} if f"{name}.bias" in self.state else {}

    def norm(self, name: str) -> dict:
        return {"scale": self.take(f"{name}.weight", (None,)), "bias": self.take(f"{name}.bias", (None,))}

    def stage(self, stage: int, ending: str, blocks: int) -> dict:
        """A stage, filled up with blocks that change nothing where the file has fewer."""
        channels = 64 << stage
        first, slope, _ = self.naming(stage + 1, ending, 0)
        found: dict[str, Any] = {
            "Conv_0": self.convolution(first, 3 if stage == 0 else channels // 2, channels),
            "PReLU_0": {"slope": self.take(f"{slope}.weight", (channels,))},
        }
        for index in range(blocks):
            _, _, parts = self.naming(stage + 1, ending, index)
            if f"{parts[0]}.weight" not in self.state:
                found[f"ResidualBlock_{index}"] = _idle_like(found[f"ResidualBlock_{index - 1}"])
                continue
            found[f"ResidualBlock_{index}"] = {
                "Conv_0": self.convolution(parts[0], channels, channels),
                "PReLU_0": {"slope": self.take(f"{parts[1]}.weight", (channels,))},
                "Conv_1": self.convolution(parts[2], channels, channels),
                "PReLU_1": {"slope": self.take(f"{parts[3]}.weight", (channels,))},
            }
        return found

    def decoders(self, params: dict) -> int:
        """Adds the authors' hidden layer, albedo decoder and ConfNet; returns the number of albedo maps."""
        flat = (512, *MAP)
        params["non_identity_head"] = {
            "Dense_0": self.dense("fc1_up", reads=flat),
            "PReLU_0": {"slope": self.take("re_up.weight", (None,))},
        }
        params["albedo_head"] = {"Dense_0": self.dense("fc5_tex", reads=flat)}
        decoder: dict[str, Any] = {"Dense_0": self.dense("texdecoder.fc", makes=_CODE_MAP)}
        for place, ours in _DECODER_CONVOLUTIONS:  # those of stride 1 are transposed convolutions there, too
            decoder[ours] = self.transposed(f"texdecoder.network.{place}", 3)
        for index, place in enumerate(_DECODER_NORMS):
            decoder[f"GroupNorm_{index}"] = self.norm(f"texdecoder.network.{place}")
        params["albedo_decoder"] = decoder
        if "conf_Net.fc_e.weight" in self.state:
            params["confidence"] = self.confidence(flat)
        return decoder["Conv_4"]["kernel"].shape[-1] // 3

    def confidence(self, flat: tuple[int, int, int]) -> dict:
        """The authors' ConfNet."""
        name = "conf_Net"
        found: dict[str, Any] = {
            f"Conv_{index}": self.convolution(f"{name}.network_e.{place}", None, None, 4)
            for index, place in enumerate(_CONFIDENCE_DOWN)
        }
        found["Conv_4"] = self.convolution(f"{name}.out_net2.0", None, 2)
        found["Conv_5"] = self.convolution(f"{name}.out_net1.6", None, 2, 5)
        found["Dense_0"] = self.dense(f"{name}.fc_e", reads=flat)
        found["Dense_1"] = self.dense(f"{name}.fc_d", makes=flat)
        for index, place in enumerate(_CONFIDENCE_UP):
            found[f"TransposedConv_{index}"] = self.transposed(f"{name}.{place}", 4)
        for index, place in enumerate(_CONFIDENCE_NORMS):
            found[f"GroupNorm_{index}"] = self.norm(f"{name}.{place}")
        return found

    def dense(self, name: str, *, reads: tuple | None = None, makes: tuple | None = None) -> dict:
        """A linear layer; `reads` or `makes` is the map (C, H, W) that its input or output is, flattened."""
        rows, columns = (None if size is None else int(np.prod(size)) for size in (makes, reads))
        kernel = self.take(f"{name}.weight", (rows, columns)).T
        bias = self.bias(name, kernel.shape[-1])
        if reads is not None:
            kernel = kernel.reshape(*reads, -1).transpose(1, 2, 0, 3).reshape(kernel.shape)
        if makes is not None:
            order = np.arange(int(np.prod(makes))).reshape(makes).transpose(1, 2, 0).reshape(-1)
            kernel, bias = kernel[:, order], {part: values[order] for part, values in bias.items()}
        return {"kernel": kernel} | bias


def _sphereface(stage: int, ending: str, block: int) -> tuple[str, str, tuple[str, ...]]:
    """Names of a stage's first convolution and its PReLU, and of a block's two convolutions with theirs."""
    n = 2 + 2 * block
    parts = (f"conv{stage}_{n}", f"relu{stage}_{n}", f"conv{stage}_{n + 1}", f"relu{stage}_{n + 1}")
    return f"conv{stage}_1", f"relu{stage}_1", parts


def _cosface(stage: int, ending: str, block: int) -> tuple[str, str, tuple[str, ...]]:
    prefix = f"layer{stage}.{2 + block}"
    return f"layer{stage}.0", f"layer{stage}.1", tuple(f"{prefix}.{x}" for x in ("conv1", "prelu1", "conv2", "prelu2"))


def _authors(stage: int, ending: str, block: int) -> tuple[str, str, tuple[str, ...]]:
    layer = f"layer{stage}{ending}"
    prefix = f"{layer}.{1 + block}.group1"
    return f"{layer}.0.0", f"{layer}.0.1", tuple(f"{prefix}.{x}" for x in ("conv1", "relu1", "conv2", "relu2"))


_USUAL = {_sphereface: "sphereface", _cosface: "cosface", _authors: "imagenet"}


def _count_blocks(reader: _Reader) -> tuple[int, ...]:
    counts = []
    for stage in range(1, NUM_STAGES + 1):
        count = 0
        while f"{reader.naming(stage, '', count)[2][0]}.weight" in reader.state:
            count += 1
        counts.append(count)
    return tuple(counts)


def _preset(blocks: tuple[int, ...]) -> str:
    """The smallest preset that has at least as many blocks in every stage."""
    for preset, most in sorted(BLOCKS.items(), key=lambda item: sum(item[1])):
        if all(1 <= count <= limit for count, limit in zip(blocks, most, strict=True)):
            return preset
    known = "; ".join(f"{preset}: {blocks}" for preset, blocks in BLOCKS.items())
    raise ValueError(f"its stages have {blocks} residual blocks, known are up to ({known})")


def _filled_up(blocks: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    return f"its stages have {blocks} blocks, filled up to {wanted} with blocks that change nothing until trained"


def _idle_like(block: dict) -> dict:
    """A block of the same shapes that adds zero: its second convolution is zero, its first one that of `block`."""
    second = {part: np.zeros_like(values) for part, values in block["Conv_1"].items()}
    return {**block, "Conv_1": second}


def _numbered(stages: list[dict]) -> dict:
    return {f"Stage_{index}": stage for index, stage in enumerate(stages)}
