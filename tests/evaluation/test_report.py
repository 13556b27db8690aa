from sirjax.evaluation.report import Row, format_table


def test_table_shows_value_interval_and_baseline():
    rows = [
        Row("verification accuracy", 0.9447, "%", 0.5, "chance", 0.9389, 0.9505),
        Row("shape RMSE", 1.8, "mm", 2.27, "mean face"),
        Row("ratio", 1.5),
    ]
    assert format_table(rows) == (
        "| metric                | value    | interval       | baseline             |\n"
        "|-----------------------|----------|----------------|----------------------|\n"
        "| verification accuracy | 94.47 %  | 93.89 to 95.05 | 50.00 % (chance)     |\n"
        "| shape RMSE            | 1.800 mm |                | 2.270 mm (mean face) |\n"
        "| ratio                 | 1.500    |                |                      |\n"
    )


def test_interval_is_shown_in_the_unit_of_the_value():
    assert "1.700 to 1.900" in format_table([Row("shape RMSE", 1.8, "mm", low=1.7, high=1.9)])


def test_no_rows_give_a_header():
    assert format_table([]).splitlines() == [
        "| metric | value | interval | baseline |",
        "|--------|-------|----------|----------|",
    ]
