"""Costs, and the part of a plan that serves some of its owners."""

from __future__ import annotations

from dataclasses import replace

import pytest

from causalvae.data.dsprites import SPACE
from causalvae.plan.compile import compile_spec
from causalvae.plan.cost import arm_cost, forwards, rows
from causalvae.plan.owner import OBSERVED_CONTROL, Owner
from causalvae.plan.restrict import restrict
from causalvae.plan.types import Arm, Cohort, Options, Patch, Plan, Use
from causalvae.spec.value_source import make_source
from tests.plan.small_network import COMPONENTS, make_spec

INTERCHANGE = make_source("interchange")


def small_plan(*arms: Arm, rerun: str = "suffix") -> Plan:
    cohorts = (Cohort("observed", 50, 0), Cohort("c", 40, 0))
    return Plan("p", "s", "m", cohorts, arms, (), ("area",), options=Options(rerun=rerun))


def test_costs_are_what_a_hand_counts() -> None:
    def patched(*sites: str, pairs: int) -> Arm:
        return Arm("c", "base", tuple(Patch(site, (0,), INTERCHANGE) for site in sites), pairs)

    arms = (
        Arm("c", "base", (), 40),
        patched("latent", pairs=10),
        patched("decoder.convT1", pairs=30),
        patched("encoder.lin1", "latent", pairs=5),
        patched("latent.logvar", pairs=7),
    )
    plan = small_plan(*arms)
    assert rows(plan) == 92
    assert forwards(plan, COMPONENTS) == pytest.approx(40 + 10 * 0.5 + 30 * 0.1 + 5 * 0.6 + 0)
    assert forwards(small_plan(*arms, rerun="full"), COMPONENTS) == 92
    assert arm_cost(arms[3], COMPONENTS, "suffix") == 0.6


def test_restrict_keeps_what_its_owners_need() -> None:
    plan = compile_spec(make_spec(), COMPONENTS, SPACE)
    owner = Owner.hypothesis("one")
    part = restrict(plan, (owner,), ("base", "counterfactual", "sufficiency"), 12)
    kept = [(use.owner, use.role) for use in part.uses]
    assert kept == [
        (OBSERVED_CONTROL, "base"),
        (owner, "base"),
        (owner, "counterfactual"),
        (owner, "sufficiency"),
    ]
    assert {use.arm for use in part.uses} == {arm.id for arm in part.arms}
    by_id = {arm.id: arm for arm in part.arms}
    assert all(arm.pairs <= 12 for arm in part.arms)
    assert {cohort.name: cohort.samples for cohort in part.cohorts} == {"observed": 12, "resize": 12}
    originals = {use.role: arm for use in plan.uses_of(owner) for arm in plan.arms if arm.id == use.arm}
    for use in part.uses_of(owner):
        assert by_id[use.arm].patches == originals[use.role].patches
        assert by_id[use.arm].side == originals[use.role].side
    assert part.traversals == ()
    assert part.attributes == plan.attributes
    assert part.digest != plan.digest


def test_restrict_merges_arms_that_differ_in_pairs_alone() -> None:
    plan = compile_spec(make_spec(), COMPONENTS, SPACE)
    owners = (Owner.hypothesis("one"), Owner.intervention("via"), Owner.intervention("channels"))
    part = restrict(plan, owners, ("base", "counterfactual", "sufficiency", "sweep"), 9)
    ids = [arm.id for arm in part.arms]
    assert len(set(ids)) == len(ids)
    assert {use.arm for use in part.uses} == set(ids)
    assert {arm.pairs for arm in part.arms} == {9}


def test_restrict_to_roles_leaves_other_roles_of_a_shared_arm_out() -> None:
    arm = Arm("c", "base", (Patch("latent", (1,), INTERCHANGE),), 20)
    both = (Use(Owner.intervention("i"), "sufficiency", arm.id), Use(Owner.intervention("i"), "sweep", arm.id))
    part = restrict(replace(small_plan(arm), uses=both), (Owner.intervention("i"),), ("sweep",), 5)
    assert [use.role for use in part.uses] == ["sweep"]


def test_restrict_beyond_the_plan_keeps_its_sizes() -> None:
    plan = compile_spec(make_spec(), COMPONENTS, SPACE)
    part = restrict(plan, (Owner.hypothesis("one"),), ("base", "rival"), 10_000)
    assert {arm.pairs for arm in part.arms} == {24, 40, 60}
