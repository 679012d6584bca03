"""Arms by which the declared graph is held against the network."""

from __future__ import annotations

from typing import Literal

from causalvae.plan.draft import Draft
from causalvae.plan.resolve import joint_patches, label_of
from causalvae.plan.treatments import treatment_of
from causalvae.plan.types import OBSERVED, Cohort, Source
from causalvae.spec.schema import InputIntervention


def plan_alignment(draft: Draft) -> None:
    """Every factor set, where it can be, and every mapped component resampled."""
    resample = Source("resample", seed=draft.spec.execution.seed)
    for factor in draft.spec.graph.factors:
        if factor not in draft.space.names or draft.space[factor].settable:
            draft.clean_pair(f"alignment:input:{factor}", _alignment_cohort(draft, factor))
        if factor in draft.spec.mapping:
            owner = f"alignment:component:{factor}"
            found = draft.resolver.find(f"${factor}", f"mapping.{factor}")
            pairs = draft.spec.data.samples
            draft.use(owner, "base", OBSERVED, "base", (), pairs=pairs)
            draft.use(
                owner,
                "perturbation",
                OBSERVED,
                "base",
                joint_patches(found, resample, owner),
                pairs=pairs,
                component=label_of(found),
                granularity="set",
            )


def _alignment_cohort(draft: Draft, factor: str) -> str:
    """A cohort that resamples `factor`: an input intervention's own where there is one.

    Its descendants among the factors follow where the graph declares any, since what an ancestor does to an
    attribute is done through them; all others are held.
    """
    edges = draft.spec.graph.edge_pairs
    follows = any(parent == factor and child in draft.spec.graph.factors for parent, child in edges)
    others: Literal["hold", "propagate"] = "propagate" if follows else "hold"
    for intervention in draft.spec.interventions:
        section = intervention.input
        if section is not None and section.factor == factor and section.set == "resample" and section.others == others:
            return draft.cohort(intervention.name)
    # Parentheses, so that no intervention can have the same name.
    name = f"do({factor})"
    if name not in draft.cohorts:
        section = InputIntervention(factor=factor, others=others)
        treatment = treatment_of(name, section, draft.space)
        draft.add_cohort(Cohort(name, draft.spec.data.samples, draft.spec.data.seed, treatment))
    return name
