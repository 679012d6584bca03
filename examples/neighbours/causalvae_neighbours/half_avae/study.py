"""Does the adversary help? The same recordings and starting points with and without it, over seeds."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch

from causalvae.data.factors import FloatArray
from causalvae.models.vae import VAE
from causalvae.spec.training import TrainSpec
from causalvae_neighbours.half_avae.mixtures import MixturesDataset
from causalvae_neighbours.half_avae.recovery import Recovery, measure_recovery
from causalvae_neighbours.half_avae.training import fit_half, recordings_of


@dataclass(frozen=True)
class Trial:
    """One seed, trained in both forms.

    Parameters
    ----------
    seed : int
        Of the recordings (waves, mixing, noise) and of the training.
    without, with_adversary : Recovery
    seconds_without, seconds_with : float
        Processor time.
    """

    seed: int
    without: Recovery
    with_adversary: Recovery
    seconds_without: float
    seconds_with: float

    @property
    def gain(self) -> float:
        """By how much the mean absolute correlation rises with the adversary."""
        return self.with_adversary.mean - self.without.mean


@dataclass(frozen=True)
class PairedDifference:
    """A mean of paired differences.

    Parameters
    ----------
    mean : float
    low, high : float
        Student's interval.
    p_value : float
        Two-sided, of the sign-flip test: the share of all assignments of signs to the differences whose mean is at
        least as far from zero.
    better : int
        How many differences are above zero.
    n : int
    """

    mean: float
    low: float
    high: float
    p_value: float
    better: int
    n: int


def recover(vae: VAE, dataset: MixturesDataset) -> Recovery:
    """Hold the posterior means of all samples of `dataset` against the sources as they are played."""
    rows = dataset.all_rows
    with torch.no_grad():
        means: FloatArray = vae.encode(dataset.inputs(rows)).mean.double().numpy()
    return measure_recovery(means, dataset.sources(rows))


def compare_forms(
    spec: TrainSpec, seeds: Sequence[int], on_trial: Callable[[Trial], None] = lambda trial: None
) -> tuple[Trial, ...]:
    """Train with and without the adversary on each seed.

    Parameters
    ----------
    spec : TrainSpec
        Of a Half-AVAE with an adversary; its seed and its data's world are replaced by each of `seeds`.
    seeds : sequence of int
    on_trial : callable
        Called with each seed's result.
    """
    trials = []
    for seed in seeds:
        full = spec.model_copy(update={"seed": seed, "data": spec.data.model_copy(update={"world": seed})})
        plain = full.model_copy(update={"objective": spec.objective.model_copy(update={"adversary": 0.0})})
        dataset = recordings_of(full)
        began = time.process_time()
        without = recover(fit_half(plain), dataset)
        between = time.process_time()
        with_adversary = recover(fit_half(full), dataset)
        trial = Trial(seed, without, with_adversary, between - began, time.process_time() - between)
        on_trial(trial)
        trials.append(trial)
    return tuple(trials)


def paired_difference(differences: FloatArray, confidence: float = 0.95) -> PairedDifference:
    """The mean of `differences`, shape (n,), with 2 <= n <= 20, and what chance would make of it."""
    from scipy.stats import t

    n = len(differences)
    if not 2 <= n <= 20:
        raise ValueError(f"from 2 to 20 differences can be tested, not {n}")
    mean, error = float(differences.mean()), float(differences.std(ddof=1) / np.sqrt(n))
    reach = float(t.ppf(0.5 + confidence / 2, n - 1)) * error
    signs = 1 - 2 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
    means = np.abs(signs @ differences) / n
    p_value = float((means >= abs(mean) * (1 - 1e-12)).mean())
    return PairedDifference(mean, mean - reach, mean + reach, p_value, int((differences > 0).sum()), n)


def as_record(trial: Trial) -> dict[str, object]:
    """A trial as plain values, for a JSON file."""
    return asdict(trial)
