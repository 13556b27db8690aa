"""One evaluation as one HTML file that needs nothing else: no server, no network, no other file."""

from importlib import resources
from pathlib import Path
from typing import Protocol

from sirjax.files import write_text
from sirjax.report.markup import LESS, shown, text, to_json

_FEWEST_FOR_CONTENTS = 3
# The page may run what it brings along and load nothing: even a mistake cannot reach the network.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"


class Section(Protocol):
    """A titled part of a page."""

    @property
    def title(self) -> str:
        """The heading."""
        ...

    def html(self, name: str) -> str:
        """The content; `name` is unique on the page."""
        ...

    def figures(self) -> dict[str, object] | None:
        """What a program may want to read from it; None if nothing."""
        ...


class Page:
    """A report: sections in the order added, then where its figures come from.

    The element `<script id="provenance">` holds the provenance and the figures of all sections as JSON.

    Args:
      title: the heading.
      summary: one paragraph: what was measured, and what came out.
    """

    def __init__(self, title: str, summary: str = ""):
        self.title = title
        self.summary = summary
        self._sections: list[Section] = []
        self._provenance: dict[str, object] = {}

    def add(self, section: Section) -> None:
        """Appends a section."""
        self._sections.append(section)

    def add_provenance(self, facts: dict[str, object]) -> None:
        """Adds facts to the last section; later ones win."""
        self._provenance |= facts

    def html(self) -> str:
        """The whole page."""
        names = [f"section-{i + 1}" for i in range(len(self._sections))]
        sections = [_section(s, name) for s, name in zip(self._sections, names, strict=True)]
        scripts = ["plot.js", "mesh.js"] if self._sections else []
        body = [
            f"<header><h1>{text(self.title)}</h1>{_paragraph(self.summary)}</header>",
            self._contents(names),
            "<main>",
            *sections,
            self._provenance_section(),
            "</main>",
        ]
        return document(self.title, ["page.css"], "\n".join(body), scripts)

    def write(self, path: Path | str) -> None:
        """Writes the page, whole or not at all.

        Raises:
          OSError: if the file cannot be written; an older one stays as it is.
        """
        write_text(Path(path), self.html())

    def _contents(self, names: list[str]) -> str:
        if len(names) < _FEWEST_FOR_CONTENTS:
            return ""
        links = [
            f'<li><a href="#{name}">{text(section.title)}</a></li>'
            for section, name in zip(self._sections, names, strict=True)
        ]
        return f'<nav aria-label="Contents"><ul>{"".join(links)}</ul></nav>'

    def _provenance_section(self) -> str:
        rows = "".join(
            f'<tr><th scope="row">{text(key)}</th><td>{_fact(value)}</td></tr>'
            for key, value in self._provenance.items()
        )
        table = (
            f'<section id="section-provenance"><h2>Provenance</h2><div class="scroll" tabindex="0" role="region" '
            f'aria-label="Provenance"><table class="facts"><tbody>{rows}</tbody></table></div></section>'
            if rows
            else ""
        )
        figures = [f for f in (section.figures() for section in self._sections) if f is not None]
        data = {"title": self.title, "provenance": self._provenance, "figures": figures}
        return f'{table}<script type="application/json" id="provenance">{to_json(data)}</script>'


def document(title: str, styles: list[str], body: str, scripts: list[str]) -> str:
    """A whole HTML file that loads nothing: `styles` and `scripts` are files of assets/, `body` is markup."""
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f"<title>{text(title)}</title>",
            *(f"<style>{asset(style)}</style>" for style in styles),
            "</head><body>",
            body,
            *(f"<script>{asset(script)}</script>" for script in scripts),
            "</body></html>\n",
        ]
    )


def _section(section: Section, name: str) -> str:
    return f'<section id="{name}"><h2>{text(section.title)}</h2>{section.html(name)}</section>'


def _paragraph(content: str) -> str:
    return f"<p>{text(content)}</p>" if content else ""


def _fact(value: object) -> str:
    if isinstance(value, dict):
        return "<br>".join(
            f"{text(key)}: {_fact(item) if _is_plain(item) else _code(item)}" for key, item in value.items()
        )
    return shown(value) if _is_plain(value) else _code(value)


def _is_plain(value: object) -> bool:
    return not isinstance(value, dict | list | tuple)


def _code(value: object) -> str:
    return f"<code>{text(to_json(value).replace(LESS, '<'))}</code>"


def asset(name: str) -> str:
    """The text of a file of assets/."""
    return resources.files("sirjax.report").joinpath("assets", name).read_text(encoding="utf-8")
