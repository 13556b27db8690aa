import json
import re
import subprocess
import sys

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sirjax.constants import TEMPLATE_POINTS
from sirjax.decode import CameraGains, camera_template, decode
from sirjax.export import program as programs
from sirjax.morphable.storage import fingerprint
from sirjax.networks.model import make_networks
from sirjax.predictor import AlignedFace, Predictor
from sirjax.types import NetworkOutput
from tests.face_models import dome_face_model
from tests.networks.parameters import count

MODEL = dome_face_model(grid=9)
GAINS = CameraGains(quaternion=0.5, scale=0.2, translation=0.15)
DRAWN = ("image", "mask", "albedo", "normals")


class SmallNetworks(nn.Module):
    """Looks at the image in blocks of 16 pixels; asks for the batch size as the real networks do."""

    @nn.compact
    def __call__(self, image):
        blocks = nn.avg_pool(image, (16, 16), (16, 16)).reshape(len(image), -1) - 0.5

        def read(name, *shape):
            return nn.Dense(int(np.prod(shape)), name=name)(blocks).reshape(len(image), *shape)

        return NetworkOutput(
            shape=read("shape", MODEL.num_shape),
            expression=read("expression", MODEL.num_expression),
            camera=read("camera", 7),
            light=read("light", 9, 3),
            albedo_code=blocks,
            albedo_residual=read("albedo", MODEL.uv_size, MODEL.uv_size, 3),
            pixel_confidence=image[..., :2],
            feature_confidence=image[:, ::4, ::4, :2],
        )


