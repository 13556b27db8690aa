import asyncio
import gc
import logging

import pytest

from sirjax.training.orbax_log import without_dropped_failures, without_orbax


def tell(level, file="site-packages/orbax/checkpoint/manager.py"):
    logger = logging.getLogger("absl")
    logger.handle(logger.makeRecord("absl", level, file, 1, f"{logging.getLevelName(level)} of {file}", (), None))


def test_messages_of_one_level_stay_out_of_the_log(caplog):
    with without_orbax(logging.ERROR):
        tell(logging.ERROR)
        tell(logging.WARNING)
        tell(logging.ERROR, "absl/app.py")
    assert [record.levelname for record in caplog.records] == ["WARNING", "ERROR"]
    assert caplog.messages[1] == "ERROR of absl/app.py"


def test_afterwards_all_is_logged_as_before(caplog):
    with pytest.raises(ZeroDivisionError), without_orbax(logging.WARNING):
        tell(1 / 0)
    with without_orbax(logging.WARNING):
        with without_orbax(logging.WARNING):
            tell(logging.WARNING)
        tell(logging.WARNING)
    assert not caplog.records
    tell(logging.WARNING)
    assert len(caplog.records) == 1


@pytest.fixture
def asyncio_log(monkeypatch):
    monkeypatch.setattr(logging.getLogger("asyncio"), "filters", [])  # other tests of this process have saved, too


def drop_a_failure(error):
    """Leaves a future behind whose exception nobody asked for."""
    loop = asyncio.new_event_loop()
    loop.create_future().set_exception(error)
    loop.close()
    gc.collect()


@pytest.mark.usefixtures("asyncio_log")
def test_failures_that_orbax_dropped_stay_out_of_the_log(caplog):
    drop_a_failure(ValueError("disk full [tensorstore_spec='...']"))
    assert "Future exception was never retrieved" in caplog.text
    caplog.clear()
    without_dropped_failures()
    without_dropped_failures()
    drop_a_failure(ValueError("disk full [tensorstore_spec='...']"))
    assert not caplog.records
    drop_a_failure(ValueError("a user's own"))
    logging.getLogger("asyncio").error("tensorstore: another message")
    assert [record.getMessage().splitlines()[0] for record in caplog.records] == [
        "Future exception was never retrieved",
        "tensorstore: another message",
    ]


@pytest.mark.usefixtures("asyncio_log")
def test_a_failure_raised_inside_orbax_is_known_by_its_traceback(caplog):
    try:
        exec(compile("raise OSError(28, 'No space left on device')", "site-packages/orbax/checkpoint/x.py", "exec"))
    except OSError as error:
        raised = error
    without_dropped_failures()
    drop_a_failure(raised)
    assert not caplog.records
