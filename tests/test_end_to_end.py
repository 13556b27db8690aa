"""The whole path through the command line, and what the SIR loss is for (T12), at the smallest size that shows it."""

import csv
import json

import numpy as np
import pytest

from configs import demo
from sirjax.cli.evaluating.benchmark import read_images
from sirjax.cli.main import main as sirjax
from sirjax.data.images import decode_image
from sirjax.data.records import open_records
from sirjax.geometry.rotation import euler_from_rotation
from sirjax.morphable.storage import save_face_model
from sirjax.training.loop import train
from sirjax.training.setup import load_run
from tests.face_models import dome_face_model

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A face model and its records, made by the command line."""
    root = tmp_path_factory.mktemp("world")
    save_face_model(dome_face_model(), root / "dome.npz")
    command = [
        "prepare",
        "synthetic",
        "--out",
        str(root / "records"),
        "--face-model",
        str(root / "dome.npz"),
        "--quiet",
    ]
    sizes = [
        "--identities",
        "12",
        "--images-per-identity",
        "8",
        "--landmark-images",
        "96",
        "--benchmark-identities",
        "24",
    ]
    assert sirjax([*command, *sizes]) == 0
    return root


def settings(world, stage="sir", **sir):
    config = demo.get_config(stage)
    config.face_model.path = str(world / "dome.npz")
    config.networks.preset = "debug"
    config.networks.uv_size = 16
    config.data.landmark = str(world / "records" / "landmark")
    if stage == "sir":
        config.data.identity = str(world / "records" / "identity")
    config.data.batch_size = 32
    config.optimizer.warmup_steps = 5
    config.run.image_every = 0
    config.run.checkpoint_every = 1000
    config.schedule.steps = 60
    config.schedule.pixel_from = 1000.0  # geometry only: fast, and enough for what is shown here
    for name, value in sir.items():
        setattr(config.sir, name, value)
    return config


def test_records_to_training_to_figures_to_a_face(world, tmp_path, capsys):
    from skimage import data, io

    overrides = [
        f"--config.face_model.path={world / 'dome.npz'}",
        "--config.networks.preset=debug",
        "--config.networks.uv_size=16",
        f"--config.data.landmark={world / 'records' / 'landmark'}",
        "--config.data.batch_size=8",
        "--config.schedule.steps=4",
    ]
    assert (
        sirjax(["train", "--config", "demo:warmup", "--workdir", str(tmp_path / "warmup"), "--quiet", *overrides]) == 0
    )
    overrides.append(f"--config.data.identity={world / 'records' / 'identity'}")
    overrides.append(f"--config.init_from={tmp_path / 'warmup'}")
    assert sirjax(["train", "--config", "demo:sir", "--workdir", str(tmp_path / "sir"), "--quiet", *overrides]) == 0

    figures = tmp_path / "figures.json"
    records = str(world / "records" / "benchmark")
    options = ["--records", records, "--pairs", "200", "--json", str(figures)]
    assert sirjax(["evaluate", "benchmark", str(tmp_path / "sir"), *options]) == 0
    assert "neutral shape RMSE" in capsys.readouterr().out
    assert json.loads(figures.read_text())["mean_face_rmse_mm"] > 0

    io.imsave(tmp_path / "portrait.png", data.astronaut(), check_contrast=False)
    faces = tmp_path / "faces"
    assert (
        sirjax(
            ["reconstruct", str(tmp_path / "portrait.png"), "--checkpoint", str(tmp_path / "sir"), "--out", str(faces)]
        )
        == 0
    )
    with (faces / "status.csv").open(encoding="utf-8") as table:
        rows = list(csv.DictReader(table))
    assert [row["status"] for row in rows] == ["ok"]
    assert len(list(faces.rglob("*.glb"))) >= 1


def test_without_kl_shapes_shrink_toward_the_mean_face(world, tmp_path):
    lengths = {}
    for name, weight in (("on", 5.0), ("off", 0.0)):
        config = settings(world, kl_weight=weight)
        config.losses.shape_prior = 1.0  # a prior strong enough to show within 60 steps
        config.losses.shape_prior_on_identity = True
        train(config, tmp_path / name, progress=False)
        lengths[name] = np.linalg.norm(read_shapes(load_run(tmp_path / name), world)[0], axis=-1).mean()
    assert lengths["off"] < 0.9 * lengths["on"]


def test_weighted_centers_lie_closer_to_neutral_frontal_shapes(world, tmp_path):
    distances = {}
    for mode in ("weighted", "plain"):
        # With weight 0 centers follow the shapes without pulling them: both runs train the same networks.
        config = settings(world, center=mode, center_weight=0.0)
        config.networks.preset = "tiny"  # tells neutral frontal photos from others within 60 steps
        state = train(config, tmp_path / mode, progress=False)
        trained = load_run(tmp_path / mode)
        shape, trust, identity = read_shapes(trained, world)
        shape_mm = shape * np.asarray(trained.face_model.shape_std)
        centers = np.asarray(state.centers)
        chosen = [
            (shape_mm[own][trust[own].argmax()], centers[i])
            for i, own in ((i, np.flatnonzero(identity == i)) for i in range(len(centers)))
        ]
        # Weighted centers move more slowly, so compare directions, not lengths.
        cosine = [np.dot(a, c) / (np.linalg.norm(a) * np.linalg.norm(c)) for a, c in chosen]
        distances[mode] = 1 - np.mean(cosine)
    assert distances["weighted"] < distances["plain"]


def read_shapes(trained, world):
    """(whitened shapes, how neutral and frontal each photo truly is, identities) of the identity set."""
    source = open_records(world / "records" / "identity")
    samples = [source[index] for index in range(len(source))]
    shape, _, _ = read_images(trained, np.stack([decode_image(sample.image) for sample in samples]), 32)
    angles = np.stack(euler_from_rotation(np.stack([sample.truth.rotation for sample in samples])))
    expression = np.linalg.norm([sample.truth.expression for sample in samples], axis=-1)
    trust = np.prod((np.cos(angles) + 1) / 2, axis=0) * np.exp(-expression / 3)
    return shape, trust, source.identity_class
