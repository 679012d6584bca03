"""Hypotheses of a plan: their circuits, other methods of patching them, and circuits to compare them with."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from causalvae.digest import digest
from causalvae.models.components import Component
from causalvae.plan.claims.members import MOST_SUBSETS_OF, members_of, parts_of, patches_of, singles_of
from causalvae.plan.claims.multiverse import variant_pairs, ways_of_patching
from causalvae.plan.claims.rivals import draw_rivals
from causalvae.plan.claims.subsets import choose_sets
from causalvae.plan.draft import INTERCHANGE, Draft
from causalvae.plan.owner import Owner
from causalvae.plan.resolve import in_network_order, joint_patches
from causalvae.plan.targets import set_of
from causalvae.plan.types import ClaimDesign, Patch, Role, Side
from causalvae.spec.hypothesis_section import fewest_random
from causalvae.spec.schema import Hypothesis


def plan_claim(draft: Draft, hypothesis: Hypothesis) -> None:
    """The arms that test a hypothesis."""
    owner = Owner.hypothesis(hypothesis.name)
    cohort = draft.cohort(hypothesis.treatment)
    draft.clean_pair(owner, cohort)
    found = draft.resolver.find(hypothesis.circuit, owner)
    draft.both_directions(owner, cohort, found, "set", None, 0)
    _variants(draft, hypothesis, owner, cohort, found)
    circuit = tuple(part.ref for part in found)
    if not hypothesis.claims_a_share:
        draft.claims[hypothesis.name] = ClaimDesign(circuit)
        return
    whole = in_network_order(joint_patches(found, INTERCHANGE, owner), draft.components)
    members = members_of(found) if hypothesis.claims_to_carry else ()
    if len(members) > 1:
        for index, part in enumerate(parts_of(members)):
            _compare(draft, hypothesis, owner, "part", patches_of(part, whole), index)
    design = ClaimDesign(circuit, members, 1 < len(members) <= MOST_SUBSETS_OF)
    sizes = [draft.components.site(patch.site).units for patch in whole]
    enumerated, pairs, sets = choose_sets(hypothesis, design, whole, sizes, owner)
    for index, chosen in enumerate(sets):
        _compare(draft, hypothesis, owner, "subset", chosen, index, pairs)
    draft.claims[hypothesis.name] = replace(design, enumerated=enumerated)
    if hypothesis.compares:
        _rivals(draft, hypothesis, owner, whole)


def _rivals(draft: Draft, hypothesis: Hypothesis, owner: Owner, whole: tuple[Patch, ...]) -> None:
    """The circuits that the claimed one is compared with, and each unit of its sites alone."""
    sizes = [draft.components.site(patch.site).units for patch in whole]
    # The seed depends on the circuit's place, not on the spec, so that the same random circuits serve every
    # hypothesis about the same sites and are run once.
    seed = int(digest([draft.spec.execution.seed, [(patch.site, patch.units) for patch in whole]]), 16) % 2**31
    cohort = draft.cohorts[hypothesis.treatment]
    active = None if draft.units is None else partial(draft.units, cohort)
    fewest = fewest_random(draft.spec.hypotheses, hypothesis.alpha) if hypothesis.judges_special else 1
    kind, why_none, circuits = draw_rivals(whole, sizes, hypothesis.null, fewest, active, seed, owner)
    if kind == "random" and hypothesis.expect.bound("mediated_share") is None:
        # Several circuits can be necessary at once: random ones decide nothing, and are too many to list.
        kind, why_none, circuits = "none", "not_asked", ()
    for index, rival in enumerate(circuits):
        _compare(draft, hypothesis, owner, "rival", rival, index)
    alone = singles_of(whole, sizes) if hypothesis.expect.bound("mediated_share") is not None else ()
    for index, single in enumerate(alone):
        draft.use(owner, "single", cohort.name, "base", (single,), pairs=hypothesis.null.pairs, index=index)
    known = draft.claims[hypothesis.name]
    draft.claims[hypothesis.name] = replace(known, rivals=kind, why_none=why_none, seed=seed)


def _compare(
    draft: Draft,
    hypothesis: Hypothesis,
    owner: Owner,
    role: Role,
    patches: tuple[Patch, ...],
    index: int,
    pairs: int | None = None,
) -> None:
    """A circuit other than the claimed one: on the side of each share that is claimed."""
    claimed: tuple[tuple[Side, object], ...] = (
        ("base", hypothesis.expect.bound("mediated_share")),
        ("counterfactual", hypothesis.expect.bound("necessity")),
    )
    for side, bound in claimed:
        if bound is not None:
            draft.use(
                owner, role, hypothesis.treatment, side, patches, pairs=pairs or hypothesis.null.pairs,
                granularity="set", index=index,
            )  # fmt: skip


def _variants(draft: Draft, hypothesis: Hypothesis, owner: Owner, cohort: str, found: tuple[Component, ...]) -> None:
    """Other methods of patching the same circuit, on fewer pairs."""
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
            component=set_of(found),
            granularity="set",
            index=index,
        )
