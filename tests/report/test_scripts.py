"""The pages' scripts parse, as files and as they stand in a page."""

from pathlib import Path

import numpy as np
import pytest

import sirjax.report
from tests.report.javascript import syntax_errors
from tests.report.pages import words
from tests.report.test_viewer import data_of, make_face, make_viewer

SCRIPTS = sorted((Path(sirjax.report.__file__).parent / "assets").glob("*.js"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_the_file_is_javascript(path):
    assert syntax_errors(path.read_text(encoding="utf-8")) == []


def test_every_script_of_the_viewers_page_is_javascript():
    root, _ = data_of(make_viewer([make_face(np.random.default_rng(0))]))
    scripts = [words(script) for script in root.iter("script") if not script.get("type")]
    assert [syntax_errors(script) for script in scripts] == [[], []]
    assert min(map(len, scripts)) > 1000


@pytest.mark.parametrize("code", ["const a = {b: ;", "let x = 1; }", "for (const i of ) i;", "f(1"])
def test_what_is_no_javascript_is_found(code):
    assert syntax_errors(f"let y = 2;\n{code}\n")
