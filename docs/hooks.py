"""Three things that mkdocs lacks: formulas without a script, links from names, pages of files outside of docs/.

Formulas become MathML while the site is built, so the reader's browser loads nothing. Files of the repository that a
page links to (examples, configs, experiments, the changes) become pages too, at their own path; links in the sources
stay those that work where the sources are read.
"""

import html
import os
import posixpath
import re
from pathlib import Path

from latex2mathml.converter import convert
from mkdocs.structure.files import File

ROOT = Path(__file__).parent.parent
DOCS = "docs/"
_LINK = re.compile(r"(\]\()(?![a-z]+:|#|/)([^)#\s]+)")
_FORMULA = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)
_NAME = re.compile(r"<code>(sirjax(?:\.\w+)+)</code>(?!</a>)")
_LONG = re.compile(r"<code>([\w.=-]{16,})</code>")  # may be broken, but behind one of its
_JOINT = re.compile(r"[._=]")
_FENCE = re.compile(r"\\([lr])Vert")  # bars that grow with what they enclose, and take an index
_TAG = re.compile(r"\\tag\{(.*?)\}")


def on_files(files, config):
    """Adds what the navigation or a page names outside of docs/, and what those link to, as far as it is there."""
    waiting = [target for name in _names(config["nav"]) for target in _sources(name)]
    for file in files.documentation_pages():
        waiting += _outside(DOCS + file.src_uri, file.content_string)
    seen = set()
    while waiting:
        target = waiting.pop()
        if target in seen:
            continue
        seen.add(target)
        if target.endswith((".md", ".py")):
            content = _page_of(target)
            files.append(File.generated(config, site_path(target), content=content))
            waiting += _outside(target, content) if target.endswith(".md") else []
        else:
            files.append(File.generated(config, target, abs_src_path=str(ROOT / target)))
    return files


def on_page_markdown(markdown, page, config, files):
    """Lets links lead to where the site has the files."""
    here = page.file.src_uri
    origin = here if page.file.generated_by else DOCS + here

    def lead(match):
        target = _resolve(origin, match[2])
        inside = target is not None and files.get_file_from_path(site_path(target))
        return (
            f"{match[1]}{posixpath.relpath(site_path(target), posixpath.dirname(here) or '.')}" if inside else match[0]
        )

    return _LINK.sub(lead, markdown)


def on_page_content(content, page, config, files):
    """Turns formulas into MathML, and names of the package into links to the reference where it has them."""
    content = _FORMULA.sub(lambda match: _formula(html.unescape(match[2]), display=match[1] == "div"), content)
    content = _NAME.sub(r'<autoref identifier="\1" optional><code>\1</code></autoref>', content)
    return _LONG.sub(lambda match: "<code>" + _JOINT.sub(r"\g<0><wbr>", match[1]) + "</code>", content)


def site_path(path):
    """Where the site has a file of the repository; Python files are shown on pages."""
    path = path.removeprefix(DOCS)
    return path.removesuffix(".py") + ".md" if path.endswith(".py") else path


def _names(nav):
    if isinstance(nav, str):
        return [nav]
    return [name for part in (nav.values() if isinstance(nav, dict) else nav) for name in _names(part)]


def _sources(name):
    """The file outside of docs/ that a page of the navigation shows, if it is one."""
    if (ROOT / DOCS / name).is_file():
        return []
    return [path for path in (name, name.removesuffix(".md") + ".py") if (ROOT / path).is_file()]


def _outside(page, text):
    targets = (_resolve(page, match[2]) for match in _LINK.finditer(text))
    return [target for target in targets if target and not target.startswith(DOCS)]


def _resolve(page, link):
    """The file of the repository that a link on a page means; None if there is none."""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(page), link))
    return path if not path.startswith("..") and os.path.isfile(ROOT / path) else None


def _page_of(path):
    text = (ROOT / path).read_text(encoding="utf-8")
    return text if path.endswith(".md") else f"# {path}\n\n````python\n{text}````\n"


def _formula(latex, *, display):
    numbers = _TAG.findall(latex)
    latex = _FENCE.sub(lambda side: {"l": r"\left\Vert ", "r": r"\right\Vert "}[side[1]], latex)
    mathml = convert(_TAG.sub("", latex).strip(), display="block" if display else "inline")
    if not display:
        return mathml
    if not numbers:
        return f'<div class="formula">{mathml}</div>'
    name = "eq-" + re.split(r"\D+", numbers[0])[0]
    return f'<div class="formula" id="{name}">{mathml}<a class="number" href="#{name}">({numbers[0]})</a></div>'
