import argparse
import importlib
import inspect

import pytest

from data_prep.identity_folders import IdentityFolders
from data_prep.registry import SOURCES, add_source_arguments, make_source


@pytest.mark.parametrize("name", SOURCES)
def test_every_source_is_there_and_offers_entries_and_images(name):
    module_name, class_name, help_text = SOURCES[name]
    source = getattr(importlib.import_module(module_name), class_name)
    assert list(inspect.signature(source.entries).parameters) == ["self"]
    assert list(inspect.signature(source.read).parameters) == ["self", "entry"]
    assert "\n" not in help_text
    add_source_arguments(name, argparse.ArgumentParser())


def test_the_command_line_makes_the_source(tmp_path):
    parser = argparse.ArgumentParser()
    parser.add_argument("raw")
    add_source_arguments("identity-folders", parser)
    source = make_source("identity-folders", parser.parse_args([str(tmp_path), "--licence=free"]))
    assert isinstance(source, IdentityFolders)
    assert (source.root, source.parameters["licence"]) == (tmp_path, "free")
