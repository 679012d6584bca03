"""The autoregressive decoder: what each logit depends on, and that its probabilities are those of a distribution."""

from __future__ import annotations

import json
from itertools import product

import pytest
import torch

from causalvae.errors import CausalVAEError
from causalvae.models.architectures import build_described
from causalvae.models.vae import Posterior
from causalvae.spec.training import TrainSpec
from causalvae.training.loop import train
from causalvae.training.losses import Given, objective_terms, total_correlation
from causalvae_neighbours.quantum.autoregressive import autoregressive


@pytest.fixture
def vae():
    torch.manual_seed(0)
    return autoregressive((5,), 2, hidden=(8,), width=16)


def test_a_logit_depends_on_the_bits_before_it_alone(vae):
    x = torch.rand(1, 5, requires_grad=True)
    z = torch.randn(1, 2)
    for place in range(5):
        (gradient,) = torch.autograd.grad(vae.decoder(z, x)[0, place], x)
        assert (gradient[0, place:] == 0).all()
        assert place == 0 or (gradient[0, :place] != 0).any()


def test_every_logit_depends_on_the_latent(vae):
    z = torch.randn(1, 2, requires_grad=True)
    logits = vae.decoder(z, torch.zeros(1, 5))
    for place in range(5):
        (gradient,) = torch.autograd.grad(logits[0, place], z, retain_graph=True)
        assert (gradient != 0).all()


def test_the_probabilities_of_all_configurations_sum_to_one(vae):
    x = torch.tensor(list(product((0.0, 1.0), repeat=5)))
    logits = vae.decoder(torch.randn(1, 2).expand(len(x), 2), x)
    logs = -torch.nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)
    assert logs.exp().sum().item() == pytest.approx(1.0, abs=1e-5)


def test_other_inputs_are_refused():
    with pytest.raises(CausalVAEError) as raised:
        autoregressive((1, 8, 8), 2)
    assert raised.value.code == "CV135"


def spec_of(**changes):
    return TrainSpec.model_validate(
        {
            "spec": "causalvae/train-v1",
            "name": "small",
            "model": {"architecture": "autoregressive", "latent_dim": 2},
            "data": {"source": "ising", "spins": 4, "levels": 3},
            "objective": {"name": "beta_tcvae", "alpha": 0.3, "beta": 2.0, "gamma": 0.6},
            "batch_size": 32,
            "steps": 4,
            **changes,
        }
    )


def test_the_parts_of_the_kl_have_their_weights(vae):
    torch.manual_seed(1)
    posterior = Posterior(torch.randn(16, 2), torch.randn(16, 2))
    z = posterior.sample(torch.randn(16, 2))
    reconstruction = torch.tensor(3.0)
    information, correlation, dimension_wise = total_correlation(posterior, z, 1000)
    terms = objective_terms(spec_of().objective, reconstruction, Given(posterior, z, 0, 1000))
    expected = 3.0 + 0.3 * information + 2.0 * correlation + 0.6 * dimension_wise
    assert terms["loss"].item() == pytest.approx(expected.item(), rel=1e-6)


def test_it_trains_from_a_spec_and_its_weights_load_again(tmp_path):
    result = train(spec_of(), tmp_path)
    described = json.loads(result.metadata["training_spec"])["model"]
    again = build_described(described, (4,))
    again.load_state_dict(result.vae.state_dict())
    x = torch.tensor(list(product((0.0, 1.0), repeat=4)))
    assert torch.equal(again.eval()(x), result.vae(x))
    with pytest.raises(CausalVAEError) as raised:
        build_described({**described, "likelihood": "gaussian"}, (4,))
    assert raised.value.code == "CV135"
