"""Latents that are told factors: the term by hand, who has labels, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from causalvae.data.dataset import open_dataset
from causalvae.errors import CausalVAEError
from causalvae.spec.training import Supervision
from causalvae.training.loop import train
from causalvae.training.supervision import Labels, label_nll
from tests.training.worlds import table_spec


def told(**changes: Any) -> dict[str, Any]:
    return {"latents": {"dose": 1, "effect": 0}, **changes}


def test_the_term_is_a_gaussian_log_likelihood_without_its_constant() -> None:
    z = torch.tensor([[0.3, -1.0], [9.0, 9.0], [0.5, 2.0]])
    labels = torch.tensor([[0.1, -1.5], [torch.nan, torch.nan], [0.5, 1.0]])
    normal = torch.distributions.Normal(z[[0, 2]], 0.25)
    constant = np.log(0.25 * np.sqrt(2 * np.pi))
    by_hand = (-normal.log_prob(labels[[0, 2]]) - constant).sum(1).mean()
    assert float(label_nll(z, labels, 0.25)) == pytest.approx(float(by_hand), rel=1e-6)
    assert float(label_nll(z, torch.full((3, 2), torch.nan), 0.25)) == 0.0


def test_labels_are_standardised_and_only_a_share_of_samples_has_them() -> None:
    dataset = open_dataset(table_spec().data, Path())
    rows = dataset.draw(20_000, np.random.default_rng(3))
    labels = Labels(Supervision(latents={"dose": 1}, share=0.25), dataset, 3).of(rows)
    known = ~labels[:, 0].isnan()
    assert float(known.float().mean()) == pytest.approx(0.25, abs=0.015)
    dose = dataset.values(rows)[:, dataset.space.position("dose")]
    expected = (dose - 0.5) * np.sqrt(12.0)  # a uniform variable on [0, 1] has mean 1/2 and variance 1/12
    assert np.allclose(labels[known, 0], expected[known.numpy()], atol=0.05)
    again = Labels(Supervision(latents={"dose": 1}, share=0.25), dataset, 3).of(rows[:50])
    assert torch.equal(again.isnan(), labels[:50].isnan())


def test_latents_learn_the_factors_that_they_are_told(tmp_path: Path) -> None:
    spec = table_spec(supervision=told(), steps=600, checkpoint_every=600, optimiser={"lr": 0.003})
    found = train(spec, tmp_path / "told")
    dataset = open_dataset(spec.data, Path())
    rows = dataset.draw(500, np.random.default_rng(4))
    values = dataset.values(rows)
    with torch.no_grad():
        posterior = found.vae.encode(dataset.inputs(rows))
        mean, sd = posterior.mean.numpy(), (0.5 * posterior.logvar).exp().numpy()
    for factor, latent in told()["latents"].items():
        column = values[:, dataset.space.position(factor)]
        assert np.corrcoef(mean[:, latent], column)[0, 1] > 0.97
        # The sample is told, not the mean alone: a wide posterior would leave the factor to other latents.
        assert sd[:, latent].mean() < 0.3


def test_a_discriminator_s_objective_is_supervised_too_and_resumes(tmp_path: Path) -> None:
    factor = {"name": "factor_vae", "width": 8, "layers": 1}
    spec = table_spec(objective=factor, supervision=told(share=0.5))
    whole = train(spec, tmp_path / "whole")
    train(spec, tmp_path / "parts", stop_after=5)
    parts = train(spec, tmp_path / "parts")
    plain = train(table_spec(objective=factor), tmp_path / "plain")
    states = [result.vae.state_dict() for result in (whole, parts, plain)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert any(not torch.equal(states[0][name], states[2][name]) for name in states[0])


@pytest.mark.parametrize(
    ("latents", "code", "place"),
    [
        ({"mass": 0}, "CV440", "supervision.latents.mass"),
        ({"side": 0}, "CV440", "supervision.latents.side"),
        ({"dose": 3}, "CV441", "supervision.latents"),
        ({"dose": 1, "effect": 1}, "CV441", "supervision.latents"),
    ],
)
def test_factors_and_latents_that_do_not_fit_are_refused(
    latents: dict[str, int], code: str, place: str, tmp_path: Path
) -> None:
    with pytest.raises(CausalVAEError) as caught:
        train(table_spec(supervision={"latents": latents}), tmp_path)
    assert (caught.value.code, caught.value.place) == (code, place)


def test_a_vector_quantised_network_has_no_latents_to_tell() -> None:
    with pytest.raises(ValidationError, match="no latents that can be told factors"):
        table_spec(model={"architecture": "vq", "latent_dim": 3}, objective={"name": "vq_vae"}, supervision=told())
