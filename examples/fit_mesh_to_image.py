"""Fit shape and pose of a face to a picture by gradient descent through the renderer; no network is involved.

python examples/fit_mesh_to_image.py --out fit     writes fit/target.png, fit/start.png, fit/fitted.png
"""

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax

import sirjax
from sirjax.export.files import write_image
from sirjax.geometry import camera as cameras
from sirjax.geometry import mesh
from sirjax.geometry.rotation import rotation_from_quaternion
from sirjax.morphable.model import neutral_vertices
from sirjax.types import Camera

SIZE = (112, 112)


def draw(model, parameters):
    """The face that the parameters describe, [1, H, W, 3]."""
    vertices = neutral_vertices(model, parameters["shape"])
    rotation = rotation_from_quaternion(parameters["turn"] + jnp.array([[0.0, 0.0, 0.0, 1.0]]))
    camera = Camera(rotation=rotation, scale=jnp.array([0.42]), translation=56.0 + 10 * parameters["shift"])
    normals = mesh.vertex_normals(vertices, model.topology) @ jnp.swapaxes(rotation, -1, -2)
    light = jnp.zeros((1, 9, 3)).at[:, 0].set(0.8).at[:, 1:3].set(0.25)
    layout = {"triangles": model.triangles, "uv": model.uv, "uv_triangles": model.uv_triangles}
    projected, albedo = cameras.project(camera, vertices), model.mean_albedo[None]
    return sirjax.render.render(projected, normals, albedo, light, image_size=SIZE, antialias=True, **layout).image


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("fit"), help="folder for the pictures")
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--face-model", default="builtin")
    args = parser.parse_args(argv)
    model = sirjax.load_face_model(args.face_model)
    start = {"shape": jnp.zeros((1, model.num_shape)), "turn": jnp.zeros((1, 4)), "shift": jnp.zeros((1, 2))}
    hidden = {
        "shape": jax.random.normal(jax.random.key(2), (1, model.num_shape)),
        "turn": jnp.array([[0.05, 0.2, 0.04, 0.0]]),
        "shift": jnp.array([[0.4, -0.3]]),
    }
    image = jax.jit(draw)
    target = image(model, hidden)

    def loss(parameters, model):  # the model is an argument: constants of its size are slow to compile
        return 100 * jnp.mean((draw(model, parameters) - target) ** 2) + 1e-4 * jnp.mean(parameters["shape"] ** 2)

    optimizer = optax.adam(optax.cosine_decay_schedule(0.05, args.steps))

    @jax.jit
    def step(parameters, state, model):
        value, gradient = jax.value_and_grad(loss)(parameters, model)
        updates, state = optimizer.update(gradient, state)
        return optax.apply_updates(parameters, updates), state, value

    fitted, state = start, optimizer.init(start)
    for i in range(args.steps):
        fitted, state, value = step(fitted, state, model)
        if i % 25 == 0 or i == args.steps - 1:
            print(f"step {i:4d}  loss {value:.5f}  shape error {shape_error(model, fitted, hidden):.2f} mm")
    args.out.mkdir(parents=True, exist_ok=True)
    for name, parameters in {"start": start, "fitted": fitted, "target": hidden}.items():
        write_image(args.out / f"{name}.png", np.uint8(255 * np.clip(image(model, parameters)[0], 0, 1)))
    first, last = shape_error(model, start, hidden), shape_error(model, fitted, hidden)
    print(f"shape error {first:.2f} -> {last:.2f} mm; pictures in {args.out}")
    return first, last


def shape_error(model, parameters, truth):
    """Root mean square distance of the neutral vertices, mm."""
    offset = neutral_vertices(model, parameters["shape"]) - neutral_vertices(model, truth["shape"])
    return float(jnp.sqrt(jnp.mean(jnp.sum(offset**2, axis=-1))))


if __name__ == "__main__":
    main()
