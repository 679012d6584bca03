"""Lays a comparison out: which sections, with which tables and drawings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from causalvae.circuits.types import ClaimTest, Verdict
from causalvae.comparison.types import Comparison, Side
from causalvae.effects.types import Estimate
from causalvae.report.blocks import Block, Figure, Folded, Heading, Link, Page, Prose, Section
from causalvae.report.effect_tables import MEDIATION, SENT
from causalvae.report.forest import ForestRow, draw_forest
from causalvae.report.glossary import Term, status_words, term_of
from causalvae.report.measure_tables import (
    correlation_table,
    format_estimate,
    measure_tables,
    measure_words,
    score_names,
)
from causalvae.report.numbers import ABSENT, format_bound, format_fixed, format_interval, format_p
from causalvae.report.score_glossary import score_term
from causalvae.report.tables import Table, columns, facts_table, owner_name, unit_words

# The effects that are set beside each other first; the others are folded away.
_KEY_EFFECTS = ("total_effect", *SENT, "mediated_share", "path_share")


def build_comparison(comparison: Comparison) -> Page:
    """A comparison's page; parts that no side has are left out."""
    makers = (_networks, _correlations, _claims, _effects, _latents, _provenance)
    return Page(
        kind="comparison",
        name=comparison.name,
        description=comparison.description,
        warnings=comparison.warnings,
        sections=tuple(section for maker in makers if (section := maker(comparison)) is not None),
        links_title="Reports of each side",
        links_lead="Everything that was found on one side, with its controls and what its numbers rest on.",
        links=tuple(Link(side.name, side.report, side.description) for side in comparison.sides),
        glossary=_terms(comparison),
    )


def key_tables(comparison: Comparison) -> list[Table]:
    """What a reader wants first: the sides' measures, the verdicts, the key effects."""
    tables = [block for block in _networks(comparison).blocks if isinstance(block, Table)]
    claims = _claims(comparison)
    if comparison.correlations:
        tables.append(correlation_table(comparison.correlations))
    tables += [_narrow(block) for block in (claims.blocks if claims is not None else ()) if isinstance(block, Table)]
    for owner, outcome in _mediated(comparison):
        held = [(side, _mediation(side, owner, outcome)) for side in comparison.sides]
        tables.append(
            _effect_table(_effect_title(held, owner, outcome), held, ("total_effect", "mediated_share", "path_share"))
        )
    return tables


def _narrow(table: Table) -> Table:
    """The table without its p-values where it has too many columns for a terminal: the verdict says what they do."""
    kept = [
        k for k, column in enumerate(table.columns) if len(table.columns) < 7 or column.name not in ("p for", "p spec")
    ]
    rows = tuple(tuple(row[k] for k in kept) for row in table.rows)
    return Table(table.caption, tuple(table.columns[k] for k in kept), rows, table.notes)


def _terms(comparison: Comparison) -> tuple[Term, ...]:
    """The words of a comparison that a reader may not know."""
    used = {test.name for side in comparison.sides for verdict in side.results.verdicts for test in verdict.tests}
    used |= {e.estimand for side in comparison.sides for e in side.results.estimates if e.estimand in MEDIATION}
    used |= {"causal_effect_strength", "specificity_bounded"}
    held = (measure.name for side in comparison.sides for measure in side.measures if measure.value is not None)
    scores = tuple(score_term(name) for name in score_names(held))
    return (*dict.fromkeys(term_of(name) for name in sorted(used)), *scores)


def _networks(comparison: Comparison) -> Section:
    leading, others, classical = measure_tables(comparison.sides)
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
    return Section(
        "networks", "The sides", " ".join(filter(None, [lead, measure_words(comparison.sides)])), tuple(blocks)
    )


def _correlations(comparison: Comparison) -> Section | None:
    if not comparison.correlations and not comparison.too_few:
        return None
    blocks: tuple[Block, ...] = (correlation_table(comparison.correlations),) if comparison.correlations else ()
    lead = comparison.too_few or (
        "Spearman's rank correlation over the sides, ranked within a data set, with an interval over resampled sides "
        "and a p-value by permutation."
    )
    return Section("correlations", "Do the measures rank the networks alike?", lead, blocks)


