"""Pytrees that cross module borders. B: batch, V: vertices, T: triangles, S/E: shape/expression modes, U: UV map size.

Arrays are float32 unless noted. Frames and units, everywhere in sirjax:

- Model frame: millimeters; x to the image's right for a frontal face, y up, z out of the face (toward the viewer).
- Camera frame: the same axes after the rotation `camera_from_model`; a frontal face has the identity rotation.
- Pixels: u to the right, v down, the center of the top-left pixel is (0, 0); images are RGB in [0, 1], [B, H, W, 3].
- 3DMM coefficients: *whitened* ones count standard deviations of the prior; *millimeter* ones are whitened x std.
- UV maps: u to the right, v down, both in [0, 1]; the center of texel (row i, column j) of a U x U map is
  ((j + 0.5) / U, (i + 0.5) / U). The layout is symmetric about u = 0.5: mirroring a face is reversing the columns.
"""

from flax import struct
from jax import Array


@struct.dataclass
class Coefficients:
    """3DMM coefficients of B faces, whitened."""

    shape: Array  # [B, S] identity geometry
    expression: Array  # [B, E]


@struct.dataclass
class Camera:
    """Weak perspective: u = scale X + translation_u, v = -scale Y + translation_v, with (X, Y, Z) = rotation @ p."""

    rotation: Array  # [B, 3, 3] camera_from_model
    scale: Array  # [B] pixels per millimeter, positive
    translation: Array  # [B, 2] pixels (u, v): where the model origin lands


@struct.dataclass
class NetworkOutput:
    """Everything the networks read from B images, before the face model and the camera template are applied."""

    shape: Array  # [B, S] whitened
    expression: Array  # [B, E] whitened
    camera: (
        Array  # [B, 7] raw: quaternion offset (x, y, z, w), log scale, translation; see geometry.camera.decode_camera
    )
    light: Array  # [B, 9, 3] spherical harmonics (rows) of each RGB channel (columns)
    albedo_code: Array  # [B, 512] (fewer in small presets)
    albedo_residual: Array  # [B, U, U, 3] to be added to the mean albedo map
    pixel_confidence: Array  # [B, H, W, 2] sigma of the pixel loss; channel 1 is for the mirrored albedo
    feature_confidence: Array  # [B, H/4, W/4, 2] sigma of the perceptual loss; channels as above


@struct.dataclass
class Fragments:
    """What the rasterizer found at each pixel center."""

    triangle_id: Array  # int32 [N, H, W]; NO_TRIANGLE where nothing is hit
    barycentric: Array  # [N, H, W, 3] weights of the triangle's vertices, differentiable; 0 where nothing is hit
    depth: Array  # [N, H, W] z/w in [-1, 1], smaller is closer, no gradient; 0 where nothing is hit


@struct.dataclass
class Rendering:
    """A face drawn back."""

    image: Array  # [B, H, W, 3] linear shading result, not clipped; 0 outside the mask
    mask: Array  # [B, H, W] 1 where a front-facing triangle is seen, else 0; constant for gradients
    albedo: Array  # [B, H, W, 3] unshaded texture; 0 outside the mask
    normals: Array  # [B, H, W, 3] unit, camera frame; 0 outside the mask


@struct.dataclass
class Batch:
    """Aligned training images with the labels they have."""

    image: Array  # [B, 112, 96, 3] in [0, 1]; uint8 in [0, 255] until it is on the device
    landmarks: Array  # [B, 68, 2] pixels (u, v) of the crop; anything where has_landmarks is False
    has_landmarks: Array  # bool [B]
    identity: Array  # int32 [B], a row of the identity tables, or NO_IDENTITY
    teacher: Array | None = None  # [B, D] an outside recognizer's descriptors, zeros where it saw none; None: unused
