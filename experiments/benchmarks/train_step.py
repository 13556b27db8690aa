"""Where does the time of one training step go?

    python -m experiments.benchmarks.train_step --preset sphere64 --batch 8

Times the whole step (forward, backward, update) and, alone, each part of it with its gradient: networks, face model,
renderer, losses without rendering, and reading a batch. Parts are compiled on their own, so their sum is only about the
whole. Prints seconds (the median of several runs) and shares of the whole step.
"""

import argparse
import dataclasses
import statistics
import tempfile
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from configs import default
from sirjax import decode as decoding
from sirjax.constants import NO_IDENTITY
from sirjax.data import pipeline
from sirjax.data.synthetic import write_synthetic_set
from sirjax.morphable import model as morphable
from sirjax.morphable.builtin import builtin_face_model
from sirjax.networks.model import make_networks
from sirjax.training import setup, terms
from sirjax.training.optimizer import make_optimizer, make_schedule
from sirjax.training.state import initial_state
from sirjax.training.step import make_train_step
from sirjax.types import Batch, Coefficients


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="sphere64")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--uv-size", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--perceptual", action="store_true", help="with VGG16 features (needs its weights)")
    args = parser.parse_args()

    config = default.get_config()
    config.losses.perceptual = 0.25 if args.perceptual else 0.0
    model = builtin_face_model()
    networks = make_networks(
        args.preset, num_shape=model.num_shape, num_expression=model.num_expression, uv_size=args.uv_size
    )
    frozen = setup.make_frozen(config, model)
    method = setup.make_method(config, model)
    optimizer = make_optimizer(make_schedule("constant", learning_rate=1e-3, total_steps=1))
    batch = random_batch(args.batch)
    state = initial_state(networks, optimizer, num_identities=1000, num_shape=model.num_shape, seed=0)
    output = networks.apply({"params": state.params["networks"]}, batch.image)

    step = jax.jit(make_train_step(networks, optimizer, method), donate_argnums=0)
    whole = time_step(step, state, batch, frozen, args.repeats)
    state = initial_state(networks, optimizer, num_identities=1000, num_shape=model.num_shape, seed=0)
    parts = {
        "networks": timed(part_networks(networks), state.params["networks"], batch.image, repeats=args.repeats),
        "face model": timed(part_face_model, frozen, output, repeats=args.repeats),
        "renderer": timed(part_renderer, frozen, output, repeats=args.repeats),
        "losses": timed(part_losses(method), frozen, batch, output, state, repeats=args.repeats),
        "data": time_data(model, args.batch),
    }
    print(f"{args.preset}, batch {args.batch}, {jax.devices()[0].platform}, seconds per step")
    print(f"{'whole step':12s} {whole:8.3f}   {args.batch / whole:.2f} images/s")
    for name, seconds in parts.items():
        print(f"{name:12s} {seconds:8.3f}   {seconds / whole:6.1%}")


def random_batch(size: int) -> Batch:
    rng = np.random.default_rng(0)
    labelled = np.arange(size) % 2 == 0
    return Batch(
        image=rng.uniform(size=(size, 112, 96, 3)).astype(np.float32),
        landmarks=rng.uniform(20, 90, size=(size, 68, 2)).astype(np.float32),
        has_landmarks=labelled,
        identity=np.where(labelled, NO_IDENTITY, np.arange(size)).astype(np.int32),
    )


def timed(function, *arguments, repeats: int) -> float:
    compiled = jax.jit(function)
    jax.block_until_ready(compiled(*arguments))
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(compiled(*arguments))
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def time_step(step, state, batch, frozen, repeats: int) -> float:
    state, _ = jax.block_until_ready(step(state, batch, frozen))
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        state, _ = jax.block_until_ready(step(state, batch, frozen))
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def part_networks(networks):
    def total(params, image):
        return sum(jnp.sum(leaf) for leaf in jax.tree.leaves(networks.apply({"params": params}, image)))

    return jax.grad(total)


def part_face_model(frozen, output):
    def total(coefficients):
        return jnp.sum(jnp.square(morphable.vertices(frozen.face_model, coefficients)))

    return jax.grad(total)(Coefficients(shape=output.shape, expression=output.expression))


def part_renderer(frozen, output):
    """From vertices to the image, with gradients in vertices, albedo and light."""
    model = frozen.face_model
    vertices = morphable.vertices(model, Coefficients(shape=output.shape, expression=output.expression))
    camera = decoding.decode_camera(output, frozen.camera_template)
    albedo = decoding.albedo_map(model, output.albedo_residual)

    def total(vertices, albedo, light):
        return jnp.sum(jnp.square(decoding.draw_mesh(model, vertices, camera, albedo, light)[0].image))

    return jax.grad(total, argnums=(0, 1, 2))(vertices, albedo, output.light)


def part_losses(method):
    """Every term but the drawing: the rendering is taken as given."""

    def run(frozen, batch, output, state):
        mirrored = jnp.zeros(len(batch.image), bool)
        face = decoding.decode(frozen.face_model, output, frozen.camera_template)

        def total(output, image, class_weights):
            rendering = dataclasses.replace(face.rendering, image=image)
            reading = terms.Reading(output, face.camera, face.landmarks, rendering, mirrored)
            values = terms.reconstruction_terms(method, frozen, batch, reading)
            identity, kl = terms.identity_terms(method, frozen, batch, reading, class_weights, state.centers, None)
            return sum(jnp.sum(value) for value in (values | identity).values()) + kl

        return jax.grad(total, argnums=(0, 1, 2))(output, face.rendering.image, state.params["class_weights"])

    return run


def time_data(model, batch_size: int) -> float:
    """Seconds per batch decoded from JPEG records, nothing cached, in the background threads of training."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "records"
        source = write_synthetic_set(
            path, model, num_identities=64, images_per_identity=1, kind="landmark", progress=False
        )
        stream = pipeline.batches(pipeline.Sources(landmark=source), batch_size=batch_size, seed=0, cache_bytes=0)
        next(stream)
        count = max(4, 256 // batch_size)
        start = time.perf_counter()
        for _ in range(count):
            next(stream)
        seconds = (time.perf_counter() - start) / count
        stream.close()
    return seconds


if __name__ == "__main__":
    main()
