import re
import time

import pytest

from sirjax.cli.reconstructing.profile import PARTS, Profile


def test_seconds_of_a_part_add_up():
    profile = Profile()
    for _ in range(2):
        with profile.part("write", 3):
            time.sleep(0.02)
    assert 0.04 <= profile.seconds["write"] < 2
    assert profile.items["write"] == 6
    assert profile.seconds["read"] == profile.items["read"] == 0


def test_a_part_that_fails_is_counted_too():
    profile = Profile()
    with pytest.raises(OSError), profile.part("read"):
        raise OSError
    assert profile.items["read"] == 1


def test_the_text_has_a_line_for_each_part_and_their_sum():
    profile = Profile()
    profile.seconds.update(detect=2.0, predict=1.0)
    profile.items.update(detect=4)
    lines = profile.text(2.5).splitlines()
    assert [line.split()[0] for line in lines] == ["part", *PARTS, "all"]
    assert re.match(r"detect +2\.00 +4 +500\.0$", lines[2])
    assert re.match(r"all +3\.00; 2\.50 s passed", lines[-1])
