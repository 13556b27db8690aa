"""Where figures come from: versions, commit, time, command line, platform."""

import datetime
import importlib.metadata
import platform
import shlex
import subprocess
import sys
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent
_PACKAGES = ("jax", "jaxlib", "numpy")


def provenance(**extra: object) -> dict[str, object]:
    """What ran, with what, when and where, and `extra` (which wins over a fact of the same name)."""
    facts: dict[str, object] = {"sirjax": _version("sirjax"), "python": platform.python_version()}
    facts |= {name: _version(name) for name in _PACKAGES}
    commit = git_commit(_PACKAGE)
    if commit:
        facts["commit"] = commit
    facts |= {
        "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": shlex.join([*_program(), *sys.argv[1:]]),
        "platform": platform.platform(),
    }
    return facts | extra


def git_commit(package: Path) -> str | None:
    """The commit of the checkout that tracks a package folder, "+ changes" if tracked files differ; None outside."""
    # A package installed into somebody's own checkout lies there, but is no part of it.
    if _git(package, "ls-files", "--error-unmatch", "__init__.py") is None:
        return None
    commit = _git(package, "rev-parse", "HEAD")
    changes = _git(package, "status", "--porcelain", "--untracked-files=no", "--", ".")
    return f"{commit} + changes" if commit and changes else commit


def _git(folder: Path, *arguments: str) -> str | None:
    """What git prints; None where it fails or is missing."""
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _program() -> list[str]:
    """How this process was started: a script's name, or `python -m` and the module."""
    module = getattr(sys.modules["__main__"], "__spec__", None)
    return ["python", "-m", module.name] if module else [Path(sys.argv[0]).name]


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
