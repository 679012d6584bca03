"""Null circuits, costs, and the part of a plan that serves some of its owners."""

from __future__ import annotations

from dataclasses import replace
from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalvae.data.dsprites import SPACE
from causalvae.plan.compile import compile_spec
from causalvae.plan.cost import arm_cost, forwards, rows
from causalvae.plan.nulls import draw_null_circuits
from causalvae.plan.restrict import restrict
from causalvae.plan.types import Arm, Cohort, Patch, Plan, Source, Use
from tests.plan.small_network import COMPONENTS, make_spec

INTERCHANGE = Source("interchange")


def draw(patches: tuple[Patch, ...], samples: int, seed: int = 3) -> tuple[str, tuple[tuple[Patch, ...], ...]]:
    return draw_null_circuits(patches, COMPONENTS, samples, seed, "hypothesis:h")


@given(
    units=st.lists(st.integers(0, 19), unique=True, min_size=2, max_size=18).map(sorted),
    seed=st.integers(0, 2**31),
    samples=st.integers(1, 60),
)
@settings(max_examples=40, deadline=None)
def test_unit_nulls_are_distinct_as_large_and_never_the_circuit(units: list[int], seed: int, samples: int) -> None:
    patches = (Patch("decoder.lin1", tuple(units), INTERCHANGE),)
    kind, circuits = draw(patches, samples, seed)
    assert kind == "unit"
    assert len(circuits) == samples
    chosen = [patch.units for (patch,) in circuits]
    assert len(set(chosen)) == samples
    assert tuple(units) not in chosen
    for (patch,) in circuits:
        assert patch.units is not None
        assert len(set(patch.units)) == len(units)
        assert list(patch.units) == sorted(patch.units)
        assert set(patch.units) <= set(range(20))
        assert (patch.site, patch.source, patch.subspace) == ("decoder.lin1", INTERCHANGE, None)


def test_all_other_unit_sets_can_be_used_up() -> None:
    patches = (Patch("latent", (1, 4), INTERCHANGE),)
    available = comb(6, 2) - 1
    kind, circuits = draw(patches, available)
    assert kind == "unit"
    assert len(set(circuits)) == available
    assert draw(patches, available + 1)[0] == "subspace"


def test_two_sites_are_matched_each_in_size() -> None:
    patches = (
        Patch("encoder.conv1", (0, 1, 2), INTERCHANGE, ((0, 2), (0, 2))),
        Patch("latent", (5,), INTERCHANGE),
    )
    kind, circuits = draw(patches, 100)
    assert kind == "unit"
    assert len(set(circuits)) == 100
    for first, second in circuits:
        assert (first.site, second.site) == ("encoder.conv1", "latent")
        assert first.window == ((0, 2), (0, 2))
        assert first.units is not None
        assert second.units is not None
        assert (len(first.units), len(second.units)) == (3, 1)


def test_subspaces_have_the_circuits_dimension_and_a_seed_each() -> None:
    kind, circuits = draw((Patch("latent", (1, 4), INTERCHANGE),), 200)
    assert kind == "subspace"
    seeds = [patch.subspace.seed for (patch,) in circuits if patch.subspace is not None]
    assert len(set(seeds)) == 200
    assert {patch.subspace.dim for (patch,) in circuits if patch.subspace is not None} == {2}
    assert {patch.units for (patch,) in circuits} == {None}


def test_a_site_taken_whole_stays_whole_beside_others() -> None:
    """A subspace of full dimension would be the same patch in more words and less precision."""
    whole = Patch("latent.logvar", None, INTERCHANGE)
    kind, circuits = draw((whole, Patch("latent", (1,), INTERCHANGE)), 50)
    assert kind == "subspace"
    for first, second in circuits:
        assert first == whole
        assert second.subspace is not None


def test_nulls_depend_on_the_seed_alone() -> None:
    patches = (Patch("decoder.lin1", (1, 4, 9), INTERCHANGE),)
    assert draw(patches, 20, 3) == draw(patches, 20, 3)
    assert draw(patches, 20, 3) != draw(patches, 20, 4)
    assert draw(patches, 20, 3)[1] == draw(patches, 30, 3)[1][:20]


def small_plan(*arms: Arm, rerun: str = "suffix") -> Plan:
    cohorts = (Cohort("observed", 50, 0), Cohort("c", 40, 0))
    return Plan("p", "s", "m", cohorts, arms, (), ("area",), options={"rerun": rerun})


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
    owner = "hypothesis:one"
    part = restrict(plan, (owner,), ("base", "counterfactual", "sufficiency"), 12)
    kept = [(use.owner, use.role) for use in part.uses]
    assert kept == [
        ("control:observed", "base"),
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
    owners = ("hypothesis:one", "intervention:via", "intervention:channels")
    part = restrict(plan, owners, ("base", "counterfactual", "sufficiency", "sweep"), 9)
    ids = [arm.id for arm in part.arms]
    assert len(set(ids)) == len(ids)
    assert {use.arm for use in part.uses} == set(ids)
    assert {arm.pairs for arm in part.arms} == {9}


def test_restrict_to_roles_leaves_other_roles_of_a_shared_arm_out() -> None:
    arm = Arm("c", "base", (Patch("latent", (1,), INTERCHANGE),), 20)
    both = (Use("intervention:i", "sufficiency", arm.id), Use("intervention:i", "sweep", arm.id))
    part = restrict(replace(small_plan(arm), uses=both), ("intervention:i",), ("sweep",), 5)
    assert [use.role for use in part.uses] == ["sweep"]


def test_restrict_beyond_the_plan_keeps_its_sizes() -> None:
    plan = compile_spec(make_spec(), COMPONENTS, SPACE)
    part = restrict(plan, ("hypothesis:one",), ("base", "null"), 10_000)
    assert {arm.pairs for arm in part.arms} == {16, 40, 60}
