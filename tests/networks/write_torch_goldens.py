"""Runs the networks of `torch_families` in PyTorch and writes what every layer gives to torch_goldens.json.

  pip install torch
  python -m tests.networks.write_torch_goldens

PyTorch (2.15 wrote the file) is needed for this alone: the tests compare with the numbers that are kept.
"""

import json
from pathlib import Path

import torch
from torch import nn

from tests.networks import torch_families as families

PATH = Path(__file__).with_name("torch_goldens.json")


def put(root, name, module):
    """Hangs a module into a tree of modules under a dotted name."""
    *folders, last = name.split(".")
    for folder in folders:
        if not hasattr(root, folder):
            root.add_module(folder, nn.Module())
        root = getattr(root, folder)
    root.add_module(last, module)
    return module


class Network(nn.Module):
    """Any of the families."""

    def __init__(self, family):
        super().__init__()
        self.naming, self.blocks = families.FAMILIES[family]
        self.branches = {}
        for ending in families.ENDINGS if self.naming == "authors" else ("",):
            self.branches[ending] = list(self._stages(ending))
        if self.naming != "authors":
            put(self, {"sphereface": "fc5", "cosface": "fc"}[self.naming], nn.Linear(512 * 7 * 6, 512))
            return
        self.fc5, self.fc5_tex = nn.Linear(512 * 7 * 6, 398), nn.Linear(512 * 7 * 6, 512)
        self.fc1_up, self.re_up, self.fc2_up = nn.Linear(512 * 7 * 6, 512), nn.PReLU(512), nn.Linear(512, 63)
        put(self, "texdecoder.fc", nn.Linear(512, 8 * 8 * 320))
        self.decoder = {}
        for place, inputs, outputs, stride in families.DECODER:
            layer = nn.ConvTranspose2d(inputs, outputs, 3, stride, padding=1, output_padding=stride - 1)
            self.decoder[place] = put(self, f"texdecoder.network.{place}", layer)
        for place, (groups, channels) in families.DECODER_NORMS.items():
            self.decoder[place] = put(self, f"texdecoder.network.{place}", nn.GroupNorm(groups, channels))
        self.conf = {}
        for place, inputs, outputs in families.CONF_DOWN:
            self._conf(f"network_e.{place}", nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False))
        self._conf("fc_e", nn.Linear(512 * 7 * 6, 128, bias=False))
        self._conf("fc_d", nn.Linear(128, 512 * 7 * 6, bias=False))
        for name, inputs, outputs in families.CONF_UP:
            self._conf(name, nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False))
        for name, channels in families.CONF_NORMS.items():
            self._conf(name, nn.GroupNorm(channels // 4, channels))
        self._conf("out_net1.6", nn.Conv2d(64, 2, 5, 1, 2, bias=False))
        self._conf("out_net2.0", nn.Conv2d(128, 2, 3, 1, 1, bias=False))

    def _conf(self, name, module):
        self.conf[name] = put(self, f"conf_Net.{name}", module)

    def _stages(self, ending):
        for stage, first, slope, inner in families.stages_of(self.naming, self.blocks, ending):
            inputs, outputs = families.CHANNELS[stage - 1 : stage + 1]
            start = nn.Sequential(
                put(self, first, nn.Conv2d(inputs, outputs, 3, 2, 1)), put(self, slope, nn.PReLU(outputs))
            )
            bias = self.naming != "cosface"
            rest = [
                nn.Sequential(*[
                    put(self, name, nn.PReLU(outputs) if i % 2 else nn.Conv2d(outputs, outputs, 3, 1, 1, bias=bias))
                    for i, name in enumerate(block)
                ])
                for block in inner
            ]  # fmt: skip
            yield start, rest

    def forward(self, x):
        def through(stages, x):
            for start, blocks in stages:
                x = start(x)
                for block in blocks:
                    x = x + block(x)
            return x

        shared = through(self.branches[""][:2], x)
        flat = through(self.branches[""][2:], shared).flatten(1)
        if self.naming != "authors":
            return (self.fc5 if self.naming == "sphereface" else self.fc)(flat)
        self.fc5(flat)
        self.fc2_up(self.re_up(self.fc1_up(through(self.branches["_up"], shared).flatten(1))))
        code = self.fc5_tex(through(self.branches["_tex"], shared).flatten(1))
        y = torch.relu(self.texdecoder.fc(code).view(-1, 320, 8, 8))
        for place in sorted(self.decoder):
            y = self.decoder[place](y)
            if place in families.DECODER_NORMS or place + 1 not in families.DECODER_NORMS:
                y = torch.relu(y) if place != 23 else y
        self.confidence(x)
        return y

    def confidence(self, x):
        """ConfNet; relu behind what has a norm going up, leaky relu going down."""
        conf = self.conf
        for place in (0, 3, 6, 9):
            x = conf[f"network_e.{place}"](x)
            x = conf[f"network_e.{place + 1}"](x) if place < 9 else x
            x = nn.functional.leaky_relu(x, 0.2)
        x = torch.relu(conf["fc_d"](torch.relu(conf["fc_e"](x.flatten(1))))).view(-1, 512, 7, 6)
        for name, norm in (("network_d.1", "network_d.2"), ("network_d.4", "network_d.5")):
            x = torch.relu(conf[norm](conf[name](x)))
        conf["out_net2.0"](x)
        for name, norm in (("out_net1.0", "out_net1.1"), ("out_net1.3", "out_net1.4")):
            x = torch.relu(conf[norm](conf[name](x)))
        conf["out_net1.6"](x)


def run(family):
    """Digest of every layer's output, by our names."""
    network = Network(family)
    state = {name: torch.from_numpy(array) for name, array in families.random_state(family).items()}
    network.load_state_dict(state)  # strict: names and shapes are those of PyTorch
    found = {}
    modules = dict(network.named_modules())

    def keep(ours):
        def hook(module, inputs, output):
            found[ours] = families.digest(output.permute(0, 2, 3, 1) if output.ndim == 4 else output)

        return hook

    for ours, theirs in families.layers(family).items():
        modules[theirs].register_forward_hook(keep(ours))
    with torch.no_grad():
        network(torch.from_numpy(families.images()).permute(0, 3, 1, 2))
    return found


if __name__ == "__main__":
    goldens = {"torch": torch.__version__, **{family: run(family) for family in families.FAMILIES}}
    text = json.dumps(goldens, indent=1)
    PATH.write_text(text.replace("\n   ", " ").replace("\n  ]", "]") + "\n")
