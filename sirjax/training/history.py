"""How trained weights came about: the stages of training, each with its settings and the sets it saw.

A weights file carries this with it (`sirjax.training.weights.About.training`), so that whoever has the file alone
knows what to start again. Of paths only the last name is kept.
"""

import json
from pathlib import Path
from typing import Any

from sirjax.data.records import RecordsError, read_manifest
from sirjax.data.sources import folders_of
from sirjax.training import checkpoint
from sirjax.training.weights import is_weights_file, locate, read_about

FILES = (("face_model", "path"), ("losses", "vgg16_weights"), (None, "init_from"))  # settings that name one file
FACTS = ("samples", "num_identities", "content_sha256", "parameters")  # of a set, as its manifest has them


def training_history(path: Path) -> list[dict[str, Any]]:
    """The stages a run directory or weights file went through, the first one first; plain JSON.

    Each is {"settings": the resolved config, "sets": {name: facts of the records, {} if they are gone}}.

    Raises:
      FileNotFoundError: if `path` is neither.
    """
    path = locate(path)
    if is_weights_file(path):
        return list(read_about(path).training)
    config = checkpoint.load_config(path)
    return [*_before(config.get("init_from", "")), {"settings": _portable(config), "sets": _sets(config)}]


def _before(start: str) -> list[dict[str, Any]]:
    """The stages of what a run started from, as far as it is still there."""
    if not start:
        return []
    try:
        return training_history(locate(start))
    except FileNotFoundError:
        return []


def _portable(config: dict[str, Any]) -> dict[str, Any]:
    """The settings without folders of this machine."""
    settings = json.loads(json.dumps(config))
    for group, name in FILES:
        place = settings if group is None else settings.get(group, {})
        if place.get(name):
            place[name] = Path(place[name]).name
    for kind in ("landmark", "identity"):
        text = settings.get("data", {}).get(kind, "")
        for folder in folders_of(text):
            text = text.replace(str(folder), Path(folder).name)
        if text:
            settings["data"][kind] = text
    return settings


def _sets(config: dict[str, Any]) -> dict[str, Any]:
    data = config.get("data", {})
    folders = [*folders_of(data.get("landmark", "")), *folders_of(data.get("identity", ""))]
    return {Path(folder).name: _facts(Path(folder)) for folder in folders}


def _facts(folder: Path) -> dict[str, Any]:
    try:
        manifest = read_manifest(folder)
    except RecordsError:
        return {}
    return {name: manifest[name] for name in FACTS if name in manifest}
