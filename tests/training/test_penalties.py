"""Penalties and the discriminator against closed forms."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from causalvae.models.vae import Posterior
from causalvae.spec.objective_section import PenaltySection
from causalvae.training import loop
from causalvae.training.discriminator import (
    Discriminator,
    discriminator_loss,
    permute_dimensions,
    total_correlation_of,
)
from causalvae.training.loop import train
from causalvae.training.losses import Given, bernoulli_nll, objective_terms
from causalvae.training.objectives.dip_vae_i import DIPIObjective
from causalvae.training.objectives.dip_vae_ii import DIPIIObjective
from causalvae.training.objectives.factor_vae import FactorObjective
from causalvae.training.objectives.info_vae import InfoObjective
from causalvae.training.penalties import (
    aggregate_covariance,
    disentangled_prior,
    maximum_mean_discrepancy,
    mean_covariance,
)
from tests.training.test_loop import equal, make_spec
from tests.training.test_objectives import SIZE, drawn


def test_covariances_are_those_of_means_and_of_samples() -> None:
    posterior, *_ = drawn(200)
    expected = np.cov(posterior.mean.numpy().T, bias=True)
    np.testing.assert_allclose(mean_covariance(posterior).numpy(), expected, atol=1e-12)
    generator = torch.Generator().manual_seed(0)
    repeated = Posterior(posterior.mean.repeat(500, 1), posterior.logvar.repeat(500, 1))
    z = repeated.mean + (0.5 * repeated.logvar).exp() * torch.randn(
        repeated.mean.shape, generator=generator, dtype=torch.float64
    )
    np.testing.assert_allclose(aggregate_covariance(posterior).numpy(), np.cov(z.numpy().T), atol=0.02)


def test_the_distance_to_the_priors_covariance_by_hand() -> None:
    covariance = torch.tensor([[2.0, 0.5], [0.5, 0.0]])
    assert float(disentangled_prior(covariance, 3.0, 7.0)) == pytest.approx(3 * 2 * 0.25 + 7 * (1 + 1))
    assert float(disentangled_prior(torch.eye(4), 3.0, 7.0)) == 0.0


@pytest.mark.parametrize(("shift", "spread"), [(0.0, 1.0), (1.0, 1.0), (0.5, 0.3)])
def test_the_discrepancy_of_two_gaussians(shift: float, spread: float) -> None:
    """The mean of a Gaussian kernel of width h between two normals is (h^2 / v)^(d/2) exp(-||m||^2 / (2 v)).

    v is h^2 and both variances, m the difference of the means.
    """
    dims, width, n = 3, 1.7, 400

    def mean_kernel(variance: float, offset: float) -> float:
        v = width**2 + variance
        return (width**2 / v) ** (dims / 2) * math.exp(-dims * offset**2 / (2 * v))

    expected = mean_kernel(2 * spread**2, 0) + mean_kernel(2.0, 0) - 2 * mean_kernel(spread**2 + 1, shift)
    generator = torch.Generator().manual_seed(1)
    found = []
    for _ in range(40):
        z = shift + spread * torch.randn(n, dims, generator=generator, dtype=torch.float64)
        prior = torch.randn(n, dims, generator=generator, dtype=torch.float64)
        found.append(float(maximum_mean_discrepancy(z, prior, width)))
    error = np.std(found, ddof=1) / math.sqrt(len(found))
    assert abs(np.mean(found) - expected) < 4 * error
    assert error < 0.003


def test_losses_are_made_of_their_terms() -> None:
    posterior, z, logits, x = drawn()
    prior = torch.randn(z.shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    joint = torch.randn(len(z), 2, generator=torch.Generator().manual_seed(6), dtype=torch.float64)

    def terms(objective: PenaltySection) -> dict[str, float]:
        found = objective_terms(objective, bernoulli_nll(logits, x), Given(posterior, z, 0, SIZE, prior, joint))
        return {name: float(value) for name, value in found.items()}

    first = terms(DIPIObjective(name="dip_vae_i", off_diagonal=5.0))
    distance = float(disentangled_prior(mean_covariance(posterior), 5.0, 50.0))
    assert first["loss"] == pytest.approx(first["reconstruction"] + first["kl"] + distance)
    second = terms(DIPIIObjective(name="dip_vae_ii", off_diagonal=5.0))
    distance = float(disentangled_prior(aggregate_covariance(posterior), 5.0, 5.0))
    assert second["loss"] == pytest.approx(second["reconstruction"] + second["kl"] + distance)
    mmd = float(maximum_mean_discrepancy(z, prior, math.sqrt(3)))
    info = terms(InfoObjective(name="info_vae", alpha=0.25, weight=10.0))
    assert info["loss"] == pytest.approx(info["reconstruction"] + 0.75 * info["kl"] + 9.25 * mmd)
    factor = terms(FactorObjective(name="factor_vae", gamma=6.0))
    correlation = float((joint[:, 0] - joint[:, 1]).mean())
    assert factor["loss"] == pytest.approx(factor["reconstruction"] + factor["kl"] + 6 * correlation)


@pytest.mark.slow
@pytest.mark.parametrize("correlation", [0.0, 0.8])
def test_a_trained_discriminator_tells_the_total_correlation(correlation: float) -> None:
    """Two standard normals of correlation r have a total correlation of -log(1 - r^2) / 2."""
    generator = torch.Generator().manual_seed(0)

    def draw(n: int) -> Tensor:
        first = torch.randn(n, 1, generator=generator)
        second = correlation * first + math.sqrt(1 - correlation**2) * torch.randn(n, 1, generator=generator)
        return torch.cat([first, second], dim=1)

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        discriminator = Discriminator(2, 64, 2)
    optimiser = torch.optim.Adam(discriminator.parameters(), lr=2e-3)
    for _ in range(1500):
        loss = discriminator_loss(discriminator(draw(256)), discriminator(permute_dimensions(draw(256), generator)))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        found = float(total_correlation_of(discriminator(draw(20_000))))
    assert found == pytest.approx(-0.5 * math.log(1 - correlation**2), abs=0.06)


def test_permuting_keeps_marginals_and_breaks_ties_between_latents() -> None:
    z = torch.arange(3000.0)[:, None].expand(-1, 3).contiguous()
    found = permute_dimensions(z, torch.Generator().manual_seed(0))
    assert torch.equal(found.sort(0).values, z)
    correlations = torch.corrcoef(found.T)
    assert float((correlations - torch.eye(3)).abs().max()) < 0.06


@pytest.mark.slow
@pytest.mark.parametrize(
    "objective",
    [
        {"name": "factor_vae", "gamma": 5.0, "width": 8, "layers": 2},
        {"name": "dip_vae_ii"},
        {"name": "info_vae"},
    ],
    ids=lambda objective: objective["name"],
)
def test_a_killed_run_resumes_to_the_same_weights(
    objective: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "PAIRS", 2)
    spec = make_spec(objective=objective, steps=6, checkpoint_every=2)
    whole = train(spec, tmp_path / "whole")
    train(spec, tmp_path / "killed", stop_after=3)
    assert equal(train(spec, tmp_path / "killed"), whole)
