"""From runs to a comparison: what each is summarised by, and what makes them incomparable."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import product

import numpy as np

from causalvae.alignment.types import Alignment, LinkCount
from causalvae.comparison.correlation import correlate_ranks, least_p
from causalvae.comparison.types import Comparison, Measure, RankCorrelation, Side
from causalvae.digest import digest
from causalvae.disentanglement.report import ScoreReport
from causalvae.effects.types import Estimate, MetricRow
from causalvae.models.card import active_latents
from causalvae.results import Results

STRENGTH = "mean strength"
SPECIFICITY = "mean specificity"
SPECIFICITY_OF_ALL = "specificity of all latents"
MEDIATED = "mean mediated share"
MODULARITY = "modularity"
POLYSEMANTIC = "polysemantic share"
RECONSTRUCTION = "reconstruction"
DISENTANGLEMENT = "disentanglement"

# What the classical scores are called beside a run's other measures, of which some have the same names.
CLASSICAL = {
    "DCI disentanglement": DISENTANGLEMENT,
    "MIG": "MIG",
    "SAP": "SAP",
    "FactorVAE score": "FactorVAE score",
    "beta-VAE score": "beta-VAE score",
    "IRS": "IRS",
    "modularity": "code modularity",
    "explicitness": "explicitness",
    "DCI completeness": "completeness",
    "DCI informativeness": "informativeness",
}
# What is held against what, over networks.
CORRELATED = (STRENGTH, SPECIFICITY, MODULARITY)
AGAINST = (DISENTANGLEMENT, "MIG", RECONSTRUCTION)
# With fewer networks no permutation test can reject at 0.05.
FEWEST = 5
# The published study's columns, in its order.
LEADING = (DISENTANGLEMENT, "MIG", STRENGTH, SPECIFICITY, MODULARITY, POLYSEMANTIC, MEDIATED, RECONSTRUCTION)


def summarise(name: str, description: str, runs: Sequence[tuple[str, str, Results, str]]) -> Comparison:
    """Set runs beside each other.

    Parameters
    ----------
    name, description : str
    runs : sequence of (name, description, Results, report path)

    Notes
    -----
    Measures of a side: reconstruction and KL in nats an input, latents of a KL above 0.1 nats, causal effect strength
    averaged over all latents that were perturbed, specificity over those of them that move what is declared (as the
    report's metrics have it: the distribution of an effect that is none is that of rounding) and, by another name, over
    all, modularity averaged over the layers that it is measured at, the share of polysemantic latents, the shares of
    the data's effects that are shown to be kept and of absent ones that are shown to be invented, the worst interchange
    accuracy of the mapping, and the classical scores where the spec asks for them. Intervals of averages over latents
    are over samples: the latents are all there are.
    """
    sides = tuple(Side(label, text, results, measures_of(results), report) for label, text, results, report in runs)
    content = [[side.name, side.results.manifest.get("spec digest", "")] for side in sides]
    correlations, too_few = _correlate(sides)
    return Comparison(name, description, sides, digest(content), tuple(_warnings(sides)), correlations, too_few)


def _correlate(sides: Sequence[Side], seed: int = 0) -> tuple[tuple[RankCorrelation, ...], str]:
    """How causal measures rank the sides beside classical ones, within data sets; else why that cannot be told."""
    rng = np.random.default_rng(seed)
    found, most = [], 0
    for left, right in product(CORRELATED, AGAINST):
        groups: dict[str, list[tuple[float, float]]] = {}
        for side in sides:
            a, b = side.measure(left), side.measure(right)
            if a is not None and b is not None and a.value is not None and b.value is not None:
                groups.setdefault(_data_of(side), []).append((a.value, b.value))
        most = max([most, *map(len, groups.values())])
        blocks = [np.asarray(pairs, dtype=np.float64) for pairs in groups.values() if len(pairs) >= FEWEST]
        correlation = correlate_ranks(blocks, _names(blocks), left, right, rng) if blocks else None
        if correlation is not None:
            found.append(correlation)
    if found or most < 2:
        return tuple(found), ""
    return (), (
        f"Whether the measures rank networks alike cannot be told from {most} on one data set: even in perfect order "
        f"a permutation test could not get below p = {least_p(most):.2g}. Rank correlations are shown from {FEWEST} on."
    )


def _names(blocks: Sequence[object]) -> str:
    return f"{len(blocks)} data sets" if len(blocks) > 1 else "all"


def _data_of(side: Side) -> str:
    """What tells a side's data from another's: all that is known of it but how much was drawn, and with which seed."""
    facts = {key: value for key, value in side.results.data.items() if key not in ("seed", "pairs a treatment")}
    return digest([[str(key), str(value)] for key, value in sorted(facts.items())])


def measures_of(results: Results) -> tuple[Measure, ...]:
    """What a run is summarised by; see `summarise`."""
    kls = [latent.kl for latent in results.latents if latent.kl is not None]
    return (
        Measure(RECONSTRUCTION, _number(results.model.get("reconstruction (nats a sample)")), "nats"),
        Measure("KL", _number(results.model.get("KL (nats a sample)")), "nats"),
        Measure("active latents", float(len(active_latents(kls))) if kls else None, f"of {len(kls)}"),
        _mean_of_rows(results.metrics, "causal_effect_strength", results.whole.length, STRENGTH),
        _mean_of_rows(results.metrics, "specificity_bounded", "share", SPECIFICITY),
        _mean_over_latents(results.estimates, "specificity_bounded", "share", SPECIFICITY_OF_ALL),
        _mean_share(results.estimates, results.whole.name),
        _mean_of_runs(results.estimates, "modularity", MODULARITY),
        _mean_of_runs(results.estimates, "polysemantic_share", POLYSEMANTIC),
        *_aligned(results.alignment),
        *_classical(results.scores),
    )


def _aligned(alignment: Alignment | None) -> Iterable[Measure]:
    """The headline of the alignment, as shares that can be averaged over networks."""
    head = None if alignment is None else alignment.headline
    lost, invented = (None, None) if head is None else (head.lost, head.invented)
    # An undecided effect is neither shown to be kept nor shown to be lost.
    kept = None if lost is None else lost.tested - lost.departs - lost.undecided
    yield Measure("effects kept", _share(kept, lost), "share")
    yield Measure("effects invented", _share(None if invented is None else invented.departs, invented), "share")
    worst = None if head is None else head.worst_interchange
    yield Measure("worst interchange", None if worst is None else worst.accuracy.value, "share")


def _share(part: int | None, count: LinkCount | None) -> float | None:
    """A part of the pairs that were tested; None where none was."""
    return None if part is None or count is None or not count.tested else part / count.tested


def _classical(scores: ScoreReport | None) -> Iterable[Measure]:
    if scores is None:
        return
    for row in scores.rows:
        if row.name in CLASSICAL:
            yield Measure(CLASSICAL[row.name], row.value, "", row.lower, row.upper, scores.samples)


def _mean_of_rows(rows: Iterable[MetricRow], metric: str, unit: str, name: str) -> Measure:
    """The mean over latent perturbations of what the report's metrics say of the latents of each."""
    found = [row for row in rows if row.metric == metric and row.unit == unit and math.isfinite(row.value)]
    if len(found) == 1:
        return Measure(name, found[0].value, unit, found[0].lower, found[0].upper, found[0].units or None)
    return Measure(name, sum(row.value for row in found) / len(found) if found else None, unit)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None


def _mean_over_latents(estimates: Iterable[Estimate], estimand: str, unit: str, name: str) -> Measure:
    """The mean of an estimand over the latents that were perturbed, and over the values that each was set to."""
    found = [
        e
        for e in estimates
        if e.estimand == estimand and e.unit == unit and not e.treatment and e.component.startswith("latent")
    ]
    values = [e.value for e in found if math.isfinite(e.value)]
    components = {e.component for e in found}
    return Measure(name, sum(values) / len(values) if values else None, unit, n=len(components) or None)


def _mean_share(estimates: Iterable[Estimate], whole: str) -> Measure:
    """The mean over mediations and their attributes of what all mediators together carry."""
    found: dict[tuple[str, str], float] = {}
    for e in estimates:
        named = e.owner.startswith("intervention:") and e.outcome != whole
        if e.estimand == "mediated_share" and e.estimator == "exact" and named and math.isfinite(e.value):
            found.setdefault((e.owner, e.outcome), e.value)
    return Measure(MEDIATED, sum(found.values()) / len(found) if found else None, "share", n=len(found) or None)


def _mean_of_runs(estimates: Iterable[Estimate], estimand: str, name: str) -> Measure:
    """The mean of what latent perturbations have as a whole, over these and the layers that it is measured at.

    One alone keeps its interval.
    """
    found = [e for e in estimates if e.estimand == estimand and not e.treatment and math.isfinite(e.value)]
    if len(found) == 1:
        return Measure(name, found[0].value, "share", found[0].lower, found[0].upper, found[0].n)
    return Measure(name, sum(e.value for e in found) / len(found) if found else None, "share", n=len(found) or None)


def _warnings(sides: Sequence[Side]) -> Iterable[str]:
    draws = {(str(side.results.data.get("source")), side.results.data.get("seed")) for side in sides}
    if len(draws) > 1:
        yield "The sides were run on different data or draws: their differences are not the networks' alone."
    for side in sides:
        for warning in side.results.warnings:
            yield f"{side.name}: {warning}"
