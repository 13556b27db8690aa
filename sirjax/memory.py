"""Freed memory stays in the process, for the CPU's sake.

XLA frees and allocates the same large buffers in every step. By default glibc hands blocks over 32 MB back to the
kernel at once, which then clears each page anew: measured on two cores, a quarter of a small network's training time.
"""

import ctypes
import sys

# Of mallopt, in glibc's malloc.h.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4


def keep_freed_memory() -> bool:
    """Lets malloc keep what is freed, in this process from now on; whether that was possible.

    Does nothing without glibc (other allocators keep memory by themselves). The process keeps its peak of memory.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    # No block is mapped on its own, the heap grows by 256 MB at a time, and shrinks only if 2 GB at its end are free.
    settings = ((_MMAP_MAX, 0), (_TOP_PAD, 2**28), (_TRIM_THRESHOLD, 2**31 - 1))
    return all([mallopt(name, value) for name, value in settings])
