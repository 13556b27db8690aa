"""What reads photos starts in a fraction of a second: JAX is not imported for a few numbers."""

import subprocess
import sys


def test_preparing_and_loading_workers_start_without_jax():
    program = (
        "import sys, data_prep.preparation, data_prep.landmark_files, sirjax.data.workers; "
        "sys.exit([name for name in ('jax', 'flax') if name in sys.modules] or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
