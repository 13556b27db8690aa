"""The public PyTorch networks of the paper's family: their arrays' names and shapes, drawn at random, and their layers.

Facts only, by name and shape, as the public code has them; `write_torch_goldens.py` rebuilds the networks in PyTorch.
"""

import numpy as np

CHANNELS = (3, 64, 128, 256, 512)
FAMILIES = {  # name -> (whose naming, residual blocks of each stage)
    "sphereface20": ("sphereface", (1, 2, 4, 1)),
    "sphereface64": ("sphereface", (3, 8, 16, 3)),
    "cosface20": ("cosface", (1, 2, 4, 1)),
    "cosface64": ("cosface", (3, 7, 16, 3)),
    "authors20": ("authors", (1, 2, 4, 1)),
    "authors64": ("authors", (3, 8, 16, 3)),
}
ENDINGS = {"": "shape_branch", "_up": "non_identity_branch", "_tex": "albedo_branch"}
# (place in texdecoder.network, channels in, channels out, stride)
DECODER = ((1, 320, 256, 1), (3, 256, 128, 2), (6, 128, 192, 1), (8, 192, 96, 2), (11, 96, 128, 1), (13, 128, 64, 2),
           (16, 64, 64, 1), (18, 64, 64, 2), (21, 64, 32, 2), (23, 32, 6, 1))  # fmt: skip
DECODER_NORMS = {4: (8, 128), 9: (6, 96), 14: (4, 64), 19: (4, 64)}  # place -> groups, channels
CONF_DOWN = ((0, 3, 64), (3, 64, 128), (6, 128, 256), (9, 256, 512))
CONF_UP = (("network_d.1", 512, 256), ("network_d.4", 256, 128), ("out_net1.0", 128, 64), ("out_net1.3", 64, 64))
CONF_NORMS = {"network_e.1": 64, "network_e.4": 128, "network_e.7": 256, "network_d.2": 256, "network_d.5": 128,
              "out_net1.1": 64, "out_net1.4": 64}  # fmt: skip


def shapes(family):
    """Name -> shape of every array of the state dict."""
    naming, blocks = FAMILIES[family]
    found = {}

    def conv(name, outputs, inputs, size=3, bias=True):
        found[f"{name}.weight"] = (outputs, inputs, size, size)
        if bias:
            found[f"{name}.bias"] = (outputs,)

    def linear(name, outputs, inputs, bias=True):
        found[f"{name}.weight"] = (outputs, inputs)
        if bias:
            found[f"{name}.bias"] = (outputs,)

    for ending in ENDINGS if naming == "authors" else ("",):
        for stage, first, slope, inner in stages_of(naming, blocks, ending):
            channels = CHANNELS[stage]
            conv(first, channels, CHANNELS[stage - 1])
            found[f"{slope}.weight"] = (channels,)
            for conv1, prelu1, conv2, prelu2 in inner:
                for name, prelu in ((conv1, prelu1), (conv2, prelu2)):
                    conv(name, channels, channels, bias=naming != "cosface")
                    found[f"{prelu}.weight"] = (channels,)
    if naming != "authors":
        linear({"sphereface": "fc5", "cosface": "fc"}[naming], 512, 512 * 7 * 6)
        return found
    linear("fc5", 398, 512 * 7 * 6)
    linear("fc5_tex", 512, 512 * 7 * 6)
    linear("fc1_up", 512, 512 * 7 * 6)
    found["re_up.weight"] = (512,)
    linear("fc2_up", 63, 512)
    linear("texdecoder.fc", 8 * 8 * 320, 512)
    for place, inputs, outputs, _ in DECODER:  # transposed convolutions: inputs first
        found[f"texdecoder.network.{place}.weight"] = (inputs, outputs, 3, 3)
        found[f"texdecoder.network.{place}.bias"] = (outputs,)
    for place, (_, channels) in DECODER_NORMS.items():
        found |= {f"texdecoder.network.{place}.{part}": (channels,) for part in ("weight", "bias")}
    for place, inputs, outputs in CONF_DOWN:
        conv(f"conf_Net.network_e.{place}", outputs, inputs, 4, bias=False)
    linear("conf_Net.fc_e", 128, 512 * 7 * 6, bias=False)
    linear("conf_Net.fc_d", 512 * 7 * 6, 128, bias=False)
    found |= {f"conf_Net.{name}.weight": (inputs, outputs, 4, 4) for name, inputs, outputs in CONF_UP}
    for name, channels in CONF_NORMS.items():
        found |= {f"conf_Net.{name}.{part}": (channels,) for part in ("weight", "bias")}
    conv("conf_Net.out_net1.6", 2, 64, 5, bias=False)
    conv("conf_Net.out_net2.0", 2, 128, 3, bias=False)
    return found


