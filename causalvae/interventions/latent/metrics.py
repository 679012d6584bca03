"""The named metrics of a latent perturbation: strength, specificity, modularity, kinds of latents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from causalvae.effects.ablation import Ablation
from causalvae.effects.bootstrap import Ends, PairedBootstrap
from causalvae.effects.context import EffectContext
from causalvae.effects.effect_matrix import latent_matrix
from causalvae.effects.mean_metrics import mean_length_ends, mean_specificity_ends
from causalvae.effects.metric_rows import MetricFacts, metric_rows, summarise_facts
from causalvae.effects.metrics import Metrics, roles_of, share_of
from causalvae.effects.modularity import activation_modularity, graph_modularity
from causalvae.effects.notes import Note
from causalvae.effects.outcomes import use_at
from causalvae.effects.selectivity import calibration, change_lengths, output_specificity
from causalvae.effects.sweep_types import PatchedArm, tally_units
from causalvae.effects.types import Estimate, UnitRole
from causalvae.engine.response_table import OVERLAP, SPREAD, read_blocks
from causalvae.plan.owner import Owner
from causalvae.plan.targets import NOTHING, Target
from causalvae.plan.types import OUTPUT
from causalvae.spec.value_source import ValueSource, values_label


@dataclass
class _Found:
    """What one intervention gave, as it is gathered."""

    facts: MetricFacts
    estimates: list[Estimate] = field(default_factory=list)
    units: list[UnitRole] = field(default_factory=list)


def measure_perturbation(
    context: EffectContext, owner: Owner, copy: EffectContext | None, oracle: MetricFacts | None
) -> Metrics | None:
    """All metrics of one latent perturbation; None where the plan has none of its arms, or runs end at the latent."""
    found = _perturbation(context, owner) if OUTPUT in context.plan.outputs else None
    if found is None:
        return None
    other = None if copy is None else _perturbation(copy, owner)
    facts = [found.facts, oracle, None if other is None else other.facts]
    summaries = [None if each is None else summarise_facts(each) for each in facts]
    rows = metric_rows(owner, found.facts, summaries[0] or {}, summaries[1], summaries[2])
    return Metrics(tuple(found.estimates), tuple(found.units), tuple(rows))


def _perturbation(context: EffectContext, owner: Owner) -> _Found | None:
    """All metrics of one latent perturbation; None where the plan has none of its arms."""
    arms = {arm.id: arm for arm in context.plan.arms}
    uses = context.plan.uses_of(owner, "perturbation")
    if not uses:
        return None
    base = use_at(context.plan, owner, "base").arm
    label = values_label(arms[use.arm].patches[0].source for use in uses)
    patched = [replace(PatchedArm.of(use, arms), source=label) for use in uses]
    bootstrap = context.bootstrap(context.outcomes.pairs([base, *(arm.arm for arm in patched)]))
    by_component: dict[Target, list[PatchedArm]] = {}
    for arm in patched:
        by_component.setdefault(arm.component, []).append(arm)
    groups = list(by_component.values())
    sources = [[arms[arm.arm].patches[0].source for arm in members] for members in groups]
    matrix = latent_matrix(
        context.outcomes, base, patched, owner, context.scale, context.plan.attributes, bootstrap.n
    )  # fmt: skip
    lengths = change_lengths(context.outcomes, groups, bootstrap.n)
    columns = roles_of(context, matrix, lengths**2)
    roles = [] if columns is None else [columns.role(k) for k in range(len(groups))]
    found = _Found(
        MetricFacts(
            matrix=matrix,
            roles=tuple(roles),
            lengths=lengths,
            whole=context.scale.whole,
            reconstruction=float(context.measurements.observations["reconstruction"].mean())
            if "reconstruction" in context.measurements.observations
            else None,
        ),
        units=roles,
    )
    _add_ends(found.facts, bootstrap)
    _add_calibrated(found, context, owner, groups, sources, bootstrap)
    _add_spreads(found, context, owner, groups)
    _add_modularity(found, context, owner, patched[0].source)
    _add_graph(found, context, owner, bootstrap, patched[0].source)
    if roles:
        found.estimates += share_of(
            context, owner, "", patched[0].source, "", tally_units(roles), roles[0].over, bootstrap.n
        )  # fmt: skip
    return found


def _add_ends(facts: MetricFacts, bootstrap: PairedBootstrap) -> None:
    strength = mean_length_ends(facts.lengths, bootstrap)
    root = float(np.sqrt(facts.whole.numbers))
    facts.ends["causal_effect_strength", facts.whole.length, ""] = strength
    facts.ends["causal_effect_strength", facts.whole.rms, ""] = Ends(
        strength.lower / root, strength.upper / root, strength.kind
    )
    active = np.array([role.moves_declared for role in facts.roles] or [True] * len(facts.lengths))
    specific = mean_specificity_ends(facts.matrix.squares[active], bootstrap)
    if specific is not None:
        facts.ends["specificity_bounded", "share", ""] = specific


def _add_calibrated(
    found: _Found, context: EffectContext, owner: Owner, groups: Sequence[Sequence[PatchedArm]],
    sources: Sequence[Sequence[ValueSource]], bootstrap: PairedBootstrap,
) -> None:  # fmt: skip
    weights = calibration(sources[0])
    if weights is None:
        return
    found.facts.calibrated = change_lengths(context.outcomes, groups, bootstrap.n, weights)
    interval = bootstrap.ratio(found.facts.calibrated)
    calibrated_ends = mean_length_ends(found.facts.calibrated, bootstrap)
    found.facts.ends["causal_effect_strength_calibrated", context.scale.whole.length, ""] = calibrated_ends
    if len(weights) > 1:
        values = (source.value or 0.0 for source in sources[0])
        note = Note("quantile_weights", tuple(number for pair in zip(values, weights, strict=True) for number in pair))
    else:
        note = Note("one_draw")
    whole = context.scale.whole
    for k, members in enumerate(groups):
        found.estimates.append(
            _at(context, owner, members[0]).estimate(
                "causal_effect_strength_calibrated", whole.name, whole.length, bootstrap.n, interval.value[k],
                interval.ends(k), notes=(note,),
            )
        )  # fmt: skip


def _add_spreads(found: _Found, context: EffectContext, owner: Owner, groups: Sequence[Sequence[PatchedArm]]) -> None:
    whole = context.scale.whole
    for _, labels, block in read_blocks(context.measurements.responses, owner, SPREAD):
        known = {label: row for (label, _), row in zip(labels, block, strict=True)}
        if whole.numbers < 2 or block.shape[1] < 2:
            return
        found.facts.spreads = np.stack([known[members[0].component.label] for members in groups])
        bootstrap = context.bootstrap(block.shape[1])
        forms = (("output_specificity", "1/nat", False), ("output_specificity_bounded", "share", True))
        for name, unit, bounded in forms:
            interval, median = output_specificity(found.facts.spreads, whole.numbers, bootstrap, bounded=bounded)
            for k, members in enumerate(groups):
                if np.isfinite(interval.value[k]):
                    found.estimates.append(
                        _at(context, owner, members[0]).estimate(
                            name, whole.name, unit, bootstrap.n, interval.value[k], interval.ends(k),
                            notes=(Note("entropy", (float(median[k]), whole.numbers)),),
                        )
                    )  # fmt: skip


def _add_modularity(found: _Found, context: EffectContext, owner: Owner, source: str) -> None:
    inert = {role.component.label for role in found.facts.roles if not role.moves_declared}
    blocks = list(read_blocks(context.measurements.responses, owner, OVERLAP))
    if not context.plan.compared.get(owner.name):
        found.facts.no_modularity = "the decoder has no linear or convolution layer that changes could be compared at"
    elif not blocks and len(found.facts.lengths) > 1:
        found.facts.no_modularity = (
            "the network could not be captured and is run with hooks, which do not hold a layer's changes of several "
            "latents side by side"
        )
    for site, labels, block in blocks:
        kept = [k for k, pair in enumerate(labels) if inert.isdisjoint(pair)]
        if not kept or block.shape[1] < 2:
            continue
        bootstrap = context.bootstrap(block.shape[1])
        interval = activation_modularity(block[kept], bootstrap)
        if interval is None:
            continue
        ends, value = interval.ends(0), float(interval.value[0])
        found.facts.modularity[site] = value, ends
        left_out = (Note("inert_left_out", (len(inert),)),) if inert else ()
        found.estimates.append(
            Ablation(owner, "", NOTHING, "", source, context.spec.execution.seed, bootstrap.confidence).estimate(
                "modularity",
                site,
                "share",
                bootstrap.n,
                value,
                ends,
                notes=(Note("cosines", (len(kept),)), *left_out),
            )
        )


def _add_graph(found: _Found, context: EffectContext, owner: Owner, bootstrap: PairedBootstrap, source: str) -> None:
    graph = graph_modularity(found.facts.matrix, bootstrap, context.spec.execution.seed)
    if graph is None:
        return
    interval, communities = graph
    ends = interval.ends(0)
    found.facts.graph = float(interval.value[0]), ends
    found.estimates.append(
        Ablation(owner, "", NOTHING, "", source, context.spec.execution.seed, bootstrap.confidence).estimate(
            "graph_modularity", "attributes", "Q", bootstrap.n, interval.value[0], ends,
            notes=(Note("communities", (communities,)),),
        )
    )  # fmt: skip


def _at(context: EffectContext, owner: Owner, arm: PatchedArm) -> Ablation:
    return Ablation(
        owner, "", arm.component, arm.granularity, arm.source, context.spec.execution.seed,
        context.spec.estimation.confidence,
    )  # fmt: skip
