"""Which implementations of the rendering operations there are, which of them work here, and which one is taken where.

| backend | platform | what it is |
|---|---|---|
| cpu | CPU | C++ handlers called by XLA; built at installation, or on first use if there is a compiler |
| nvdiffrast | CUDA | the user's nvdiffrast (not for commercial use), through torch |
| cuda | CUDA | our own CUDA handlers, built on first use if there is nvcc |
| xla | any | plain JAX |

"auto" takes the best one on the platform that a program is lowered for: cpu on CPU; nvdiffrast, else cuda on a GPU that
is there; xla elsewhere and where those are missing.
"""

from typing import NamedTuple

import jax

from sirjax.render import nvdiffrast
from sirjax.render.native import cuda_loader, loader

PLATFORMS = {"cpu": "cpu", "nvdiffrast": "cuda", "cuda": "cuda", "xla": None}  # where each one works; None: everywhere
NAMES = tuple(PLATFORMS)
NO_GPU = "JAX sees no NVIDIA GPU; on a machine that has one, install jax[cuda12] or jax[cuda13]"


class Choice(NamedTuple):
    """The backend of a program on each platform that it may be lowered for; "" where it cannot be lowered."""

    cpu: str
    cuda: str
    other: str


def available_backends() -> dict[str, str]:
    """Every backend by name with "" if it works here, else the reason why not and what would help."""
    return {name: reason_against(name) for name in NAMES}


def reason_against(backend: str) -> str:
    """Why a backend does not work here; "" if it does. The first question about `cpu` or `cuda` may compile it."""
    if backend == "cpu":
        return loader.unavailable()
    if backend == "xla":
        return ""
    if not has_gpu():
        return NO_GPU
    return nvdiffrast.unavailable() if backend == "nvdiffrast" else cuda_loader.unavailable()


def has_gpu() -> bool:
    """Whether JAX has a CUDA device."""
    try:
        return bool(jax.devices("cuda"))
    except RuntimeError:  # no such platform
        return False


def resolve(backend: str) -> Choice:
    """The implementations to use for a requested backend: "auto" or one of NAMES.

    Raises:
      ValueError: if there is no such backend.
      RuntimeError: if it does not work here.
    """
    if backend == "auto":
        on_cuda = next(name for name in ("nvdiffrast", "cuda", "xla") if not reason_against(name))
        return Choice(cpu="xla" if reason_against("cpu") else "cpu", cuda=on_cuda, other="xla")
    if backend not in NAMES:
        raise ValueError(f"there is no rendering backend {backend!r}: choose one of auto, {', '.join(NAMES)}")
    if reason := reason_against(backend):
        raise RuntimeError(f"the rendering backend {backend!r} is not available: {reason}")
    if backend == "xla":
        return Choice("xla", "xla", "xla")
    return Choice(cpu="cpu", cuda="", other="") if backend == "cpu" else Choice(cpu="", cuda=backend, other="")


def here(backend: str = "auto") -> str:
    """The backend itself, or the one that "auto" takes on the platform where JAX runs programs by default.

    A program with "auto" is traced for every platform, which takes a multiple of the time: not for what runs once.
    """
    if backend != "auto":
        return backend
    choice = resolve(backend)
    return {"cpu": choice.cpu, "gpu": choice.cuda}.get(jax.default_backend(), choice.other)


def without_callbacks(choice: Choice) -> Choice:
    """The same choice with the next best backend in place of `nvdiffrast`.

    JAX drops Python callbacks of code that its partitioner shares out among devices: calling one would crash.
    """
    if "nvdiffrast" not in choice:
        return choice
    substitute = "xla" if cuda_loader.unavailable() else "cuda"
    return Choice(*(substitute if name == "nvdiffrast" else name for name in choice))