def stages_of(naming, blocks, ending=""):
    """(stage, first convolution, its PReLU, [(conv, PReLU, conv, PReLU) of each block]) of a branch's stages."""
    for stage in range(1 if not ending else 3, 5):
        count = range(blocks[stage - 1])
        if naming == "sphereface":
            inner = [[f"{kind}{stage}_{2 * i + n}" for n in (2, 3) for kind in ("conv", "relu")] for i in count]
            yield stage, f"conv{stage}_1", f"relu{stage}_1", inner
        elif naming == "cosface":
            parts = ("conv1", "prelu1", "conv2", "prelu2")
            inner = [[f"layer{stage}.{i + 2}.{x}" for x in parts] for i in count]
            yield stage, f"layer{stage}.0", f"layer{stage}.1", inner
        else:
            layer = f"layer{stage}{ending}"
            parts = ("conv1", "relu1", "conv2", "relu2")
            inner = [[f"{layer}.{i + 1}.group1.{x}" for x in parts] for i in count]
            yield stage, f"{layer}.0.0", f"{layer}.0.1", inner


def random_state(family):
    """The state dict, the same numbers every time; signals neither die out nor grow."""
    rng = np.random.default_rng(len(family))

    def draw(name, shape):
        of_prelu = any(word in name for word in ("relu", "re_up", "layer")) and name.endswith(".weight")
        if of_prelu and len(shape) == 1:
            return rng.uniform(0.1, 0.4, shape).astype(np.float32)
        values = rng.standard_normal(shape, np.float32)
        if len(shape) == 1:
            return 1 + 0.1 * values if "network" in name or "out_net" in name else 0.1 * values
        inputs = np.prod(shape[1:]) if "texdecoder.network" not in name else shape[0] * 4
        return values * np.float32(inputs**-0.5)

    return {name: draw(name, shape) for name, shape in shapes(family).items()}


def images():
    """[1, 112, 96, 3] of noise, as the networks see them: normalized."""
    return np.random.default_rng(7).standard_normal((1, 112, 96, 3), np.float32)


def layers(family):
    """Our layer, as a path -> the layer of PyTorch whose output it must have."""
    naming, blocks = FAMILIES[family]
    found = {}
    for ending, branch in ENDINGS.items():
        for stage, _, slope, inner in stages_of(naming, blocks, ending if naming == "authors" else ""):
            if stage < 3 and ending:
                continue
            place = f"trunk/Stage_{stage - 1}" if stage < 3 else f"{branch}/Stage_{stage - 3}"
            found[f"{place}/PReLU_0"] = slope
            for i, (_, prelu1, _, prelu2) in enumerate(inner):
                found |= {f"{place}/ResidualBlock_{i}/PReLU_{n}": name for n, name in enumerate((prelu1, prelu2))}
    if naming != "authors":
        return found
    found |= {"non_identity_head/PReLU_0": "re_up", "albedo_head/Dense_0": "fc5_tex"}
    plain, doubling = 0, 0
    for place, _, _, stride in DECODER:
        name = f"Conv_{plain}" if stride == 1 else f"TransposedConv_{doubling}"
        plain, doubling = plain + (stride == 1), doubling + (stride == 2)
        found[f"albedo_decoder/{name}"] = f"texdecoder.network.{place}"
    for i, place in enumerate(DECODER_NORMS):
        found[f"albedo_decoder/GroupNorm_{i}"] = f"texdecoder.network.{place}"
    for i, (place, _, _) in enumerate(CONF_DOWN):
        found[f"confidence/Conv_{i}"] = f"conf_Net.network_e.{place}"
    for i, (name, _, _) in enumerate(CONF_UP):
        found[f"confidence/TransposedConv_{i}"] = f"conf_Net.{name}"
    for i, name in enumerate(CONF_NORMS):
        found[f"confidence/GroupNorm_{i}"] = f"conf_Net.{name}"
    return found | {
        "confidence/Dense_0": "conf_Net.fc_e",
        "confidence/Conv_4": "conf_Net.out_net2.0",
        "confidence/Conv_5": "conf_Net.out_net1.6",
    }


def digest(value):
    """A few numbers of a layer's output [B, (H, W,) C] that tell it: root mean square, and 6 entries spread over it."""
    flat = np.asarray(value, np.float64).reshape(-1)
    places = np.random.default_rng(flat.size).integers(flat.size, size=6)
    return [float(f"{number:.7g}") for number in (np.sqrt(np.mean(flat**2)), *flat[places])]
