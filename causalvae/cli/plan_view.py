"""Prints plans, like EXPLAIN of a database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.text import Text

from causalvae.cli.console import clean, print_table
from causalvae.plan.owner import Owner

if TYPE_CHECKING:
    from rich.console import Console

    from causalvae.costs import Explained, ForecastRow
    from causalvae.engine.trial import Work
    from causalvae.plan.types import Cohort, Plan
    from causalvae.report.tables import Table


def print_plan(console: Console, plan: Plan) -> None:
    """Print a plan: cohorts, arms by purpose, and savings of each pass."""
    console.print(Text.assemble((clean(plan.name), "bold"), f"  plan {plan.digest}"))
    console.print(f"spec {plan.spec_digest}, network {plan.model_digest}, seed {plan.seed}")
    _print_capture(console, plan)
    rows = sum(arm.pairs for arm in plan.arms)
    console.print(
        f"{len(plan.arms):,} arms, {rows:,} rows, {len(plan.attributes)} attributes "
        f"({clean(', '.join(plan.attributes))})"
    )
    console.print(f"batches of {plan.batch_rows:,} rows, shards of {plan.shard_pairs:,} pairs")
    print_table(console, cohort_table(plan))
    print_table(console, use_table(plan))
    if plan.screens:
        print_table(console, screen_table(plan))
    learning = learning_table(plan)
    if learning.rows:
        print_table(console, learning)
    inner = inner_table(plan)
    if inner.rows:
        print_table(console, inner)
    if plan.passes:
        print_table(console, pass_table(plan))
    console.print()
    for line in _control_lines(plan):
        console.print(line)
    console.print("Options: " + ", ".join(f"{name} = {value}" for name, value in asdict(plan.options).items()))


def _control_lines(plan: Plan) -> list[str]:
    """What the plan's controls run."""
    lines, exact, copy = [], plan.controls.exact, plan.controls.copy
    if exact:
        lines.append(f"Exact controls: {len(exact):,} arms on {exact[0].pairs:,} pairs of {clean(exact[0].cohort)}.")
    if copy is not None:
        rows = sum(arm.pairs for arm in copy.arms)
        lines.append(f"Random copy: {len(copy.arms):,} of these arms, {rows:,} rows.")
    return lines


def _print_capture(console: Console, plan: Plan) -> None:
    """Print how the network was captured, unless by ``torch.export``."""
    if plan.captured_by != "torch.export":
        console.print(f"captured by {clean(plan.captured_by)}")


def cohort_table(plan: Plan) -> Table:
    """The cohorts of a plan."""
    from causalvae.report.tables import Table, columns

    return Table(
        "Cohorts",
        columns("Cohort", "Inputs", "Pairs#", "Seed#"),
        tuple((cohort.name, _inputs(cohort), f"{cohort.samples:,}", str(cohort.seed)) for cohort in plan.cohorts),
    )


def _inputs(cohort: Cohort) -> str:
    treatment = cohort.treatment
    if treatment is None:
        return "samples as they are"
    if treatment.factor is None:
        return "another sample instead of each"
    value = "another level" if treatment.level is None else f"level {treatment.level}"
    if treatment.value is not None:
        value = f"{treatment.value:g}"
    if treatment.start_level is not None:
        value = f"level {treatment.start_level} to {value}"
    elif treatment.start_value is not None:
        value = f"{treatment.start_value:g} to {value}"
    order = ", rising" if treatment.contrast == "increase" else ""
    return f"do({treatment.factor} = {value}){order}; others {treatment.others}"


def use_table(plan: Plan) -> Table:
    """Arms and rows by purpose; an arm with several purposes is counted for each."""
    from causalvae.report.tables import Table, columns

    pairs = {arm.id: arm.pairs for arm in plan.arms}
    sharing: dict[str, set[tuple[Owner, str]]] = {}
    groups: dict[tuple[Owner, str], list[str]] = {}
    for use in plan.uses:
        groups.setdefault((use.owner, use.role), []).append(use.arm)
        sharing.setdefault(use.arm, set()).add((use.owner, use.role))
    rows = tuple(
        (
            str(owner),
            role,
            f"{len(set(arms)):,}",
            f"{sum(pairs[arm] for arm in set(arms)):,}",
            f"{sum(len(sharing[arm]) > 1 for arm in set(arms)):,}",
        )
        for (owner, role), arms in groups.items()
    )
    return Table("Arms by purpose", columns("For", "Role", "Arms#", "Rows#", "Shared#"), rows)


