"""Packing: how many rows and pairs at once, from plain numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causalvae.data.dsprites import SPACE
from causalvae.models.components import OperationCost
from causalvae.plan.compile import compile_spec
from causalvae.plan.passes.pack import CPU_ROWS, FEWEST_ROWS, Packing, fit, kept_bytes, pack_rows, rows_at_once
from causalvae.plan.types import Arm, Cohort, Options, Patch, Plan
from causalvae.spec.value_source import make_source
from tests.plan.small_network import COMPONENTS, make_spec

MEGABYTE = 1e6


@given(
    kept=st.floats(1, 1e9),
    row=st.floats(1, 1e9),
    budget=st.floats(1e6, 1e12),
    rows=st.integers(1, 4096),
)
def test_what_is_chosen_fits_the_budget_or_is_the_smallest(kept: float, row: float, budget: float, rows: int) -> None:
    packing = fit(kept, row, budget, rows)
    assert 1 <= packing.batch_rows <= rows
    if packing.batch_rows * row > budget / 2:
        assert packing.batch_rows <= FEWEST_ROWS
    if packing.shard_pairs * kept > budget / 2:
        assert packing.shard_pairs == 1
    # More would not fit, so nothing is left unused by half.
    if packing.batch_rows < rows:
        assert (packing.batch_rows + FEWEST_ROWS) * row > budget / 2
    if packing.shard_pairs < 64:
        assert 2 * packing.shard_pairs * kept > budget / 2


def test_shards_follow_the_width_of_the_network() -> None:
    assert fit(1e3, 1e3, 1e9, 64) == Packing(64, 256)
    assert fit(1e6, 1e6, 1e9, 64) == Packing(64, 64)
    assert fit(40e6, 10e6, 1e9, 64) == Packing(32, 8)
    assert fit(4e9, 4e9, 1e9, 64) == Packing(FEWEST_ROWS, 1)
    # A network whose sizes are not known.
    assert fit(0, 0, 1e9, 64) == Packing(64, 64)


def sized(**sites: tuple[set[int], set[int]]) -> tuple[object, ...]:
    """The small network's sites, some with the operations that they re-run and whose values they read."""
    named = {name.replace("_", "."): places for name, places in sites.items()}
    return tuple(
        replace(site, downstream=frozenset(named[site.name][0]), reads=frozenset(named[site.name][1]))
        if site.name in named
        else site
        for site in COMPONENTS.sites
    )


def test_outcomes_of_a_shard_count_against_the_budget() -> None:
    assert fit(1e6, 1e6, 1e9, 64, written_bytes=5e6) == Packing(64, 64)
    assert fit(1e6, 1e6, 1e9, 64, written_bytes=20e6) == Packing(64, 16)
    assert fit(1e6, 1e6, 1e9, 64, written_bytes=1e9) == Packing(64, 1)


def test_what_is_kept_is_the_union_over_arms_and_sides() -> None:
    operations = tuple(OperationCost(str(place), 1.0, 1.0, 10.0**place) for place in range(6))
    components = replace(
        COMPONENTS,
        operations=operations,
        sites=sized(encoder_lin1=({2, 3}, {1}), latent=({4}, {1, 3})),
    )
    swap = make_source("interchange")
    first, second = Patch("encoder.lin1", None, swap), Patch("latent", (1,), swap)
    draw = Patch("latent", (0,), make_source("resample", seed=4))

    def kept(*arms: Arm, low_rank: bool = False) -> float:
        cohorts = (Cohort("a", 9, 1), Cohort("b", 9, 1))
        return kept_bytes(
            Plan("p", "s", "m", cohorts, arms, (), ("area",), options=Options(low_rank=low_rank)), components
        )

    assert kept(Arm("a", "base", (first,), 9)) == 10
    assert kept(Arm("a", "base", (first, second), 9)) == 10 + 1000
    assert kept(Arm("a", "base", (first,), 9), Arm("a", "counterfactual", (second,), 9)) == 10 + (10 + 1000)
    assert kept(Arm("a", "base", (first,), 9), Arm("b", "base", (second,), 9)) == 1010
    assert kept(Arm("a", "base", (second,), 9), low_rank=True) == 10 + 1000 + 10_000
    # A set of donors is kept once, whoever draws from it.
    donors = [Arm("a", side, (draw,), pairs) for side, pairs in (("base", 9), ("base", 5))]
    assert kept(*donors) == 1010 + 4 * 6


@pytest.mark.parametrize(
    ("execution", "rows"),
    [({}, CPU_ROWS), ({"batch_rows": 7}, 7), ({"memory": "64 MB"}, 32), ({"memory": "64 MB", "batch_rows": 128}, 128)],
)
def test_a_spec_may_fix_rows_or_bound_memory(execution: dict[str, object], rows: int) -> None:
    components = replace(COMPONENTS, row_bytes=0.5 * MEGABYTE)
    plan = compile_spec(make_spec(execution=execution), components, SPACE)
    assert plan.batch_rows == rows
    assert plan.auto_rows == ("batch_rows" not in execution)
    assert plan.passes[-1].note.startswith(f"batches of {rows} rows, ")


def test_packing_changes_sizes_alone() -> None:
    before = compile_spec(make_spec(), COMPONENTS, SPACE, ("share", "suffix"))
    after = pack_rows(before, replace(COMPONENTS, row_bytes=100 * MEGABYTE))
    assert after.batch_rows == FEWEST_ROWS
    assert (after.arms, after.uses, after.cohorts) == (before.arms, before.uses, before.cohorts)
    assert after.passes[-1].forwards_after == before.passes[-1].forwards_after


def test_checks_of_a_network_keep_to_the_budget() -> None:
    """Half of the memory is for what runs; a row holds twice its live bytes and what is measured of its outputs."""
    components = replace(COMPONENTS, row_bytes=1e6)
    assert rows_at_once(None, components, 256) == 256
    assert rows_at_once(256_000_000, components, 256) == 64
    assert rows_at_once(1_000_000, components, 256) == FEWEST_ROWS
    assert rows_at_once(1_000_000, components, 16) == 16
