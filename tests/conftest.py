"""Settings every test shares."""

import os
import signal
from pathlib import Path

from tests import compiling

# Before JAX starts. Several virtual devices, so that data-parallel code is tested without special hardware.
os.environ.setdefault("XLA_FLAGS", compiling.flags(4))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# Shared by the workers and the programs that tests start, and kept for the next run.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parents[1] / ".cache" / "jax"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.5")

import hypothesis
import jax
import numpy as np
import pytest

from sirjax.networks import model

# Shells without job control start background commands with Ctrl-C ignored; programs that tests start inherit that.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

jax.config.update("jax_numpy_rank_promotion", "raise")
# The first example compiles, and machines may be busy: time is measured in experiments/benchmarks, not here.
hypothesis.settings.register_profile("no_deadline", deadline=None)
hypothesis.settings.load_profile("no_deadline")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="module", autouse=True)
def programs_of_one_module():
    """Forgets compiled programs after each module: a worker that kept all would grow to 7 GB."""
    yield
    jax.clear_caches()


@pytest.fixture(scope="module")
def debug_networks():
    """Whoever asks for preset "tiny" gets "debug": the same parts, compiled in half the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model, "_tiny", model._debug)
        yield
