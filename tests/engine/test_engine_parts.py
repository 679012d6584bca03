"""Properties of the engine's small parts."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from causalvae.engine.backends.ray import _sent_by_value
from causalvae.engine.memory import BatchSize
from causalvae.engine.rerun import Group, Shortcuts, group_arms
from causalvae.engine.shards import ShardInputs, run_clean, shard_bounds
from causalvae.engine.values import apply_patch, derangement, live_rows, random_basis, selection
from causalvae.errors import CausalVAEError
from causalvae.models.loading import Model
from causalvae.plan.types import Arm, Patch, Subspace
from causalvae.spec.value_source import make_source

SITES = ("encoder.conv1", "latent", "decoder.lin1")


@given(samples=st.integers(1, 500), size=st.integers(2, 70))
def test_shards_cover_every_pair_once(samples: int, size: int) -> None:
    bounds = shard_bounds(samples, size)
    assert [position for first, stop in bounds for position in range(first, stop)] == list(range(samples))
    assert all(stop - first == size for first, stop in bounds[:-1])
    assert all(first % size == 0 for first, _ in bounds)


@given(n=st.integers(2, 300), seed=st.integers(0, 2**31))
def test_a_derangement_moves_everyone_and_loses_nobody(n: int, seed: int) -> None:
    donors = derangement(n, seed)
    assert sorted(donors.tolist()) == list(range(n))
    assert (donors != np.arange(n)).all()
    assert (derangement(n, seed) == donors).all()


def test_derangements_are_spread_over_donors() -> None:
    """Every other input is as likely a donor: 600 draws over 4 donors each, within 5 standard errors."""
    draws = np.stack([derangement(5, seed) for seed in range(600)])
    for position in range(5):
        counts = np.bincount(draws[:, position], minlength=5)
        assert counts[position] == 0
        assert np.abs(np.delete(counts, position) - 150).max() < 5 * (600 * 0.25 * 0.75) ** 0.5


@pytest.mark.parametrize("n", [0, 1])
def test_nobody_can_be_deranged_alone(n: int) -> None:
    with pytest.raises(CausalVAEError) as caught:
        derangement(n, 0)
    assert caught.value.code == "CV404"


@st.composite
def arms(draw: st.DrawFn) -> Arm:
    sites = draw(st.lists(st.sampled_from(SITES), unique=True, max_size=2))
    patches = tuple(Patch(site, (draw(st.integers(0, 3)),), make_source("zero")) for site in sites)
    return Arm("c", draw(st.sampled_from(("base", "counterfactual"))), patches, draw(st.integers(1, 9)))


@given(st.lists(arms(), max_size=20))
def test_groups_are_a_partition_by_side_and_sites(listed: list[Arm]) -> None:
    groups = group_arms(listed)
    assert sorted(position for group in groups for position in group) == list(range(len(listed)))
    keys = []
    for group in groups:
        kinds = {(listed[position].side, tuple(p.site for p in listed[position].patches)) for position in group}
        assert len(kinds) == 1
        keys.append(kinds.pop())
        assert group == sorted(group)
    assert len(set(keys)) == len(keys)
    assert [group[0] for group in groups] == sorted(group[0] for group in groups)


@given(units=st.integers(2, 40), seed=st.integers(0, 2**31), data=st.data())
@settings(max_examples=40)
def test_a_subspace_is_an_orthogonal_projection(units: int, seed: int, data: st.DataObject) -> None:
    dim = data.draw(st.integers(1, units))
    basis = random_basis(Subspace(dim, seed), units)
    np.testing.assert_allclose((basis.T @ basis).numpy(), np.eye(dim), atol=1e-10)
    value, source = torch.randn(20, units, dtype=torch.float64), torch.randn(20, units, dtype=torch.float64)
    inside, outside = value.clone(), value.clone()
    apply_patch(inside, Patch("s", None, make_source("zero"), subspace=Subspace(dim, seed)), source)
    apply_patch(outside, Patch("s", None, make_source("zero"), subspace=Subspace(dim, seed, complement=True)), source)
    np.testing.assert_allclose((inside - value) + (outside - value), source - value, atol=1e-10)
    np.testing.assert_allclose((inside - value) @ basis, (source - value) @ basis, atol=1e-10)
    np.testing.assert_allclose((outside - value) @ basis, np.zeros((20, dim)), atol=1e-10)


def test_subspaces_have_no_favourite_direction() -> None:
    """The mean of random projectors of rank d in n dimensions is (d/n) I."""
    mean = np.mean([np.outer(b := random_basis(Subspace(1, seed), 4).numpy(), b) for seed in range(3000)], axis=0)
    np.testing.assert_allclose(mean, np.eye(4) / 4, atol=0.025)


@given(
    units=st.none() | st.lists(st.integers(0, 4), unique=True, min_size=1).map(sorted),
    rows=st.tuples(st.integers(0, 2), st.integers(3, 5)),
    columns=st.tuples(st.integers(0, 1), st.integers(2, 4)),
    axes=st.integers(0, 2),
)
def test_a_patch_changes_its_units_and_window_only(
    units: list[int] | None, rows: tuple[int, int], columns: tuple[int, int], axes: int
) -> None:
    patch = Patch("s", None if units is None else tuple(units), make_source("zero"), window=(rows, columns)[:axes])
    value, source = torch.zeros(2, 5, 5, 4), torch.ones(2, 5, 5, 4)
    apply_patch(value, patch, source)
    expected = torch.zeros(5, 5, 4)
    for unit in range(5) if units is None else units:
        for row in range(*rows) if axes > 0 else range(5):
            for column in range(*columns) if axes > 1 else range(4):
                expected[unit, row, column] = 1
    assert torch.equal(value, expected.expand(2, 5, 5, 4))
    assert value[selection(patch, 4)].eq(1).all()


def test_a_row_is_live_when_any_chosen_value_differs() -> None:
    clean = torch.zeros(4, 3)
    source = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 0, 1], [0, float("nan"), 0]])
    assert live_rows(Patch("s", (0, 1), make_source("zero")), source, clean).tolist() == [False, True, False, True]


def test_one_value_cannot_be_patched_twice_in_an_arm(mean_model: Model) -> None:
    inputs = ShardInputs("c", 0, {"base": torch.rand(2, 1, 12, 12)}, torch.zeros(2, 4))
    clean = run_clean(mean_model.graph, inputs)
    arm = Arm(
        "c", "base", (Patch("latent", (0, 1), make_source("zero")), Patch("latent.mean", (1,), make_source("zero"))), 2
    )
    group = Group(mean_model.graph, mean_model.components, [arm], clean, {}, [2], Shortcuts())
    with pytest.raises(ValueError, match="twice"):
        group.live()


def test_patches_of_different_units_of_one_value_enter_together(mean_model: Model) -> None:
    sides = {side: torch.rand(3, 1, 12, 12, generator=torch.Generator().manual_seed(7)) for side in ("base",)}
    clean = run_clean(mean_model.graph, ShardInputs("c", 0, sides, torch.zeros(3, 4)))
    zero, one = make_source("zero"), make_source("constant", 1.0)
    apart = (Patch("latent", (0, 2), zero), Patch("latent.mean", (1,), one))
    outputs = [
        next(group.batches(group.live(), BatchSize(16))).output
        for group in (
            Group(mean_model.graph, mean_model.components, [Arm("c", "base", patches, 3)], clean, {}, [3], Shortcuts())
            for patches in (apart, tuple(reversed(apart)))
        )
    ]
    latent = clean.sides["base"][mean_model.components.site("latent").node].clone()
    latent[:, 0], latent[:, 1], latent[:, 2] = 0.0, 1.0, 0.0
    expected = mean_model.vae.decode(latent)
    for output in outputs:
        torch.testing.assert_close(output, expected)


def test_code_that_was_forgotten_for_another_folder_need_not_be_registered() -> None:
    """cloudpickle sends by value whatever a worker cannot import; a module that is gone cannot be registered."""
    registered: list[ModuleType] = []
    pickle = SimpleNamespace(
        register_pickle_by_value=registered.append, unregister_pickle_by_value=lambda module: registered.remove(module)
    )
    gone = type("Gone", (torch.nn.Module,), {"__module__": "forgotten_networks"})
    here = type("Here", (torch.nn.Module,), {"__module__": __name__})
    with _sent_by_value(SimpleNamespace(cloudpickle=pickle), torch.nn.Sequential(gone(), here())):
        assert registered == [sys.modules[__name__]]
    assert registered == []
