"""`pairs.tsv`: what is written is read again, and nothing else is taken for it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.pairs import PAIRS_FILE, Pair, pairs_to_text, read_pairs, sample_names

NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1)


def test_the_form_is_the_documented_one():
    assert pairs_to_text([Pair(0, True, "Ada/1.jpg", "Ada/2.jpg"), Pair(9, False, "Ada/3/", "Bob/1/")]) == (
        "fold\tsame\tname_a\tname_b\n0\t1\tAda/1.jpg\tAda/2.jpg\n9\t0\tAda/3/\tBob/1/\n"
    )


@settings(max_examples=30)
@given(pairs=st.lists(st.builds(Pair, st.integers(0, 99), st.booleans(), NAMES, NAMES), max_size=5))
def test_pairs_come_back_from_a_records_folder(tmp_path_factory, pairs):
    folder = tmp_path_factory.mktemp("records")
    (folder / PAIRS_FILE).write_text(pairs_to_text(pairs), encoding="utf-8", newline="")
    assert read_pairs(folder) == pairs


def test_every_name_is_listed_once_in_order():
    assert sample_names([Pair(0, True, "b", "a"), Pair(1, False, "c", "a")]) == ["a", "b", "c"]


def test_names_that_would_break_the_table_are_refused():
    with pytest.raises(ValueError, match=r"'a\\tb' cannot be listed in pairs.tsv"):
        pairs_to_text([Pair(0, True, "a\tb", "c")])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("10\t300\n", r"begins with '10\\t300', not with 'fold\\tsame"),
        ("fold\tsame\tname_a\tname_b\n0\t2\ta\tb\n", r"line 2: '0\\t2\\ta\\tb' is not fold, 0 or 1, and two names"),
        ("fold\tsame\tname_a\tname_b\n0\t1\ta\tb\n\n0\t1\ta\tb\n", "line 3: '' is not"),
    ],
)
def test_other_tables_are_refused_with_the_line(tmp_path, text, message):
    (tmp_path / PAIRS_FILE).write_text(text)
    with pytest.raises(ValueError, match=message):
        read_pairs(tmp_path)


def test_records_without_a_protocol_say_so(tmp_path):
    with pytest.raises(FileNotFoundError, match="pairs.tsv is missing: prepare the records from a data set with"):
        read_pairs(tmp_path)