def screen_table(plan: Plan) -> Table:
    """Screened sweeps, of which only some arms will be run, selected by gradients."""
    from causalvae.report.tables import Table, columns

    rows = tuple(
        (
            str(screen.owner),
            screen.side,
            screen.method.replace("_", " ") + (f", {screen.steps} steps" if screen.steps > 1 else ""),
            screen.outcome,
            f"{len(plan.candidates(screen)):,}",
            f"{screen.kept:,}",
            f"{screen.checked:,}",
        )
        for screen in plan.screens
    )
    return Table(
        "First-order screening (of these sweeps only the best and some at random are run; rows elsewhere count all)",
        columns("For", "Side", "Method", "Outcome", "Arms#", "Best#", "Random#"),
        rows,
    )


def inner_table(plan: Plan) -> Table:
    """Inner runs of path-specific effects, which end at a site."""
    from causalvae.plan.relays import group_inner, inner_runs
    from causalvae.report.tables import Table, columns

    rows = tuple(
        (
            runs[0].label,
            runs[0].arm.cohort,
            runs[0].arm.side,
            f"{len(runs):,}",
            f"{sum(run.arm.pairs for run in runs):,}",
        )
        for runs in group_inner(inner_runs(plan.arms))
    )
    return Table(
        "Inner runs of paths (in addition to the arms above; the passes count both)",
        columns("Through", "Cohort", "Side", "Runs#", "Rows#"),
        rows,
    )


def learning_table(plan: Plan) -> Table:
    """Subspaces that are learned before arms are run."""
    from causalvae.plan.learned import learned_parts
    from causalvae.report.tables import Table, columns

    rows = []
    for part in learned_parts(plan):
        subspace = part.patch.subspace
        if subspace is not None and subspace.learned is not None:
            learned = subspace.learned
            donors = "of each pair itself" if learned.given is None else f"given {learned.given}"
            steps = f"{1 + learned.restarts} x {learned.steps:,}"
            rows.append((part.patch.site, f"{subspace.dim}", learned.objective, donors, f"{learned.pairs:,}", steps))
    return Table(
        "Directions to be learned first (distributed alignment search)",
        columns("Site", "Directions#", "By", "Donors", "Pairs#", "Steps#"),
        tuple(rows),
    )


def pass_table(plan: Plan) -> Table:
    """Effects of the passes of the optimiser, in order, in rows and forward passes."""
    from causalvae.report.numbers import format_number
    from causalvae.report.tables import Table, columns

    rows = tuple(
        (
            record.name,
            f"{record.rows_before:,} → {record.rows_after:,}",
            f"{format_number(record.forwards_before)} → {format_number(record.forwards_after)}",
            record.note,
        )
        for record in plan.passes
    )
    return Table(
        "Passes (rows and forward-pass equivalents, before → after)",
        columns("Pass", "Rows#", "Forwards#", "Note"),
        rows,
    ).filled


def print_explained(console: Console, plan: Plan, explained: Explained) -> None:
    """Print predicted costs by pass and by patched site, and measured costs, if any."""
    forecast = explained.forecast
    console.print(Text.assemble((clean(plan.name), "bold"), f"  plan {plan.digest}"))
    _print_capture(console, plan)
    console.print(f"batches of {forecast.batch_rows:,} rows, shards of {forecast.shard_pairs:,} pairs")
    print_table(console, explained_pass_table(explained))
    print_table(console, explained_cost_table(explained))
    console.print()
    for screen in forecast.screens:
        console.print(
            f"{clean(str(screen.owner))}, {screen.side}: of {screen.candidates:,} components, ranked by gradients, "
            f"{screen.chosen:,} are run and counted here."
        )
    cores = "core" if forecast.cores == 1 else "cores"
    console.print(
        f"Predicted: {forecast.seconds:,.1f} s on {forecast.cores} {cores} that nothing else uses "
        f"({forecast.total.seconds:,.1f} s of one); about {forecast.memory / 1e6:,.0f} MB for kept and running values."
    )
    if explained.seconds is not None:
        done = "Measured" if explained.finished else "Measured so far, the run being unfinished"
        console.print(f"{done}: {explained.seconds:,.1f} s of one core; run folder {clean(str(explained.folder))}")
    timed, groups = sum(group.timed for group in forecast.groups), len(forecast.groups)
    how = "each group" if timed == groups else f"{timed} of {groups} groups"
    others = "" if timed == groups else ", the others by their FLOPs at the speed of these"
    console.print(
        f"Basis: live rows counted on the first {forecast.sampled_pairs} pairs of each cohort (± is their standard "
        f"error); {how} timed on a few rows{others}. Follow-up runs (interchanges, readouts, pictures) depend on first "
        "results and are at most these. Writing tables, analysis and report come on top."
    )


