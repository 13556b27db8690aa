"""A stand-in for a full disk that needs no privileges: no file of this process can grow.

What writes gets EFBIG instead of ENOSPC, from the same calls and in the same libraries.
"""

import contextlib
import resource


@contextlib.contextmanager
def full_disk():
    """Nothing can be written inside."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
