"""Pages read as a browser reads them."""

from tinyhtml5.parser import HTMLParser


def parse(page: str):
    """The root element; any deviation from HTML5 fails. Elements of SVG keep their namespace."""
    parser = HTMLParser(namespace_html_elements=False)
    root = parser.parse(page)
    assert not parser.errors, parser.errors[:5]
    return root


def parse_part(part: str):
    """As `parse`, for the content of a section."""
    return parse(f'<!DOCTYPE html><html lang="en"><head><title>t</title></head><body>{part}</body></html>')


def words(element) -> str:
    """All text below an element."""
    return "".join(element.itertext())
