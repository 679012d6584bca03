"""The losses against closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from causalvae.models.vae import Posterior
from causalvae.spec.objective_section import PenaltySection
from causalvae.training.losses import Given, bernoulli_nll, gaussian_kl, objective_terms, ramp, total_correlation
from causalvae.training.objectives.annealed_capacity import AnnealedCapacityObjective
from causalvae.training.objectives.annealed_tcvae import AnnealedTCObjective
from causalvae.training.objectives.beta_tcvae import BetaTCObjective
from causalvae.training.objectives.beta_vae import BetaObjective
from causalvae.training.objectives.vae import StandardObjective

OBJECTIVES: list[PenaltySection] = [
    StandardObjective(name="vae"),
    BetaObjective(name="beta_vae", beta=4.0),
    AnnealedCapacityObjective(name="annealed_capacity", gamma=10.0, capacity=5.0, anneal_steps=100),
    BetaTCObjective(name="beta_tcvae", beta=6.0, anneal_steps=100),
    AnnealedTCObjective(name="annealed_tcvae", start=20.0, end=5.0, kappa=3.0, anneal_steps=100),
]
SIZE = 1000


def drawn(
    n: int = 12, latents: int = 3, dtype: torch.dtype = torch.float64
) -> tuple[Posterior, Tensor, Tensor, Tensor]:
    """A posterior, a sample of it, logits and pictures."""
    generator = torch.Generator().manual_seed(2)
    mean = torch.randn(n, latents, generator=generator, dtype=torch.float64)
    logvar = torch.randn(n, latents, generator=generator, dtype=torch.float64) - 1
    z = mean + (0.5 * logvar).exp() * torch.randn(n, latents, generator=generator, dtype=torch.float64)
    logits = torch.randn(n, 1, 4, 4, generator=generator, dtype=torch.float64)
    x = (torch.rand(n, 1, 4, 4, generator=generator) > 0.5).double()
    return Posterior(mean, logvar), z, logits, x


def terms_of(objective: PenaltySection, step: int) -> dict[str, float]:
    posterior, z, logits, x = drawn()
    terms = objective_terms(objective, bernoulli_nll(logits, x), Given(posterior, z, step, SIZE))
    return {name: float(value) for name, value in terms.items()}


def test_gaussian_kl_is_torchs() -> None:
    posterior, *_ = drawn()
    normal = torch.distributions.Normal(posterior.mean, (0.5 * posterior.logvar).exp())
    expected = torch.distributions.kl_divergence(normal, torch.distributions.Normal(0.0, 1.0)).mean(0)
    torch.testing.assert_close(gaussian_kl(posterior), expected)
    standard = Posterior(torch.zeros(4, 2), torch.zeros(4, 2))
    assert gaussian_kl(standard).tolist() == [0.0, 0.0]


def test_bernoulli_nll_is_its_formula() -> None:
    _, _, logits, x = drawn()
    p = torch.sigmoid(logits)
    expected = -(x * p.log() + (1 - x) * (1 - p).log()).sum((1, 2, 3)).mean()
    torch.testing.assert_close(bernoulli_nll(logits, x), expected)


def naive_split(posterior: Posterior, z: Tensor, size: int) -> tuple[float, float, float]:
    """Chen et al.'s minibatch-stratified estimate, written as loops over samples, images and latents."""
    n, latents = z.shape
    information = correlation = dimension_wise = 0.0
    for i in range(n):

        def density(j: int, k: int, i: int = i) -> float:
            sd = math.exp(0.5 * float(posterior.logvar[j, k]))
            u = (float(z[i, k]) - float(posterior.mean[j, k])) / sd
            return math.exp(-0.5 * u * u) / (sd * math.sqrt(2 * math.pi))

        def weight(j: int, i: int = i) -> float:
            if j == i:
                return 1 / size
            return (size - n + 1) / (size * (n - 1)) if j == (i + 1) % n else 1 / (n - 1)

        joint = sum(weight(j) * math.prod(density(j, k) for k in range(latents)) for j in range(n))
        product = math.prod(sum(weight(j) * density(j, k) for j in range(n)) for k in range(latents))
        own = math.prod(density(i, k) for k in range(latents))
        prior = math.prod(math.exp(-0.5 * float(z[i, k]) ** 2) / math.sqrt(2 * math.pi) for k in range(latents))
        information += math.log(own / joint) / n
        correlation += math.log(joint / product) / n
        dimension_wise += math.log(product / prior) / n
    return information, correlation, dimension_wise


@pytest.mark.parametrize("n", [2, 3, 12])
def test_the_split_of_the_kl_is_the_written_out_estimate(n: int) -> None:
    posterior, z, *_ = drawn(n)
    found = total_correlation(posterior, z, SIZE)
    for mine, expected in zip(found, naive_split(posterior, z, SIZE), strict=True):
        assert float(mine) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_the_split_sums_to_the_sampled_kl() -> None:
    """MI + TC + dimension-wise KL is the mean of log q(z|x) - log p(z), whatever the weights."""
    posterior, z, *_ = drawn(40)
    q = torch.distributions.Normal(posterior.mean, (0.5 * posterior.logvar).exp()).log_prob(z).sum(1)
    p = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1)
    for size in (40, 1000, 737_280):
        assert float(sum(total_correlation(posterior, z, size))) == pytest.approx(float((q - p).mean()), rel=1e-10)


