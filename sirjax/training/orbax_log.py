"""What orbax writes into the log, where sirjax says the same in its own words or nothing needs to be said."""

import contextlib
import logging
import traceback
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


def without_dropped_failures() -> None:
    """Keeps what failed writes leave behind in asyncio out of the log, until the process ends.

    orbax raises the first failure of a save and drops those of the other arrays. asyncio tells of each with a traceback
    once the garbage collector finds it: at any time, also long after the run.
    """
    logging.getLogger("asyncio").addFilter(_is_no_dropped_failure)  # once, however often it is called


def _is_no_dropped_failure(record: logging.LogRecord) -> bool:
    text = record.getMessage()
    if "exception was never retrieved" not in text:
        return True
    error = record.exc_info[1] if record.exc_info else None
    raised = "".join(traceback.format_exception(error)) if error else ""
    return not any(library in text + raised for library in ("orbax", "tensorstore"))
