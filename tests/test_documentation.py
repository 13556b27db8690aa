"""Code in the documentation runs as a reader would paste it; its commands are understood; the site builds."""

import argparse
import importlib
import os
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from sirjax.cli.main import main as sirjax
from sirjax.cli.main import parse
from sirjax.cli.train import load_config
from tests.noise_records import write_noise_records
from tests.runs import write_portrait, write_run

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(page.relative_to(ROOT).as_posix() for page in [*DOCS.glob("*.md"), ROOT / "README.md"])
READMES = sorted(page.relative_to(ROOT).as_posix() for page in (ROOT / "experiments").rglob("*.md"))
# What makes a browser load something from another place.
ELSEWHERE = re.compile(r'<(?:script|img|iframe|link rel="(?:stylesheet|preload|preconnect)")[^>]*"(?:https?:)?//')
# What stands for something of the reader's where a parser takes only certain words.
STAND_INS = {"FORMAT": "ict"}


def blocks(page, language):
    """(line number, code) of each block of a language."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for match in re.finditer(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        yield text[: match.start(1)].count("\n") + 1, match[1]


def commands(page):
    """(line number, words) of each command of the page's shell blocks, without comments; `&&` and `|` separate."""
    for start, code in blocks(page, "sh"):
        # Lines that end in a backslash, or inside of quotes, go on; their breaks stay in the count.
        logical = re.sub(r"\\\n", "\0", code)
        logical = re.sub(r'"[^"\n]*(?:\n[^"\n]*)*"', lambda quoted: quoted[0].replace("\n", "\0"), logical)
        line = start
        for written in logical.splitlines():
            words = shlex.split(written.replace("\0", " "), comments=True)
            yield from ((line, part) for part in split(words, ("&&", "|", ">")) if part)
            line += 1 + written.count("\0")


def split(words, marks):
    parts = [[]]
    for word in words:
        parts[-1].append(word) if word not in marks else parts.append([])
    return parts


