"""Ablate the SIR loss in somebody else's training: plain arrays, a small network in plain JAX, nothing else of sirjax.

python examples/loss_ablation.py     half a minute: a table, one row for each set of losses

A "photo" here is 64 numbers made of a person's 8 shape coefficients, a turn and an expression of the head; the network
reads the shape back. One photo in twenty comes with the true shape (as landmarks would tell it), the others with the
person's number only. Measured on people never trained on: do two photos show one person, and how far off is the shape?

What each term is worth in this small world says nothing about faces: for those see experiments/README.md.
"""

import argparse

import jax
import jax.numpy as jnp
import numpy as np
import optax

from sirjax import losses
from sirjax.evaluation.verification import make_pairs, verify_descriptors
from sirjax.geometry.rotation import rotation_from_euler

STD = jnp.linspace(8.0, 1.0, 8)  # mm, of each shape coefficient over people
ABLATIONS = {  # what counts how much, beside the true shapes; `weighted` is about the update of the centers
    "true shapes only": {},
    "softmax": {"softmax": 0.02},
    "softmax + centers": {"softmax": 0.02, "center": 0.002},
    "softmax + weighted centers": {"softmax": 0.02, "center": 0.002, "weighted": True},
    "softmax + weighted centers + KL": {"softmax": 0.02, "center": 0.002, "weighted": True, "kl": 0.02},
}


def make_photos(people, photos, key):
    """Photos [N, 64] and what they were made of: true shape [N, 8] (sd), yaw, expression [N, 3], person [N]."""
    keys = jax.random.split(key, 5)
    person = jnp.repeat(jnp.arange(people), photos)
    shape = jax.random.normal(keys[0], (people, 8))[person]
    yaw = jax.random.uniform(keys[1], person.shape, minval=-1.0, maxval=1.0)
    expression = jax.random.normal(keys[2], (len(person), 3))
    seen = jnp.concatenate([shape * jnp.cos(yaw)[:, None], jnp.sin(yaw)[:, None], expression], axis=1)
    mixing = jax.random.normal(jax.random.key(99), (seen.shape[1], 64)) / 3  # the same world for everybody
    noise = 0.35 * (1 + 2 * jnp.abs(yaw))[:, None] * jax.random.normal(keys[3], (len(person), 64))
    return {"image": jnp.tanh(seen @ mixing) + noise, "shape": shape, "yaw": yaw, "expression": expression,
            "person": person}  # fmt: skip


def read(params, image):
    """The network: whitened shapes [B, 8]."""
    return jax.nn.relu(image @ params["in"] + params["bias"]) @ params["out"]


def total(params, centers, batch, weights):
    """The whole loss is a sum of terms; a term that is not named is not there."""
    whitened = read(params, batch["image"])
    mm = whitened * STD[None]
    error = jnp.mean(jnp.square(whitened - batch["shape"]), axis=-1)
    terms = jnp.sum(error * batch["labelled"]) / jnp.maximum(jnp.sum(batch["labelled"]), 1.0)
    if "softmax" in weights:
        softmax = losses.cosface_loss(mm, params["classes"], batch["person"], scale=16.0, margin=0.2)
        terms += weights["softmax"] * softmax.mean()
    if "center" in weights:
        terms += weights["center"] * losses.center_loss(mm, centers, batch["person"]).mean()
    if "kl" in weights:
        terms += weights["kl"] * losses.kl_to_standard_normal(whitened, jnp.ones(len(mm), bool))
    return terms, mm


def train(photos, people, weights, steps):
    """Parameters after training with the given weights."""
    keys = jax.random.split(jax.random.key(1), 3)
    params = {
        "in": jax.random.normal(keys[0], (64, 96)) / 8,
        "bias": jnp.zeros((1, 96)),
        "out": jax.random.normal(keys[1], (96, 8)) / 10,
        "classes": jax.random.normal(keys[2], (people, 8)),
    }
    optimizer = optax.adam(optax.cosine_decay_schedule(3e-3, steps))
    rotation = rotation_from_euler(jnp.zeros_like(photos["yaw"]), photos["yaw"], jnp.zeros_like(photos["yaw"]))
    trust = losses.neutral_frontal_confidence(rotation, photos["expression"])
    photos = photos | {"trust": trust if weights.get("weighted") else jnp.ones_like(trust)}
    photos["labelled"] = jnp.asarray(np.random.default_rng(0).random(len(trust)) < 0.05, jnp.float32)

    def step(carry, key):
        params, centers, state = carry
        chosen = jax.random.choice(key, len(photos["person"]), (64,), replace=False)
        batch = {name: values[chosen] for name, values in photos.items()}
        gradient, mm = jax.grad(total, has_aux=True)(params, centers, batch, weights)
        centers = losses.update_centers(centers, mm, batch["person"], batch["trust"], rate=0.5)
        updates, state = optimizer.update(gradient, state)
        return (optax.apply_updates(params, updates), centers, state), None

    start = (params, jnp.zeros((people, 8)), optimizer.init(params))
    (params, _, _), _ = jax.jit(lambda: jax.lax.scan(step, start, jax.random.split(jax.random.key(2), steps)))()
    return params


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=200, help="to train on, and as many to measure on")
    parser.add_argument("--photos", type=int, default=8, help="of each")
    parser.add_argument("--steps", type=int, default=600)
    args = parser.parse_args(argv)
    seen = make_photos(args.people, args.photos, jax.random.key(10))
    unseen = make_photos(args.people, args.photos, jax.random.key(11))
    pairs = make_pairs(np.asarray(unseen["person"]), np.random.default_rng(0), num_pairs=3000)
    results = {}
    print(f"{'losses':34s} verification  shape error  |shape|")
    for name, weights in ABLATIONS.items():
        whitened = read(train(seen, args.people, weights, args.steps), unseen["image"])
        accuracy = verify_descriptors(np.asarray(whitened * STD[None]), pairs).accuracy
        error = float(jnp.sqrt(jnp.mean(jnp.sum(jnp.square((whitened - unseen["shape"]) * STD[None]), axis=-1))))
        length = float(jnp.linalg.norm(whitened, axis=-1).mean())
        results[name] = (accuracy, error, length)
        print(f"{name:34s} {100 * accuracy:10.1f} %  {error:8.2f} mm  {length:7.2f}")
    return results


if __name__ == "__main__":
    main()