NETWORKS = SmallNetworks()
PARAMS = jax.jit(NETWORKS.init)(jax.random.key(0), jnp.zeros((1, 112, 96, 3)))["params"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("program")
    written = programs.save_program(
        folder / "face.stablehlo",
        NETWORKS,
        PARAMS,
        MODEL,
        GAINS,
        until="rendering",
        run="runs/sir, step 7",
        licences={"data": {"web": "unknown"}},
    )
    assert written == [folder / "face.stablehlo", folder / "face.json"]
    return written[0]


@pytest.fixture(scope="module")
def predictor():
    return Predictor(NETWORKS, PARAMS, MODEL, gains=GAINS, batch_size=4)


def crops_of(rng, count):
    return rng.integers(0, 256, (count, 112, 96, 3), dtype=np.uint8)


def live(predictor, crops):
    """The same answers from the predictor."""
    faces = predictor.reconstruct_aligned([AlignedFace(crop, np.eye(2, 3)) for crop in crops])
    rows = [
        {
            "shape": face.shape,
            "shape_mm": face.shape * np.asarray(MODEL.shape_std),
            "expression": face.expression,
            "rotation": face.rotation,
            "scale": face.scale,
            "translation": face.translation,
            "light": face.light,
            "albedo_map": face.albedo,
            "neutral_vertices": face.neutral_vertices,
            "posed_vertices": face.posed_vertices,
            "landmarks": face.landmarks,
        }
        for face in faces
    ]
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


@jax.jit
def drawn(crops):
    """The rendering, from the same networks and the usual decoder."""
    output = NETWORKS.apply({"params": PARAMS}, crops)
    rendering = decode(MODEL, output, camera_template(MODEL), gains=GAINS, backend="xla").rendering
    return {name: getattr(rendering, name) for name in ("image", "mask", "albedo", "normals")}


def assert_same(got, expected, until="rendering"):
    names = set(programs.OUTPUTS[until])
    assert set(got) == names
    assert names - set(expected) == (set(DRAWN) if until == "rendering" else set())
    for name in names & set(expected):
        value = expected[name]
        # Coordinates near zero are sums of large ones: what counts is the size of the face.
        np.testing.assert_allclose(got[name], value, rtol=1e-5, atol=1e-5 * np.abs(value).max(), err_msg=name)


def assert_drawn_alike(got, crops):
    for name, value in drawn(crops).items():
        # Rounding may move a pixel on an edge from one triangle to the next.
        contrast = np.ptp(np.asarray(value))
        assert contrast > 0.01, name
        off = np.abs(np.asarray(got[name]) - np.asarray(value)) > 1e-4 * contrast
        assert off.mean() < 1e-3, (name, off.mean())


@pytest.mark.parametrize("batch", [1, 3])
def test_the_program_answers_as_the_predictor_does(saved, predictor, rng, batch):
    crops = crops_of(rng, batch)
    expected = live(predictor, crops)
    assert np.ptp(expected["scale"]) > 0 or batch == 1  # faces differ
    got = programs.load_program(saved).call(crops.astype(np.float32) / 255)
    assert_same(got, expected)
    if batch == 3:
        assert_drawn_alike(got, crops.astype(np.float32) / 255)


def test_the_program_runs_with_jax_alone(saved, predictor, rng, tmp_path):
    crops = crops_of(rng, 3)
    np.save(tmp_path / "crops.npy", crops.astype(np.float32) / 255)
    script = """
import sys
for name in ("sirjax", "flax", "optax", "cv2", "jaxtyping"):
    sys.modules[name] = None  # importing any of them fails
import jax, jax.export
import numpy as np
program = jax.export.deserialize(bytearray(open(sys.argv[1], "rb").read()))
np.savez(sys.argv[3], **program.call(np.load(sys.argv[2])))
"""
    command = [sys.executable, "-c", script, str(saved), str(tmp_path / "crops.npy"), str(tmp_path / "faces.npz")]
    subprocess.run(command, check=True, cwd=tmp_path, timeout=600)
    with np.load(tmp_path / "faces.npz") as faces:
        assert_same(dict(faces), live(predictor, crops))
        assert_drawn_alike(faces, crops.astype(np.float32) / 255)


@pytest.mark.parametrize("until", ["codes", "mesh"])
def test_shorter_programs_leave_out_what_they_do_not_need(saved, until):
    data = programs.export_program(NETWORKS, PARAMS, MODEL, GAINS, until=until, platforms=("cpu",))
    program = jax.export.deserialize(bytearray(data))
    names = jax.tree.unflatten(program.out_tree, program.out_avals).keys()
    assert names == programs.OUTPUTS[until].keys()
    assert names < programs.OUTPUTS["rendering"].keys()
    assert 4 * count(PARAMS["albedo"]) < saved.stat().st_size - len(data)


def test_an_unknown_end_is_refused():
    with pytest.raises(ValueError, match="a program goes until one of codes, mesh, rendering, got 'film'"):
        programs.export_program(NETWORKS, PARAMS, MODEL, GAINS, until="film")


def test_the_program_of_the_real_networks_holds_what_it_needs_and_no_custom_kernel(rng):
    networks = make_networks("tiny", num_shape=MODEL.num_shape, num_expression=MODEL.num_expression, uv_size=64)
    shapes = jax.eval_shape(networks.init, jax.random.key(0), jnp.zeros((1, 112, 96, 3)))["params"]
    params = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype(leaf.dtype), shapes)
    data = programs.export_program(networks, params, MODEL, GAINS)
    program = jax.export.deserialize(bytearray(data))
    assert program.platforms == ("cpu", "cuda", "tpu")
    # The one custom call is JAX's own check that the batch is not empty.
    assert set(re.findall(r"stablehlo\.custom_call @(\w+)", program.mlir_module())) <= {"shape_assertion"}
    used = ("trunk", "shape_branch", "shape_head", "non_identity_branch", "non_identity_head")
    needed = 4 * sum(count(params[name]) for name in used)
    assert needed < len(data) < needed + (1 << 19)
    assert 4 * count(params) > needed + (2 << 20)


@pytest.mark.slow
def test_the_program_of_the_real_networks_answers_as_they_do(rng):
    networks = make_networks("debug", num_shape=MODEL.num_shape, num_expression=MODEL.num_expression, uv_size=64)
    shapes = jax.eval_shape(networks.init, jax.random.key(0), jnp.zeros((1, 112, 96, 3)))["params"]
    params = jax.tree.map(lambda leaf: 0.05 * rng.normal(size=leaf.shape).astype(leaf.dtype), shapes)
    data = programs.export_program(networks, params, MODEL, GAINS, platforms=("cpu",))
    crops = crops_of(rng, 3)
    got = jax.export.deserialize(bytearray(data)).call(crops.astype(np.float32) / 255)
    assert_same(got, live(Predictor(networks, params, MODEL, gains=GAINS, batch_size=3), crops), until="mesh")