def _claims(comparison: Comparison) -> Section | None:
    names = list(dict.fromkeys(v.hypothesis for side in comparison.sides for v in side.results.verdicts))
    if not names:
        return None
    blocks: list[Block] = []
    for name in names:
        found = [(side, verdict) for side in comparison.sides if (verdict := _verdict(side, name)) is not None]
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
        blocks.append(Table(name, columns("Side", *heads, "p for#", "p spec#"), rows).filled)
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
    lead = "Each claim on each side, by the same tests on pairs of its own; p-values are adjusted within a side."
    return Section("verdicts", "Verdicts", lead, tuple(blocks))


def _verdict(side: Side, name: str) -> Verdict | None:
    return next((verdict for verdict in side.results.verdicts if verdict.hypothesis == name), None)


def _test(verdict: Verdict, name: str) -> ClaimTest | None:
    return next((test for test in verdict.tests if test.name == name), None)


def _bound(found: Iterable[tuple[Side, Verdict]], name: str) -> tuple[float | None, float | None]:
    """The bound of a test, which is the same on all sides."""
    tests = (test for _, verdict in found if (test := _test(verdict, name)) is not None)
    return next(((test.at_least, test.at_most) for test in tests), (None, None))


def _estimate(test: ClaimTest | None) -> str:
    if test is None:
        return ABSENT
    return _interval(test.value, test.lower, test.upper, test.name != "total_effect")


def _effects(comparison: Comparison) -> Section | None:
    places = _mediated(comparison)
    if not places:
        return None
    blocks: list[Block] = []
    for owner, outcome in places:
        held = [(side, _mediation(side, owner, outcome)) for side in comparison.sides]
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


def _mediated(comparison: Comparison) -> list[tuple[str, str]]:
    """(owner, outcome) of every mediation of any side."""
    return list(
        dict.fromkeys(
            (e.owner, e.outcome)
            for side in comparison.sides
            for e in side.results.estimates
            if e.estimand in SENT and e.estimator == "exact"
        )
    )


def _effect_title(held: Sequence[tuple[Side, dict[str, Estimate]]], owner: str, outcome: str) -> str:
    treatment = next((e.treatment for _, effects in held for e in effects.values()), "")
    words = next((side.results.graph.outcome_words(outcome) for side, effects in held if effects), outcome)
    return f"{owner_name(owner)}: {treatment or 'the treatment'} on {words}"


def _mediation(side: Side, owner: str, outcome: str) -> dict[str, Estimate]:
    """Estimand -> the exact estimate through all mediators together."""
    found: dict[str, Estimate] = {}
    for e in side.results.estimates:
        if e.owner == owner and e.outcome == outcome and e.estimator == "exact" and e.estimand in MEDIATION:
            found.setdefault(e.estimand, e)
    return found


def _effect_table(caption: str, held: Sequence[tuple[Side, dict[str, Estimate]]], estimands: Sequence[str]) -> Table:
    kept = [name for name in estimands if any(name in effects for _, effects in held)]
    units = {name: next(effects[name].unit for _, effects in held if name in effects) for name in kept}
    heads = [f"{term_of(name).short} ({unit_words(units[name])})#" for name in kept]
    rows = tuple(
        (
            side.name,
            next((e.component for e in effects.values() if e.component), ABSENT),
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
    """An interval; of a share with at most three decimals, since finer ones would only fill a table of many sides."""
    if not is_share or lower is None or upper is None:
        return format_interval(value, lower, upper)
    return format_estimate(value, lower, upper)


def _latents(comparison: Comparison) -> Section | None:
    most = max((len(side.results.latents) for side in comparison.sides), default=0)
    if not most:
        return None
    rows = []
    for side in comparison.sides:
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


def _provenance(comparison: Comparison) -> Section:
    blocks: list[Block] = [Prose(f"Digest of the comparison: {comparison.digest}.")]
    for side in comparison.sides:
        for caption, facts in (("model", side.results.model), ("data", side.results.data)):
            blocks.append(Folded(f"{side.name}: {caption}", facts_table(f"{side.name}: {caption}", facts)))
    return Section("provenance", "What was compared", "Networks, data and versions of each side.", tuple(blocks))
