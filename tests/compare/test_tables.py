"""Wide tables for a narrow terminal."""

from __future__ import annotations

from causalvae.report.comparison_document import split_columns
from causalvae.report.tables import Table, columns


def test_a_wide_table_is_split_and_nothing_is_lost() -> None:
    table = Table(
        "Measures", columns("Side", *(f"m{k}#" for k in range(7))), (("a", *"0123456"), ("b", *"6543210")), ("n",)
    )
    parts = split_columns(table, 3)
    assert [len(part.columns) for part in parts] == [4, 4, 2]
    assert [part.caption for part in parts] == ["Measures", "Measures, continued", "Measures, continued"]
    for number, row in enumerate(table.rows):
        assert all(part.rows[number][0] == row[0] for part in parts)
        assert tuple(cell for part in parts for cell in part.rows[number][1:]) == row[1:]
    assert [part.notes for part in parts] == [(), (), ("n",)]
    assert split_columns(table, 9) == [table]


def test_columns_that_do_not_fit_a_line_go_to_the_next_table() -> None:
    wide = "0.123 [0.012, 0.234]"
    table = Table("Measures", columns("Side", "mean strength (pixel L2)#", "b#", "c#", "d#"), (("a", *[wide] * 4),))
    parts = split_columns(table, 4, 60)
    assert [len(part.columns) for part in parts] == [3, 3]
    assert all(len("Side") + sum(len(wide) + 2 for _ in part.columns[1:]) <= 60 for part in parts)
    # One that is too wide by itself is still shown.
    assert [len(part.columns) for part in split_columns(table, 4, 10)] == [2] * 4
