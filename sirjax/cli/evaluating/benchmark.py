"""Measure a trained run on records of people whose true shape is known, best such that it was not trained on.

examples:
  sirjax evaluate benchmark runs/sir --records records/heldout
  sirjax evaluate benchmark runs/sir --records records/heldout --json figures.json
  sirjax evaluate benchmark runs/sir --records records/heldout --json | jq .

Reports identity verification by Euclidean and cosine distance of shape codes, the neutral shape's error against the
truth and against the mean face, landmark error (NME), and how distinct the shapes are; see docs/method.md.
"""

import argparse
import json
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from sirjax import decode as decoding
from sirjax.cli.evaluating.codes import make_reader
from sirjax.data.images import decode_image
from sirjax.data.records import open_records
from sirjax.evaluation.summary import EvaluationResult, evaluate_identities
from sirjax.files import write_text
from sirjax.geometry.camera import project
from sirjax.geometry.rotation import euler_from_rotation
from sirjax.morphable.model import landmarks_of
from sirjax.networks.batches import split
from sirjax.training.setup import TrainedRun, load_run
from sirjax.types import Camera

STDOUT = Path("-")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `sirjax evaluate benchmark`."""
    parser.add_argument("run_directory", type=Path, help="run directory, .safetensors file, or builtin")
    parser.add_argument("--records", required=True, type=Path, help="records with identities and true shapes")
    parser.add_argument("--pairs", type=int, default=6000, help="pairs to verify (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=64, help="images read at once (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of pairs and bootstrap (default: %(default)s)")
    parser.add_argument(
        "--json",
        nargs="?",
        const=STDOUT,
        type=Path,
        metavar="FILE",
        help="also write the figures to this file; without a name, print them instead of the table",
    )


def run(args: argparse.Namespace) -> int:
    """Evaluates and prints a table."""
    trained = load_run(args.run_directory)
    result = evaluate_records(trained, args.records, num_pairs=args.pairs, batch_size=args.batch, seed=args.seed)
    figures = json.dumps(result.metrics(), indent=2)
    print(figures if args.json == STDOUT else result.table())
    if args.json not in (None, STDOUT):
        write_text(args.json, figures + "\n")
    return 0


def evaluate_records(
    trained: TrainedRun, records: Path, *, num_pairs: int = 6000, batch_size: int = 64, seed: int = 0
) -> EvaluationResult:
    """Reads every record with the networks and compares with the truth stored beside it.

    Raises:
      ValueError: if the records carry no truth, or that of another face model.
    """
    source = open_records(records)
    samples = [source[index] for index in range(len(source))]
    truths = [sample.truth for sample in samples if sample.truth is not None]
    if len(truths) < len(samples):
        raise ValueError(f"{records} holds images without true shapes; make a set with: sirjax prepare synthetic")
    model = trained.face_model
    if truths[0].shape.shape != (model.num_shape,):
        raise ValueError(
            f"{records} was rendered from a face model of {len(truths[0].shape)} shape modes, the run's has "
            f"{model.num_shape}; use records of the same face model"
        )
    rendered_from = source.manifest["parameters"].get("face_model_fingerprint")
    if rendered_from != trained.metadata["face_model"]:
        raise ValueError(
            f"{records} was rendered from face model {str(rendered_from)[:12]}, the run was trained with "
            f"{trained.metadata['face_model'][:12]}: their codes mean other shapes; render the records again"
        )
    images = np.stack([decode_image(sample.image) for sample in samples])
    shape, landmarks, baseline = read_images(trained, images, batch_size)
    yaw = np.asarray(euler_from_rotation(jnp.asarray([truth.rotation for truth in truths]))[1])
    return evaluate_identities(
        shape,
        np.asarray(model.shape_std),
        np.array([sample.identity_class for sample in samples]),
        np.stack([truth.shape for truth in truths]),
        model.num_vertices,
        landmarks_predicted=landmarks,
        landmarks_true=np.stack([truth.landmarks for truth in truths]),
        landmarks_baseline=baseline,
        yaw=yaw,
        mean_shape=np.asarray(model.mean),
        shape_basis=np.asarray(model.shape_basis),
        num_pairs=num_pairs,
        seed=seed,
    )


def read_images(trained: TrainedRun, images: np.ndarray, batch_size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(whitened shapes [N, S], landmarks [N, 68, 2], landmarks of the mean face in the template's place [N, 68, 2])."""
    batches = tqdm(list(split(images, batch_size)), desc="reading", unit="batch", leave=False)
    reading = make_reader(trained, batch_size)(batches)
    model = trained.face_model
    template = decoding.camera_template(model)
    frontal = Camera(rotation=jnp.eye(3)[None], scale=template.scale[None], translation=template.translation[None])
    baseline = np.asarray(project(frontal, landmarks_of(model, model.mean[None])))[..., :2]
    return reading.shape, reading.landmarks, np.repeat(baseline, len(images), axis=0)