def commands_of(program, pages):
    """(place, words after the program) of all commands of one program."""
    found = []
    for page in pages:
        for line, words in commands(page):
            if program in (words[0], *words[1:] * (words[0] == "srun")):
                found.append((f"{page}:{line}", words[words.index(program) + 1 :]))
    return found


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder with what the pages take for granted: a run, its exports, two photos, records."""
    folder = tmp_path_factory.mktemp("reader")
    run = str(write_run(folder / "runs" / "sir"))
    write_portrait(folder / "portrait.jpg")
    write_portrait(folder / "holiday.jpg")
    write_noise_records(folder / "records" / "identity", [f"p{i % 3}/{i}" for i in range(18)])
    for kind, name in (("weights", "sir.safetensors"), ("program", "sir.stablehlo"), ("onnx", "sir.onnx")):
        assert sirjax(["export", kind, run, "--out", str(folder / name), "--i-may-share"]) == 0
    return folder


@pytest.mark.parametrize("page", [page for page in PAGES if any(blocks(page, "python"))])
def test_blocks_run_one_after_the_other(page, workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    known = {}
    for line, code in blocks(page, "python"):
        # Blank lines first: errors then name the line of the page.
        exec(compile("\n" * (line - 1) + code, str(ROOT / page), "exec"), known)
    if page in CHECKS:
        CHECKS[page](known)


def check_api(known):
    assert all(Path(name).exists() for name in ("anna.glb", "anna_posed.ply", "anna.npz"))
    assert known["distance"] == pytest.approx(0.0, abs=1e-3)  # both photos are the same here
    assert known["nearest"] == "anna"
    assert np.abs(known["gradient"]).max() > 0
    assert known["total"] > 0


def check_networks(known):
    assert sum(leaf.size for leaf in jax.tree.leaves(known["params"])) / 1e6 == pytest.approx(155.9, abs=0.05)
    assert known["output"].shape.shape == (1, 199)


def check_rendering(known):
    assert np.asarray(known["rendering"].mask).mean() > 0.3
    np.testing.assert_allclose(known["image"].image, known["rendering"].image, atol=1e-6)


def check_tutorial(known):
    assert known["get_config"]("warmup").sir.center == "plain"


def check_weights(known):
    assert known["about"]["face_model"]["file"] == "dome.npz"
    np.testing.assert_array_equal(known["kernel"], known["params"]["trunk"]["Stage_0"]["Conv_0"]["kernel"])


# What a page says of its own code beyond that it runs.
CHECKS = {
    "docs/api.md": check_api,
    "docs/networks.md": check_networks,
    "docs/rendering.md": check_rendering,
    "docs/tutorial.md": check_tutorial,
    "docs/weights.md": check_weights,
}


def test_every_page_with_code_in_python_marks_it_so():
    for page in PAGES:
        for language in re.findall(r"^```(\S*)\n(?!```)", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE):
            assert language in ("", "python", "sh", "text"), f"{page} has a block of {language}"


@pytest.mark.parametrize(("place", "words"), commands_of("sirjax", PAGES + READMES))
def test_commands_are_understood(place, words):
    words = [STAND_INS.get(word, word.strip("[]")) for word in words]
    if "..." in words:  # options that the reader fills in
        words = [word for word in words if word != "..."]
        filled = {"train": ["--config=warmup", "--workdir=runs/mine"]}[words[0]]
        words += [option for option in filled if not any(word.split("=")[0] == option.split("=")[0] for word in words)]
    args = parse(words, words[0])
    if words[0] == "train" and Path(args.config).name != "mine.py":
        config = ROOT / args.config if args.config.endswith(".py") else args.config
        load_config(str(config), args.settings)  # every --config.* exists and has a value of its type


class Understood(Exception):
    """Instead of what a program would do with its arguments."""


@pytest.mark.filterwarnings("ignore:.* found in sys.modules:RuntimeWarning")  # of runpy, as others import it, too
@pytest.mark.parametrize(("place", "words"), commands_of("python", PAGES + READMES))
def test_modules_that_are_run_understand_their_arguments(place, words, monkeypatch):
    module, *arguments = words[words.index("-m") + 1 :]
    if module == "venv":
        return
    monkeypatch.setattr(sys, "argv", [module, *arguments])
    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_and_stop)
    with pytest.raises(Understood):
        runpy.run_module(module, run_name="__main__")


READ = argparse.ArgumentParser.parse_args


def parse_and_stop(parser, arguments=None, namespace=None):
    READ(parser, arguments, namespace)
    raise Understood


def test_make_has_the_targets_that_pages_name():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {words[0] for _, words in commands_of("make", PAGES)}
    assert {"demo", "test"} <= named <= targets


def test_extras_that_pages_name_exist():
    declared = set(re.findall(r'^        "(\w+)": \[', (ROOT / "setup.py").read_text(encoding="utf-8"), re.MULTILINE))
    text = "".join((ROOT / page).read_text(encoding="utf-8") for page in PAGES)
    named = set(re.findall(r"(?:sirjax|\.)\[(\w+)\]", text))
    assert {"eval", "onnx", "beam"} <= named <= declared


def test_settings_that_pages_name_exist():
    settings = set(load_config("default", []).to_dict())
    for page in PAGES:
        for name in re.findall(r"`--config\.([a-z_.0-9]+)=", (ROOT / page).read_text(encoding="utf-8")):
            config = load_config("default", [])
            for part in name.split("."):
                assert part in config, f"{page} names the setting {name}"
                config = config[part]
    assert "losses" in settings


def test_names_of_the_package_in_the_method_and_the_conventions_exist():
    for page in ("method.md", "conventions.md", "licences.md"):
        for name in re.findall(r"`(sirjax(?:\.\w+)+)`", (DOCS / page).read_text(encoding="utf-8")):
            assert exists(name), f"{page} names {name}"


def exists(name):
    """Whether a dotted name is a module or in one."""
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        module, _, attribute = name.rpartition(".")
        return hasattr(importlib.import_module(module), attribute)
    return True


def test_each_equation_is_on_the_method_page():
    text = (DOCS / "method.md").read_text(encoding="utf-8")
    numbers = set()
    for tag in re.findall(r"\\tag\{(.*?)\}", text):
        first, *_, last = [int(number) for number in re.findall(r"\d+", tag)] * 2
        numbers |= set(range(first, last + 1)) if "–" in tag else {int(n) for n in re.findall(r"\d+", tag)}
    assert numbers == set(range(1, 23))


def test_links_between_pages_lead_somewhere():
    for page in PAGES + READMES:
        here = (ROOT / page).parent
        for target in re.findall(r"\]\((?!https?://)([^)#\s]+)", (ROOT / page).read_text(encoding="utf-8")):
            assert (here / target).exists(), f"{page} links to {target}"


def test_every_page_is_in_the_navigation():
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for page in DOCS.rglob("*.md"):
        assert re.search(rf"[ :]{re.escape(page.relative_to(DOCS).as_posix())}$", nav, re.MULTILINE), page


@pytest.mark.slow
def test_site_builds_without_warnings_and_loads_nothing_from_elsewhere(tmp_path):
    site = tmp_path / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(site)]
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=quiet, capture_output=True, text=True, timeout=600)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")  # told to be quiet, it prints warnings alone
    pages = list(site.rglob("*.html"))
    assert {"index.html", "tutorial.html", "method.html"} <= {page.name for page in pages}
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert not ELSEWHERE.search(text), page
        assert 'class="arithmatex"' not in text, f"{page} has a formula that is no MathML"
    method = (site / "method.html").read_text(encoding="utf-8")
    assert method.count("<math") > 60
    assert 'href="reference/losses.html#sirjax.losses.sir.update_centers"' in method
