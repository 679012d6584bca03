"""The report page of a study or a comparison: sections, tables and figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from markupsafe import Markup

from causalvae.analyses.disentanglement.glossary import score_term
from causalvae.circuits.types import ClaimTest, Verdict
from causalvae.effects.types import Estimate
from causalvae.plan.owner import Owner
from causalvae.report.blocks import Block, Figure, FigureRow, Folded, Heading, Link, Page, Prose, Section
from causalvae.report.effect_tables import MEDIATION, SENT
from causalvae.report.forest import ForestRow, draw_forest
from causalvae.report.glossary import Term, status_words, term_of
from causalvae.report.measure_labels import MEASURE_LABELS
from causalvae.report.numbers import ABSENT, format_bound, format_fixed, format_interval, format_p
from causalvae.report.scatter import Point, draw_key_mark, draw_scatter
from causalvae.report.tables import Table, columns, facts_table, unit_words
from causalvae.results import Results
from causalvae.spec.measures import MeasureName
from causalvae.study.answer import study_answer
from causalvae.study.correlation import least_p
from causalvae.study.summary import FEWEST_COMPARED
from causalvae.study.tables import (
    correlation_table,
    format_estimate,
    group_table,
    measure_tables,
    measure_words,
    network_table,
    order_measures,
    score_names,
)
from causalvae.study.types import Group, StudyResults

# The effects in the main table; the others are collapsed.
_KEY_EFFECTS = ("total_effect", *SENT, "mediated_share", "path_share")
_PICTURED: Final = (
    (MeasureName.DISENTANGLEMENT, MeasureName.STRENGTH),
    (MeasureName.RECONSTRUCTION, MeasureName.STRENGTH),
)


class _Side(NamedTuple):
    """A run with its results."""

    name: str
    results: Results


def _sides(study: StudyResults) -> list[_Side]:
    return [_Side(run.name, run.results) for run in study.runs if run.results is not None]


def build_study(study: StudyResults) -> Page:
    """Build the page of a study or a comparison; empty sections are omitted.

    A study has groups of networks over seeds and published numbers; a comparison has the results of each side.
    """
    makers = (
        _measures,
        _grid,
        _correlations,
        _published,
        _claims,
        _effects,
        _latents,
        _provenance,
        _networks,
    )
    links_title, links_lead = _LINKS[study.kind]
    return Page(
        kind=study.kind,
        name=study.name,
        description=study.description,
        answer=study_answer(study),
        warnings=study.warnings,
        sections=tuple(section for maker in makers if (section := maker(study)) is not None),
        links_title=links_title,
        links_lead=links_lead,
        links=tuple(Link(run.name, run.report, run.description) for run in study.runs),
        glossary=_terms(study),
    )


_LINKS: Final = {
    "study": ("Reports of each network", "Everything that was found in one network."),
    "comparison": (
        "Reports of each side",
        "Everything that was found on one side, with its controls and what its numbers rest on.",
    ),
}


def key_tables(study: StudyResults) -> list[Table]:
    """The tables for a terminal: measures, correlations, verdicts and key effects."""
    names = order_measures(study.measures)[:6]
    tables = [*_tables(_measures(study)), *(group_table(*group, names) for group in _by_data(study).items())]
    if study.correlations:
        tables.append(correlation_table(study.correlations))
    tables += [_narrow(table) for table in _tables(_claims(study))]
    for owner, outcome in _mediated(study):
        held = [(side, _mediation(side, owner, outcome)) for side in _sides(study)]
        tables.append(
            _effect_table(_effect_title(held, owner, outcome), held, ("total_effect", "mediated_share", "path_share"))
        )
    return tables


def _tables(section: Section | None) -> list[Table]:
    return [] if section is None else [block for block in section.blocks if isinstance(block, Table)]


def too_few_words(study: StudyResults) -> str:
    """Explanation if a comparison has too few networks for correlations; else empty."""
    if not study.too_few:
        return ""
    return (
        f"Whether the measures rank networks in the same order cannot be decided from {study.too_few} on one data set: "
        f"even in perfect order a permutation test could not get below p = {least_p(study.too_few):.2g}. Rank "
        f"correlations are shown from {FEWEST_COMPARED} on."
    )


def _narrow(table: Table) -> Table:
    """The table without p-values if it has too many columns for a terminal."""
    kept = [
        k for k, column in enumerate(table.columns) if len(table.columns) < 7 or column.name not in ("p for", "p best")
    ]
    rows = tuple(tuple(row[k] for k in kept) for row in table.rows)
    return Table(table.caption, tuple(table.columns[k] for k in kept), rows, table.notes)


def _terms(study: StudyResults) -> tuple[Term, ...]:
    """The glossary of the page."""
    sides = _sides(study)
    used = {test.name for side in sides for verdict in side.results.verdicts for test in verdict.tests}
    used |= {e.estimand for side in sides for e in side.results.estimates if e.estimand in MEDIATION}
    used |= {"causal_effect_strength", "specificity_bounded"} | ({"mediated_share"} if study.groups else set())
    scores = tuple(score_term(name) for name in score_names(study.measures))
    return (*dict.fromkeys(term_of(name) for name in sorted(used)), *scores)


def _measures(study: StudyResults) -> Section | None:
    if study.groups:
        return None
    leading, others, classical = measure_tables(study.runs)
    blocks: list[Block] = [leading]
    blocks += [others] if others is not None else []
    blocks += [Folded(classical.caption, classical)] if classical is not None else []
    lead = (
        "What each network is and how well it works: a circuit of a network that does not reconstruct says little. "
        "Strength (causal effect strength: how far a latent moves the output) is a mean over all latents that were "
        "perturbed, dead ones included; specificity is a mean over those that move what is declared, as in each side's "
        "own report, and stands over all latents among the further measures. Effects kept and invented "
        "compare the network's outputs with the data, and the worst interchange compares its mapping with it."
    )
    return Section("networks", "The sides", " ".join(filter(None, [lead, measure_words(study.runs)])), tuple(blocks))


def _by_data(study: StudyResults) -> dict[str, list[Group]]:
    found: dict[str, list[Group]] = {}
    for group in study.groups:
        found.setdefault(group.data, []).append(group)
    return found


def _grid(study: StudyResults) -> Section | None:
    if not study.groups:
        return None
    blocks: list[Block] = []
    names = order_measures(study.measures)
    for data, groups in _by_data(study).items():
        blocks.append(group_table(data, groups, names[:9]))
        if names[9:]:
            blocks.append(Folded(f"Further scores on {data}", group_table(data, groups, names[9:])))
        rows = [
            ForestRow(group.model, group.means[MeasureName.STRENGTH], group.lowers[MeasureName.STRENGTH],
                      group.uppers[MeasureName.STRENGTH])
            for group in groups
            if MeasureName.STRENGTH in group.lowers
        ]  # fmt: skip
        drawing = draw_forest(rows)
        if drawing is not None:
            words = "Mean causal effect strength over seeds, with its 95% t interval."
            blocks.append(Figure(drawing, words, wide=True))
    lead = (
        "Each row is one objective on one data set: the mean over seeds, and in brackets its 95% t interval over "
        "them; of three seeds that spans five standard deviations and may reach beyond what a score can be. Strength "
        "is in units of the output's L2 norm, so it is compared within a data set only; read it together with the "
        "reconstruction error, because a blurred output changes little."
    )
    return Section("grid", "Objectives and data sets", lead, tuple(blocks))


def _correlations(study: StudyResults) -> Section | None:
    title = "Do the measures rank networks alike?"
    if not study.correlations:
        return Section("correlations", title, too_few_words(study), ()) if study.too_few else None
    blocks: list[Block] = [correlation_table(study.correlations)]
    for x_name, y_name in _PICTURED if study.groups else ():
        drawings = [_scatter(study, data, x_name, y_name) for data in _by_data(study)]
        figures = tuple(Figure(drawing, "") for drawing in drawings if drawing is not None)
        if figures:
            kinds = dict.fromkeys(run.model for run in study.runs)
            legend = tuple((draw_key_mark(position), kind) for position, kind in enumerate(kinds))
            blocks.append(FigureRow(figures, legend))
    lead = (
        "Spearman's rank correlation over networks, with an interval (Bonett and Wright, quantiles of t) and a p-value "
        "by permutation. Over several data sets, ranks are taken within each."
    )
    if study.groups:
        lead += (
            " Seeds of one objective are not independent objectives: the interval says how far these networks agree, "
            "not how other objectives would."
        )
    if study.apart:
        lead += f" Excluded, as the study asks: {', '.join(study.apart)}."
    return Section("correlations", title, lead, tuple(blocks))


def _scatter(study: StudyResults, data: str, x_name: MeasureName, y_name: MeasureName) -> Markup | None:
    points = [
        Point(run.model, run.name, x, y)
        for run in study.runs
        if run.data == data and (x := run.value(x_name)) is not None and (y := run.value(y_name)) is not None
    ]
    return draw_scatter(points, MEASURE_LABELS[x_name], MEASURE_LABELS[y_name], data)


def _published(study: StudyResults) -> Section | None:
    if not study.published:
        return None
    names = list(dict.fromkeys(name for numbers in study.published.values() for name in numbers))
    data = list(_by_data(study))
    means = {(group.data, group.model): group.means for group in study.groups}
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
        for model, numbers in study.published.items()
    )
    heads = [
        head
        for name in names
        for head in (f"{MEASURE_LABELS[name]}, published#", *(f"{MEASURE_LABELS[name]}, {where}#" for where in data))
    ]
    blocks: tuple[Block, ...] = (
        Table("Published numbers and this study's means", columns("Objective", *heads), rows),
        Prose(f"Source: {study.source}" if study.source else "The spec names no source for the published numbers."),
    )
    lead = (
        "Numbers from elsewhere were measured on other networks, data and training lengths: what can be compared is "
        "the order of objectives, not the size."
    )
    return Section("published", "Comparison with published numbers", lead, blocks)


def _networks(study: StudyResults) -> Section | None:
    if not study.groups:
        return None
    table = network_table(study.runs, order_measures(study.measures))
    lead = "The numbers behind all sections above; study.csv has the same numbers."
    return Section("networks", "Every network", lead, (Folded(f"{len(study.runs)} networks", table),))


def _claims(study: StudyResults) -> Section | None:
    names = list(dict.fromkeys(v.hypothesis for side in _sides(study) for v in side.results.verdicts))
    if not names:
        return None
    blocks: list[Block] = []
    for name in names:
        found = [(side, verdict) for side in _sides(study) if (verdict := _verdict(side, name)) is not None]
        blocks.append(Heading(name, found[0][1].claim))
        tests = list(dict.fromkeys(test.name for _, verdict in found for test in verdict.tests))
        heads = [
            "Circuit",
            "Verdict",
            *(f"{term_of(test).short} {format_bound(*_bound(found, test))}#" for test in tests),
        ]
        rows = tuple(
            (
                side.name,
                ", ".join(part.label for part in verdict.circuit) or ABSENT,
                status_words(verdict.status),
                *(_estimate(_test(verdict, test)) for test in tests),
                format_p(verdict.p_support),
                format_p(verdict.rivals.p_value if verdict.rivals and verdict.rivals.judged else None),
            )
            for side, verdict in found
        )
        blocks.append(Table(name, columns("Side", *heads, "p for#", "p best#"), rows).filled)
        for test in tests:
            drawing = draw_forest(
                [
                    ForestRow(side.name, claim.value, claim.lower, claim.upper)
                    for side, verdict in found
                    if (claim := _test(verdict, test)) is not None
                ],
                _bound(found, test),
            )
            if drawing is not None:
                words = f"{term_of(test).title}: the band holds the values that the claim allows."
                blocks.append(Figure(drawing, words, wide=True))
    lead = "Each claim on each side, by the same tests on the pairs of that side; p-values are adjusted within a side."
    return Section("verdicts", "Verdicts", lead, tuple(blocks))


def _verdict(side: _Side, name: str) -> Verdict | None:
    return next((verdict for verdict in side.results.verdicts if verdict.hypothesis == name), None)


def _test(verdict: Verdict, name: str) -> ClaimTest | None:
    return next((test for test in verdict.tests if test.name == name), None)


def _bound(found: Iterable[tuple[_Side, Verdict]], name: str) -> tuple[float | None, float | None]:
    """The bound of a test, the same on all sides."""
    tests = (test for _, verdict in found if (test := _test(verdict, name)) is not None)
    return next(((test.at_least, test.at_most) for test in tests), (None, None))


def _estimate(test: ClaimTest | None) -> str:
    if test is None:
        return ABSENT
    return _interval(test.value, test.lower, test.upper, test.name != "total_effect")


def _effects(study: StudyResults) -> Section | None:
    places = _mediated(study)
    if not places:
        return None
    blocks: list[Block] = []
    for owner, outcome in places:
        held = [(side, _mediation(side, owner, outcome)) for side in _sides(study)]
        blocks.append(Heading(_effect_title(held, owner, outcome)))
        key = _effect_table("Key effects", held, _KEY_EFFECTS)
        blocks.append(key)
        drawing = draw_forest(
            [
                ForestRow(side.name, share.value, share.lower, share.upper)
                for side, effects in held
                if (share := effects.get("mediated_share", effects.get("path_share"))) is not None
            ],
            anchors=(0.0, 1.0),
        )  # fmt: skip
        if drawing is not None:
            blocks.append(
                Figure(drawing, "Share of the effect that the mediators, or the path, alone carry.", wide=True)
            )
        rest = _effect_table("All effects", held, MEDIATION)
        if len(rest.columns) > len(key.columns):
            blocks.append(Folded("All effects", rest))
    lead = (
        "The total effect of each treatment, split at the mediators of each side. Intervals are each side's own, over "
        "its pairs; sides that were run on the same draw share their inputs."
    )
    return Section("mediation", "Mediation", lead, tuple(blocks))


def _mediated(study: StudyResults) -> list[tuple[Owner, str]]:
    """(owner, outcome) of all mediations of all sides."""
    return list(
        dict.fromkeys(
            (e.owner, e.outcome)
            for side in _sides(study)
            for e in side.results.estimates
            if e.estimand in SENT and e.estimator == "exact"
        )
    )


def _effect_title(held: Sequence[tuple[_Side, dict[str, Estimate]]], owner: Owner, outcome: str) -> str:
    treatment = next((e.treatment for _, effects in held for e in effects.values()), "")
    words = next((side.results.graph.outcome_words(outcome) for side, effects in held if effects), outcome)
    return f"{owner.name}: {treatment or 'the treatment'} on {words}"


def _mediation(side: _Side, owner: Owner, outcome: str) -> dict[str, Estimate]:
    """Estimand -> the exact estimate through all mediators together."""
    found: dict[str, Estimate] = {}
    for e in side.results.estimates:
        if e.owner == owner and e.outcome == outcome and e.estimator == "exact" and e.estimand in MEDIATION:
            found.setdefault(e.estimand, e)
    return found


def _effect_table(caption: str, held: Sequence[tuple[_Side, dict[str, Estimate]]], estimands: Sequence[str]) -> Table:
    kept = [name for name in estimands if any(name in effects for _, effects in held)]
    units = {name: next(effects[name].unit for _, effects in held if name in effects) for name in kept}
    heads = [f"{term_of(name).short} ({unit_words(units[name])})#" for name in kept]
    rows = tuple(
        (
            side.name,
            next((e.component.label for e in effects.values() if e.component), ABSENT),
            *(_shown(effects.get(name)) for name in kept),
        )
        for side, effects in held
        if effects
    )
    return Table(caption, columns("Side", "Through", *heads), rows)


def _shown(estimate: Estimate | None) -> str:
    if estimate is None:
        return ABSENT
    return _interval(estimate.value, estimate.lower, estimate.upper, estimate.unit == "share")


def _interval(value: float, lower: float | None, upper: float | None, is_share: bool) -> str:
    """An interval; shares have at most three decimals."""
    if not is_share or lower is None or upper is None:
        return format_interval(value, lower, upper)
    return format_estimate(value, lower, upper)


def _latents(study: StudyResults) -> Section | None:
    most = max((len(side.results.latents) for side in _sides(study)), default=0)
    if not most:
        return None
    rows = []
    for side in _sides(study):
        latents = {latent.latent: latent for latent in side.results.latents}
        cells = []
        for number in range(most):
            latent = latents.get(number)
            text = ABSENT if latent is None or latent.kl is None else format_fixed(latent.kl, 2)
            cells.append(f"{text} {latent.factor}".strip() if latent is not None and latent.factor else text)
        rows.append((side.name, *cells))
    heads = [f"{number}#" for number in range(most)]
    lead = "KL of each latent in nats, with the factor that it is mapped to: which latents carry anything at all."
    return Section("latents", "Latents", lead, (Table("KL of each latent", columns("Side", *heads), tuple(rows)),))


def _provenance(study: StudyResults) -> Section | None:
    if not _sides(study):
        return None
    blocks: list[Block] = [Prose(f"Digest of the comparison: {study.digest}.")]
    for side in _sides(study):
        for caption, facts in (("model", side.results.model), ("data", side.results.data)):
            blocks.append(Folded(f"{side.name}: {caption}", facts_table(f"{side.name}: {caption}", facts)))
    return Section("provenance", "What was compared", "Networks, data and versions of each side.", tuple(blocks))
