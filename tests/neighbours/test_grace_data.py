"""Simulated screens: structural equations, do() on guides and programmes, what is told before they are opened."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from causalvae.data.dataset import open_dataset
from causalvae.data.pairs import draw_pairs
from causalvae.errors import CausalVAEError
from causalvae_neighbours.data.perturbations import PerturbationsData
from causalvae_neighbours.grace.data import PerturbationDataset
from causalvae_neighbours.grace.simulation import World, WorldShape

SHAPE = WorldShape(programmes=4, genes_each=5, edges=5, doubles=3, damping=True, seed=3)


@pytest.fixture(scope="module")
def dataset() -> PerturbationDataset:
    return PerturbationDataset(SHAPE)


def solve(world: World, u: np.ndarray, guides: np.ndarray, held: dict[int, float] | None = None) -> np.ndarray:
    """The structural equations of one cell, one term at a time."""
    z = [0.0] * 4
    for j in world.order:
        total = u[j]
        for i in range(4):
            total += world.adjacency[i, j] * max(z[i], 0.0)
        for guide, carried in enumerate(guides):
            if carried and world.targets[guide] == j:
                total = total * world.scales[guide] + world.shifts[guide]
        z[j] = held[j] if held and j in held else total
    return np.array(z)


def test_a_world_is_what_its_shape_says(dataset: PerturbationDataset) -> None:
    world = dataset.world
    assert (world.adjacency != 0.0).sum() == 5
    place = {programme: k for k, programme in enumerate(world.order)}
    assert all(place[i] < place[j] for i, j in np.argwhere(world.adjacency != 0.0).tolist())
    assert world.targets.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert all(world.shifts[2 * j] * world.shifts[2 * j + 1] < 0 for j in range(4))
    assert ((world.scales > 0) & (world.scales < 1)).all()
    assert len(world.perturbations) == 1 + 8 + 3
    assert all(world.targets[a] != world.targets[b] for a, b in (p.guides for p in world.perturbations[9:]))
    assert (world.network == world.network.T).all() and not world.network.diagonal().any()
    same = world.modules[:, None] == world.modules[None, :]
    assert world.network[same].mean() > 5 * world.network[~same].mean()


def test_rows_solve_the_structural_equations(dataset: PerturbationDataset) -> None:
    rows = dataset.draw(20, np.random.default_rng(0))
    values = dataset.values(rows)
    assert values.shape == (20, 12) and not values[:, :8].any()
    for guide in range(8):
        on = dataset.intervene(rows, f"g{guide + 1}", np.ones(20), "propagate")
        for row, changed in zip(rows, dataset.values(on), strict=True):
            carried = np.arange(8) == guide
            assert changed[:8].tolist() == carried.astype(float).tolist()
            assert changed[8:] == pytest.approx(solve(dataset.world, row[8:12], carried))


def test_do_on_a_programme_reaches_its_descendants_and_no_other(dataset: PerturbationDataset) -> None:
    rows = dataset.draw(10, np.random.default_rng(1))
    for programme in range(4):
        set_to = np.linspace(-2, 2, 10)
        moved = dataset.intervene(rows, f"P{programme + 1}", set_to, "propagate")
        held = dataset.intervene(rows, f"P{programme + 1}", set_to, "hold")
        for k in range(10):
            expected = solve(dataset.world, rows[k, 8:12], np.zeros(8), {programme: set_to[k]})
            assert dataset.values(moved)[k, 8:] == pytest.approx(expected)
            alone = dataset.values(rows)[k, 8:].copy()
            alone[programme] = set_to[k]
            assert dataset.values(held)[k, 8:] == pytest.approx(alone)
        # Undoing it gives the cell back, its genes' noise included.
        back = dataset.intervene(moved, f"P{programme + 1}", dataset.values(rows)[:, 8 + programme], "propagate")
        assert dataset.inputs(back).numpy() == pytest.approx(dataset.inputs(rows).numpy(), abs=1e-6)


def test_a_programme_that_was_set_stays_set(dataset: PerturbationDataset) -> None:
    first, second = dataset.world.order[0], dataset.world.order[1]
    rows = dataset.draw(6, np.random.default_rng(2))
    rows = dataset.intervene(rows, f"P{second + 1}", np.full(6, 1.5), "propagate")
    rows = dataset.intervene(rows, f"P{first + 1}", np.full(6, 2.0), "propagate")
    for row, values in zip(rows, dataset.values(rows), strict=True):
        expected = solve(dataset.world, row[8:12], np.zeros(8), {first: 2.0, second: 1.5})
        assert values[8:] == pytest.approx(expected)


def test_a_guide_acts_through_programmes_alone(dataset: PerturbationDataset) -> None:
    rows = dataset.draw(5, np.random.default_rng(3))
    on = dataset.intervene(rows, "g1", np.ones(5), "hold")
    assert dataset.values(on)[:, 0].all()
    assert dataset.inputs(on).equal(dataset.inputs(rows))


def test_pairs_switch_a_guide_on(dataset: PerturbationDataset) -> None:
    pairs = draw_pairs(dataset, factor="g2", samples=8, seed=0, level=1, others="propagate")
    assert not dataset.values(pairs.base)[:, 1].any() and dataset.values(pairs.counterfactual)[:, 1].all()


def test_the_truth_is_the_mean_of_each_programme_s_genes(dataset: PerturbationDataset) -> None:
    rows = dataset.draw(7, np.random.default_rng(4))
    x, truth = dataset.inputs(rows).double().numpy(), dataset.truth(rows)
    for programme in range(4):
        genes = slice(5 * programme, 5 * programme + 5)
        assert truth[f"column P{programme + 1}_*"] == pytest.approx(x[:, genes].mean(axis=1), abs=1e-6)
    assert x.min() > 0 and x.max() < 1


def test_what_is_known_before_a_screen_is_opened_is_what_it_has() -> None:
    section = PerturbationsData.model_validate(
        {"source": "perturbations", "programmes": 3, "genes_each": 4, "edges": 2, "guides_each": 1, "doubles": 0}
    )
    known, opened = section.facts(), open_dataset(section, Path())
    assert known is not None and known.structural
    assert known.names == opened.space.names == ("g1", "g2", "g3", "P1", "P2", "P3")
    assert known.input_shape == opened.input_shape == (12,) and len(known.columns) == 12
    for entry, factor in zip(known.factors, opened.space.factors, strict=True):
        assert (entry.kind, entry.labels) == (factor.kind, factor.labels)
        assert (entry.low, entry.high) == (factor.values[0], factor.values[-1])


def test_worlds_that_cannot_be_are_refused() -> None:
    for shape in (WorldShape(programmes=3, edges=4, doubles=0), WorldShape(programmes=2, edges=1, doubles=5)):
        with pytest.raises(CausalVAEError) as caught:
            PerturbationDataset(shape)
        assert caught.value.code == "CV245"
