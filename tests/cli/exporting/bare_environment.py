"""Virtual environments that hold some installed distributions with what they ask for, and nothing else. No network."""

import os
import subprocess
import venv
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# In front of every script: what must not be there is not, and what is there lies in the environment.
GUARD = """
import importlib.util, sys
assert sys.flags.isolated and sys.prefix != sys.base_prefix
absent, sys.argv = sys.argv[1].split(","), sys.argv[1:]
found = [name for name in absent if importlib.util.find_spec(name)]
assert not found, f"{found} can be imported here"
"""


class BareEnvironment:
    """Python with the distributions of the given names and their requirements, linked to those that run the tests.

    Args:
      folder: where it shall lie.
      names: of distributions; extras are left out.
    """

    def __init__(self, folder: Path, *names: str):
        venv.create(folder, symlinks=True)
        self._folder, self._python = folder, folder / "bin" / "python"
        (site,) = folder.glob("lib/python*/site-packages")
        for distribution in with_requirements(names):
            for top in {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
                (site / top).symlink_to(Path(str(distribution.locate_file(top))))

    def run(self, script: str, *words: object, absent: tuple[str, ...]) -> str:
        """Runs a script with `words` behind sys.argv[0], once none of the modules `absent` can be imported; its output.

        Raises:
          AssertionError: with what the script wrote, if it fails.
        """
        command = [self._python, "-I", "-c", GUARD + script, ",".join(absent), *words]
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "XLA_FLAGS")}
        done = subprocess.run(
            list(map(str, command)), env=kept, cwd=self._folder, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def with_requirements(names: tuple[str, ...]) -> list[metadata.Distribution]:
    """The distributions and, with their requirements, all that belong to them; each once."""
    found, waiting = {}, list(names)
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in found:
            continue
        found[name] = metadata.distribution(name)
        requirements = map(Requirement, found[name].requires or ())
        waiting += [need.name for need in requirements if need.marker is None or need.marker.evaluate({"extra": ""})]
    return list(found.values())