@pytest.mark.parametrize("correlation", [0.0, 0.6, 0.9])
def test_the_total_correlation_of_a_known_gaussian(correlation: float) -> None:
    """Posteriors with means N(0, S - v I) and variances v have aggregate N(0, S), whose TC is -log(1 - rho^2) / 2."""
    generator = torch.Generator().manual_seed(5)
    n, noise = 2000, 0.05
    covariance = torch.tensor([[1.0, correlation], [correlation, 1.0]], dtype=torch.float64) - noise * torch.eye(2)
    root = torch.linalg.cholesky(covariance)
    mean = torch.randn(n, 2, generator=generator, dtype=torch.float64) @ root.T
    posterior = Posterior(mean, torch.full_like(mean, math.log(noise)))
    z = mean + noise**0.5 * torch.randn(n, 2, generator=generator, dtype=torch.float64)
    information, tc, dimension_wise = (float(value) for value in total_correlation(posterior, z, n))
    assert tc == pytest.approx(-0.5 * math.log(1 - correlation**2), abs=0.06)
    # Marginals are standard normal, so the dimension-wise KL vanishes; the rest of the KL is mutual information.
    assert dimension_wise == pytest.approx(0.0, abs=0.05)
    assert information == pytest.approx(-math.log(noise) - tc, rel=0.05)


def test_losses_are_made_of_their_terms() -> None:
    posterior, z, *_ = drawn()
    information, correlation, dimension_wise = (float(value) for value in total_correlation(posterior, z, SIZE))
    standard, beta, capacity, beta_tc, annealed = OBJECTIVES
    for step, share in ((0, 0.0), (25, 0.25), (100, 1.0), (500, 1.0)):
        base = terms_of(standard, step)
        reconstruction, kl = base["reconstruction"], base["kl"]
        assert base["loss"] == pytest.approx(reconstruction + kl)
        assert terms_of(beta, step)["loss"] == pytest.approx(reconstruction + 4 * kl)
        found = terms_of(capacity, step)
        assert found["capacity"] == pytest.approx(5 * share)
        assert found["loss"] == pytest.approx(reconstruction + 10 * abs(kl - 5 * share))
        weight = 1 + 5 * share
        expected = reconstruction + information + weight * correlation + dimension_wise
        assert terms_of(beta_tc, step)["loss"] == pytest.approx(expected)
        weight = 20 * (5 / 20) ** share
        found = terms_of(annealed, step)
        assert found["weight"] == pytest.approx(weight)
        expected = reconstruction + weight * (information + 3 * correlation + dimension_wise)
        assert found["loss"] == pytest.approx(expected)


def test_beta_one_is_the_standard_objective() -> None:
    assert terms_of(BetaObjective(name="beta_vae", beta=1.0), 0)["loss"] == terms_of(OBJECTIVES[0], 0)["loss"]
    posterior, z, logits, x = drawn()
    sampled = objective_terms(
        BetaTCObjective(name="beta_tcvae", beta=1.0), bernoulli_nll(logits, x), Given(posterior, z, 0, SIZE)
    )
    split = sum(total_correlation(posterior, z, SIZE))
    torch.testing.assert_close(sampled["loss"], sampled["reconstruction"] + split)


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda objective: objective.name)
def test_gradients_reach_everything_and_match_differences(objective: PenaltySection) -> None:
    posterior, _, logits, x = drawn(4, 2)
    noise = torch.randn(4, 2, generator=torch.Generator().manual_seed(3), dtype=torch.float64)

    def loss(mean: Tensor, logvar: Tensor, given: Tensor) -> Tensor:
        z = mean + (0.5 * logvar).exp() * noise
        return objective_terms(objective, bernoulli_nll(given, x), Given(Posterior(mean, logvar), z, 50, SIZE))["loss"]

    leaves = [value.clone().requires_grad_(True) for value in (posterior.mean, posterior.logvar, logits)]
    gradients = torch.autograd.grad(loss(*leaves), leaves)
    assert all(torch.isfinite(gradient).all() and gradient.abs().max() > 0 for gradient in gradients)
    assert torch.autograd.gradcheck(loss, leaves)


def test_ramps() -> None:
    assert [ramp(step, 10) for step in (0, 5, 10, 99)] == [0.0, 0.5, 1.0, 1.0]
    assert ramp(0, 0) == 1.0


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda objective: objective.name)
def test_a_warm_up_raises_the_whole_penalty_from_zero(objective: PenaltySection) -> None:
    warmed = objective.model_copy(update={"warm_up": 40})
    for step, share in ((0, 0.0), (10, 0.25), (40, 1.0), (500, 1.0)):
        full, found = terms_of(objective, step), terms_of(warmed, step)
        penalty = full["loss"] - full["reconstruction"]
        assert found["loss"] == pytest.approx(full["reconstruction"] + share * penalty)
        assert found["reconstruction"] == full["reconstruction"]
