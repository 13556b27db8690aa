"""Trained networks as one .safetensors file: every array under a flat name, all settings as JSON beside them.

Names are the networks' own, joined by "/": `trunk/Stage_0/Conv_0/kernel`; docs/weights.md lists them. The header's
texts are `format`, `licence` and `about`, JSON with what prediction needs (see `About`). The face model is not in the
file: it is named, with its fingerprint, and has to lie beside the file unless it is the built-in one.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Float, Shaped

from sirjax.files import write_bytes
from sirjax.morphable.builtin import BUILTIN
from sirjax.networks.safetensors_file import BFLOAT16, encode_safetensors, read_safetensors, read_texts

FORMAT = "sirjax-weights-v1"
SUFFIX = ".safetensors"
SHIPPED = "builtin"  # the name of the weights that come with sirjax, wherever a run or a file is named
SHIPPED_PATH = Path(__file__).resolve().parent.parent / "assets" / "weights" / "renders.safetensors"
DTYPES = {"float32": np.dtype(np.float32), "float16": np.dtype(np.float16), "bfloat16": BFLOAT16}
SEPARATOR = "/"


@dataclass(frozen=True)
class About:
    """What a weights file says of itself; plain JSON."""

    networks: dict  # `config.networks` of the run: preset, uv_size, shared_stages, albedo_maps, block_bias, dtype
    camera: dict  # `config.camera`: the gains
    face_model: dict  # file ("builtin" or a file name), orthonormalize, name, fingerprint
    licences: dict  # of the face model and the photos; see `sirjax.training.licences`
    licence: str = ""  # of the weights themselves, as whoever wrote the file states it
    step: int = 0
    run: str = ""  # which run it was
    notes: list = field(default_factory=list)  # what else is worth knowing, in sentences
    sir: dict = field(default_factory=dict)  # of `config.sir`: pose_weight, expression_decay (Eq. 19); or nothing
    training: list = field(default_factory=list)  # the stages it went through; see `sirjax.training.history`
    fingerprint: str = ""  # of the arrays as they are in the file; see `fingerprint`


def locate(name: str | os.PathLike) -> Path:
    """Where a run or a weights file lies: "builtin" is the file that comes with sirjax, all else a path."""
    return SHIPPED_PATH if os.fspath(name) == SHIPPED else Path(name)


def shipped() -> tuple[Path, About]:
    """The weights that come with sirjax, trained on renderings of the built-in face model: the file, what it says."""
    return SHIPPED_PATH, read_about(SHIPPED_PATH)


def shipped_words() -> str:
    """The shipped weights in a line: what they are, what they have seen, their terms."""
    about = shipped()[1]
    notes = "".join(f" {note}" for note in about.notes)
    return f"{SHIPPED} ({about.run}); licence: {about.licence}.{notes}"


def is_weights_file(path: Path) -> bool:
    """Whether a path is meant as a weights file rather than a run directory."""
    return path.suffix == SUFFIX


def save_weights(path: Path, params: Mapping, about: About, *, dtype: str = "float32") -> None:
    """Writes network parameters, the whole file or none.

    Args:
      path: the file, NAME.safetensors.
      params: nested dicts of arrays, as `FaceNetworks` has them.
      about: what belongs to them.
      dtype: of the numbers in the file: float32, or, half the size, float16 or bfloat16.

    Raises:
      ValueError: for another ending or dtype, or numbers too large for float16.
    """
    if not is_weights_file(path):
        raise ValueError(f"{path} must end in {SUFFIX}")
    if dtype not in DTYPES:
        raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, got {dtype!r}")
    arrays = {name: _converted(name, array, dtype) for name, array in flatten(params).items()}
    about = replace(about, fingerprint=fingerprint(arrays))
    texts = {"format": FORMAT, "licence": about.licence, "about": json.dumps(asdict(about), ensure_ascii=False)}
    write_bytes(path, encode_safetensors(arrays, texts))


def load_weights(path: Path) -> tuple[dict, About]:
    """Network parameters, as float32, and what the file says of them.

    Raises:
      FileNotFoundError: if there is no such file.
      ValueError: if it is damaged, or not a weights file of this format.
    """
    about = read_about(path)
    arrays = read_safetensors(path)
    if about.fingerprint and about.fingerprint != fingerprint(arrays):
        raise ValueError(f"{path} is damaged: its numbers are not those that were written; get or export it again")
    # Converted by NumPy and put in place as they are: `jnp.asarray` compiles a program for each shape.
    return jax.device_put(unflatten({name: array.astype(np.float32) for name, array in arrays.items()})), about


def fingerprint(arrays: Mapping[str, Shaped[np.ndarray, "..."]]) -> str:
    """SHA-256 of arrays by flat name: names, types, shapes and numbers."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.name} {list(arrays[name].shape)}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def read_about(path: Path) -> About:
    """What a weights file says of itself; its numbers are not read.

    Raises:
      FileNotFoundError: if there is no such file.
      ValueError: if it is damaged, or not a weights file of this format.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no weights at {path}: name a file written by `sirjax export weights`")
    texts = read_texts(path)
    if texts.get("format") != FORMAT:
        raise ValueError(
            f"{path} is no weights file of format {FORMAT} (found {texts.get('format')!r}): write it with "
            "`sirjax export weights`, or with `sirjax export from-torch` for weights of PyTorch"
        )
    try:
        return About(**json.loads(texts["about"]))
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path} does not say what its weights are ({error}): export them again") from None


def face_model_settings(path: Path, about: About) -> dict:
    """`config.face_model` for a weights file: the built-in model, or the file of the recorded name beside it.

    Raises:
      FileNotFoundError: if it is not there.
    """
    file = about.face_model["file"]
    beside = path.parent / file
    if file != BUILTIN and not beside.is_file():
        raise FileNotFoundError(
            f"{path} needs the face model {about.face_model['name']!r}, which is not part of it: put it at {beside}"
        )
    model = file if file == BUILTIN else str(beside)
    return {"path": model, "orthonormalize": about.face_model["orthonormalize"]}


def check_face_model(path: Path, about: About, fingerprint: str) -> None:
    """Refuses another face model than the one the weights were trained with: codes would mean other shapes.

    Raises:
      ValueError: if the fingerprints differ.
    """
    wanted, file = about.face_model["fingerprint"], about.face_model["file"]
    if wanted != fingerprint:
        raise ValueError(
            f"{path} was trained with face model {about.face_model['name']!r}, {wanted[:12]}; {file} here is "
            f"{fingerprint[:12]}: put the model of the training beside the weights"
        )


def flatten(params: Mapping, prefix: str = "") -> dict[str, Float[np.ndarray, "..."]]:
    """{"trunk": {"kernel": x}} -> {"trunk/kernel": x}."""
    flat: dict[str, Any] = {}
    for name, value in params.items():
        inner = flatten(value, f"{prefix}{name}{SEPARATOR}") if isinstance(value, Mapping) else None
        flat |= {f"{prefix}{name}": np.asarray(value)} if inner is None else inner
    return flat


def unflatten(arrays: Mapping[str, Any]) -> dict:
    """{"trunk/kernel": x} -> {"trunk": {"kernel": x}}."""
    params: dict[str, Any] = {}
    for name, array in arrays.items():
        *folders, last = name.split(SEPARATOR)
        place = params
        for folder in folders:
            place = place.setdefault(folder, {})
        place[last] = array
    return params


def merge(fresh: Mapping, found: Mapping) -> tuple[dict, list[str]]:
    """The parameters `fresh` with those of `found` in their place, and the names of those that were not found.

    Raises:
      ValueError: if an array of `found` is not among `fresh`, or has another shape there.
    """
    all_of, new = flatten(fresh), flatten(found)
    for name, array in new.items():
        if name not in all_of or all_of[name].shape != array.shape:
            wanted = f"[{', '.join(map(str, all_of[name].shape))}]" if name in all_of else "nothing"
            raise ValueError(f"{name} has shape {list(array.shape)} in the file, the networks have {wanted} there")
    return unflatten(all_of | new), [name for name in all_of if name not in new]


def _converted(name: str, array: Float[np.ndarray, "..."], dtype: str) -> Float[np.ndarray, "..."]:
    if dtype == "float16" and np.abs(array).max(initial=0.0) > np.finfo(np.float16).max:
        raise ValueError(f"{name} holds {np.abs(array).max():.3g}, too large for float16: take bfloat16 or float32")
    return array.astype(DTYPES[dtype])
