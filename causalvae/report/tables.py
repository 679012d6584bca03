"""Results as tables of text: what HTML, Markdown and the command line all print."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from causalvae.alignment.types import Alignment
from causalvae.circuits.types import ClaimTest, Verdict
from causalvae.effects.types import Estimate
from causalvae.report.effect_grids import EFFECT, Grid, in_grid, strongest_rows
from causalvae.report.glossary import passed_words, status_words, term_of
from causalvae.report.numbers import (
    ABSENT,
    flatten_facts,
    format_count,
    format_fixed,
    format_interval,
    format_number,
    format_p,
    p_words,
)
from causalvae.results import Results

MEDIATION = (
    "total_effect",
    "natural_direct_effect",
    "natural_indirect_effect",
    "total_indirect_effect",
    "interaction",
    "mediated_share",
    "necessity",
    "mediated_share_ratio_of_means",
    "mediated_share_mean_of_ratios",
    "necessity_ratio_of_means",
    "necessity_mean_of_ratios",
)
_STRONGEST = 12


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


def owner_name(owner: str) -> str:
    """The intervention's or hypothesis's own name, without its kind."""
    return owner.partition(":")[2] or owner


def unit_words(unit: str) -> str:
    """A unit as a reader would say it."""
    return {"sd": "sd", "": ABSENT}.get(unit, unit)


def verdict_table(verdicts: Iterable[Verdict]) -> Table:
    """One row a hypothesis."""
    return Table(
        "Hypotheses",
        columns("Hypothesis", "Verdict", "p for#", "p against#", "Null p#", "Pairs needed#"),
        tuple(
            (
                verdict.hypothesis,
                status_words(verdict.status),
                format_p(verdict.p_support),
                format_p(verdict.p_refute),
                format_p(verdict.null.p_value if verdict.null else None),
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
                bound_words(test.bound),
                format_interval(test.value, test.lower, test.upper),
                format_p(test.p_support),
                format_p(test.p_refute),
                format_count(test.n),
                format_count(test.needed),
            )
            for test in tests
        ),
        tuple(f"{term_of(test.name).short}: {test.note}" for test in tests if test.note),
    )


def bound_words(bound: str) -> str:
    """A bound with typographic signs."""
    return bound.replace(">=", "≥").replace("<=", "≤")


def mediation_tables(estimates: Sequence[Estimate]) -> list[Table]:
    """For each mediation and outcome: every effect, through each set of mediators, DoWhy's value beside it."""
    owners = dict.fromkeys(estimate.owner for estimate in estimates if estimate.estimand == "natural_indirect_effect")
    tables: list[Table] = []
    for owner in owners:
        mine = [e for e in estimates if e.owner == owner and e.estimand in MEDIATION]
        tables.extend(
            _mediation_table(owner, outcome, [e for e in mine if e.outcome == outcome])
            for outcome in dict.fromkeys(e.outcome for e in mine)
        )
    return tables


def in_mediation(estimate: Estimate, estimates: Sequence[Estimate]) -> bool:
    """Whether a mediation table shows this estimate."""
    return estimate.estimand in MEDIATION and any(
        other.owner == estimate.owner and other.estimand == "natural_indirect_effect" for other in estimates
    )


def _mediation_table(owner: str, outcome: str, estimates: Sequence[Estimate]) -> Table:
    exact = [estimate for estimate in estimates if estimate.estimator == "exact"]
    other = {(e.estimand, e.component): e for e in estimates if e.estimator != "exact"}
    components = list(dict.fromkeys(e.component for e in exact if e.component))
    rows = []
    for component in ["", *components]:
        for estimand in MEDIATION:
            for e in exact:
                if e.component != component or e.estimand != estimand:
                    continue
                cross = other.get((estimand, component))
                # A rounding difference reads better as zero than as 2.6e-16.
                gap = None if cross is None else cross.value - e.value
                rows.append(
                    (
                        component or "all routes",
                        term_of(estimand).short,
                        format_interval(e.value, e.lower, e.upper),
                        unit_words(e.unit),
                        format_p(e.p_value),
                        format_count(e.n),
                        ABSENT if cross is None else format_number(cross.value, 4),
                        ABSENT if gap is None else format_gap(gap, e.value),
                    )
                )
    treatment = next((e.treatment for e in exact if e.treatment), "")
    through = components[0] if components else "no component"
    notes = dict.fromkeys(f"{term_of(e.estimand).short}: {e.note}" for e in exact if e.note)
    return Table(
        f"{owner_name(owner)}: the effect of {treatment or 'the treatment'} on {outcome} through {through}",
        columns("Through", "Effect", "Estimate [interval]#", "Unit", "p#", "Pairs#", "DoWhy#", "Difference#"),
        tuple(rows),
        tuple(notes),
    )


