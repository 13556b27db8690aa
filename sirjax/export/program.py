"""The trained model as one file that JAX runs without sirjax: aligned crops in, codes, meshes and renderings out.

The file is StableHLO, written by `jax.export` for several platforms and any batch size, with the weights and the face
model inside. Rendering is left to the plain JAX rasterizer, so no custom kernels are needed. Beside it lies a manifest
(.json) that says what goes in and out. What it takes to run it elsewhere:

    program = jax.export.deserialize(bytearray(open("face.stablehlo", "rb").read()))
    faces = program.call(crops)  # float32 [B, 112, 96, 3] in [0, 1]
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax import export
from jaxtyping import Array, Float

from sirjax import decode as decoding
from sirjax.constants import IMAGE_SIZE, TEMPLATE_POINTS
from sirjax.export.files import software
from sirjax.files import write_bytes, write_text
from sirjax.geometry import camera as cameras
from sirjax.geometry.camera import CameraTemplate
from sirjax.morphable import model as morphable
from sirjax.morphable.coefficients import to_millimeters
from sirjax.morphable.storage import fingerprint
from sirjax.types import NetworkOutput, Rendering

PLATFORMS = ("cpu", "cuda", "tpu")
REQUIRES = ("jax", "flatbuffers")  # where it runs; JAX needs the second to read programs, but does not bring it along
FORMAT = "sirjax-program-v1"
CODES, MESH, RENDERING = LEVELS = ("codes", "mesh", "rendering")  # how far a program goes; each has all before it
INPUT = (
    "aligned RGB crops, float32 in [0, 1] (not bytes, not normalized); eyes, nose tip and mouth corners lie on the "
    "template of sirjax.constants.TEMPLATE_POINTS"
)
_CODES = {
    "shape": "identity coefficients, whitened (standard deviations of the prior)",
    "shape_mm": "identity coefficients, millimeters: whitened * standard deviation",
    "expression": "expression coefficients, whitened",
    "rotation": "camera_from_model of the crop",
    "scale": "crop pixels per millimeter",
    "translation": "crop pixels (u, v): where the model origin lands",
    "light": "spherical harmonics of orders 0 to 2 (rows) of red, green and blue (columns), camera frame",
}
_MESH = {
    "neutral_vertices": "face without expression, model frame, millimeters",
    "posed_vertices": "face with expression, turned as in the crop: camera frame, millimeters",
    "landmarks": "iBUG's 68 points, crop pixels (u, v)",
}
_RENDERING = {
    "image": "the face drawn over the crop: linear RGB, about [0, 1], not clipped; 0 outside the mask",
    "mask": "1 where the face is seen, else 0",
    "albedo": "the face without shading, RGB; 0 outside the mask",
    "normals": "unit normals, camera frame; 0 outside the mask",
    "albedo_map": "texture in the face model's UV layout, RGB",
}
OUTPUTS = {CODES: _CODES, MESH: _CODES | _MESH, RENDERING: _CODES | _MESH | _RENDERING}  # of each level: their meaning
FRAMES = """\
Model frame: millimeters of an average head, x to the image's right for a frontal face, y up, z toward the viewer.
Camera frame: the same axes after `rotation`.
Pixels: u to the right, v down, the center of the top-left pixel is (0, 0).
u = scale X + translation_u; v = -scale Y + translation_v, with (X, Y, Z) = rotation @ p (weak perspective).
"""


@dataclass(frozen=True)
class Program:
    """An exported program and what is known about it."""

    call: Callable[[Any], dict[str, jax.Array]]  # float32 [B, 112, 96, 3] -> the manifest's outputs, on its platforms
    manifest: dict


def export_program(
    networks: Any,
    params: dict,
    face_model: morphable.FaceModel,
    gains: decoding.CameraGains | None,
    *,
    until: str = MESH,
    platforms: Sequence[str] = PLATFORMS,
) -> bytes:
    """The program as the bytes of a file: float32 [B, 112, 96, 3] -> a dict with the keys of `OUTPUTS[until]`, any B.

    Args:
      networks: a module whose `apply({"params": params}, images)` gives a `NetworkOutput`.
      params: its parameters; those that no output depends on (confidence; albedo, unless rendered) are left out.
      face_model: the face model of the training run.
      gains: camera gains of the training run.
      until: how far it goes, one of `LEVELS`.
      platforms: what it shall run on, of "cpu", "cuda", "rocm" and "tpu"; nothing of them is needed here.

    Raises:
      ValueError: if `platforms` is empty or names an unknown one, or `until` is none of `LEVELS`.
    """
    if until not in LEVELS:
        raise ValueError(f"a program goes until one of {', '.join(LEVELS)}, got {until!r}")
    unknown = sorted(set(platforms) - {*PLATFORMS, "rocm"})
    if unknown or not platforms:
        raise ValueError(f"platforms must be some of cpu, cuda, rocm and tpu, got {list(platforms)}")
    template = decoding.camera_template(face_model)
    leaves, structure = jax.tree.flatten(params)

    def read(leaves: list[Array], crops: Float[Array, "B H W 3"]) -> dict[str, Array]:
        def read_one(image: Float[Array, "H W 3"]):
            output = networks.apply({"params": jax.tree.unflatten(structure, leaves)}, image[None])
            return jax.tree.map(lambda value: value[0], output)

        # The networks take the batch size for a number: one image at a time it is, and vmap makes a batch of them.
        return faces_of(face_model, jax.vmap(read_one)(crops), template, gains, until=until)

    def used_only(crops: Float[Array, "B H W 3"]) -> dict[str, Array]:
        # Constants are written down whether or not they are used; zeros made on the spot are not constants.
        return read([leaf if i in used else jnp.zeros(leaf.shape, leaf.dtype) for i, leaf in enumerate(leaves)], crops)

    def images(batch: str) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(export.symbolic_shape(f"{batch}, {IMAGE_SIZE[0]}, {IMAGE_SIZE[1]}, 3"), jnp.float32)

    shapes = [jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in leaves]
    # Which parameters are used is only found out for a batch of known size.
    used = set(export.export(jax.jit(read), platforms=platforms[:1])(shapes, images("1")).module_kept_var_idx)
    return bytes(export.export(jax.jit(used_only), platforms=tuple(platforms))(images("b")).serialize())


def faces_of(
    face_model: morphable.FaceModel,
    output: NetworkOutput,
    template: CameraTemplate,
    gains: decoding.CameraGains | None,
    *,
    until: str = MESH,
) -> dict[str, Array]:
    """What the program computes after the networks; the keys are those of `OUTPUTS[until]`."""
    camera = decoding.decode_camera(output, template, gains=gains)
    codes = {
        "shape": output.shape,
        "shape_mm": to_millimeters(output.shape, face_model.shape_std),
        "expression": output.expression,
        "rotation": camera.rotation,
        "scale": camera.scale,
        "translation": camera.translation,
        "light": output.light,
    }
    if until == CODES:
        return codes
    neutral = morphable.neutral_vertices(face_model, output.shape)
    # Equation 1 from the neutral face on: `morphable.vertices` would put the shape basis into the file a second time.
    offset = to_millimeters(output.expression, face_model.expression_std) @ face_model.expression_basis
    vertices = neutral + offset.reshape(neutral.shape)
    mesh = codes | {
        "neutral_vertices": neutral,
        "posed_vertices": vertices @ jnp.swapaxes(camera.rotation, -1, -2),
        "landmarks": cameras.project(camera, morphable.landmarks_of(face_model, vertices))[..., :2],
    }
    if until == MESH:
        return mesh
    albedo = decoding.albedo_map(face_model, output.albedo_residual)

    def draw_one(face: tuple) -> Rendering:
        drawn, _ = decoding.draw_mesh(face_model, *jax.tree.map(lambda value: value[None], face), backend="xla")
        return jax.tree.map(lambda value: value[0], drawn)

    # The renderer, too, takes the number of images for a number; the plain rasterizer draws them one by one anyway.
    drawn = jax.lax.map(draw_one, (vertices, camera, albedo, output.light))
    return mesh | {
        "image": drawn.image,
        "mask": drawn.mask,
        "albedo": drawn.albedo,
        "normals": drawn.normals,
        "albedo_map": albedo,
    }


def save_program(
    path: Path,
    networks: Any,
    params: dict,
    face_model: morphable.FaceModel,
    gains: decoding.CameraGains | None,
    *,
    until: str = MESH,
    platforms: Sequence[str] = PLATFORMS,
    run: str = "",
    licence: str = "",
    licences: Mapping[str, Any] | None = None,
) -> list[Path]:
    """Writes `export_program` to `path` (NAME.stablehlo by custom) and its manifest to NAME.json beside it.

    Args:
      path: where to; an interruption leaves whole files or none.
      networks: see `export_program`, also for the next four and `platforms`.
      params: of the networks.
      face_model: that the codes belong to.
      gains: of the camera.
      until: how far the program goes.
      platforms: that it runs on.
      run: which weights, for the records.
      licence: of the file, as its maker states it; by default the face model's.
      licences: what else it stands under, JSON for the records: the terms of the photos.

    Returns:
      The files written.

    Raises:
      ValueError: as `export_program`; or if `path` itself ends in .json.
    """
    manifest_path = _manifest_path(path)
    data = export_program(networks, params, face_model, gains, until=until, platforms=platforms)
    manifest = _manifest(data, face_model, until) | {
        "run": run,
        "licence": licence or face_model.licence,
        "licences": dict(licences or {}),
    }
    write_bytes(path, data)
    write_text(manifest_path, json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")
    return [path, manifest_path]


def load_program(path: Path) -> Program:
    """Reads what `save_program` wrote, and checks that program and manifest belong together.

    Raises:
      FileNotFoundError: if the program or its manifest is missing.
      ValueError: if the manifest is of another program or format, or the program cannot be read.
    """
    manifest_path = _manifest_path(path)
    for file, what in ((path, "program"), (manifest_path, "manifest")):
        if not file.is_file():
            raise FileNotFoundError(f"no {what} at {file}: export the model again, or copy both of its files")
    data, manifest = path.read_bytes(), _read_manifest(manifest_path)
    if manifest["sha256"] != hashlib.sha256(data).hexdigest():
        raise ValueError(f"{path} is damaged or not the program that {manifest_path.name} describes: export it again")
    call: Any = _deserialize(data).call
    return Program(call=call, manifest=manifest)


def _manifest_path(path: Path) -> Path:
    if path.suffix == ".json":
        raise ValueError(f"{path} would be overwritten by its own manifest: name the program NAME.stablehlo")
    return path.with_suffix(".json")


def _read_manifest(path: Path) -> dict:
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not a manifest ({error}): export the model again") from None
    found = manifest.get("format") if isinstance(manifest, dict) else None
    if found != FORMAT or "sha256" not in manifest:
        raise ValueError(f"{path} is not a manifest of format {FORMAT} (found {found!r}): export the model again")
    return manifest


def _deserialize(data: bytes) -> export.Exported:
    return export.deserialize(bytearray(data))


def _manifest(data: bytes, face_model: morphable.FaceModel, until: str) -> dict:
    """Read off the program itself, so that it cannot disagree with it."""
    program = _deserialize(data)
    (crops,) = program.in_avals
    outputs = jax.tree.unflatten(program.out_tree, program.out_avals)
    return {
        "format": FORMAT,
        "software": software(),
        "jax": jax.__version__,
        "requires": list(REQUIRES),
        "sha256": hashlib.sha256(data).hexdigest(),
        "platforms": list(program.platforms),
        "calling_convention_version": program.calling_convention_version,
        "until": until,
        "inputs": {"crops": _signature(crops) | {"meaning": INPUT}},
        "outputs": {name: _signature(outputs[name]) | {"meaning": meaning} for name, meaning in OUTPUTS[until].items()},
        **about_face_model(face_model),
    }


def about_face_model(face_model: morphable.FaceModel) -> dict[str, Any]:
    """Frames, units and the face model, for the records of a file (JSON)."""
    return {
        "frames": FRAMES,
        "unit": "millimeters of an average head, not metric",
        "template_points": [list(point) for point in TEMPLATE_POINTS],
        "face_model": {
            "name": face_model.name,
            "fingerprint": fingerprint(face_model),
            "licence": face_model.licence,
            "provenance": face_model.provenance,
        },
    }


def _signature(array: Any) -> dict:
    sizes = [size if isinstance(size, int) else str(size) for size in array.shape]
    return {"dtype": str(array.dtype), "shape": sizes}
