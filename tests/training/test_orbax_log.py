import logging

import pytest

from sirjax.training.orbax_log import without_orbax


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
