"""The quantiser against sums done by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from causalvae.models.vae import Posterior
from causalvae.models.variants.quantiser import Quantiser
from causalvae.training.losses import Given, commitment, objective_terms
from causalvae.training.objectives.vq_vae import QuantisedObjective


def two_codes() -> Quantiser:
    """Codes at 0 and at 1 on a line, each counted once."""
    quantiser = Quantiser(2, 1)
    quantiser.codebook.copy_(torch.tensor([[0.0], [1.0]]))
    quantiser.counts.fill_(1.0)
    quantiser.sums.copy_(quantiser.codebook)
    return quantiser


def source() -> torch.Generator:
    return torch.Generator().manual_seed(4)


def a_map(codes: int = 7) -> tuple[Quantiser, Tensor]:
    torch.manual_seed(0)
    return Quantiser(codes, 3), torch.randn(5, 3, 4, 2)


def test_every_position_takes_the_nearest_code() -> None:
    quantiser, value = a_map()
    found, numbers, code = quantiser(value), quantiser.numbers_of(value), quantiser.code(value, quantiser.codebook)
    for row in range(5):
        for y in range(4):
            for x in range(2):
                distances = [float((value[row, :, y, x] - entry).square().sum()) for entry in quantiser.codebook]
                nearest = distances.index(min(distances))
                assert numbers[row, y, x] == nearest
                assert code[row, :, y, x].tolist() == [float(k == nearest) for k in range(7)]
                # To the bit: what the decoder receives is the codebook's own entry.
                assert torch.equal(found[row, :, y, x], quantiser.codebook[nearest])


def test_a_vector_is_one_position() -> None:
    quantiser, value = a_map()
    assert torch.equal(quantiser(value[:, :, 0, 0]), quantiser(value)[:, :, 0, 0])
    assert quantiser.numbers_of(value[:, :, 0, 0]).shape == (5,)


def test_the_encoder_gets_the_decoder_s_gradient() -> None:
    quantiser, value = a_map()
    value.requires_grad_(True)
    latent = quantiser(value)
    latent.retain_grad()
    latent.mul(torch.randn_like(latent)).sin().sum().backward()
    assert value.grad is not None and latent.grad is not None
    assert torch.equal(value.grad, latent.grad) and float(value.grad.abs().min()) > 0


def test_the_codebook_moves_as_by_hand() -> None:
    quantiser = two_codes()
    # 0.2 and 0.4 take code 0, 0.9 takes code 1: n = (2, 1), sums 0.6 and 0.9.
    told = quantiser.learn(torch.tensor([[0.2], [0.4], [0.9]]), decay=0.75, least_count=0.0, source=source())
    # N = 0.75 * 1 + 0.25 * n, m = 0.75 * e + 0.25 * sum.
    assert quantiser.counts.tolist() == pytest.approx([1.25, 1.0])
    assert quantiser.sums[:, 0].tolist() == pytest.approx([0.15, 0.975])
    assert quantiser.codebook[:, 0].tolist() == pytest.approx([0.12, 0.975])
    shares = torch.tensor([2 / 3, 1 / 3])
    assert float(told["perplexity"]) == pytest.approx(float((-(shares * shares.log()).sum()).exp()))
    assert float(told["restarted"]) == 0
    # Nothing takes code 1 now: its count falls, and it stays where it is.
    quantiser.learn(torch.tensor([[0.1]]), decay=0.75, least_count=0.0, source=source())
    assert quantiser.counts.tolist() == pytest.approx([1.1875, 0.75])
    assert quantiser.codebook[:, 0].tolist() == pytest.approx([(0.75 * 0.15 + 0.25 * 0.1) / 1.1875, 0.975])


def test_a_dead_code_starts_anew_at_a_vector_of_the_batch() -> None:
    quantiser = two_codes()
    batch = torch.tensor([[0.1], [0.2], [0.3], [-0.1]])
    told = quantiser.learn(batch, decay=0.5, least_count=0.9, source=source())
    assert float(told["restarted"]) == 1
    assert float(told["perplexity"]) == pytest.approx(1.0)
    assert quantiser.counts[1] == 1.0 and float(quantiser.codebook[1, 0]) in [float(value) for value in batch[:, 0]]
    # The other one was moved and not restarted.
    assert quantiser.codebook[0, 0] == pytest.approx((0.5 * 0.0 + 0.5 * 0.5) / (0.5 * 1 + 0.5 * 4))
    again = two_codes()
    again.learn(batch, decay=0.5, least_count=0.9, source=source())
    assert torch.equal(again.codebook, quantiser.codebook)


def test_the_loss_is_the_reconstruction_and_the_commitment() -> None:
    z = torch.tensor([[0.5, 1.0], [2.0, 0.0]], requires_grad=True)
    quantised = torch.tensor([[0.0, 1.0], [1.0, 1.0]], requires_grad=True)
    # (0.25 + 0) and (1 + 1), over two samples.
    assert float(commitment(z, quantised).detach()) == pytest.approx(1.125)
    objective = QuantisedObjective(name="vq_vae", commitment=0.5)
    point = Posterior(z, torch.full_like(z, -torch.inf), is_point=True)
    terms = objective_terms(objective, torch.tensor(3.0), Given(point, z, 0, 10, latent=quantised))
    assert terms.keys() == {"reconstruction", "commitment", "loss"}, "a point has no KL"
    assert float(terms["loss"].detach()) == pytest.approx(3.0 + 0.5 * 1.125)
    terms["loss"].backward()
    assert z.grad is not None and quantised.grad is None
    # 0.5 * 2 (z - q) / 2 samples.
    assert torch.allclose(z.grad, 0.5 * (z - quantised).detach())


def test_fresh_codes_are_drawn_by_reset_parameters() -> None:
    torch.manual_seed(1)
    quantiser = Quantiser(4, 2)
    before = quantiser.codebook.clone()
    quantiser.reset_parameters()
    assert not torch.equal(quantiser.codebook, before)
    assert torch.equal(quantiser.sums, quantiser.codebook) and quantiser.counts.tolist() == [1.0] * 4
