"""The spin chain against its closed form, and its measurements against Born's rule."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from causalvae_neighbours.quantum.ising import IsingDataset, measure_spins
from causalvae_neighbours.quantum.spin_chain import configurations, solve_chain, solve_ground_state


def dense_ground_state(spins: int, field: float) -> tuple[float, np.ndarray]:
    """The ground state of the whole Hamiltonian, built operator by operator; spin 0 is the highest bit."""
    z, x, one = np.diag([-1.0, 1.0]), np.array([[0.0, 1.0], [1.0, 0.0]]), np.eye(2)

    def place(operators: dict[int, np.ndarray]) -> np.ndarray:
        whole = np.eye(1)
        for spin in range(spins):
            whole = np.kron(whole, operators.get(spin, one))
        return whole

    hamiltonian = sum(-place({i: z, (i + 1) % spins: z}) - field * place({i: x}) for i in range(spins))
    energies, states = np.linalg.eigh(hamiltonian)
    return energies[0], states[:, 0] ** 2


@pytest.mark.parametrize("spins", [3, 6, 8])
@pytest.mark.parametrize("field", [0.2, 1.0, 1.7])
def test_energy_is_that_of_free_fermions(spins, field):
    momenta = (2 * np.arange(spins) + 1) * np.pi / spins
    energy, amplitudes = solve_ground_state(spins, field)
    assert energy == pytest.approx(-np.sqrt(1 + field**2 - 2 * field * np.cos(momenta)).sum(), abs=1e-9)
    assert (amplitudes**2).sum() == pytest.approx(1.0)


@pytest.mark.parametrize("field", [0.4, 1.3])
def test_probabilities_are_those_of_the_whole_chain(field):
    spins = 5
    energy, probabilities = dense_ground_state(spins, field)
    ours, amplitudes = solve_ground_state(spins, field)
    assert ours == pytest.approx(energy, abs=1e-9)
    up = configurations(spins)
    number = up @ (1 << np.arange(spins)[::-1])
    opposite = (1 - up) @ (1 << np.arange(spins)[::-1])
    np.testing.assert_allclose(probabilities[number] + probabilities[opposite], amplitudes**2, atol=1e-9)


def test_conditionals_multiply_to_the_probabilities():
    chain = solve_chain(6, (0.3, 1.1))
    numbers = np.arange(2**5)
    product = np.ones((2, 2**5))
    for place, conditional in enumerate(chain.conditionals):
        known, up = numbers & ((1 << place) - 1), (numbers >> place) & 1
        product *= np.where(up, conditional[:, known], 1 - conditional[:, known])
    np.testing.assert_allclose(product, chain.probabilities, atol=1e-12)


def test_measurements_follow_borns_rule():
    dataset = IsingDataset(spins=5, lowest=0.5, highest=1.5, levels=3)
    rows = dataset.draw(60_000, np.random.default_rng(0))
    found = dataset.configurations(rows)
    for level in range(3):
        here = found[rows[:, 0] == level]
        half = np.where(here[:, :1] == 1, here, 1 - here)
        counts = np.bincount(half[:, 1:] @ (1 << np.arange(4)), minlength=16)
        expected = dataset.chain.probabilities[level] * len(here)
        # The sum of 15 independent squares, which is below 40 but for four draws in ten thousand.
        assert ((counts - expected) ** 2 / expected).sum() < 40
        assert abs(here[:, 0].mean() - 0.5) < 4 * 0.5 / np.sqrt(len(here))


def test_do_field_gives_the_other_fields_distribution_with_the_same_numbers():
    dataset = IsingDataset(spins=6)
    rows = dataset.draw(20_000, np.random.default_rng(1))
    fields = np.asarray(dataset.space["field"].values)
    moved = dataset.intervene(rows, "field", np.full(len(rows), fields[-1]))
    np.testing.assert_array_equal(moved[:, 1:], rows[:, 1:])
    assert set(dataset.values(moved)[:, 0]) == {fields[-1]}
    order = dataset.truth(moved)["order"]
    signs = 2.0 * configurations(6) - 1.0
    exact = (dataset.chain.probabilities[-1] * np.abs(signs.mean(axis=1))).sum()
    assert abs(order.mean() - exact) < 4 * order.std() / np.sqrt(len(order))
    back = dataset.intervene(moved, "field", dataset.values(rows)[:, 0])
    np.testing.assert_array_equal(dataset.configurations(back), dataset.configurations(rows))


def test_do_sector_turns_every_spin_over():
    dataset = IsingDataset(spins=4)
    rows = dataset.draw(100, np.random.default_rng(2))
    other = dataset.intervene(rows, "sector", 1.0 - dataset.values(rows)[:, 1])
    np.testing.assert_array_equal(dataset.configurations(other), 1 - dataset.configurations(rows))


def test_the_order_parameter_falls_as_the_field_rises():
    dataset = IsingDataset(spins=8)
    signs = 2.0 * configurations(8) - 1.0
    order = dataset.chain.probabilities @ measure_spins(signs)["order"]
    assert all(after < before for before, after in pairwise(order))
    assert order[0] > 0.99 and order[-1] < 0.45


def test_truth_is_measured_on_the_inputs():
    dataset = IsingDataset(spins=7)
    rows = dataset.draw(50, np.random.default_rng(3))
    spins = 2.0 * dataset.inputs(rows).double().numpy() - 1.0
    truth = dataset.truth(rows)
    for k in range(50):
        ring = [spins[k, i] * spins[k, (i + 1) % 7] for i in range(7)]
        assert truth["alignment"][k] == pytest.approx(np.mean(ring))
        assert truth["magnetisation"][k] == pytest.approx(np.mean(spins[k]))
        assert truth["order"][k] == pytest.approx(abs(np.mean(spins[k])))
