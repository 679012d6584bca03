"""Readouts of spins, on configurations and on expected spins."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from causalvae.errors import CausalVAEError
from causalvae_neighbours.data.ising import IsingData
from causalvae_neighbours.data.mixtures import MixturesData
from causalvae_neighbours.half_avae.mixtures import MixturesDataset
from causalvae_neighbours.quantum import spins
from causalvae_neighbours.quantum.ising import IsingDataset
from causalvae_neighbours.quantum.spin_chain import solve_chain


def test_they_find_the_truth_on_configurations():
    dataset = IsingDataset(spins=6)
    rows = dataset.draw(200, np.random.default_rng(0))
    truth = dataset.truth(rows)
    for name in ("magnetisation", "order", "alignment"):
        measure = getattr(spins, name)
        np.testing.assert_allclose(measure(dataset.inputs(rows)).numpy(), truth[name], atol=1e-7)


def test_energy_is_the_product_states():
    p = torch.tensor([[0.9, 0.5, 0.2, 1.0]], dtype=torch.float64)
    s = 2 * p[0] - 1
    state = np.ones(1)
    for expected in s.tolist():
        # A spin in the plane of z and x with the expected z: amplitudes of down and up.
        state = np.kron(state, [np.sqrt((1 - expected) / 2), np.sqrt((1 + expected) / 2)])
    z, x, one = np.diag([-1.0, 1.0]), np.array([[0.0, 1.0], [1.0, 0.0]]), np.eye(2)

    def place(operators):
        whole = np.eye(1)
        for spin in range(4):
            whole = np.kron(whole, operators.get(spin, one))
        return whole

    hamiltonian = sum(-place({i: z, (i + 1) % 4: z}) - place({i: x}) for i in range(4))
    assert spins.energy(p).item() == pytest.approx(state @ hamiltonian @ state / 4, abs=1e-6)


def test_no_product_state_is_below_the_ground_state():
    rows = torch.rand(2000, 6, generator=torch.Generator().manual_seed(0))
    assert spins.energy(rows).min().item() > solve_chain(6, (1.0,)).energies[0] / 6


def test_pictures_are_no_spins():
    with pytest.raises(CausalVAEError) as raised:
        spins.magnetisation(torch.zeros(2, 1, 8, 8))
    assert raised.value.code == "CV243"


@pytest.mark.parametrize(
    "section",
    [
        IsingData(source="ising", spins=5, fields=(0.3, 1.3), levels=4),
        MixturesData(source="mixtures", length=32),
    ],
    ids=lambda section: section.source,
)
def test_what_is_known_before_opening_is_so(section):
    dataset, entry = section.open(Path()), section.facts()
    assert isinstance(dataset, IsingDataset | MixturesDataset)
    assert dataset.input_shape == entry.input_shape
    for factor, known in zip(dataset.space.factors, entry.factors, strict=True):
        assert (factor.name, factor.kind, factor.labels) == (known.name, known.kind, known.labels)
        np.testing.assert_allclose(factor.values, known.values)
