"""Tables in a narrow terminal: nothing wider than it, numbers whole, names broken once at most."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.cells import cell_len
from rich.console import Console

from causalvae.cli.console import print_table
from causalvae.cli.layout import break_lines, choose_widths
from causalvae.cli.plan_view import print_plan
from causalvae.cli.results_view import key_effects, print_results
from causalvae.effects.types import Estimate
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
            owner=f"intervention:{owner}",
        )
        for owner in owners
        for outcome in outcomes
        for estimand, value, unit in (("total_effect", 104.3, "pixels"), ("effect_size", 0.02761, "sd"))
    ]  # fmt: skip
    results = build_results()
    verdicts = tuple(replace(verdict, hypothesis=LONG) for verdict in results.verdicts)
    return replace(results, estimates=tuple(estimates), verdicts=verdicts)


@pytest.mark.parametrize("name", [LONG, OTHER, WHOLE])
def test_what_changing_the_input_does_fits_eighty_columns(name: str) -> None:
    assert len(name) == 40
    tables = key_effects(with_inputs(("resize", name), ("area", name)))
    assert [table.caption.split(":")[0] for table in tables] == ["resize", name]
    for table in tables:
        lines = body(table)
        assert all(cell_len(line) <= 80 for line in lines)
        assert len(lines) == 3, "area on one line, the long name on two"
        for line in lines[:2]:
            assert "104 [" in line
            assert "] pixels" in line
            assert "< 0.001" in line
        first, second = (line.split("  ")[0].strip() for line in lines[1:])
        assert first + second == name


def test_short_names_are_not_broken() -> None:
    (table,) = key_effects(with_inputs(("resize",), ("area", "centroid_x", "centroid_y", "image")))
    lines = body(table)
    assert [line.split()[0] for line in lines] == ["area", "centroid_x", "centroid_y", "image"]


def test_the_whole_answer_fits_eighty_columns_with_long_names() -> None:
    console = Console(file=io.StringIO(), width=80, color_system=None)
    print_results(console, with_inputs((LONG, OTHER), (WHOLE, OTHER)))
    assert all(cell_len(line) <= 80 for line in console.file.getvalue().splitlines())  # type: ignore[attr-defined]


def test_verdicts_of_long_hypotheses_take_two_lines() -> None:
    verdicts = with_inputs((), ()).verdicts
    lines = body(verdict_table(verdicts))
    assert len(lines) == 2 * len(verdicts)
    assert [line.split("  ")[0].strip() for line in lines] == [*_halves(lines)] * len(verdicts)


def _halves(lines: list[str]) -> tuple[str, str]:
    first, second = (line.split("  ")[0].strip() for line in lines[:2])
    assert first + second == LONG
    assert first.endswith("_"), "behind a separator"
    return first, second


def test_a_plan_with_long_names_fits_eighty_columns() -> None:
    cohorts = (Cohort(LONG, 64, 7, Treatment(LONG, OTHER, None, "propagate", "increase")),)
    arm = Arm(LONG, "base", (), 64)
    uses = (Use(f"intervention:{LONG}", "counterfactual", arm.id), Use(f"hypothesis:{WHOLE}", "sufficiency", arm.id))
    passes = (PassRecord("share", 123_456, 123_000, 2.5e7, 1.25e7, "equal arms are run once, and shared"),)
    plan = Plan("demo", "a" * 16, "b" * 16, cohorts, (arm,), uses, (WHOLE, OTHER), passes=passes)
    console = Console(file=io.StringIO(), width=80, color_system=None)
    print_plan(console, plan)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert all(cell_len(line) <= 80 for line in lines)
    assert any("123,456 → 123,000" in line for line in lines)


def test_headings_give_way_before_names_and_names_before_numbers() -> None:
    table = Table("t", columns("Name of it", "A very long heading of numbers#"), (("abcdefghij", "1.5"),))
    assert choose_widths(table, 80) == (10, 30)
    assert choose_widths(table, 30) == (10, 18)
    assert choose_widths(table, 19) == (10, 7)
    assert choose_widths(table, 15) == (6, 7)
    assert choose_widths(table, 5) == (5, 7), "the numbers stay whole whatever the terminal is"


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