def test_the_manifest_describes_the_program(saved):
    manifest = json.loads(saved.with_suffix(".json").read_text())
    assert programs.load_program(saved).manifest == manifest
    assert manifest["format"] == "sirjax-program-v1"
    assert manifest["software"].startswith("sirjax ")
    assert manifest["requires"] == ["jax", "flatbuffers"]
    assert manifest["platforms"] == ["cpu", "cuda", "tpu"]
    assert manifest["inputs"]["crops"]["shape"] == ["b", 112, 96, 3]
    assert manifest["inputs"]["crops"]["dtype"] == "float32"
    shapes = {name: output["shape"] for name, output in manifest["outputs"].items()}
    assert shapes == {
        "shape": ["b", 6],
        "shape_mm": ["b", 6],
        "expression": ["b", 3],
        "rotation": ["b", 3, 3],
        "scale": ["b"],
        "translation": ["b", 2],
        "light": ["b", 9, 3],
        "neutral_vertices": ["b", 81, 3],
        "posed_vertices": ["b", 81, 3],
        "landmarks": ["b", 68, 2],
        "image": ["b", 112, 96, 3],
        "mask": ["b", 112, 96],
        "albedo": ["b", 112, 96, 3],
        "normals": ["b", 112, 96, 3],
        "albedo_map": ["b", 64, 64, 3],
    }
    assert manifest["template_points"] == [list(point) for point in TEMPLATE_POINTS]
    assert manifest["face_model"]["name"] == "dome"
    assert manifest["face_model"]["fingerprint"] == fingerprint(MODEL)
    assert manifest["face_model"]["licence"] == manifest["licence"] == "CC0-1.0"
    assert manifest["licences"] == {"data": {"web": "unknown"}}
    assert manifest["until"] == "rendering"
    assert manifest["run"] == "runs/sir, step 7"
    for word in ("Model frame", "weak perspective", "millimeters"):
        assert word in manifest["frames"]


def test_whole_files_are_left_and_nothing_else(saved):
    assert sorted(path.name for path in saved.parent.iterdir()) == ["face.json", "face.stablehlo"]


def test_a_damaged_program_is_refused(saved, tmp_path):
    copy = tmp_path / "face.stablehlo"
    copy.write_bytes(saved.read_bytes()[:-1])
    copy.with_suffix(".json").write_bytes(saved.with_suffix(".json").read_bytes())
    with pytest.raises(ValueError, match="is damaged or not the program that face.json describes: export it again"):
        programs.load_program(copy)


@pytest.mark.parametrize("text", ["{", "[]", '{"format": "other"}', '{"format": "sirjax-program-v1"}'])
def test_another_manifest_is_refused(saved, tmp_path, text):
    copy = tmp_path / "face.stablehlo"
    copy.write_bytes(saved.read_bytes())
    copy.with_suffix(".json").write_text(text)
    with pytest.raises(ValueError, match=r"face.json is not a manifest .*: export the model again"):
        programs.load_program(copy)


def test_a_missing_half_is_named(saved, tmp_path):
    with pytest.raises(FileNotFoundError, match="no program at .*face.stablehlo"):
        programs.load_program(tmp_path / "face.stablehlo")
    (tmp_path / "face.stablehlo").write_bytes(saved.read_bytes())
    with pytest.raises(FileNotFoundError, match="no manifest at .*face.json"):
        programs.load_program(tmp_path / "face.stablehlo")


def test_a_program_is_not_written_over_by_its_manifest(tmp_path):
    with pytest.raises(ValueError, match="would be overwritten by its own manifest"):
        programs.save_program(tmp_path / "face.json", NETWORKS, PARAMS, MODEL, GAINS)


@pytest.mark.parametrize("platforms", [(), ("gpu",), ("cpu", "metal")])
def test_unknown_platforms_are_refused(platforms):
    with pytest.raises(ValueError, match=r"platforms must be some of cpu, cuda, rocm and tpu, got \["):
        programs.export_program(NETWORKS, PARAMS, MODEL, GAINS, platforms=platforms)
