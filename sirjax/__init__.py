"""Recognizable 3D face shapes from single photos: the SIR loss and its whole system in JAX/Flax.

    model = sirjax.load()  # the weights that come with sirjax; or a run, or a .safetensors file
    face = model.reconstruct("portrait.jpg")
    face.save("portrait.glb")
    model.identity_distance("portrait.jpg", "holiday.jpg")  # mm

`sirjax.load`, `sirjax.load_face_model`, and the parts that work alone: `sirjax.render`, `sirjax.losses`. Nothing is
imported before it is used: `import sirjax` costs nothing. Docs: docs/api.md.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sirjax import losses as losses
    from sirjax import render as render
    from sirjax.api import Face as Face
    from sirjax.api import NoFaceError as NoFaceError
    from sirjax.api import Reconstructor as Reconstructor
    from sirjax.api import load as load
    from sirjax.morphable.builtin import load as load_face_model
    from sirjax.photo import PhotoError as PhotoError

# Name -> (module, name there; None: the module itself).
_LAZY = {
    "Face": ("sirjax.api", "Face"),
    "NoFaceError": ("sirjax.api", "NoFaceError"),
    "PhotoError": ("sirjax.photo", "PhotoError"),
    "Reconstructor": ("sirjax.api", "Reconstructor"),
    "load": ("sirjax.api", "load"),
    "load_face_model": ("sirjax.morphable.builtin", "load"),
    "losses": ("sirjax.losses", None),
    "render": ("sirjax.render", None),
}
__all__ = ["Face", "NoFaceError", "PhotoError", "Reconstructor", "load", "load_face_model", "losses", "render"]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'sirjax' has no attribute {name!r}; it has {', '.join(_LAZY)}")
    module, attribute = _LAZY[name]
    value = importlib.import_module(module)
    return getattr(value, attribute) if attribute else value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
