"""Lays a study out: networks grouped over seeds, correlations, pictures, and numbers from elsewhere beside."""

from __future__ import annotations

from collections.abc import Sequence

from causalvae.report.blocks import Block, Figure, FigureRow, Folded, Link, Page, Prose, Section
from causalvae.report.forest import ForestRow, draw_forest
from causalvae.report.glossary import term_of
from causalvae.report.measure_tables import correlation_table, score_names
from causalvae.report.numbers import ABSENT, format_fixed, format_interval
from causalvae.report.scatter import Point, draw_key_mark, draw_scatter
from causalvae.report.score_glossary import score_term
from causalvae.report.tables import Table, columns
from causalvae.study.types import Group, StudyResults

# The published study's columns come first, in its order.
LEADING = (
    "disentanglement",
    "mean strength",
    "mean specificity",
    "modularity",
    "polysemantic share",
    "mean mediated share",
    "reconstruction",
    "KL",
    "active latents",
)
_WHOLE = ("active latents",)
_PICTURED = (("disentanglement", "mean strength"), ("reconstruction", "mean strength"))


def build_study(results: StudyResults) -> Page:
    """A study's page."""
    sections = (_grid(results), _correlations(results), _published(results), _networks(results))
    return Page(
        kind="study",
        name=results.name,
        description=results.description,
        warnings=_warnings(results),
        sections=tuple(section for section in sections if section is not None),
        links_title="Reports of each network",
        links_lead="Everything that was found in one network.",
        links=tuple(Link(cell.name, cell.report) for cell in results.cells),
        glossary=(
            *(term_of(name) for name in ("causal_effect_strength", "specificity_bounded", "mediated_share")),
            *(score_term(name) for name in score_names(results.measures)),
        ),
    )


def study_tables(results: StudyResults) -> list[Table]:
    """What a terminal prints: a table for each data set, and the correlations."""
    found = [_group_table(data, groups, _shown(results)[:6]) for data, groups in _by_data(results).items()]
    return [*found, correlation_table(results.correlations)] if results.correlations else found


def _warnings(results: StudyResults) -> tuple[str, ...]:
    seeds = {cell.seed for cell in results.cells}
    if len(seeds) < 5:
        return (
            f"{len(seeds)} seed{'s' if len(seeds) != 1 else ''} a network: differences between objectives that are "
            "smaller than the spread over seeds mean nothing.",
        )
    return ()


def _shown(results: StudyResults) -> list[str]:
    """Measures in the order of a table."""
    held = results.measures
    return [name for name in LEADING if name in held] + [name for name in held if name not in LEADING]


def _by_data(results: StudyResults) -> dict[str, list[Group]]:
    found: dict[str, list[Group]] = {}
    for group in results.groups:
        found.setdefault(group.data, []).append(group)
    return found


def _grid(results: StudyResults) -> Section:
    blocks: list[Block] = []
    names = _shown(results)
    for data, groups in _by_data(results).items():
        blocks.append(_group_table(data, groups, names[:9]))
        if names[9:]:
            blocks.append(Folded(f"Further scores on {data}", _group_table(data, groups, names[9:])))
        rows = [
            ForestRow(group.model, group.means["mean strength"], group.lowers["mean strength"],
                      group.uppers["mean strength"])
            for group in groups
            if "mean strength" in group.lowers
        ]  # fmt: skip
        drawing = draw_forest(rows)
        if drawing is not None:
            words = "Mean causal effect strength over seeds, with its 95% t interval."
            blocks.append(Figure(drawing, words, wide=True))
    lead = (
        "Each row is one objective on one data set: the mean over seeds, and in brackets its 95% t interval over them; "
        "of three seeds that spans five standard deviations and may reach beyond what a score can be. "
        "Strength is in units of the output's L2 norm, so it is compared within a data set only; read it beside the "
        "reconstruction error, for a network that blurs has little to move."
    )
    return Section("grid", "Objectives and data sets", lead, tuple(blocks))


def _group_table(data: str, groups: Sequence[Group], names: Sequence[str]) -> Table:
    rows = tuple((group.model, str(group.networks), *(_spread(group, name) for name in names)) for group in groups)
    return Table(data, columns("Objective", "Seeds#", *(f"{name}#" for name in names)), rows).filled


def _spread(group: Group, name: str) -> str:
    if name not in group.means:
        return ABSENT
    if name in _WHOLE or group.lows[name] == group.highs[name]:
        return format_fixed(group.means[name], 1 if name in _WHOLE else 3)
    return format_interval(group.means[name], group.lowers[name], group.uppers[name])


def _correlations(results: StudyResults) -> Section | None:
    if not results.correlations:
        return None
    blocks: list[Block] = [correlation_table(results.correlations)]
    kinds = list(dict.fromkeys(cell.model for cell in results.cells))
    for x_name, y_name in _PICTURED:
        figures = []
        for data in dict.fromkeys(cell.data for cell in results.cells):
            points = [
                Point(cell.model, cell.name, x, y)
                for cell in results.cells
                if cell.data == data and (x := cell.value(x_name)) is not None and (y := cell.value(y_name)) is not None
            ]
            drawing = draw_scatter(points, x_name, y_name, data)
            if drawing is not None:
                figures.append(Figure(drawing, ""))
        if figures:
            legend = tuple((draw_key_mark(position), kind) for position, kind in enumerate(kinds))
            blocks.append(FigureRow(tuple(figures), legend))
    lead = (
        "Spearman's rank correlation over networks, with an interval (Bonett and Wright, quantiles of t) and a p-value "
        "by permutation. Pooled (all), ranks are taken within each data set. Seeds of one objective are no independent "
        "objectives: the interval says how far these networks agree, not how other objectives would."
    )
    if results.apart:
        lead += f" Left out, as the study asks: {', '.join(results.apart)}."
    return Section("correlations", "Do the measures rank networks alike?", lead, tuple(blocks))


def _published(results: StudyResults) -> Section | None:
    if not results.published:
        return None
    names = list(dict.fromkeys(name for numbers in results.published.values() for name in numbers))
    data = list(_by_data(results))
    means = {(group.data, group.model): group.means for group in results.groups}
    rows = tuple(
        (
            model,
            *(
                cell
                for name in names
                for cell in (
                    format_fixed(numbers.get(name), 3),
                    *(format_fixed(means.get((where, model), {}).get(name), 3) for where in data),
                )
            ),
        )
        for model, numbers in results.published.items()
    )
    heads = [head for name in names for head in (f"{name}, published#", *(f"{name}, {where}#" for where in data))]
    blocks: tuple[Block, ...] = (
        Table("Published numbers and this study's means", columns("Objective", *heads), rows),
        Prose(f"Source: {results.source}" if results.source else "The spec names no source for the published numbers."),
    )
    lead = (
        "Numbers from elsewhere were measured on other networks, data and training lengths: what can be compared is "
        "the order of objectives, not the size."
    )
    return Section("published", "Beside published numbers", lead, blocks)


def _networks(results: StudyResults) -> Section:
    names = _shown(results)
    rows = tuple(
        (cell.name, *(format_fixed(cell.value(name), 0 if name in _WHOLE else 3) for name in names))
        for cell in results.cells
    )
    table = Table("Every network", columns("Network", *(f"{name}#" for name in names)), rows)
    lead = "The numbers that everything above is made of; the same stand in study.csv."
    return Section("networks", "Every network", lead, (Folded(f"{len(rows)} networks", table),))
