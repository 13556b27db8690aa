"""Where the time goes: seconds and items of each part of a run. Parts in different threads overlap."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

PARTS = ("read", "detect", "align", "predict", "draw", "write")


@dataclass
class Profile:
    """Adds up the seconds of named parts. Safe to use from several threads."""

    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PARTS, 0.0))
    items: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PARTS, 0))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def part(self, name: str, items: int = 1) -> Iterator[None]:
        """Counts the time inside the `with` block as the part's, whether or not the block succeeds."""
        start = time.perf_counter()
        try:
            yield
        finally:
            with self._lock:
                self.seconds[name] += time.perf_counter() - start
                self.items[name] += items

    def text(self, elapsed: float) -> str:
        """One line for each part, and the sum against the time that really passed."""
        lines = ["part       seconds   items   ms each"]
        for name in PARTS:
            each = 1e3 * self.seconds[name] / max(1, self.items[name])
            lines.append(f"{name:8} {self.seconds[name]:9.2f} {self.items[name]:7d} {each:9.1f}")
        total = sum(self.seconds.values())
        lines.append(f"{'all':8} {total:9.2f}; {elapsed:.2f} s passed (reading and writing overlap with the rest)")
        return "\n".join(lines)
