"""Tables in a narrow terminal: nothing wider than it, every number and every word whole."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import replace

import pytest
from rich.cells import cell_len
from rich.console import Console

from causalvae.cli import results_view
from causalvae.cli.console import print_table
from causalvae.cli.layout import break_lines, choose_widths, list_row, split_columns
from causalvae.cli.plan_view import print_plan
from causalvae.cli.results_view import key_effects, print_results
from causalvae.effects.types import Estimate
from causalvae.plan.owner import Owner
from causalvae.plan.types import Arm, Cohort, PassRecord, Plan, Treatment, Use
from causalvae.report.tables import Table, columns, verdict_table
from causalvae.results import Results
from tests.report.synthetic_results import build_results

LONG = "the_name_of_something_that_is_forty_long"
OTHER = "another-name-of-the-same-length-as-above"
WHOLE = "anunbrokennamewithoutanyseparatorsinside"


def printed(table: Table, width: int = 80) -> list[str]:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    print_table(console, table)
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


def body(table: Table, width: int = 80) -> list[str]:
    lines = printed(table, width)
    rule = next(number for number, line in enumerate(lines) if line.startswith("─"))
    return lines[rule + 1 :]


def with_inputs(owners: tuple[str, ...], outcomes: tuple[str, ...]) -> Results:
    estimates = [
        Estimate(
            estimand, value, unit, 1024, outcome, value * 0.9, value * 1.1, 0.95, 1e-4, owner,
            owner=Owner.intervention(owner),
        )
        for owner in owners
        for outcome in outcomes
        for estimand, value, unit in (("total_effect", 104.3, "pixels"), ("effect_size", 0.02761, "sd"))
    ]  # fmt: skip
    results = build_results()
    verdicts = tuple(replace(verdict, hypothesis=LONG) for verdict in results.verdicts)
    return replace(results, estimates=tuple(estimates), verdicts=verdicts)


@pytest.mark.parametrize("name", [LONG, OTHER, WHOLE])
@pytest.mark.parametrize("width", [44, 60, 80, 120])
def test_what_changing_the_input_does_fits_with_whole_words(name: str, width: int) -> None:
    assert len(name) == 40
    tables = key_effects(with_inputs(("resize", name), ("area", name)))
    assert [table.caption.split(":")[0] for table in tables] == ["resize", name]
    for table in tables:
        assert_whole(table, width)
        lines = printed(table, width)
        assert sum("104 [94, 115] pixels" in line for line in lines) == 2
        assert sum("< 0.001" in line for line in lines) == 2


def assert_whole(table: Table, width: int) -> None:
    """No line is wider than the terminal, and every word of the table that fits into one is on a line whole."""
    lines = printed(table, width)
    assert all(cell_len(line) <= width for line in lines)
    shown = Counter(word for line in lines for word in line.split())
    wanted = Counter(word for row in table.rows for cell in row for word in cell.split() if cell_len(word) <= width)
    assert not wanted - shown


def test_short_names_are_not_broken() -> None:
    (table,) = key_effects(with_inputs(("resize",), ("area", "centroid_x", "centroid_y", "image")))
    lines = body(table)
    assert [line.split()[0] for line in lines] == ["area", "centroid_x", "centroid_y", "image"]


def test_the_whole_answer_fits_eighty_columns_with_long_names() -> None:
    console = Console(file=io.StringIO(), width=80, color_system=None)
    print_results(console, with_inputs((LONG, OTHER), (WHOLE, OTHER)))
    assert all(cell_len(line) <= 80 for line in console.file.getvalue().splitlines())  # type: ignore[attr-defined]


def test_verdicts_of_long_hypotheses_are_listed_entry_by_entry() -> None:
    verdicts = with_inputs((), ()).verdicts[:1] * 4
    table = verdict_table(verdicts)
    lines = printed(table)
    assert lines.count(f"Hypothesis    {LONG}") == len(verdicts)
    assert sum(line.startswith("Verdict       ") for line in lines) == len(verdicts)
    assert_whole(table, 80)
    assert_whole(table, 120)
    assert any(line.startswith("─") for line in printed(table, 120)), "in columns where these fit"


def test_parts_of_a_table_whose_first_column_does_not_tell_rows_apart_begin_with_two() -> None:
    names = "Metric", "Unit", "Network [interval]#", "Median#", "Latents#", "Oracle#", "Random#"
    numbers = "0.00186 [0.00184, 0.00188]", "0.00167", "6", "0.0178", "0.00223"
    rows = tuple(("calibrated reconstruction", unit, *numbers) for unit in ("pixel L2", "pixel RMS"))
    first, second = split_columns(Table("t", columns(*names), rows), 80)
    assert [part.columns[0].name for part in (first, second)] == ["Metric", "Metric"]
    assert [[row[1] for row in part.rows] for part in (first, second)] == [["pixel L2", "pixel RMS"]] * 2
    assert [column.name for column in (*first.columns[2:], *second.columns[2:])] == [n.strip("#") for n in names[2:]]


@pytest.mark.parametrize("width", [20, 44, 60, 80])
def test_every_table_of_the_answer_has_whole_words(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    tables: list[Table] = []
    monkeypatch.setattr(results_view, "print_table", lambda _, table: tables.append(table))
    print_results(Console(file=io.StringIO(), width=width), with_inputs((LONG, "resize"), (WHOLE, OTHER, "area")))
    assert len(tables) > 3
    for table in tables:
        assert_whole(table, width)


def test_columns_that_do_not_fit_stand_in_groups_beside_the_first() -> None:
    names = ("Objective", "specificity#", "polysemantic#", "reconstruction#")
    table = Table("t", columns(*names), (("vae", "1", "22", "3.5"), ("beta-vae", "4", "5", "6")))
    first, second = split_columns(table, 40)
    assert [column.name for column in first.columns] == ["Objective", "specificity", "polysemantic"]
    assert second.rows == (("vae", "3.5"), ("beta-vae", "6"))
    lines = printed(table, 40)
    assert sum(line.startswith("beta-vae ") for line in lines) == 2
    assert sum(line.startswith("─") for line in lines) == 2
    assert_whole(table, 40)
    assert split_columns(replace(table, rows=(("vae", "1", "22", "3.5"),) * 2), 40) == (), "rows of the same name"
    assert split_columns(replace(table, rows=table.rows[:1]), 40) == (), "one row is read entry by entry"
    assert split_columns(table, 24) == (), "reconstruction does not fit beside the objective"


def test_a_word_beside_the_headings_or_below_them_or_broken() -> None:
    headings = ("Name", "Number of it")
    assert list_row(headings, ("a b", "1"), 20) == [("Name          ", "a b"), ("Number of it  ", "1")]
    assert list_row(headings, ("a bcdefg", "1"), 20)[0] == ("Name          ", "a\n              bcdefg")
    assert list_row(headings, ("a bcdefgh", "1"), 20)[0] == ("Name\n  ", "a bcdefgh")
    assert list_row(headings, (20 * "x", "1"), 20)[0] == ("Name\n", 20 * "x")
    assert list_row(headings, (25 * "x", "1"), 20)[0] == ("Name\n", 20 * "x" + "\n" + 5 * "x")


def test_a_plan_with_long_names_fits_eighty_columns() -> None:
    cohorts = (Cohort(LONG, 64, 7, Treatment(LONG, OTHER, None, "propagate", "increase")),)
    arm = Arm(LONG, "base", (), 64)
    uses = (
        Use(Owner.intervention(LONG), "counterfactual", arm.id),
        Use(Owner.hypothesis(WHOLE), "sufficiency", arm.id),
    )
    passes = (PassRecord("share", 123_456, 123_000, 2.5e7, 1.25e7, "equal arms are run once, and shared"),)
    plan = Plan("demo", "a" * 16, "b" * 16, cohorts, (arm,), uses, (WHOLE, OTHER), passes=passes)
    console = Console(file=io.StringIO(), width=80, color_system=None)
    print_plan(console, plan)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert all(cell_len(line) <= 80 for line in lines)
    assert any("123,456 → 123,000" in line for line in lines)


def test_headings_wrap_before_words_would_break() -> None:
    table = Table("t", columns("Name of it", "A very long heading of numbers#"), (("abcdefghij", "1.5"),))
    assert choose_widths(table, 80) == (10, 30)
    assert choose_widths(table, 30) == (10, 18)
    assert choose_widths(table, 19) == (10, 7)
    assert choose_widths(table, 18) is None
    assert choose_widths(replace(table, rows=(("abc defghi", "1.5 of 2"),)), 16) == (6, 8)


def test_text_with_room_is_broken_between_words_only() -> None:
    text = "of the relations found present, the share declared in the graph_of_the_spec"
    for width in range(17, 90):
        lines = break_lines(text, width).split("\n")
        assert " ".join(lines) == text
        assert all(len(line) <= width for line in lines)


@pytest.mark.parametrize("width", [1, 3, 7, 20, 39, 40])
@pytest.mark.parametrize("text", [LONG, WHOLE, "名前名前名前", "a  b", "", "x\ny", " lead"])
def test_broken_text_loses_nothing(text: str, width: int) -> None:
    broken = break_lines(text, width)
    assert broken.replace("\n", "").replace(" ", "") == text.replace("\n", "").replace(" ", "")
    assert all(cell_len(line) <= max(width, 2) for line in broken.split("\n"))
    assert len(break_lines(LONG, 20).split("\n")) == 2
