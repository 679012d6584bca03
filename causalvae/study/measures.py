"""The measures that summarise a run."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

from causalvae.alignment.types import Alignment, LinkCount
from causalvae.disentanglement.report import ScoreReport
from causalvae.disentanglement.score_names import ScoreName
from causalvae.effects.types import Estimate, MetricRow
from causalvae.models.card import active_latents
from causalvae.plan.owner import Owner
from causalvae.results import NetworkFit, Results
from causalvae.spec.measures import MeasureName
from causalvae.study.types import Measure

CLASSICAL: Final[dict[str, MeasureName]] = {
    ScoreName.DISENTANGLEMENT: MeasureName.DISENTANGLEMENT,
    ScoreName.MIG: MeasureName.MIG,
    ScoreName.SAP: MeasureName.SAP,
    ScoreName.FACTOR_VAE: MeasureName.FACTOR_VAE,
    ScoreName.BETA_VAE: MeasureName.BETA_VAE,
    ScoreName.IRS: MeasureName.IRS,
    ScoreName.MODULARITY: MeasureName.CODE_MODULARITY,
    ScoreName.EXPLICITNESS: MeasureName.EXPLICITNESS,
    ScoreName.COMPLETENESS: MeasureName.COMPLETENESS,
    ScoreName.INFORMATIVENESS: MeasureName.INFORMATIVENESS,
}


def measures_of(results: Results) -> tuple[Measure, ...]:
    """The measures of one run.

    Notes
    -----
    They are reconstruction and KL in nats per input; the number of latents with a KL above 0.1 nats; causal effect
    strength averaged over all perturbed latents; specificity averaged over those with an effect on declared attributes
    (as in the report) and over all; modularity averaged over layers; the share of polysemantic latents; the share of
    the data's effects that are shown to be kept, and of absent effects that are shown to be invented; the worst
    interchange accuracy of the mapping; and classical scores, if requested. Intervals of averages over latents are over
    samples.
    """
    kls = [latent.kl for latent in results.latents if latent.kl is not None]
    return (
        *_fitted(results.fit),
        Measure(MeasureName.ACTIVE_LATENTS, float(len(active_latents(kls))) if kls else None, n=len(kls) or None),
        _mean_of_rows(results.metrics, "causal_effect_strength", results.whole.length, MeasureName.STRENGTH),
        _mean_of_rows(results.metrics, "specificity_bounded", "share", MeasureName.SPECIFICITY),
        _mean_over_latents(results, "specificity_bounded", "share", MeasureName.SPECIFICITY_OF_ALL),
        _mean_share(results.estimates, results.whole.name),
        _mean_of_runs(results.estimates, "modularity", MeasureName.MODULARITY),
        _mean_of_runs(results.estimates, "polysemantic_share", MeasureName.POLYSEMANTIC_SHARE),
        *_aligned(results.alignment),
        *_classical(results.scores),
    )


def _fitted(fit: NetworkFit | None) -> Iterable[Measure]:
    """Reconstruction and KL, rounded as in the report."""
    for name, nats in (
        (MeasureName.RECONSTRUCTION, None if fit is None else fit.reconstruction),
        (MeasureName.KL, None if fit is None else fit.kl),
    ):
        yield Measure(name, None if nats is None else round(nats, 2), "nats")


def _aligned(alignment: Alignment | None) -> Iterable[Measure]:
    """The headline of the alignment as shares."""
    head = None if alignment is None else alignment.headline
    lost, invented = (None, None) if head is None else (head.lost, head.invented)
    # Undecided effects are shown neither to be kept nor to be lost.
    kept = None if lost is None else lost.tested - lost.departs - lost.undecided
    yield Measure(MeasureName.EFFECTS_KEPT, _share(kept, lost), "share")
    yield Measure(
        MeasureName.EFFECTS_INVENTED, _share(None if invented is None else invented.departs, invented), "share"
    )
    worst = None if head is None else head.worst_interchange
    yield Measure(MeasureName.WORST_INTERCHANGE, None if worst is None else worst.accuracy.value, "share")


def _share(part: int | None, count: LinkCount | None) -> float | None:
    """The share of a part in the tested pairs; None if there are none."""
    return None if part is None or count is None or not count.tested else part / count.tested


def _classical(scores: ScoreReport | None) -> Iterable[Measure]:
    if scores is None:
        return
    for row in scores.rows:
        name = CLASSICAL.get(row.name)
        if name is not None:
            yield Measure(name, row.value, "", row.lower, row.upper, scores.samples)


def _mean_of_rows(rows: Iterable[MetricRow], metric: str, unit: str, name: MeasureName) -> Measure:
    """The mean over latent perturbations of a metric of the report."""
    found = [row for row in rows if row.metric == metric and row.unit == unit and math.isfinite(row.value)]
    if len(found) == 1:
        return Measure(name, found[0].value, unit, found[0].lower, found[0].upper, found[0].units or None)
    return Measure(name, sum(row.value for row in found) / len(found) if found else None, unit)


def _mean_over_latents(results: Results, estimand: str, unit: str, name: MeasureName) -> Measure:
    """The mean of an estimand over perturbed latents and the values that they were set to."""
    summed = [sweep for sweep in results.sweeps if not sweep.treatment]
    elsewhere = {(sweep.owner, sweep.source) for sweep in summed}
    found = [
        e
        for e in results.estimates
        if e.estimand == estimand and e.unit == unit and not e.treatment and e.component
        and (e.owner, e.source) not in elsewhere
    ]  # fmt: skip
    values = [e.value for e in found if math.isfinite(e.value)]
    layers = [
        layer for sweep in summed for layer in sweep.layers if layer.estimand == estimand and layer.unit == unit
    ]  # fmt: skip
    total = sum(values) + sum(layer.mean * layer.components for layer in layers)
    count = len(values) + sum(layer.components for layer in layers)
    components = len({e.component for e in found}) + sum(layer.components for layer in layers)
    return Measure(name, total / count if count else None, unit, n=components or None)


def _mean_share(estimates: Iterable[Estimate], whole: str) -> Measure:
    """The mean mediated share of all mediators together, over mediations and attributes."""
    found: dict[tuple[Owner, str], float] = {}
    for e in estimates:
        named = e.owner.kind == "intervention" and e.outcome != whole
        if e.estimand == "mediated_share" and e.estimator == "exact" and named and math.isfinite(e.value):
            found.setdefault((e.owner, e.outcome), e.value)
    return Measure(
        MeasureName.MEDIATED_SHARE, sum(found.values()) / len(found) if found else None, "share", n=len(found) or None
    )


def _mean_of_runs(estimates: Iterable[Estimate], estimand: str, name: MeasureName) -> Measure:
    """The mean over latent perturbations and layers of an estimand of whole perturbations.

    A single estimate keeps its interval.
    """
    found = [e for e in estimates if e.estimand == estimand and not e.treatment and math.isfinite(e.value)]
    if len(found) == 1:
        return Measure(name, found[0].value, "share", found[0].lower, found[0].upper, found[0].n)
    return Measure(name, sum(e.value for e in found) / len(found) if found else None, "share", n=len(found) or None)