def explained_pass_table(explained: Explained) -> Table:
    """Remaining work of patched arms after each pass, and measured work."""
    from causalvae.report.numbers import ABSENT
    from causalvae.report.tables import Table, columns

    forecast = explained.forecast
    rows = [(name, *_work(work)) for name, work in forecast.passes.items()]
    measured = [row for row in explained.groups if row.seconds is not None]
    if measured:
        live, seconds = sum(row.live or 0 for row in measured), sum(row.seconds or 0.0 for row in measured)
        counted = [(row.flops, row.bytes) for row in measured if row.flops is not None and row.bytes is not None]
        known = len(counted) == len(measured)
        flops, moved = sum(pair[0] for pair in counted), sum(pair[1] for pair in counted)
        whole = forecast.clean.scaled(1.0).flops
        rows.append(
            (
                "measured" if explained.finished else "measured so far",
                f"{live:,}",
                f"{flops / whole:,.0f}" if known and whole else ABSENT,
                f"{flops / 1e9:,.1f}" if known else ABSENT,
                f"{moved / 1e9:,.1f}" if known else ABSENT,
                f"{seconds:,.1f}",
            )
        )
    return Table(
        "Patched rows after each pass (seconds of one core)",
        columns("After", "Rows#", "Forwards#", "GFLOP#", "GB moved#", "Seconds#"),
        tuple(rows),
    )


def explained_cost_table(explained: Explained, most: int = 16) -> Table:
    """Costs of the `most` expensive groups of arms, of the rest, of clean runs and of overheads."""
    from causalvae.report.tables import Table, columns, cost_label

    groups = explained.groups
    others = tuple(row for row in explained.costs if not row.is_group)
    body = [_cost_cells(cost_label(row), (row,)) for row in groups[:most]]
    if groups[most:]:
        body.append(_cost_cells(f"{len(groups[most:])} more groups", groups[most:]))
    body += [_cost_cells(cost_label(row), (row,)) for row in others]
    body.append(_cost_cells("all", explained.costs))
    return Table(
        "Cost by what is patched (seconds of one core)",
        columns(
            "Patched", "Arms#", "Rows#", "Live %#", "ms a row#", "Seconds#", "Live, measured#", "Seconds, measured#"
        ),
        tuple(body),
    ).filled


def _cost_cells(label: str, rows: Sequence[ForecastRow]) -> tuple[str, ...]:
    """One row of the table, for one or several groups."""
    from causalvae.report.numbers import ABSENT

    arms, count = sum(row.arms for row in rows), sum(row.rows for row in rows)
    foreseen = [row for row in rows if row.predicted_live is not None]
    live = sum(row.predicted_live or 0.0 for row in foreseen)
    seconds = sum(row.predicted_seconds or 0.0 for row in foreseen)
    # Groups of one cohort are counted on the same pairs, so their errors are added.
    error = sum(row.predicted_error or 0.0 for row in foreseen)
    share, of = ABSENT, sum(row.predicted_rows or 0 for row in foreseen)
    if of:
        share = f"{100 * live / of:.0f}" + (f" ± {100 * error / of:.0f}" if 200 * error >= of else "")
    running = sum(row.predicted_seconds or 0.0 for row in foreseen if row.predicted_live)
    measured = [row for row in rows if row.seconds is not None]
    return (
        label,
        f"{arms:,}" if arms else ABSENT,
        f"{count:,}" if count else ABSENT,
        share,
        f"{1000 * running / live:.2f}" if live else ABSENT,
        f"{seconds:,.1f}" if foreseen else ABSENT,
        f"{sum(row.live or 0 for row in measured):,}" if measured and count else ABSENT,
        f"{sum(row.seconds or 0.0 for row in measured):,.1f}" if measured else ABSENT,
    )


def _work(work: Work) -> tuple[str, ...]:
    return (
        f"{work.rows:,.0f}",
        f"{work.forwards:,.0f}",
        f"{work.flops / 1e9:,.1f}",
        f"{work.bytes / 1e9:,.1f}",
        f"{work.seconds:,.1f}",
    )
