"""Which implementations of the rendering operations there are, and which of them work here.

| backend | platform | what it is |
|---|---|---|
| cpu | CPU | C++ handlers called by XLA; built at installation, or on first use if there is a compiler |
| xla | any | plain JAX |

"auto" takes the fastest one on the platform that a program is lowered for.
"""

from sirjax.render.native import loader

NAMES = ("cpu", "xla")


def available_backends() -> dict[str, str]:
    """Every backend by name with "" if it works here, else the reason why not and what would help."""
    return {"cpu": loader.unavailable(), "xla": ""}


def resolve(backend: str) -> str:
    """The implementation to use for a requested backend: "auto" (cpu on CPU, xla elsewhere), "cpu" or "xla".

    Raises:
      ValueError: if there is no such backend.
      RuntimeError: if it does not work here.
    """
    if backend == "auto":
        return "auto" if not loader.unavailable() else "xla"
    if backend not in NAMES:
        raise ValueError(f"there is no rendering backend {backend!r}: choose one of auto, {', '.join(NAMES)}")
    reason = available_backends()[backend]
    if reason:
        raise RuntimeError(f"the rendering backend {backend!r} is not available: {reason}")
    return backend
