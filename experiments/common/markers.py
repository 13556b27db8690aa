"""The parts of pages that a command writes: what stands between two markers. The rest is written by hand."""

from pathlib import Path

PUBLISH = "experiments.publish"


def markers(writer: str = PUBLISH, name: str = "") -> tuple[str, str]:
    """The lines before and after what a command writes; a page with several parts names them."""
    part = f": {name}" if name else ""
    return f"<!-- written by {writer}{part} -->", f"<!-- end{part} -->"


def between_markers(text: str, block: str, page: Path, writer: str = PUBLISH, name: str = "") -> str:
    """A page's text with the part between two markers replaced.

    Raises:
      ValueError: if it has not each marker once, or the end first.
    """
    begin, end = markers(writer, name)
    before, _, rest = text.partition(begin)
    _, found, after = rest.partition(end)
    if text.count(begin) != 1 or text.count(end) != 1 or not found:
        raise ValueError(f"{page.name} must have the lines {begin!r} and {end!r} once each, in this order")
    return f"{before}{begin}\n\n{block.strip()}\n\n{end}{after}"
