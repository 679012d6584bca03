"""Arms that hold the declared graph against the data, the network and the mapping.

For every factor A one cohort sets A and holds all other declared factors. Nothing is taken from the declared edges, or
an edge that the graph omits could not be found.
"""

from __future__ import annotations

from dataclasses import replace

from causalvae.data.others import Others, Release
from causalvae.errors import NoPairsError
from causalvae.plan.draft import Draft
from causalvae.plan.owner import Owner
from causalvae.plan.resolve import joint_patches
from causalvae.plan.targets import set_of
from causalvae.plan.treatments import redrawn
from causalvae.plan.types import OBSERVED, Cohort, Contrast, Treatment
from causalvae.spec.value_source import make_source


def plan_alignment(draft: Draft) -> None:
    """Every factor set, where it can be, and its mapped components given another sample's values."""
    spec = draft.spec
    source = spec.data.facts()
    structural = source is not None and source.structural
    undeclared = tuple(name for name in draft.space.names if name not in spec.graph.factors) if structural else ()
    seed = spec.execution.seed
    for factor in spec.graph.factors:
        set_in = _settable_cohort(draft, factor, undeclared, shared=not structural)
        settable = set_in is not None
        if set_in is not None:
            cohort = set_in
            pairs = min(spec.alignment.pairs, draft.cohorts[cohort].samples)
            draft.use(Owner("network", factor), "base", cohort, "base", (), pairs=pairs)
            draft.use(Owner("network", factor), "counterfactual", cohort, "counterfactual", (), pairs=pairs)
            donors = make_source("randomised", seed=seed, given=factor)
        else:
            cohort, pairs = OBSERVED, min(spec.alignment.pairs, draft.cohorts[OBSERVED].samples)
            donors = make_source("resample", seed=seed)
        mapped = factor in spec.mapping and pairs > 1
        if mapped:
            owner = Owner("mapping", factor)
            found = draft.resolver.find(f"${factor}", f"mapping.{factor}")
            draft.use(owner, "base", cohort, "base", (), pairs=pairs)
            draft.use(
                owner,
                "perturbation",
                cohort,
                "base",
                joint_patches(found, donors, owner),
                pairs=pairs,
                component=set_of(found),
                granularity="set",
            )
        if settable or mapped:
            released = tuple(name for name in spec.graph.factors if name != factor) if settable else ()
            contrast = Contrast(cohort, factor, pairs, released, undeclared, donors if mapped else None)
            draft.contrasts.append(contrast)


def _settable_cohort(draft: Draft, factor: str, undeclared: tuple[str, ...], shared: bool) -> str | None:
    """The cohort that sets `factor`; None where the data cannot tell, or have too few samples or levels for pairs."""
    if factor in draft.space.names and not draft.space[factor].settable:
        return None
    try:
        return _cohort(draft, factor, undeclared, shared)
    except NoPairsError:
        # A factor of one level, or data that make no two pairs: the spec does not ask for this test, so it is omitted.
        return None


def _cohort(draft: Draft, factor: str, undeclared: tuple[str, ...], shared: bool) -> str:
    """A cohort that resamples `factor` and holds all other declared factors.

    An input intervention's own where that does the same and `shared` allows it. Where factors make one another it does
    not: an ordered pair's base may be the side that was set, from which no other factor can be released.
    """
    others: Others = Release(undeclared) if undeclared else "hold"
    for intervention in draft.spec.interventions if shared else ():
        level = intervention.input_level
        if level is None or draft.spec.data.samples < draft.spec.alignment.pairs:
            continue
        given = level.treatment(intervention.name, draft.space)
        if replace(given, contrast="as_drawn") == Treatment(intervention.name, factor, None, others, "as_drawn"):
            return draft.cohort(intervention.name)
    # Parentheses, so that no intervention can have the same name.
    name = f"do({factor})"
    if name not in draft.cohorts:
        treatment = redrawn(name, factor, others, draft.space)
        draft.add_cohort(Cohort(name, draft.spec.alignment.pairs, draft.spec.data.seed, treatment))
    return name