def format_gap(gap: float, scale: float) -> str:
    """The difference of two computations of one quantity; rounding noise is called ``≈ 0``."""
    if math.isnan(gap):
        return ABSENT
    return "≈ 0" if abs(gap) <= 1e-9 * max(1.0, abs(scale)) else format_number(gap, 2)


def refutation_table(results: Results) -> Table:
    """One row a refuter and effect."""
    return Table(
        "Refuters of the estimated effects",
        columns("Effect", "Outcome", "Refuter", "Before#", "Under refuter#", "p#", "Result", "Rule"),
        tuple(
            (
                f"{term_of(r.estimand).short} ({owner_name(r.owner)})",
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


def strongest_table(grid: Grid, most: int = _STRONGEST) -> Table:
    """The components with the largest effects, each attribute in a column."""
    rows = strongest_rows(grid, most)
    return Table(
        f"The {len(rows)} components with the largest effect on any attribute"
        if len(rows) < len(grid.rows)
        else "All components, in the network's order",
        (
            Column("Component"),
            *(Column(f"{name} (sd)", True) for name in grid.attributes),
        ),
        tuple((row.component, *(_grid_cell(row.effects.get(name)) for name in grid.attributes)) for row in rows),
    )


def beside_table(grid: Grid, most: int = _STRONGEST) -> Table:
    """Strength on the image and specificity of the components with the largest effects."""
    measures = list(dict.fromkeys(key for row in grid.rows for key in row.beside))
    rows = strongest_rows(grid, most)
    return Table(
        "Strength on the image" + (", and specificity" if len(measures) > 1 else ""),
        (Column("Component"), *(Column(f"{term_of(estimand).short} ({unit})", True) for estimand, unit in measures)),
        tuple((row.component, *(_grid_cell(row.beside.get(key)) for key in measures)) for row in rows)
        if measures
        else (),
    )


def grid_table(grid: Grid) -> Table:
    """All components of a grid in the network's order, without intervals."""
    return Table(
        "All components, in the network's order",
        (Column("Component"), *(Column(f"{name} (sd)", True) for name in grid.attributes)),
        tuple(
            (
                row.component,
                *(format_number(row.effects[name].value if name in row.effects else None) for name in grid.attributes),
            )
            for row in grid.rows
        ),
    )


def _grid_cell(estimate: Estimate | None) -> str:
    return ABSENT if estimate is None else format_interval(estimate.value, estimate.lower, estimate.upper)


def input_table(estimates: Sequence[Estimate]) -> Table:
    """What each input manipulation does to each attribute: mean change, size and p-value."""
    chosen = [e for e in estimates if is_input_effect(e, estimates)]
    sizes = {(e.owner, e.outcome): e for e in chosen if e.estimand == EFFECT}
    means = {(e.owner, e.outcome): e for e in chosen if e.estimand == "total_effect"}
    rows = []
    for key, either in {(e.owner, e.outcome): e for e in reversed(chosen)}.items():
        mean, size = means.get(key), sizes.get(key)
        rows.append(
            (
                owner_name(key[0]),
                key[1],
                _grid_cell(mean),
                ABSENT if mean is None else unit_words(mean.unit),
                _grid_cell(size),
                format_p(either.p_value),
                format_count(either.n),
            )
        )
    return Table(
        "What changing the input does to the output",
        columns("Intervention", "Outcome", "Total effect (mean)#", "Unit", "Effect size (sd)#", "p#", "Pairs#"),
        tuple(reversed(rows)),
    )


def is_input_effect(estimate: Estimate, estimates: Sequence[Estimate]) -> bool:
    """Whether an estimate is an input manipulation's: nothing patched, and asked for by no mediation or hypothesis."""
    return (
        not estimate.component
        and estimate.owner.startswith("intervention:")
        and estimate.estimator == "exact"
        and estimate.estimand in ("total_effect", EFFECT)
        and not in_mediation(estimate, estimates)
    )


def other_estimates(estimates: Sequence[Estimate]) -> Table:
    """Every estimate that no other table or drawing shows."""
    left = [
        e for e in estimates if not in_grid(e) and not in_mediation(e, estimates) and not is_input_effect(e, estimates)
    ]
    return Table(
        "Further estimates",
        columns("Asked by", "Quantity", "Outcome", "Component", "Estimate [interval]#", "Unit", "p#", "Pairs#", "By"),
        tuple(
            (
                owner_name(e.owner),
                term_of(e.estimand).short,
                e.outcome,
                e.component or ABSENT,
                format_interval(e.value, e.lower, e.upper),
                unit_words(e.unit),
                format_p(e.p_value),
                format_count(e.n),
                "DoWhy" if e.estimator == "dowhy" else e.estimator,
            )
            for e in left
        ),
    )


def agreement_table(alignment: Alignment) -> Table:
    """The summary figures of the declared graph's agreement."""
    rows = [
        ("Precision", format_number(alignment.precision), "of the relations found present, the share declared"),
        ("Recall", format_number(alignment.recall), "of the declared relations, the share found present"),
        ("F1", format_number(alignment.f1), "harmonic mean of both"),
        ("SHD", format_count(alignment.shd), "relations that differ; undecided ones count as declared"),
        ("Fisher's C", format_number(alignment.fisher_c), p_words(alignment.fisher_p)),
    ]
    rejected = sum(check.rejected for check in alignment.independencies)
    rows.append(
        (
            "Independencies",
            f"{len(alignment.independencies) - rejected} of {len(alignment.independencies)}",
            f"implied by the graph and not rejected ({alignment.test}, {alignment.correction}, "
            f"alpha {alignment.alpha:g}, {format_count(alignment.samples)} samples)",
        )
    )
    return Table("Agreement of the declared graph", columns("Measure", "Value#", "Meaning"), tuple(rows))


def edge_table(alignment: Alignment, via: str) -> Table:
    """Every factor and attribute, tested one way."""
    checks = [check for check in alignment.edges if check.via == via]
    tolerance = next((check.tolerance for check in checks), None)
    how = "do(factor) on the input" if via == "input" else "the mapped components set to another sample's value"
    return Table(
        f"Relations tested by intervention: {how}",
        columns("From", "To", "Declared", "Found", "Effect [interval] (sd)#", "p present#", "p absent#", "Pairs#"),
        tuple(
            (
                check.source,
                check.target,
                "yes" if check.declared else "no",
                status_words(check.status),
                format_interval(check.effect, check.lower, check.upper),
                format_p(check.p_present),
                format_p(check.p_absent),
                format_count(check.n),
            )
            for check in checks
        ),
        ()
        if tolerance is None or math.isnan(tolerance)
        else (f"An effect below the tolerance of {tolerance:g} sd counts as none.",),
    )


def independence_table(alignment: Alignment) -> Table:
    """The conditional independencies that the declared graph implies."""
    return Table(
        "Implied independencies",
        columns("Independence", "Statistic#", "p#", "p corrected#", "Result"),
        tuple(
            (
                f"{check.left} ⊥ {check.right}" + (f" | {', '.join(check.given)}" if check.given else ""),
                format_number(check.statistic),
                format_p(check.p_value),
                format_p(check.p_adjusted),
                "✗ rejected" if check.rejected else "✓ not rejected",
            )
            for check in alignment.independencies
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
                bound_words(control.limit),
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
