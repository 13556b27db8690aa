"""Freed memory is kept: allocating and freeing a large block again and again touches its pages once."""

import platform
import subprocess
import sys

CODE = """
import ctypes, resource, sys
from sirjax.memory import keep_freed_memory

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
size = 64 * 2**20
kept = keep_freed_memory() if sys.argv[1] == "keep" else None

def page_faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    block = libc.malloc(size)
    ctypes.memset(block, 1, size)
    libc.free(block)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

page_faults()
print(kept, page_faults())
"""


def second_time(mode: str) -> tuple[str, int]:
    out = subprocess.run([sys.executable, "-c", CODE, mode], capture_output=True, text=True, check=True).stdout
    kept, faults = out.split()
    return kept, int(faults)


def test_with_glibc_a_large_block_is_not_handed_back_to_the_kernel():
    kept, faults = second_time("keep")
    _, faults_without = second_time("leave")
    assert kept == str(platform.libc_ver()[0] == "glibc")
    assert kept == "False" or faults < faults_without / 4


def test_without_mallopt_nothing_is_done(monkeypatch):
    from sirjax import memory

    monkeypatch.setattr(memory.ctypes, "CDLL", lambda _: object())
    assert memory.keep_freed_memory() is False
    monkeypatch.setattr(memory.sys, "platform", "darwin")
    assert memory.keep_freed_memory() is False
