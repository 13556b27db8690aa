"""Where compiled programs are kept: in a cache that can be moved, switched off, and does not grow for ever."""

import os
import subprocess
import sys

import pytest

from sirjax.cli.compiled import prune

SCRIPT = """
import os
from sirjax.cli.compiled import keep_compiled
keep_compiled()
print(os.environ.get("JAX_COMPILATION_CACHE_DIR", "nowhere"))
"""


def kept_where(before="", **variables):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_", "SIRJAX_"))}
    shown = subprocess.run(
        [sys.executable, "-c", before + SCRIPT],
        env=environment | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    return shown.stdout.strip()


def test_programs_are_kept_in_the_users_cache_apart_by_processor(tmp_path):
    found = kept_where(XDG_CACHE_HOME=str(tmp_path))
    (folder,) = (tmp_path / "sirjax").iterdir()
    assert found == str(folder)


def test_another_folder_can_be_named(tmp_path):
    assert kept_where(SIRJAX_CACHE=str(tmp_path)) == str(next(tmp_path.iterdir()))


def test_off_keeps_nothing(tmp_path):
    assert kept_where(XDG_CACHE_HOME=str(tmp_path), SIRJAX_CACHE="off") == "nowhere"
    assert not list(tmp_path.iterdir())


def test_jaxs_own_setting_wins(tmp_path):
    assert kept_where(XDG_CACHE_HOME=str(tmp_path), JAX_COMPILATION_CACHE_DIR="mine") == "mine"


def test_a_program_that_has_imported_jax_keeps_its_settings(tmp_path):
    before = "import sys; sys.modules['jax'] = None\n"
    assert kept_where(before, XDG_CACHE_HOME=str(tmp_path)) == "nowhere"


def test_a_folder_that_cannot_be_made_is_no_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    assert kept_where(XDG_CACHE_HOME=str(tmp_path / "file")) == "nowhere"


@pytest.mark.parametrize(("limit", "left"), [(30, "abc"), (29, "bc"), (10, "c"), (0, "")])
def test_what_was_used_least_recently_goes_first(tmp_path, limit, left):
    for age, name in enumerate("abc"):
        (tmp_path / name).write_bytes(b"0123456789")
        os.utime(tmp_path / name, (1000 + age, 1000 + age))
    prune(tmp_path, limit)
    assert "".join(sorted(path.name for path in tmp_path.iterdir())) == left
