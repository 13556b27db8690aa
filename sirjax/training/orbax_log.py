"""What orbax writes into the log, where sirjax says the same in its own words or nothing needs to be said."""

import contextlib
import logging
from collections.abc import Iterator


@contextlib.contextmanager
def without_orbax(level: int) -> Iterator[None]:
    """Keeps orbax's messages of one level (`logging.WARNING`, `logging.ERROR`) out of the log."""

    def passes(record: logging.LogRecord) -> bool:
        return record.levelno != level or "orbax" not in record.pathname

    logger = logging.getLogger("absl")  # which orbax writes to
    logger.addFilter(passes)
    try:
        yield
    finally:
        logger.removeFilter(passes)
