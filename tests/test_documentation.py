"""Code in the documentation runs, block after block, as a reader would paste it."""

import re
from pathlib import Path

import numpy as np
import pytest

from tests.runs import write_portrait, write_run

DOCS = Path(__file__).parent.parent / "docs"
EXECUTED = ["api.md"]


def python_blocks(page):
    """(line number, code) of each block marked as Python."""
    text = (DOCS / page).read_text(encoding="utf-8")
    for match in re.finditer(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        yield text[: match.start(1)].count("\n") + 1, match[1]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder with a run and two photos, as the pages take for granted."""
    folder = tmp_path_factory.mktemp("reader")
    write_run(folder / "runs" / "sir")
    write_portrait(folder / "portrait.jpg")
    write_portrait(folder / "holiday.jpg")
    return folder


@pytest.mark.parametrize("page", EXECUTED)
def test_blocks_run_one_after_the_other(page, workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    known = {}
    for line, code in python_blocks(page):
        # Blank lines first: errors then name the line of the page.
        exec(compile("\n" * (line - 1) + code, str(DOCS / page), "exec"), known)
    assert {path.name for path in workplace.glob("anna*")} == {"anna.glb", "anna_posed.ply", "anna.npz"}
    assert known["distance"] == pytest.approx(0.0, abs=1e-3)  # both photos are the same here
    assert known["nearest"] == "anna"
    assert np.abs(known["gradient"]).max() > 0
    assert known["total"] > 0


def test_links_between_pages_lead_somewhere():
    for page in [*DOCS.glob("*.md"), DOCS.parent / "README.md"]:
        for target in re.findall(r"\]\((?!https?://)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
