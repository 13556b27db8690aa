"""Tables: numbers to the right, hostile texts as texts."""

import pytest

from sirjax.report import Table
from tests.report.pages import parse_part, words


def test_columns_of_figures_are_right_aligned():
    rows = [["shape", "94.5 % [93.9, 95.1]", 0.98, None], ["mean face", "50 %", float("nan"), 3]]
    root = parse_part(Table("t", ["descriptor", "accuracy", "AUC", "pairs"], rows, caption="of all").html("a"))
    assert [cell.get("class") for cell in root.findall(".//thead//th")] == [None, "number", "number", "number"]
    cells = [words(cell) for cell in root.findall(".//tbody//td")]
    assert cells == [
        "94.5 % [93.9, 95.1]",
        "0.98",
        "",
        "50 %",
        "n/a",
        "3",
    ]
    assert [words(cell) for cell in root.findall(".//tbody//th")] == ["shape", "mean face"]
    assert words(root.find(".//p")) == "of all"


def test_a_row_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"row 1 of table 't' has 1 cells for 2 columns; give one each, None for an"):
        Table("t", ["a", "b"], [[1, 2], [3]])


def test_a_table_without_rows_or_columns_is_a_table():
    for columns in ([], ["a"]):
        assert parse_part(Table("t", columns, []).html("a")).find(".//table") is not None


def test_names_of_rows_are_left_aligned_even_if_they_begin_with_a_number():
    root = parse_part(Table("t", ["condition", "value"], [["1 separable", 2], ["2 center", True]]).html("a"))
    assert [cell.get("class") for cell in root.findall(".//thead//th")] == [None, None]
    assert [words(cell) for cell in root.findall(".//tbody//td")] == ["2", "yes"]
    numbered = parse_part(Table("t", ["yaw"], [[30], [60]]).html("a"))
    assert numbered.find(".//thead//th").get("class") == "number"
