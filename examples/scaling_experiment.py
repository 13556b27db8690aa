"""Scale a training step over devices: the same batch on 1, 2, 4, ... of them gives the same losses in less time.

python examples/scaling_experiment.py                       virtual CPU devices: look at the losses, not the speed
python examples/scaling_experiment.py --preset sphere64     on a machine with several GPUs

What the step does is written for one device; `parallel_step` makes it that of all (`jax.pmap`). Real runs are scaled
by `sirjax train` alone, over several hosts too: docs/scaling.md.
"""

import argparse
import os
import time

os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=4")  # before JAX starts

import jax
import jax.numpy as jnp
import numpy as np
import optax

import sirjax
from configs import default
from sirjax.constants import IMAGE_SIZE
from sirjax.training import setup
from sirjax.training.parallel import DEVICES, parallel_step, replicate, split_batch
from sirjax.training.state import initial_state
from sirjax.training.step import make_train_step
from sirjax.types import Batch


def random_batch(size, num_identities, rng):
    """Photos of noise with labels of noise: as much work as real ones."""
    return Batch(
        image=jnp.asarray(rng.random((size, *IMAGE_SIZE, 3)), jnp.float32),
        landmarks=jnp.asarray(rng.uniform(20, 90, (size, 68, 2)), jnp.float32),
        has_landmarks=jnp.ones(size, bool),
        identity=jnp.asarray(rng.integers(0, num_identities, size), jnp.int32),
    )


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", default="1,2,4", help="how many, one after the other")
    parser.add_argument("--batch", type=int, default=16, help="photos of a step, over all devices")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--preset", default="debug", help="networks: debug, tiny, sphere20, sphere64")
    parser.add_argument("--face-model", default="builtin")
    args = parser.parse_args(argv)

    config = default.get_config()
    config.networks.preset, config.losses.perceptual, config.networks.uv_size = args.preset, 0.0, 64
    face_model = sirjax.load_face_model(args.face_model)
    networks = setup.make_networks_for(config.networks, face_model)
    method, frozen = setup.make_method(config, face_model), setup.make_frozen(config, face_model)
    optimizer = optax.adam(1e-3)
    one_device = make_train_step(networks, optimizer, method, axis_name=DEVICES)
    batch = random_batch(args.batch, 10, np.random.default_rng(0))

    losses = {}
    print("devices  photos/s  total loss of each step")
    for count in map(int, args.devices.split(",")):
        devices = jax.local_devices()[:count]
        step = parallel_step(one_device, devices)
        state = initial_state(networks, optimizer, num_identities=10, num_shape=face_model.num_shape, seed=0)
        state, constants, parts = replicate(state, devices), replicate(frozen, devices), split_batch(batch, count)
        losses[count] = []
        for i in range(args.steps):
            if i == 1:  # the first step compiled
                start = time.perf_counter()
            state, metrics = step(state, parts, constants)
            losses[count].append(float(metrics["total"]))
        speed = args.batch * (args.steps - 1) / (time.perf_counter() - start)
        print(f"{count:7d}  {speed:8.1f}  " + "  ".join(f"{loss:.4f}" for loss in losses[count]))
    return losses


if __name__ == "__main__":
    main()
