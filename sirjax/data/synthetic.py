"""Photos of people who do not exist, rendered from any face model, with everything about them known.

The licence-free stand-in for VGGFace2 and 300W-LP, and the benchmark on which shape codes are judged. Three kinds:
  identity    the identity label of each photo, several photos a person (S_id of the paper)
  landmark    68 landmarks, every photo of another person, no identity label (S_recon of the paper)
  benchmark   both labels; people that no training set of the same seed contains
All kinds store the truth (shape, expression, rotation, landmarks) beside the labels, for evaluation.

Faces are framed as alignment would frame them in a photo (`scenes.aligned_camera`), rendered with twice the crop's
resolution for smooth edges, set into a painted surrounding and photographed. Ranges: docs/data.md. A share of them may
stand before parts of real photos instead; everything else about them, and all others, stay the same.
"""

import functools
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sirjax.constants import IMAGE_SIZE
from sirjax.data import backgrounds, heads, occluders, photograph, scenes
from sirjax.data.photo_backgrounds import PhotoBackgrounds, licence_of_set
from sirjax.data.records import JoinedRecords, RecordSource, open_records
from sirjax.data.sample import Sample, Truth
from sirjax.data.scenes import Person, View
from sirjax.data.writing import RecordWriter
from sirjax.decode import render_face
from sirjax.morphable import model as morphable
from sirjax.morphable.storage import fingerprint
from sirjax.morphable.texture import resize_albedo
from sirjax.types import Camera, Coefficients

BATCH_SIZE = 32  # fixed: another size could round the last bit differently, and the same seed must give the same bytes
SUPERSAMPLING = 2
RENDERER_VERSION = 2  # to be raised when the same seed begins to give other pictures
OCCLUDED = 0.2  # share of photos with something in front of the face
_GLOSS_SHARPNESS = 24.0
_BACKDROP_STREAM = 2**32  # added to the number of a photo: the stream that real backgrounds are drawn from


