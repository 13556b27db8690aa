import pickle

import pytest

from data_prep.source import Entry, HasSideFiles, Rejected


def test_an_entry_survives_the_way_to_a_worker():
    entry = Entry("a/ö 写.jpg", "a", ("a/ö 写.jpg", 17))
    assert pickle.loads(pickle.dumps(entry)) == entry
    with pytest.raises(AttributeError):
        entry.name = "b"


def test_an_entry_carries_no_dictionary():
    # Of millions of entries, 100 bytes each would be hundreds of megabytes.
    assert not hasattr(Entry("a"), "__dict__")


def test_the_reason_is_the_text_of_the_rejection():
    assert str(pickle.loads(pickle.dumps(Rejected("the file is empty")))) == "the file is empty"


def test_a_source_with_side_files_is_recognized():
    class Plain:
        parameters = None

    class WithPairs(Plain):
        def side_files(self):
            return {"pairs.tsv": ""}

    assert isinstance(WithPairs(), HasSideFiles)
    assert not isinstance(Plain(), HasSideFiles)
