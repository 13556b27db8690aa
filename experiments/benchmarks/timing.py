"""Processor time of calls, which other work on the machine disturbs less than the clock on the wall."""

import time
from collections.abc import Callable


def cpu_milliseconds(function: Callable[[], object], runs: int) -> list[float]:
    """Of each of several calls, after one that compiles and fills caches: the whole process, all its threads."""
    function()
    spent = []
    for _ in range(runs):
        start = time.process_time()
        function()
        spent.append(1e3 * (time.process_time() - start))
    return spent
