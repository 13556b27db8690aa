"""Of a page only the part between its markers changes."""

from pathlib import Path

import pytest

from experiments.common.markers import between_markers, markers

PAGE = Path("somewhere") / "page.md"
BEGIN, END = markers()
TEXT = f"before\n\n{BEGIN}\nold\n{END}\nafter\n"


def test_only_the_part_between_the_markers_changes():
    got = between_markers(TEXT, "new", PAGE)
    assert got == f"before\n\n{BEGIN}\n\nnew\n\n{END}\nafter\n"
    assert between_markers(got, "new", PAGE) == got


def test_parts_have_names():
    begin, end = markers("some.command", "speed")
    assert (begin, end) == ("<!-- written by some.command: speed -->", "<!-- end: speed -->")
    text = f"{begin}{end}{TEXT}"
    got = between_markers(text, "fast", PAGE, "some.command", "speed")
    assert got == f"{begin}\n\nfast\n\n{end}{TEXT}"


@pytest.mark.parametrize("text", ["", TEXT + TEXT, TEXT.replace(END, ""), f"{END}\n{BEGIN}"])
def test_missing_repeated_or_exchanged_markers_are_refused(text):
    with pytest.raises(ValueError, match="^page.md must have the lines .* and .* once each, in this order"):
        between_markers(text, "new", PAGE)
