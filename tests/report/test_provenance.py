"""Where figures come from is told without being asked."""

import datetime
import importlib.machinery
import json
import subprocess
import sys

import jax
import numpy as np

from sirjax.report import provenance
from sirjax.report.provenance import git_commit


def git(folder, *arguments):
    identity = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false")
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_versions_time_and_command_are_told(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["bin/sirjax", "evaluate", "a folder"])
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)  # of a script
    facts = provenance(protocol="10 folds", python="mine")
    assert facts["jax"] == jax.__version__
    assert facts["numpy"] == np.__version__
    assert facts["command"] == "sirjax evaluate 'a folder'"
    assert facts["protocol"] == "10 folds"
    assert facts["python"] == "mine"
    age = datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(facts["time"])
    assert abs(age.total_seconds()) < 600
    json.dumps(facts)


def test_a_module_that_was_started_is_named(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["experiments/table2.py", "--quick"])
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", importlib.machinery.ModuleSpec("experiments.table2", None))
    assert provenance()["command"] == "python -m experiments.table2 --quick"


def test_the_commit_is_told_in_a_checkout_with_changes_marked(tmp_path):
    package = tmp_path / "pkg"
    package.mkdir()
    (package / "__init__.py").write_text("")
    git(tmp_path, "init", "-q")
    assert git_commit(package) is None  # in a checkout, but no part of it
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "a")
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert git_commit(package) == commit
    (tmp_path / "notes").write_text("not in the package")
    assert git_commit(package) == commit
    (package / "__init__.py").write_text("1")
    assert git_commit(package) == f"{commit} + changes"


def test_no_commit_outside_of_a_checkout_or_without_git(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_commit(tmp_path) is None
    monkeypatch.setenv("PATH", "")
    assert git_commit(tmp_path) is None
