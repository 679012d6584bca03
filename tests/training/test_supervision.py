"""Latents that are told factors: the term by hand, who has labels, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from causalvae.data.dataset import open_dataset
from causalvae.data.kinds.dsprites import DspritesData
from causalvae.errors import CausalVAEError
from causalvae.models.vae import Posterior
from causalvae.spec.training import Supervision
from causalvae.training.batches import is_chosen
from causalvae.training.loop import train
from causalvae.training.supervision import Labels, label_nll, tie
from tests.training.worlds import TABLE, table_spec


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
    with pytest.raises(ValidationError, match="no latents that can be supervised"):
        table_spec(model={"architecture": "vq", "latent_dim": 3}, objective={"name": "vq_vae"}, supervision=told())


def test_pairs_differ_in_the_told_factors_alone() -> None:
    dataset = open_dataset(table_spec().data, Path())
    labels = Labels(Supervision(latents={"dose": 0, "weight": 1}, paired=True), dataset, 3)
    rows = dataset.draw(10, np.random.default_rng(3))
    pairs = dataset.values(labels.pair(rows))
    drawn = dataset.values(rows)
    at = dataset.space.position
    assert np.array_equal(pairs[:5], drawn[:5])
    for name in ("dose", "weight"):
        assert np.allclose(pairs[5:, at(name)], drawn[5:, at(name)])
    for name in ("effect", "side"):
        assert np.allclose(pairs[5:, at(name)], drawn[:5, at(name)])


def test_tied_latents_have_the_means_and_variances_of_their_pair() -> None:
    mean, logvar = torch.randn(6, 3), torch.randn(6, 3)
    tied = tie(Posterior(mean, logvar), (1,))
    for i in range(3):
        for row in (i, 3 + i):
            assert torch.equal(tied.mean[row, 1], mean[row, 1])
            assert torch.equal(tied.logvar[row, 1], logvar[row, 1])
            for j in (0, 2):
                assert float(tied.mean[row, j]) == pytest.approx(float(mean[i, j] + mean[3 + i, j]) / 2, abs=1e-6)
                variance = float(logvar[i, j].exp() + logvar[3 + i, j].exp()) / 2
                assert float(tied.logvar[row, j].exp()) == pytest.approx(variance, rel=1e-5)


def test_paired_training_keeps_a_told_factor_out_of_the_other_latents(tmp_path: Path) -> None:
    shares = {}
    for paired in (False, True):
        spec = table_spec(
            supervision={"latents": {"dose": 1}, "paired": paired},
            steps=800,
            checkpoint_every=800,
            optimiser={"lr": 0.003},
        )
        found = train(spec, tmp_path / str(paired))
        dataset = open_dataset(spec.data, Path())
        rows = dataset.draw(400, np.random.default_rng(4))
        other = dataset.intervene(rows, "dose", dataset.values(rows)[::-1, dataset.space.position("dose")], "hold")
        with torch.no_grad():
            moved = found.vae.encode(dataset.inputs(other)).mean - found.vae.encode(dataset.inputs(rows)).mean
        squares = moved.square().sum(0)
        shares[paired] = float(squares[1] / squares.sum())
    assert shares[True] > 0.95
    assert shares[True] > shares[False]


def test_pairs_need_an_even_batch() -> None:
    with pytest.raises(ValidationError, match="odd"):
        table_spec(batch_size=15, supervision=told(paired=True))


def test_a_faulty_objective_is_reported_beside_paired_supervision() -> None:
    with pytest.raises(ValidationError) as caught:
        table_spec(objective={"name": "vae", "warm_up": -1}, supervision=told(paired=True))
    assert {error["loc"][0] for error in caught.value.errors()} == {"objective"}


def test_no_pair_holds_a_sample_that_is_held_out() -> None:
    dataset = open_dataset(DspritesData(source="dsprites"), Path())
    supervision = Supervision(latents={"x": 0, "scale": 1}, paired=True)
    rows = dataset.draw(400, np.random.default_rng(3))
    rows = rows[~is_chosen(rows, 0.3)][:200]
    kept = Labels(supervision, dataset, 3, held_out=0.3).pair(rows)
    free = Labels(supervision, dataset, 3).pair(rows)
    assert is_chosen(free, 0.3).any()
    assert not is_chosen(kept, 0.3).any()
    same = (kept == free).all(axis=1)
    assert np.array_equal(same[:100], np.ones(100, dtype=bool))
    assert np.array_equal(kept[100:][~same[100:]], kept[:100][~same[100:]])


def test_a_factor_that_does_not_vary_is_refused() -> None:
    data = {**TABLE, "variables": {**TABLE["variables"], "dose": "0.5"}}
    dataset = open_dataset(table_spec(data=data).data, Path())
    with pytest.raises(CausalVAEError, match="same value") as caught:
        Labels(Supervision(latents={"dose": 0}), dataset, 3)
    assert caught.value.code == "CV440"
