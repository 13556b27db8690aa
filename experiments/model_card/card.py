"""docs/model_card.md: what is said by hand, and between its markers what was measured."""

from pathlib import Path
from typing import Any

from experiments import publish
from experiments.common.markers import between_markers
from experiments.common.outcome import load_tables
from sirjax.files import write_text
from sirjax.training import weights
from sirjax.training.setup import TrainedRun

FOLDER = Path(__file__).resolve().parent
PAGE = FOLDER.parent.parent / "docs" / "model_card.md"
PICTURE = PAGE.parent / "images" / "people.jpg"


def about_weights(name: str, trained: TrainedRun) -> dict[str, Any]:
    """Which weights were measured; of a run directory only its name and step."""
    path = weights.locate(name)
    facts: dict[str, Any] = {"run": f"{path.name}, step {trained.metadata['step']}"}
    if weights.is_weights_file(path):
        about = weights.read_about(path)
        facts = {name: getattr(about, name) for name in ("run", "licence", "fingerprint", "notes", "training")}
    return facts | {"face_model": trained.face_model.name, "preset": trained.settings["networks"]["preset"]}


def write(page: Path, document: dict[str, Any]) -> None:
    """Replaces the measured part of the page."""
    write_text(page, between_markers(page.read_text(encoding="utf-8"), section(document), page))


def section(document: dict[str, Any]) -> str:
    """Weights, tables and protocol."""
    parts = [weights_lines(document["weights"])]
    for table in load_tables(document):
        parts += [f"### {table.title}", publish.markdown(table), table.caption]
    facts = document["provenance"]
    commit = facts.get("commit", "unknown")
    parts.append(f"Protocol: {document['protocol']}. Commit {commit}, {facts['time']}, jax {facts['jax']}.")
    return "\n\n".join(parts)


def weights_lines(about: dict[str, Any]) -> str:
    """What the weights are, as a list."""
    lines = [f"- Weights: {about['run']}, network preset `{about['preset']}`, face model {about['face_model']}"]
    if about.get("licence"):
        lines.append(f"- Licence: {about['licence']}")
    if about.get("fingerprint"):
        lines.append(f"- Fingerprint: `{about['fingerprint']}`")
    lines += [f"- {note}" for note in about.get("notes", [])]
    for number, stage in enumerate(about.get("training", []), 1):
        settings = stage["settings"]
        sets = ", ".join(f"{name} ({facts.get('samples', 'unknown')} photos)" for name, facts in stage["sets"].items())
        steps = f"{settings['schedule']['steps']} steps of {settings['data']['batch_size']} photos"
        lines.append(f"- Stage {number}: {steps}, seed {settings['seed']}; sets: {sets}")
    return "\n".join(lines)
