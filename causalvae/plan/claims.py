"""Hypotheses of a plan: their circuits, other ways of patching them, and null circuits."""

from __future__ import annotations

from causalvae.digest import digest
from causalvae.models.components import Component
from causalvae.plan.draft import INTERCHANGE, Draft
from causalvae.plan.multiverse import variant_pairs, ways_of_patching
from causalvae.plan.nulls import draw_null_circuits
from causalvae.plan.resolve import in_network_order, joint_patches, label_of
from causalvae.spec.schema import Hypothesis


def plan_claim(draft: Draft, hypothesis: Hypothesis) -> None:
    """The arms that test a hypothesis."""
    owner = f"hypothesis:{hypothesis.name}"
    cohort = draft.cohort(hypothesis.treatment)
    draft.clean_pair(owner, cohort)
    found = draft.resolver.find(hypothesis.circuit, owner)
    draft.both_directions(owner, cohort, found, "set", None, 0)
    _variants(draft, hypothesis, owner, cohort, found)
    if not hypothesis.has_nulls:
        return
    patches = in_network_order(joint_patches(found, INTERCHANGE, owner), draft.components)
    # The seed depends on the circuit's place, not on the spec, so that the same null circuits serve every
    # hypothesis about the same sites and are run once.
    seed = int(digest([draft.spec.execution.seed, [(patch.site, patch.units) for patch in patches]]), 16) % 2**31
    kind, circuits = draw_null_circuits(patches, draft.components, hypothesis.null.samples, seed, owner)
    for index, circuit in enumerate(circuits):
        draft.use(
            owner,
            "null",
            cohort,
            "base",
            circuit,
            pairs=hypothesis.null.pairs,
            component=label_of(found),
            granularity=kind,
            index=index,
        )


def _variants(draft: Draft, hypothesis: Hypothesis, owner: str, cohort: str, found: tuple[Component, ...]) -> None:
    """Other ways of patching the same circuit, on fewer pairs."""
    pairs = variant_pairs(draft.cohorts[cohort].samples)
    if not pairs or not hypothesis.multiverse or not hypothesis.claims_a_share:
        return
    treatment = draft.cohorts[cohort].treatment
    ways = ways_of_patching(None if treatment is None else treatment.factor, draft.spec.execution.seed)
    for index, (source, side) in enumerate(ways):
        draft.use(
            owner,
            "variant",
            cohort,
            side,
            joint_patches(found, source, owner),
            pairs=pairs,
            component=label_of(found),
            granularity="set",
            index=index,
        )
