"""Half-AVAE: recordings, latents as parameters, prior, recovery, and training that can be killed."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from causalvae.errors import CausalVAEError
from causalvae.spec.training import TrainSpec
from causalvae_neighbours.half_avae.encoder_free import encoder_free
from causalvae_neighbours.half_avae.mixtures import NOISE, MixturesDataset
from causalvae_neighbours.half_avae.prior import OscillatorPrior
from causalvae_neighbours.half_avae.recovery import measure_recovery
from causalvae_neighbours.half_avae.study import paired_difference, recover
from causalvae_neighbours.half_avae.training import choose_start, fit_half, recordings_of, start_state, train_half


def small(steps=12, length=32, adversary=1.0, lr=0.02, **changes):
    return TrainSpec.model_validate(
        {
            "spec": "causalvae/train-v1",
            "name": "small",
            "model": {"architecture": "encoder_free", "latent_dim": 3, "likelihood": "gaussian", "sigma": 0.1},
            "data": {"source": "mixtures", "length": length},
            "objective": {
                "name": "half_avae",
                "adversary": adversary,
                "width": 8,
                "warm_up": 3,
                "starts": 2,
                "trial_steps": 5,
            },
            "optimiser": {"lr": lr},
            "batch_size": 64,
            "steps": steps,
            "checkpoint_every": 5,
            **changes,
        }
    )


@pytest.fixture(scope="module")
def recordings():
    return MixturesDataset(length=64, world=3)


def test_mixtures_are_the_mixed_sources_and_noise(recordings):
    rows = recordings.all_rows
    assert len(rows) == recordings.size == 8 * 64
    noise = recordings.inputs(rows)[:, :2].double().numpy() - recordings.sources(rows) @ recordings.mixing.T
    assert noise.std() == pytest.approx(NOISE, rel=0.1)
    # The same noise at the same moment of every recording.
    np.testing.assert_allclose(noise.reshape(8, 64, 2)[5], noise.reshape(8, 64, 2)[0], atol=1e-6)


def test_do_loudness_changes_the_mixtures_by_what_the_source_adds(recordings):
    rows = recordings.draw(200, np.random.default_rng(0))
    loud = recordings.intervene(rows, "square", np.full(200, 1.0))
    soft = recordings.intervene(rows, "square", np.full(200, 0.5))
    change = recordings.mixtures(loud) - recordings.mixtures(soft)
    wave = recordings.waves[rows[:, -1], 1]
    np.testing.assert_allclose(change, 0.5 * wave[:, None] * recordings.mixing[:, 1], atol=1e-12)
    np.testing.assert_array_equal(loud[:, [0, 2, 3]], rows[:, [0, 2, 3]])


@pytest.mark.parametrize("length", [16, 2**17])
def test_every_sample_finds_its_own_row_of_the_table(length):
    dataset = MixturesDataset(length=length)
    vae = encoder_free(dataset.input_shape, 3, dataset.size)
    rows = dataset.draw(500, np.random.default_rng(1))
    found = vae.encode(dataset.inputs(rows)).mean
    torch.testing.assert_close(found, vae.encoder.table[dataset.numbers_of(rows), :3], rtol=0, atol=0)


def test_directions_have_length_one_and_the_output_is_their_mixture():
    vae = encoder_free((3,), 3, 10)
    torch.testing.assert_close(vae.decoder.matrix.norm(dim=0), torch.ones(3))
    z = torch.randn(4, 3)
    torch.testing.assert_close(vae.decode(z), z @ vae.decoder.matrix.T)


def test_a_network_that_cannot_know_its_samples_is_refused():
    for shape, samples in (((3,), None), ((1, 8, 8), 10)):
        with pytest.raises(CausalVAEError) as raised:
            encoder_free(shape, 3, samples)
        assert raised.value.code == "CV136"
    with pytest.raises(CausalVAEError) as raised:
        MixturesDataset(length=4)
    assert raised.value.code == "CV242"


def test_the_prior_is_a_laplace_density_of_the_innovations():
    prior = OscillatorPrior(2)
    z = torch.randn(3, 20, 2, dtype=torch.float64)
    total = 0.0
    for recording in range(3):
        for step in range(2, 20):
            for k in range(2):
                r, w = prior.damping[k].item(), prior.frequency[k].item()
                mean = 2 * r * np.cos(w) * z[recording, step - 1, k] - r**2 * z[recording, step - 2, k]
                density = torch.distributions.Laplace(mean, prior.log_scale[k].exp().double())
                total -= density.log_prob(z[recording, step, k]).item()
    assert prior.cross_entropy(z).item() == pytest.approx(total / (3 * 18), rel=1e-5)


def test_recovery_is_the_best_over_all_matchings():
    rng = np.random.default_rng(4)
    sources = rng.laplace(size=(500, 3))
    latents = sources[:, [2, 0, 1]] * [-3.0, 0.2, 1.0] + 0.5 * rng.normal(size=(500, 3)) + 7.0
    found = measure_recovery(latents, sources)
    assert found.latents == (1, 2, 0)
    table = np.abs(np.corrcoef(latents.T, sources.T)[:3, 3:])
    assert found.mean == pytest.approx(max(table[list(order), range(3)].mean() for order in permutations(range(3))))
    assert measure_recovery(sources[:, ::-1] * -2.0, sources).mean == pytest.approx(1.0)
    assert measure_recovery(np.ones((500, 3)), sources).mean == 0.0


def test_a_killed_run_goes_on_to_the_same_network(tmp_path):
    whole = train_half(small(), tmp_path / "whole")
    train_half(small(), tmp_path / "killed", stop_after=7)
    resumed = train_half(small(), tmp_path / "killed")
    bare = fit_half(small())
    for name, value in whole.vae.state_dict().items():
        assert torch.equal(value, resumed.vae.state_dict()[name]), name
        assert torch.equal(value, bare.state_dict()[name]), name


def test_what_cannot_be_trained_is_refused():
    bernoulli = {"architecture": "encoder_free", "latent_dim": 3}
    for code, changes in (("CV430", {"model": bernoulli}), ("CV431", {"held_out": 0.1})):
        with pytest.raises(CausalVAEError) as raised:
            recordings_of(small(**changes))
        assert raised.value.code == code
    for changes in ({"data": {"source": "dsprites"}}, {"model": {"architecture": "mlp"}}):
        with pytest.raises(ValidationError):
            small(**changes)


def test_latents_learn_the_sources():
    spec = small(300, 64, 0.0, 0.05)
    dataset = recordings_of(spec)
    before = recover(start_state(spec, dataset, 0).vae, dataset).mean
    assert recover(fit_half(spec), dataset).mean > 0.7 > before + 0.3


def test_an_adversary_is_trained_where_it_has_a_weight_and_nowhere_else():
    dataset = recordings_of(small())
    state = start_state(small(), dataset, 0)
    assert {"total_correlation", "discriminator"} <= state.step(0, 0.01).keys()
    state = start_state(small(adversary=0.0), dataset, 0)
    assert state.step(0, 0.01).keys() == {"reconstruction", "kl", "loss"}


def test_paired_differences_have_the_exact_sign_flip_p_value():
    found = paired_difference(np.array([0.2, 0.1, 0.3, -0.05]))
    # Of the 16 assignments of signs, those with a mean at least as large are all plus, and one with 0.05 turned round,
    # and their mirror images.
    assert found.p_value == pytest.approx(4 / 16)
    assert (found.better, found.n) == (3, 4)
    assert found.mean == pytest.approx(0.1375) and found.low < found.mean < found.high


def test_the_start_with_the_best_bound_is_taken():
    spec = small(objective={"name": "half_avae", "width": 8, "starts": 4, "trial_steps": 20})
    dataset = recordings_of(spec)
    plain = spec.model_copy(update={"objective": spec.objective.model_copy(update={"adversary": 0.0})})
    bounds = []
    for start in range(4):
        state = start_state(plain, dataset, start)
        bounds.append(np.mean([state.step(step, spec.optimiser.lr)["loss"] for step in range(20)]))
    assert choose_start(spec, dataset) == choose_start(plain, dataset) == int(np.argmin(bounds))
