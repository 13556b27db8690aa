"""From codes to a face: joins the face model, the camera and the renderer (Eqs. 1-3, 6 and Sec. III-C of the paper)."""

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Bool, Float

from sirjax.constants import IMAGE_SIZE, TEMPLATE_POINTS
from sirjax.geometry import camera as cameras
from sirjax.geometry import mesh
from sirjax.morphable import model as morphable
from sirjax.morphable import texture
from sirjax.render import renderer
from sirjax.types import Camera, Coefficients, NetworkOutput, Rendering


@struct.dataclass
class CameraGains:
    """How far one unit of the camera head's output moves the camera (spec: s_q, s_f, s_t); static."""

    quaternion: float = struct.field(pytree_node=False, default=1.0)
    scale: float = struct.field(pytree_node=False, default=0.1)
    translation: float = struct.field(pytree_node=False, default=0.1)


@struct.dataclass
class Decoded:
    """B faces brought back to geometry and pixels."""

    coefficients: Coefficients  # whitened
    camera: Camera
    vertices: Array  # [B, V, 3] model frame, millimeters
    projected: Array  # [B, V, 3] pixels (u, v) and depth in pixels, larger is closer
    landmarks: Array  # [B, 68, 2] pixels (u, v)
    rendering: Rendering


@jax.jit  # for one compilation instead of thirty
def camera_template(face_model: morphable.FaceModel) -> cameras.CameraTemplate:
    """The camera that puts the frontal mean face on the crop's five template points: where training starts."""
    points = morphable.five_points(morphable.landmarks_of(face_model, face_model.mean[None]))[0]
    return cameras.fit_camera_template(points, jnp.asarray(TEMPLATE_POINTS))


def decode_camera(
    output: NetworkOutput,
    template: cameras.CameraTemplate,
    *,
    image_size: tuple[int, int] = IMAGE_SIZE,
    gains: CameraGains | None = None,
) -> Camera:
    """The camera of each face, relative to `template`."""
    gains = CameraGains() if gains is None else gains
    return cameras.decode_camera(
        output.camera,
        template,
        image_width=image_size[1],
        quaternion_gain=gains.quaternion,
        scale_gain=gains.scale,
        translation_gain=gains.translation,
    )


def project_landmarks(
    face_model: morphable.FaceModel, coefficients: Coefficients, camera: Camera
) -> Float[Array, "B 68 2"]:
    """The 68 landmarks in pixels, from their own rows of the basis: about 100 times cheaper than the whole mesh."""
    return cameras.project(camera, morphable.landmarks(face_model, coefficients))[..., :2]


def albedo_map(
    face_model: morphable.FaceModel, residual: Float[Array, "B U U 3"], mirrored: Bool[Array, " B"] | None = None
) -> Float[Array, "B U U 3"]:
    """Mean albedo + residual inside the UV mask, at the residual's resolution; those `mirrored` are flipped."""
    size = residual.shape[1]
    if mirrored is not None:
        residual = jnp.where(mirrored[:, None, None, None], texture.mirror_albedo(residual), residual)
    mean = texture.resize_albedo(face_model.mean_albedo, size)
    inside = texture.resize_albedo(face_model.uv_mask[..., None].astype(residual.dtype), size)
    return mean[None] + residual * inside[None]


def render_face(
    face_model: morphable.FaceModel,
    coefficients: Coefficients,
    camera: Camera,
    albedo: Float[Array, "B U U 3"],
    light: Float[Array, "B 9 3"],
    *,
    image_size: tuple[int, int] = IMAGE_SIZE,
    backend: str = "auto",
) -> tuple[Rendering, Float[Array, "B V 3"]]:
    """Draws faces with given parameters; returns the rendering and the projected vertices (pixels)."""
    vertices = morphable.vertices(face_model, coefficients)
    return draw_mesh(face_model, vertices, camera, albedo, light, image_size=image_size, backend=backend)


def draw_mesh(
    face_model: morphable.FaceModel,
    vertices: Float[Array, "B V 3"],
    camera: Camera,
    albedo: Float[Array, "B U U 3"],
    light: Float[Array, "B 9 3"],
    *,
    image_size: tuple[int, int] = IMAGE_SIZE,
    backend: str = "auto",
) -> tuple[Rendering, Float[Array, "B V 3"]]:
    """As `render_face`, for vertices that are already there (model frame, millimeters)."""
    projected = cameras.project(camera, vertices)
    normals = jnp.einsum("bij,bvj->bvi", camera.rotation, mesh.vertex_normals(vertices, face_model.topology))
    rendering = renderer.render(
        projected,
        normals,
        albedo,
        light,
        triangles=face_model.topology.triangles,
        uv=face_model.uv,
        uv_triangles=face_model.uv_triangles,
        image_size=image_size,
        backend=backend,
    )
    return rendering, projected


def decode(
    face_model: morphable.FaceModel,
    output: NetworkOutput,
    template: cameras.CameraTemplate,
    *,
    image_size: tuple[int, int] = IMAGE_SIZE,
    gains: CameraGains | None = None,
    mirrored: Bool[Array, " B"] | None = None,
    backend: str = "auto",
) -> Decoded:
    """Whole faces from the networks' output.

    Args:
      face_model: the 3DMM.
      output: what the networks read.
      template: see `camera_template`.
      image_size: height and width of the images the networks saw.
      gains: see `CameraGains`.
      mirrored: faces to be drawn with their albedo residual mirrored left to right (docs/method.md).
      backend: see `sirjax.render.rasterize`.
    """
    coefficients = Coefficients(shape=output.shape, expression=output.expression)
    camera = decode_camera(output, template, image_size=image_size, gains=gains)
    vertices = morphable.vertices(face_model, coefficients)
    rendering, projected = draw_mesh(
        face_model,
        vertices,
        camera,
        albedo_map(face_model, output.albedo_residual, mirrored),
        output.light,
        image_size=image_size,
        backend=backend,
    )
    landmarks = cameras.project(camera, morphable.landmarks_of(face_model, vertices))[..., :2]
    return Decoded(
        coefficients=coefficients,
        camera=camera,
        vertices=vertices,
        projected=projected,
        landmarks=landmarks,
        rendering=rendering,
    )
