"""What Khronos's glTF validator checks of a GLB with one textured mesh, in our own words; without its JavaScript."""

import io
import json
import struct
from pathlib import Path

import numpy as np
from PIL import Image

COMPONENTS = {5121: "<u1", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
INDICES = (5121, 5123, 5125)
COLUMNS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}
TARGETS = {"attribute": 34962, "indices": 34963}
MAGIC = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff"}


def violations(path: Path) -> list[str]:
    """What is wrong with the file, a line each; empty if nothing is."""
    document, binary, wrong = read_container(path)
    wrong += _views(document, binary)
    if wrong:  # arrays cannot be read where the views are wrong
        return wrong
    for primitive in (primitive for mesh in document["meshes"] for primitive in mesh["primitives"]):
        wrong += _primitive(document, binary, primitive)
    for image in document.get("images", ()):
        wrong += _image(document, binary, image)
    return wrong


def read_container(path: Path) -> tuple[dict, bytes, list[str]]:
    """The JSON and binary chunks, and what is wrong with the lengths."""
    data, wrong = path.read_bytes(), []
    magic, version, length = struct.unpack_from("<4sII", data)
    if (magic, version, length) != (b"glTF", 2, len(data)):
        wrong.append(f"header {magic!r}, version {version}, length {length} of {len(data)}")
    json_length, json_type = struct.unpack_from("<I4s", data, 12)
    binary_length, binary_type = struct.unpack_from("<I4s", data, 20 + json_length)
    if (json_type, binary_type) != (b"JSON", b"BIN\0") or json_length % 4 or binary_length % 4:
        wrong.append(f"chunks {json_type!r}, {binary_type!r} of {json_length} and {binary_length} bytes")
    if 28 + json_length + binary_length != len(data):
        wrong.append("the chunks do not fill the file")
    return json.loads(data[20 : 20 + json_length]), data[28 + json_length :], wrong


def _views(document: dict, binary: bytes) -> list[str]:
    """Of the buffer and its views: inside of it, one after the other."""
    (buffer,) = document["buffers"]
    wrong = [] if 0 <= len(binary) - buffer["byteLength"] < 4 else [f"a buffer of {buffer} in {len(binary)} bytes"]
    end = 0
    for i, view in enumerate(document["bufferViews"]):
        if view["byteOffset"] < end or view["byteLength"] < 1:
            wrong.append(f"view {i} overlaps the one before or is empty: {view}")
        end = view["byteOffset"] + view["byteLength"]
        if end > buffer["byteLength"]:
            wrong.append(f"view {i} ends at {end} of {buffer['byteLength']}")
    for i, accessor in enumerate(document["accessors"]):
        component = np.dtype(COMPONENTS[accessor["componentType"]])
        view = document["bufferViews"][accessor["bufferView"]]
        size = component.itemsize * COLUMNS[accessor["type"]] * accessor["count"]
        if view["byteOffset"] % component.itemsize or size != view["byteLength"]:
            wrong.append(f"accessor {i} does not fit its view: {accessor}, {view}")
    return wrong


def _array(document: dict, binary: bytes, number: int) -> np.ndarray:
    accessor = document["accessors"][number]
    data = _bytes(document, binary, accessor["bufferView"])
    return np.frombuffer(data, COMPONENTS[accessor["componentType"]]).reshape(accessor["count"], -1)


def _bytes(document: dict, binary: bytes, number: int) -> bytes:
    view = document["bufferViews"][number]
    return binary[view["byteOffset"] : view["byteOffset"] + view["byteLength"]]


def _primitive(document: dict, binary: bytes, primitive: dict) -> list[str]:
    """Of positions, normals, texture coordinates and indices."""
    accessors, views = document["accessors"], document["bufferViews"]
    attributes = {name: _array(document, binary, number) for name, number in primitive["attributes"].items()}
    wrong = [f"{name} is not finite" for name, array in attributes.items() if not np.isfinite(array).all()]
    position = accessors[primitive["attributes"]["POSITION"]]
    for key, exact in (("min", attributes["POSITION"].min(axis=0)), ("max", attributes["POSITION"].max(axis=0))):
        if not np.array_equal(np.float32(position[key]), exact):
            wrong.append(f"{key} of POSITION is {position[key]}, not {exact.tolist()}")
    if len({len(array) for array in attributes.values()}) != 1:
        wrong.append("attributes of different length")
    lengths = np.linalg.norm(attributes["NORMAL"].astype(float), axis=1)
    if np.abs(lengths - 1).max() > 5e-4:  # the validator's own limit
        wrong.append(f"normals of length {lengths.min():.4f} to {lengths.max():.4f}")
    if accessors[primitive["indices"]]["componentType"] not in INDICES:
        return [*wrong, f"indices of component type {accessors[primitive['indices']]['componentType']}"]
    indices = _array(document, binary, primitive["indices"])[:, 0]
    if indices.max() >= len(attributes["POSITION"]) or len(indices) % 3:
        wrong.append(f"{len(indices)} indices up to {indices.max()} into {len(attributes['POSITION'])} vertices")
    corners = indices.reshape(-1, 3)
    if (corners == np.roll(corners, 1, axis=1)).any():
        wrong.append("a triangle has one vertex twice")
    numbers = {number: "attribute" for number in primitive["attributes"].values()} | {primitive["indices"]: "indices"}
    for number, kind in numbers.items():
        if views[accessors[number]["bufferView"]].get("target") != TARGETS[kind]:
            wrong.append(f"accessor {number} lies in a view of another target than {kind}")
    material = document["materials"][primitive["material"]]["pbrMetallicRoughness"]
    texture = document["textures"][material["baseColorTexture"]["index"]]
    if texture["source"] >= len(document["images"]) or texture["sampler"] >= len(document["samplers"]):
        wrong.append(f"the texture names what is not there: {texture}")
    return wrong


def _image(document: dict, binary: bytes, image: dict) -> list[str]:
    """Of an image inside the file: is it what it says?"""
    data = _bytes(document, binary, image["bufferView"])
    if not data.startswith(MAGIC.get(image["mimeType"], b"?")):
        return [f"an image of type {image['mimeType']} begins with {data[:8]!r}"]
    with Image.open(io.BytesIO(data)) as opened:
        opened.load()
        return [] if opened.mode in ("RGB", "RGBA") else [f"an image of mode {opened.mode}"]
