"""Results as tables of text: what HTML, Markdown and the command line all print."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from causalvae.circuits.types import ClaimTest, Verdict
from causalvae.report.glossary import passed_words, status_words, term_of
from causalvae.report.notes import notes_words
from causalvae.report.numbers import (
    ABSENT,
    flatten_facts,
    format_bound,
    format_count,
    format_fixed,
    format_interval,
    format_number,
    format_p,
)
from causalvae.results import CostRow, Results


@dataclass(frozen=True)
class Column:
    """A column's heading, and whether it holds numbers (set to the right)."""

    name: str
    numeric: bool = False


@dataclass(frozen=True)
class Table:
    """A table of text.

    Parameters
    ----------
    caption : str
        What it shows.
    columns : tuple of Column
    rows : tuple of tuple of str
        One text a column.
    notes : tuple of str
        Printed below it.
    """

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()

    @property
    def filled(self) -> Table:
        """The same without the columns in which no row has anything to say."""
        kept = [
            position
            for position in range(len(self.columns))
            if any(row[position] not in ("", ABSENT) for row in self.rows) or position == 0
        ]
        return Table(
            self.caption,
            tuple(self.columns[position] for position in kept),
            tuple(tuple(row[position] for position in kept) for row in self.rows),
            self.notes,
        )


def columns(*names: str) -> tuple[Column, ...]:
    """Columns from headings; one that ends in ``#`` holds numbers."""
    return tuple(Column(name.removesuffix("#"), name.endswith("#")) for name in names)


def unit_words(unit: str) -> str:
    """A unit as a reader would say it."""
    return {"sd": "sd", "": ABSENT}.get(unit, unit)


def verdict_table(verdicts: Iterable[Verdict]) -> Table:
    """One row a hypothesis."""
    return Table(
        "Hypotheses",
        columns("Hypothesis", "Verdict", "p for#", "p against#", "p best#", "Pairs needed#"),
        tuple(
            (
                verdict.hypothesis,
                status_words(verdict.status),
                format_p(verdict.p_support),
                format_p(verdict.p_refute),
                format_p(verdict.rivals.p_value if verdict.rivals and verdict.rivals.judged else None),
                format_count(verdict.needed),
            )
            for verdict in verdicts
        ),
    )


def test_table(tests: Sequence[ClaimTest]) -> Table:
    """The tests of one hypothesis."""
    return Table(
        "Tests",
        columns("Test", "Bound", "Estimate [interval]#", "p for#", "p against#", "Pairs#", "Pairs needed#"),
        tuple(
            (
                term_of(test.name).short,
                format_bound(test.at_least, test.at_most),
                format_interval(test.value, test.lower, test.upper),
                format_p(test.p_support),
                format_p(test.p_refute),
                format_count(test.n),
                format_count(test.needed),
            )
            for test in tests
        ),
        tuple(f"{term_of(test.name).short}: {notes_words(test.notes)}" for test in tests if test.notes),
    )


def refutation_table(results: Results) -> Table:
    """One row a refuter and effect."""
    return Table(
        "Refuters of the estimated effects",
        columns("Effect", "Outcome", "Refuter", "Before#", "Under refuter#", "p#", "Result", "Rule"),
        tuple(
            (
                f"{term_of(r.estimand).short} ({r.owner.name})",
                r.outcome,
                r.refuter.replace("_", " "),
                format_number(r.original),
                format_number(r.refuted),
                format_p(r.p_value),
                passed_words(r.passed),
                r.rule,
            )
            for r in results.refutations
        ),
    )


def readout_table(results: Results) -> Table:
    """Readouts against the data's true values."""
    return Table(
        "Readouts against true factor values",
        columns(
            "Attribute", "Readout", "Against", "Measure", "On inputs#", "On reconstructions#", "n#", "Result", "Note"
        ),
        tuple(
            (
                check.attribute,
                check.readout,
                check.against,
                check.metric.replace("^2", "²"),
                format_fixed(check.on_inputs),
                format_fixed(check.on_reconstructions),
                format_count(check.n),
                passed_words(check.passed),
                check.note,
            )
            for check in results.readouts
        ),
    )


def control_table(results: Results) -> Table:
    """The checks that every run carries."""
    return Table(
        "Controls",
        columns("Control", "What it checks", "Value#", "Limit", "Result"),
        tuple(
            (
                control.name,
                control.description,
                format_number(control.value),
                control.limit,
                passed_words(control.passed),
            )
            for control in results.controls
        ),
    )


def latent_table(results: Results) -> Table:
    """One row a latent."""
    return Table(
        "Latents over the observed samples",
        columns("Latent", "KL (nats)#", "sd of the mean#", "Mapped factor"),
        tuple(
            (
                f"latent[{latent.latent}]",
                format_fixed(latent.kl),
                format_fixed(latent.sd),
                latent.factor or ABSENT,
            )
            for latent in results.latents
        ),
    )


def facts_table(caption: str, facts: dict[str, object]) -> Table:
    """Facts as they are, nested ones under dotted names."""
    return Table(caption, columns("Fact", "Value"), tuple(flatten_facts(facts)))


def cost_table(rows: Sequence[CostRow], most: int = 12) -> Table:
    """What a run cost: the `most` expensive groups of arms, the rest, and what is no arm."""
    groups, others = [row for row in rows if row.is_group], [row for row in rows if not row.is_group]
    body = [_cost_cells(cost_label(row), (row,)) for row in groups[:most]]
    if groups[most:]:
        body.append(_cost_cells(f"{len(groups[most:])} more groups", groups[most:]))
    body += [_cost_cells(cost_label(row), (row,)) for row in others]
    body.append(_cost_cells("all", rows))
    return Table(
        "Cost by what is patched (seconds of one core)",
        columns("Patched", "Arms#", "Rows#", "Live#", "GFLOP#", "Seconds#"),
        tuple(body),
    ).filled


def cost_label(row: CostRow) -> str:
    """What a row of the table is of."""
    return row.sites if row.cohort == "all" else f"{row.sites} ({row.cohort}, {row.side})"


def _cost_cells(label: str, rows: Sequence[CostRow]) -> tuple[str, ...]:
    """One row of the table for one row of costs or several."""
    arms, count = sum(row.arms for row in rows), sum(row.rows for row in rows)
    return (
        label,
        format_count(arms) if arms else ABSENT,
        format_count(count) if count else ABSENT,
        _cost(_total(row.live for row in rows)) if count else ABSENT,
        _cost(_total(None if row.flops is None else row.flops / 1e9 for row in rows), 1) if count else ABSENT,
        _cost(_total(row.seconds for row in rows), 1),
    )


def _total(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _cost(value: float | None, digits: int = 0) -> str:
    return ABSENT if value is None else f"{value:,.{digits}f}"
