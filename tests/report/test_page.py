"""A page is valid HTML5, loads nothing, and can be read by programs."""

import json
import os
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sirjax.report import Curve, Meshes, MeshView, Page, Picture, Pictures, Plot, Table
from tests.report.pages import parse, words

HOSTILE = "</script><img src=http://a.b/c onerror=alert(1)>\"'&\0\udc80<!--"


def full_page(word):
    vertices, triangles = np.eye(3), np.array([[0, 1, 2]])
    page = Page(word, word)
    page.add(Table(word, [word, word], [[word, float("nan")], ["b", 2]], caption=word))
    curve = Curve(word, np.arange(3), np.array([0.1, np.nan, 0.3]))
    page.add(Plot(word, [curve], word, word, caption=word))
    page.add(Meshes(word, [MeshView(word, vertices, triangles, values=np.arange(3.0))], word, caption=word))
    page.add(Pictures(word, [[Picture(np.zeros((4, 4, 3), np.uint8), word)]], caption=word))
    page.add_provenance({word: word, "config": {word: np.float32(np.nan)}})
    return page


def test_hostile_words_stay_words_everywhere():
    text = full_page(HOSTILE).html()
    root = parse(text)
    shown = HOSTILE.replace("\0", "\ufffd").replace("\udc80", "\ufffd")
    assert words(root.find(".//h1")) == shown
    assert [words(h) for h in root.iter("h2")] == [shown] * 4 + ["Provenance"]
    assert [s.get("id") or s.get("class") for s in root.iter("script")] == ["mesh-data", "provenance", None, None]
    text.encode()


@settings(max_examples=30)
@given(st.text(st.characters(exclude_categories=()), max_size=20))
def test_any_title_gives_a_valid_page(title):
    page = Page(title)
    page.add(Table(title, ["a"], [[title]]))
    page.add_provenance({title: title})
    parse(page.html()).find(".//h1")


def test_nothing_is_loaded_from_anywhere():
    root = parse(full_page("word").html())
    policy = next(meta.get("content") for meta in root.iter("meta") if meta.get("http-equiv"))
    assert policy.startswith("default-src 'none'")
    for element in root.iter():
        assert element.tag not in ("link", "iframe", "object", "embed", "base")
        for key, value in element.attrib.items():
            if str(key).split("}")[-1] in ("src", "href", "action", "data", "srcset"):
                assert value.startswith(("data:", "#"))
    for code in [*root.iter("style"), *(s for s in root.iter("script") if not s.get("type"))]:
        assert not re.search(r"https?:|//\w+\.\w|@import|fetch\(|XMLHttpRequest|import\(|url\(", words(code))


def test_links_lead_to_sections_and_no_id_is_used_twice():
    root = parse(full_page("word").html())
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(set(ids)) == len(ids)
    links = [a.get("href") for a in root.iter("a")]
    assert links == [f"#section-{i}" for i in range(1, 5)]
    assert {link[1:] for link in links} <= set(ids)


def test_programs_read_figures_and_provenance_from_the_page():
    page = full_page("a</script>b")
    page.add_provenance({"later": 1})
    script = next(s for s in parse(page.html()).iter("script") if s.get("id") == "provenance")
    data = json.loads(script.text, parse_constant=pytest.fail)
    assert data["provenance"]["later"] == 1
    assert data["provenance"]["config"] == {"a</script>b": None}
    assert data["figures"][0]["rows"] == [["a</script>b", None], ["b", 2]]
    assert data["figures"][1]["curves"] == [{"name": "a</script>b", "x": [0, 2], "y": [0.1, 0.3]}]


def test_an_empty_page_is_a_page():
    root = parse(Page("title").html())
    assert words(root.find(".//title")) == "title"
    assert root.find(".//nav") is None


def test_an_interrupted_write_leaves_the_old_page(tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    Page("old").write(path)
    old = path.read_text()

    def full_disk(*_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", full_disk)
    with pytest.raises(OSError, match="no space left"):
        Page("new").write(path)
    assert path.read_text() == old
    assert list(tmp_path.iterdir()) == [path]


def test_a_written_page_holds_what_was_added(tmp_path):
    full_page("größe").write(str(tmp_path / "a.html"))
    assert words(parse((tmp_path / "a.html").read_text(encoding="utf-8")).find(".//h1")) == "größe"


def test_nested_facts_are_lines():
    page = Page("title")
    page.add_provenance({"codes": {"step": 450, "mirror": False, "sets": [1, "<2>"]}, "seeds": [0, 1]})
    cells = parse(page.html()).findall(".//td")
    assert [words(cell) for cell in cells] == ['step: 450mirror: nosets: [1,"<2>"]', "[0,1]"]
    assert len(cells[0].findall("br")) == 2