def write_synthetic_set(
    out_dir: str | Path,
    face_model: morphable.FaceModel,
    *,
    num_identities: int,
    images_per_identity: int,
    kind: str,
    seed: int = 0,
    albedo_per_identity: bool = True,
    photo_backgrounds: PhotoBackgrounds | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> RecordSource | JoinedRecords:
    """Renders a set into a records folder; an interrupted run leaves nothing behind.

    Args:
      out_dir: the folder to make.
      face_model: whose faces.
      num_identities: how many people.
      images_per_identity: photos of each; for kind "landmark" every photo shows another person all the same, so the
        set has num_identities * images_per_identity people.
      kind: "identity", "landmark" or "benchmark".
      seed: the same seed and arguments give the same bytes on the same machine and versions.
      albedo_per_identity: people keep their skin over all their photos. False draws new skin and hair for every photo:
        then only the shape tells people apart, the hardest test of the method.
      photo_backgrounds: real photos, parts of which are behind a share of the faces; the set carries their terms.
      overwrite: replace an existing records folder.
      progress: show a progress bar.

    Returns:
      The opened records.

    Raises:
      ValueError: if the kind is unknown or a count is below 1.
      FileExistsError: if `out_dir` holds something already.
    """
    parameters = set_parameters(
        face_model,
        num_identities=num_identities,
        images_per_identity=images_per_identity,
        kind=kind,
        seed=seed,
        albedo_per_identity=albedo_per_identity,
        photo_backgrounds=None if photo_backgrounds is None else photo_backgrounds.description,
    )
    origin = None if photo_backgrounds is None else {"background_photos": len(photo_backgrounds.photos)}
    keys = [(person, view) for person in range(num_identities) for view in range(images_per_identity)]
    if kind == "landmark":
        keys = [(person, 0) for person in range(len(keys))]
    with RecordWriter(out_dir, parameters=parameters, overwrite=overwrite, origin=origin) as writer:
        for name, reason in ({} if photo_backgrounds is None else photo_backgrounds.left_out).items():
            writer.reject(f"backgrounds/{name}", reason)
        samples = render_samples(
            face_model,
            keys,
            kind=kind,
            seed=seed,
            albedo_per_identity=albedo_per_identity,
            photo_backgrounds=photo_backgrounds,
        )
        for sample in _with_progress(samples, len(keys), kind, progress):
            writer.add(sample)
    return open_records(out_dir)


def set_parameters(
    face_model: morphable.FaceModel,
    *,
    num_identities: int,
    images_per_identity: int,
    kind: str,
    seed: int,
    albedo_per_identity: bool,
    photo_backgrounds: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What the manifest of a synthetic set says of its making.

    The arguments are those of `write_synthetic_set`, but of `photo_backgrounds` its description is enough.

    Raises:
      ValueError: if the kind is unknown or a count is below 1.
    """
    if kind not in scenes.KINDS:
        raise ValueError(f"unknown kind {kind!r} of synthetic set: take one of {', '.join(scenes.KINDS)}")
    if num_identities < 1 or images_per_identity < 1:
        raise ValueError(
            f"a synthetic set needs at least 1 identity with 1 image, got {num_identities} with {images_per_identity}"
        )
    parameters = {
        "preparer": "synthetic",
        "renderer_version": RENDERER_VERSION,
        "kind": kind,
        "seed": seed,
        "identities": num_identities,
        "images_per_identity": images_per_identity,
        "albedo_per_identity": albedo_per_identity,
        "face_model": face_model.name,
        "face_model_licence": face_model.licence,
        "face_model_fingerprint": fingerprint(face_model),
    }
    if photo_backgrounds is None:
        return parameters
    licence = licence_of_set(face_model.licence, photo_backgrounds["licence"])
    return parameters | {"photo_backgrounds": dict(photo_backgrounds), "licence": licence}


def render_samples(
    face_model: morphable.FaceModel,
    keys: list[tuple[int, int]],
    *,
    kind: str,
    seed: int,
    albedo_per_identity: bool = True,
    photo_backgrounds: PhotoBackgrounds | None = None,
) -> Iterator[Sample]:
    """The photos with the given (person, view) numbers, in order; rendering and painting overlap."""
    skull = heads.skull(np.asarray(morphable.landmarks_of(face_model, face_model.mean[None]))[0])
    tone = mean_skin_tone(face_model)
    num_expression = face_model.expression_std.shape[0]
    surroundings = functools.partial(_surroundings, photo_backgrounds, seed, kind)
    workers = min(4, os.cpu_count() or 1)
    with ThreadPoolExecutor(workers) as pool:
        pending: list = []
        try:
            for start in range(0, len(keys), BATCH_SIZE):
                batch = keys[start : start + BATCH_SIZE]
                people = [draw_person(face_model, kind, seed, *key, albedo_per_identity) for key in batch]
                views = [
                    scenes.draw_view(scenes.view_generator(seed, kind, *key), num_expression, person.skin)
                    for key, person in zip(batch, people, strict=True)
                ]
                faces, landmarks, cameras = _render(face_model, people, views, tone)
                # The pictures of the batch before are painted while this one was rendered.
                for future in pending:
                    yield future.result()
                pending = [
                    pool.submit(_finish, key, person, view, kind, face, points, camera, skull, surroundings)
                    for key, person, view, face, points, camera in zip(
                        batch, people, views, faces, landmarks, cameras, strict=False
                    )
                ]
            for future in pending:
                yield future.result()
        finally:
            for future in pending:
                future.cancel()


def draw_person(
    face_model: morphable.FaceModel, kind: str, seed: int, person: int, view: int, albedo_per_identity: bool = True
) -> Person:
    """The person of a photo; without `albedo_per_identity`, in the skin and hair of another one for each photo."""
    random = scenes.person_generator(seed, kind, person)
    drawn = scenes.draw_person(random, face_model.shape_std.shape[0])
    if albedo_per_identity:
        return drawn
    look = scenes.draw_person(scenes.view_generator(seed, kind, person, 2**31 + view), 1)
    return Person(drawn.shape, look.skin, look.skin_noise, look.hair, look.hair_length, look.hairline)


def mean_skin_tone(face_model: morphable.FaceModel) -> Float[np.ndarray, "3"]:
    """The color most of the mean albedo has: the median over the UV mask."""
    albedo = np.asarray(face_model.mean_albedo)[np.asarray(face_model.uv_mask)]
    return np.median(albedo, axis=0)


def person_albedo(
    mean_albedo: Float[Array, "U U 3"],
    tone: Float[Array, "3"],
    skin: Float[Array, "B 3"],
    noise: Float[Array, "B C C 3"],
) -> Float[Array, "B U U 3"]:
    """Albedo maps of people with other skin.

    Lips and brows darken with a darker skin but keep their color on a lighter one; the eyes' white stays.
    """
    size = mean_albedo.shape[0]
    offset = mean_albedo - tone[None, None]
    skinness = jnp.exp(-jnp.sum(jnp.square(offset), axis=-1, keepdims=True) / (2 * 0.2**2))[None]
    darker = (offset.sum(axis=-1, keepdims=True) < 0)[None]
    gain = (skin / tone[None])[:, None, None]
    gain = skinness * gain + (1.0 - skinness) * jnp.where(darker, jnp.minimum(gain, 1.0), 1.0)
    return jnp.clip(mean_albedo[None] * gain * resize_albedo(jnp.exp(noise), size), 0.0, 1.0)


@functools.partial(jax.jit, static_argnames=("backend",))
def _draw_faces(face_model, coefficients, camera, skin, noise, light, gloss, tone, *, backend="auto"):
    """Premultiplied faces with opacity, [B, 4, H, W] in [0, 1], from a rendering of twice the size."""
    albedo = person_albedo(face_model.mean_albedo, tone, skin, noise)
    # Pixel centers are integers: u of the crop is 2 u + 0.5 of a picture of twice the size.
    large = camera.replace(
        scale=SUPERSAMPLING * camera.scale,
        translation=SUPERSAMPLING * camera.translation + (SUPERSAMPLING - 1) / 2,
    )
    size = (SUPERSAMPLING * IMAGE_SIZE[0], SUPERSAMPLING * IMAGE_SIZE[1])
    rendering, _ = render_face(face_model, coefficients, large, albedo, light, image_size=size, backend=backend)
    # Highlights of a lamp where the light's first-order part points to; the viewer looks along -z.
    lamp = jnp.stack([light[:, 2], light[:, 3], light[:, 1]], axis=-1).mean(axis=1)
    halfway = lamp / (jnp.linalg.norm(lamp, axis=-1, keepdims=True) + 1e-6) + jnp.array([[0.0, 0.0, 1.0]])
    halfway = halfway / (jnp.linalg.norm(halfway, axis=-1, keepdims=True) + 1e-6)
    facing = jnp.clip(jnp.einsum("bhwc,bc->bhw", rendering.normals, halfway), 0.0, 1.0)
    shine = gloss[:, None, None] * facing**_GLOSS_SHARPNESS * rendering.mask
    image = jnp.clip(rendering.image + shine[..., None], 0.0, 1.0) * rendering.mask[..., None]
    layers = jnp.concatenate([image, rendering.mask[..., None]], axis=-1)
    batch, (height, width) = len(light), IMAGE_SIZE
    layers = layers.reshape(batch, height, SUPERSAMPLING, width, SUPERSAMPLING, 4).mean(axis=(2, 4))
    return jnp.moveaxis(layers, -1, 1)


_landmarks = jax.jit(morphable.landmarks)


def _render(face_model, people: list[Person], views: list[View], tone):
    """Faces [N, 4, H, W], landmarks [N, 68, 2] px and (rotation, scale, translation) of up to BATCH_SIZE photos."""
    fill = [0] * (BATCH_SIZE - len(people))
    people, views = people + [people[i] for i in fill], views + [views[i] for i in fill]

    def stack(values):
        return np.stack(list(values)).astype(np.float32)

    coefficients = Coefficients(
        shape=jnp.asarray(stack(person.shape for person in people)),
        expression=jnp.asarray(stack(view.expression for view in views)),
    )
    solid = np.asarray(_landmarks(face_model, coefficients), np.float64)
    cameras = [
        scenes.aligned_camera(points, view.rotation, view.point_error)
        for points, view in zip(solid, views, strict=True)
    ]
    faces = _draw_faces(
        face_model,
        coefficients,
        Camera(
            rotation=jnp.asarray(stack(camera[0] for camera in cameras)),
            scale=jnp.asarray(stack(camera[1] for camera in cameras)),
            translation=jnp.asarray(stack(camera[2] for camera in cameras)),
        ),
        stack(person.skin for person in people),
        stack(person.skin_noise + view.skin_noise for person, view in zip(people, views, strict=True)),
        stack(view.light for view in views),
        stack(view.gloss for view in views),
        np.asarray(tone, np.float32),
    )
    landmarks = [
        (points @ rotation.T)[:, :2] * (scale, -scale) + translation
        for points, (rotation, scale, translation) in zip(solid, cameras, strict=True)
    ]
    return np.asarray(faces), landmarks, cameras


def _surroundings(
    photo_backgrounds: PhotoBackgrounds | None, seed: int, kind: str, key: tuple[int, int], random: np.random.Generator
) -> Float[np.ndarray, "H W 3"]:
    """The backdrop of a photo. A painted one is always drawn: what `random` draws next must not depend on real ones."""
    painted = backgrounds.draw_background(random, IMAGE_SIZE)
    if photo_backgrounds is None:
        return painted
    real = photo_backgrounds.draw(scenes.view_generator(seed, kind, key[0], _BACKDROP_STREAM + key[1]))
    return painted if real is None else real


def _finish(key, person: Person, view: View, kind: str, face, landmarks, camera, skull, surroundings) -> Sample:
    """Paints what surrounds the rendered face, photographs it and labels it."""
    rotation, scale, translation = camera
    random = view.random
    planes = np.ascontiguousarray(surroundings(key, random).transpose(2, 0, 1))
    head = heads.draw_head(random, person, skull, rotation, scale, translation, view.light)
    for layer in (head.behind, face, head.front):
        planes = planes * (1 - layer[3]) + layer[:3]  # colors are premultiplied
    image = np.ascontiguousarray(planes.transpose(1, 2, 0))
    if random.random() < OCCLUDED:
        brightness = float(np.clip(view.light[0].mean() * 0.886227, 0.3, 1.2))
        image = occluders.draw_occluder(random, image, landmarks, person, brightness)
    landmarks = landmarks.astype(np.float32)
    name = f"{kind}/{key[0]:06d}/{key[1]:04d}"
    return Sample(
        name=name,
        image=photograph.photograph(random, image),
        crop_from_photo=np.eye(2, 3),  # there is no larger photo
        landmarks=None if kind == "identity" else landmarks,
        identity=None if kind == "landmark" else f"{kind}-{key[0]:06d}",
        truth=Truth(
            shape=person.shape.astype(np.float32),
            expression=view.expression.astype(np.float32),
            rotation=rotation.astype(np.float32),
            landmarks=landmarks,
        ),
    )


def _with_progress(samples: Iterator[Sample], total: int, kind: str, progress: bool) -> Iterator[Sample]:
    if not progress:
        return samples
    from tqdm import tqdm

    return iter(tqdm(samples, total=total, desc=f"rendering {kind}", unit="image", smoothing=0.05))
