"""What a latent knows, against encoders that know all, a part, or nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from causalvae.models.vae import VAE
from causalvae_neighbours.quantum.autoregressive import AutoregressiveDecoder
from causalvae_neighbours.quantum.ising import IsingDataset
from causalvae_neighbours.quantum.measures import find_ceiling, find_knowledge, joint_of, weighted_spearman


class Reader(torch.nn.Module):
    """Gives each configuration a latent that `code` chooses, with next to no spread."""

    def __init__(self, code):
        super().__init__()
        self.code = code

    def forward(self, x):
        mean = self.code(x)
        return torch.cat([mean, torch.full_like(mean, -16.0)], dim=1)


def number(x):
    return (x * 2.0 ** torch.arange(x.shape[1])).sum(1, keepdim=True)


def magnetisation(x):
    return (2 * x - 1).mean(1, keepdim=True)


def vae_of(*codes, spins=5):
    torch.manual_seed(0)
    encoder = Reader(lambda x: torch.cat([code(x) for code in codes], dim=1))
    decoder = AutoregressiveDecoder(spins, len(codes), 16)
    return VAE(encoder, decoder, len(codes), (spins,), decoder_reads_input=True).eval()


@pytest.fixture(scope="module")
def dataset():
    return IsingDataset(spins=5, lowest=0.3, highest=1.8, levels=4)


def test_a_latent_that_names_the_configuration_knows_all_that_can_be_known(dataset):
    ceiling = find_ceiling(dataset)
    found = find_knowledge(vae_of(number), dataset, draws=6000)
    assert found.each[0].of_field == pytest.approx(ceiling.of_field, abs=0.02)
    assert found.each[0].of_order == pytest.approx(ceiling.of_order, abs=0.03)
    assert ceiling.order_of_field <= ceiling.of_field


def test_a_latent_that_is_the_magnetisation_is_found_to_be_it(dataset):
    ceiling = find_ceiling(dataset)
    found = find_knowledge(vae_of(lambda x: torch.zeros_like(x[:, :1]), magnetisation), dataset, draws=6000)
    assert found.best == 1
    nothing, known = found.each
    assert known.magnetisation == pytest.approx(1.0)
    assert known.order == pytest.approx(1.0)
    assert known.field == pytest.approx(ceiling.field)
    assert known.of_field == pytest.approx(ceiling.order_of_field, abs=0.02)
    assert known.of_order == pytest.approx(ceiling.of_order, abs=0.03)
    assert nothing.of_field == pytest.approx(0.0, abs=1e-6) and nothing.of_order == pytest.approx(0.0, abs=1e-6)
    assert (nothing.magnetisation, nothing.order, nothing.field) == pytest.approx((0.0, 0.0, 0.0), abs=1e-12)
    assert found.together.of_order == pytest.approx(known.of_order, abs=1e-4)


def test_the_bound_is_above_the_entropy(dataset):
    found = find_knowledge(vae_of(magnetisation), dataset)
    assert found.bound > find_ceiling(dataset).entropy
    assert found.bound > found.kl


def test_the_joint_is_a_distribution(dataset):
    joint = joint_of(dataset)
    np.testing.assert_allclose(joint.given_field.sum(axis=1), 1.0)
    np.testing.assert_allclose(joint.given_order.sum(axis=1), 1.0)
    assert len(np.unique(joint.bits, axis=0)) == 2**5


def test_weighted_rank_correlation_is_spearmans_of_repeated_pairs():
    rng = np.random.default_rng(0)
    a, b, weights = rng.integers(0, 6, 40) * 1.0, rng.normal(size=40).round(1), rng.integers(1, 5, 40)
    expected = spearmanr(np.repeat(a, weights), np.repeat(b, weights))[0]
    assert weighted_spearman(a, b, weights * 1.0) == pytest.approx(expected)
