"""The project's shape: imports point downward, files stay short, modules have tests, nothing foreign gets in."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# Part of sirjax -> the parts it may import. Drawn in docs/architecture.md, section 2.
MAY_IMPORT = {
    "constants": set(),  # which every part may import
    "types": set(),
    "files": set(),
    "colors": set(),  # scales for values
    "memory": set(),
    "geometry": {"types"},
    "morphable": {"files", "types", "geometry"},
    "render": {"types", "geometry"},  # triangles and colors, no idea what a face is
    "networks": {"types"},
    "losses": {"types", "geometry"},  # arrays in, one value per sample out
    "evaluation": {"types", "geometry"},  # sees arrays only
    "decode": {"types", "geometry", "morphable", "render"},
    "data": {"files", "types", "geometry", "morphable", "render", "decode"},
    "photo": {"types"},
    "reconstruction": {"types", "geometry", "morphable", "data"},  # one face of one photo, as data
    "export": {"files", "types", "geometry", "morphable", "networks", "decode", "reconstruction", "fusion"},
    "pictures": {"colors", "types", "geometry", "morphable", "render", "decode", "data", "reconstruction"},
    "fusion": {"types", "morphable"},  # several images of one person
    "video": {"types", "geometry", "morphable", "reconstruction", "fusion"},  # frames, tracks, smoothing
    "report": {"colors", "files", "types", "geometry"},  # self-contained pages; what they show comes as arrays
    "predictor": {"types", "morphable", "networks", "losses", "decode", "data", "reconstruction", "training"},
    "api": {"types", "morphable", "networks", "photo", "reconstruction", "predictor", "export", "training"},
    "training": {
        *("files", "memory", "types", "geometry", "morphable", "render", "networks", "losses", "decode", "data"),
        "pictures",
    },
}
MAX_LINES = 400
RESEARCH_WEIGHTS = ROOT / "experiments" / "photos_and_renders" / "photos_and_renders.safetensors"
# Modules whose facts are proved by another file's tests.
TESTED_ELSEWHERE = {
    "sirjax/types.py": "tests/test_decode.py",
    "sirjax/cli/reconstructing/session.py": "tests/cli/reconstructing/test_photos.py",
    "sirjax/training/terms.py": "tests/training/test_step.py",
    "configs/default.py": "tests/cli/test_train.py",
    "configs/warmup.py": "tests/cli/test_train.py",
    "configs/sir.py": "tests/cli/test_train.py",
    "configs/demo.py": "tests/test_demo.py",
    "configs/photos.py": "tests/cli/test_train.py",
    "data_prep/builtin_albedo.py": "tests/data_prep/test_builtin_model.py",
    "data_prep/builtin_landmarks.py": "tests/data_prep/test_builtin_model.py",
    "data_prep/builtin_layout.py": "tests/data_prep/test_builtin_model.py",
    "data_prep/builtin_region.py": "tests/data_prep/test_builtin_model.py",
    "data_prep/builtin_statistics.py": "tests/data_prep/test_builtin_model.py",
    "sirjax/morphable/checks.py": "tests/morphable/test_storage.py",
    "sirjax/render/rasterize_xla.py": "tests/render/test_rasterize.py",
}


def tracked(*patterns):
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / line for line in listing.stdout.splitlines() if (ROOT / line).is_file()]


def modules(*folders):
    return [p for p in tracked(*(f"{folder}/*.py" for folder in folders)) if p.name != "__init__.py"]


def part_of(path):
    """The first name below sirjax: `sirjax/losses/sir.py` -> losses, `sirjax/decode.py` -> decode."""
    return path.relative_to(ROOT / "sirjax").parts[0].removesuffix(".py")


def imported_parts(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names = [node.module] if node.module != "sirjax" else [f"sirjax.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        yield from (name.split(".")[1] for name in names if name.startswith("sirjax."))


@pytest.mark.parametrize("path", modules("sirjax"), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_downward(path):
    part = part_of(path)
    if part == "cli":
        return  # the top: may import everything below
    assert part in MAY_IMPORT, f"{part} is new: say in MAY_IMPORT what it may import, and draw it in the architecture"
    foreign = set(imported_parts(path)) - MAY_IMPORT[part] - {part, "constants"}
    assert not foreign, f"{path.relative_to(ROOT)} imports {sorted(foreign)}, which {part} may not know"


def test_the_library_imports_nothing_from_above():
    for path in modules("sirjax"):
        if part_of(path) == "cli":
            continue
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"^\s*(from|import) (data_prep|experiments|configs|tests)\b", text, re.M), path


@pytest.mark.parametrize("heavy", ["torch", "tensorflow", "nvdiffrast"])
def test_the_library_never_imports_heavy_frameworks_at_import_time(heavy):
    for path in modules("sirjax"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            else:
                continue
            assert all(name.split(".")[0] != heavy for name in names), f"{path} imports {heavy} at the top"


@pytest.mark.parametrize(
    "path", modules("sirjax", "data_prep", "configs"), ids=lambda path: str(path.relative_to(ROOT))
)
def test_modules_are_short_and_documented(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MAX_LINES
    assert ast.get_docstring(ast.parse(text)), f"{path} has no module docstring"


@pytest.mark.parametrize(
    "path", modules("sirjax", "data_prep", "configs"), ids=lambda path: str(path.relative_to(ROOT))
)
def test_every_module_has_its_test(path):
    relative = path.relative_to(ROOT)
    elsewhere = TESTED_ELSEWHERE.get(str(relative))
    folders = relative.parent.parts[1:] if relative.parts[0] == "sirjax" else relative.parent.parts
    mirror = ROOT.joinpath("tests", *folders, f"test_{path.name}")
    expected = ROOT / elsewhere if elsewhere else mirror
    assert expected.is_file(), f"{relative} has no test: {expected.relative_to(ROOT)} is missing"


def test_no_file_is_large():
    limits = {RESEARCH_WEIGHTS: 4 << 20}
    too_large = {
        str(path.relative_to(ROOT)): path.stat().st_size
        for path in tracked()
        if path.stat().st_size > limits.get(path, 12 << 20 if "assets" in path.parts else 2 << 20)
    }
    assert not too_large


def test_nothing_is_left_unfinished():
    marks = re.compile(r"\b(TODO|FIXME|NotImplementedError|pytest\.skip|mark\.skip|mark\.xfail)\b")
    for path in tracked("*.py", "*.cc"):
        if path != Path(__file__):
            assert not marks.search(path.read_text(encoding="utf-8")), path


def test_no_path_of_a_machine_is_written_down():
    machine = re.compile(r"(?<![\w.])/(home|root|Users|work|tmp)/\w")
    for path in tracked("*.py", "*.cc", "*.md", "Makefile", "*.toml"):
        if path != Path(__file__):
            assert not machine.search(path.read_text(encoding="utf-8")), path
