"""Under which terms trained weights stand: those of the face model and of every photo they were made with.

A licence is a text as the source states it. Only well-known free ones, named first thing, are taken to allow passing
on what was made with them; any other, or none, is a restriction that the user has to judge.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sirjax.data.records import RecordsError, read_manifest
from sirjax.data.sources import folders_of
from sirjax.files import write_text
from sirjax.morphable.model import FaceModel
from sirjax.training import checkpoint
from sirjax.training.weights import is_weights_file, locate, read_about

FILE = "licences.json"  # of a run directory
PERMISSION = "--i-may-share"  # the option that says the user has checked the terms
UNKNOWN = "unknown"
_FREE = re.compile(r"(CC0|CC-BY(-SA)?-\d|MIT\b|Apache-2\.0|BSD-\d|Unlicense|public domain)", re.IGNORECASE)


@dataclass(frozen=True)
class Licences:
    """The terms that trained weights, and what is exported with them, stand under."""

    face_model: str = ""  # name of the face model
    face_model_licence: str = ""
    data: dict[str, str] = field(default_factory=dict)  # records folder (its name alone) -> licence; "" if unknown

    def to_dict(self) -> dict[str, Any]:
        """As files record it."""
        return {
            "face_model": {"name": self.face_model, "licence": self.face_model_licence or UNKNOWN},
            "data": {name: licence or UNKNOWN for name, licence in self.data.items()},
        }

    @classmethod
    def from_dict(cls, recorded: Mapping[str, Any]) -> "Licences":
        """What `to_dict` wrote."""
        model = recorded.get("face_model", {})
        return cls(model.get("name", ""), model.get("licence", ""), dict(recorded.get("data", {})))

    def restrictions(self) -> list[str]:
        """What does not plainly allow passing on, each with its licence."""
        found = [] if is_free(self.face_model_licence) else [("face model", self.face_model, self.face_model_licence)]
        found += [("records", name, licence) for name, licence in self.data.items() if not is_free(licence)]
        return [f"{what} {name!r} (licence: {licence or UNKNOWN})" for what, name, licence in found]

    def require_shareable(self, *, allowed: bool = False) -> None:
        """Refuses restricted terms unless the user says that they may pass it on.

        Raises:
          PermissionError: naming the licences and the option.
        """
        restrictions = self.restrictions()
        if restrictions and not allowed:
            raise PermissionError(
                f"made with {', '.join(restrictions)}: whoever gets the file must be allowed to have it; read the "
                f"terms, then add {PERMISSION}"
            )


def licences_of(path: Path, face_model: FaceModel) -> Licences:
    """The terms of a run directory, or of a weights file, trained with `face_model`."""
    path = locate(path)
    if is_weights_file(path):
        return Licences.from_dict(read_about(path).licences)
    return Licences(face_model.name, face_model.licence, _of_run(path))


def record(workdir: Path, config: Mapping[str, Any]) -> None:
    """Notes in a run directory the licences of what a run is trained on, while that is at hand; once."""
    if not (workdir / FILE).exists():
        write_text(workdir / FILE, json.dumps(data_licences(config), indent=2, ensure_ascii=False) + "\n")


def is_free(licence: str) -> bool:
    """Whether a licence is a well-known one that allows passing on, also changed and for any purpose."""
    return _FREE.match(licence.strip()) is not None


def data_licences(config: Mapping[str, Any]) -> dict[str, str]:
    """Licence of each records folder that a run's settings name, by the folder's name.

    Those of what it started from (`init_from`) count, too. Folders that are no longer there have an unknown licence.
    """
    data = config.get("data", {})
    found = {}
    for folder in [*folders_of(data.get("landmark", "")), *folders_of(data.get("identity", ""))]:
        found[Path(folder).name] = _of_records(Path(folder))
    start = config.get("init_from", "")
    return _of_start(locate(start)) | found if start else found


def _of_start(path: Path) -> dict[str, str]:
    try:
        if is_weights_file(path):
            return Licences.from_dict(read_about(path).licences).data
        return _of_run(path)
    except FileNotFoundError:
        return {path.name: ""}


def _of_run(workdir: Path) -> dict[str, str]:
    """As noted by `record`; else, for runs of before, from the records where they still are."""
    if (workdir / FILE).is_file():
        return dict(json.loads((workdir / FILE).read_text(encoding="utf-8")))
    return data_licences(checkpoint.load_config(workdir))


def _of_records(folder: Path) -> str:
    try:
        parameters = read_manifest(folder).get("parameters", {})
    except RecordsError:
        return ""
    # Rendered photos stand under the terms of the face model they show.
    return str(parameters.get("licence") or parameters.get("face_model_licence") or "")
