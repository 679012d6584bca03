"""Scores on finite data: every sample counts once, and none is used both to fit and to test."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from causalvae.data.factors import Factor, FactorSpace
from causalvae.data.files.labelled import ObservedSamples
from causalvae.data.split import SplitRule
from causalvae.disentanglement import Codes, ScoreSettings, score, score_factors
from causalvae.disentanglement.intervals import draw_halves
from causalvae.errors import CausalVAEError
from causalvae.spec.measures import ClassicalName

Array = npt.NDArray[Any]

SETTINGS = ScoreSettings(
    samples=2000, test_samples=1000, votes=100, test_votes=100, vote_batch=16, density_samples=50, resamples=30
)


class Seen:
    """Rows of an array as inputs; remembers which were read."""

    columns = None

    def __init__(self, array: Array) -> None:
        self.array, self.input_shape, self.read_numbers = array, array.shape[1:], []

    def read(self, numbers: Array) -> torch.Tensor:
        self.read_numbers.append(numbers)
        return torch.from_numpy(self.array[numbers])


def observed(codes: Array, factors: Array, kinds: tuple[str, ...] = ()) -> tuple[ObservedSamples, Seen]:
    """Samples whose inputs are their codes."""
    space = FactorSpace(
        tuple(
            Factor(f"f{column}", kind, tuple(np.unique(factors[:, column]).tolist()), settable=False)
            for column, kind in enumerate(kinds or ("ordinal",) * factors.shape[1])
        )
    )
    source = Seen(codes)
    return ObservedSamples("own", space, source, {}, factors.astype(float)), source


def as_codes(inputs: torch.Tensor) -> Codes:
    return Codes(inputs)


def of_noise(seed: int, n: int = 300, levels: tuple[int, ...] = (10,)) -> ObservedSamples:
    rng = np.random.default_rng(seed)
    factors = np.stack([rng.integers(0, size, n) for size in levels], axis=1)
    return observed(rng.normal(size=(n, 6)), factors)[0]


def test_labels_drawn_at_random_are_told_no_better_than_by_chance() -> None:
    """300 samples, ten labels: the chance of a right guess is 0.1. With samples in both sets it is found to be 0.99."""
    settings = dataclasses.replace(SETTINGS, measures=("dci", "explicitness"), regressor="gradient boosting")
    found = score(of_noise(0), as_codes, settings, split=SplitRule())
    assert (found.samples, found.test_samples) == (90, 150)
    # Three standard deviations of a binomial share at 150 samples: 0.073.
    assert found["DCI informativeness"].value == pytest.approx(0.1, abs=0.073)
    assert found.dci.train_informativeness > 0.9
    assert found["explicitness"].value == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("split", [None, SplitRule(), SplitRule(0.45, 0.1, seed=3)])
@pytest.mark.parametrize("draws", [1, 3])
def test_no_sample_is_read_twice_and_none_to_fit_and_to_test(split: SplitRule | None, draws: int) -> None:
    rng = np.random.default_rng(1)
    data, seen = observed(rng.normal(size=(240, 2)), rng.integers(0, 2, (240, 2)))
    for draw in range(draws):
        settings = dataclasses.replace(SETTINGS, measures=("mig",), draw=draw, draws=draws)
        found = score(data, as_codes, settings, split=split)
        assert sum(map(len, seen.read_numbers)) == (draw + 1) * (found.samples + found.test_samples)
    numbers = np.concatenate(seen.read_numbers)
    assert len(np.unique(numbers)) == len(numbers)
    if split is not None and draws == 1:
        fit, test = seen.read_numbers
        assert set(fit) == set(split.part(240, "fit")) and set(test) == set(split.part(240, "test"))


@pytest.mark.parametrize("measures", [("factor_vae", "beta_vae"), ("mig", "sap")])
def test_no_score_of_noise_exceeds_chance_beyond_its_interval(measures: tuple[ClassicalName, ...]) -> None:
    settings = dataclasses.replace(SETTINGS, measures=measures, redraws=8, resamples=60)
    chance = {"FactorVAE score": 0.5, "beta-VAE score": 0.5, "MIG": 0.0, "SAP by correlation": 0.0}
    misses = dict.fromkeys(chance, 0)
    for seed in range(10):
        for entry in score(of_noise(seed, 400, (4, 4)), as_codes, settings, split=SplitRule()).scores:
            if entry.lower is not None:
                misses[entry.name] += entry.lower > chance[entry.name] + 1e-9
    # At 95 % two-sided, more than two of ten lie above with a probability of 0.002.
    assert max(misses.values()) <= 2, misses


@pytest.mark.parametrize(
    ("name", "trials"),
    [
        ("FactorVAE score", 8),
        pytest.param("FactorVAE score", 60, marks=pytest.mark.simulation),
        pytest.param("beta-VAE score", 60, marks=pytest.mark.simulation),
    ],
)
def test_intervals_of_votes_are_as_wide_as_the_score_varies_over_complete_redraws(name: str, trials: int) -> None:
    """A code that mixes two factors: votes are of 1,000 samples, and those of one draw all err in the same way."""
    mixing = np.array([[1.0, 0.55, 0.0], [0.5, 1.0, 0.3], [0.1, 0.3, 1.0]])
    settings = dataclasses.replace(
        SETTINGS, samples=1000, test_samples=500, votes=600, test_votes=300, vote_batch=32,
        measures=("factor_vae" if name == "FactorVAE score" else "beta_vae",),
    )  # fmt: skip
    values, widths = [], []
    for seed in range(trials):
        rng = np.random.default_rng(seed)
        factors = rng.integers(0, 8, (1500, 3))
        data, _ = observed(factors @ mixing + 3 * rng.normal(size=(1500, 3)), factors)
        entry = score(data, as_codes, settings)[name]
        values.append(entry.value)
        widths.append(entry.upper - entry.lower)
    spread = np.std(values, ddof=1)
    # Half a t-interval at 15 degrees of freedom is 2.13 standard deviations.
    estimated = np.mean(widths) / (2 * 2.13)
    # Halves lie where the score is lower and varies more, so that the interval errs on the wide side.
    low, high = (0.35, 3.0) if trials == 8 else (0.85, 1.6)
    assert low < estimated / spread < high
    assert np.mean(np.abs(np.array(values) - np.mean(values)) < np.array(widths) / 2) > 0.85


def test_halves_vary_as_the_whole_does() -> None:
    rng = np.random.default_rng(0)
    ratios = []
    for seed in range(40):
        sample = rng.normal(size=100)
        means = sample[draw_halves(100, 60, seed)].mean(axis=1)
        ratios.append(means.std(ddof=1) * 10)
    assert np.mean(ratios) == pytest.approx(1, abs=0.05)


def test_scores_of_one_factor_are_refused_where_one_is_not_enough() -> None:
    found = score(of_noise(2), as_codes, SETTINGS, split=SplitRule())
    for name in ("FactorVAE score", "beta-VAE score"):
        assert found[name].value is None and "only one varies" in found[name].note
    for name in ("DCI disentanglement", "modularity", "unconfoundedness"):
        assert found[name].value is None and found[name].note
    assert found["MIG"].value is not None
    oracle = score_factors(of_noise(2), SETTINGS, split=SplitRule())
    assert oracle["FactorVAE score"].value is None


CASES: list[tuple[Callable[[np.random.Generator], Array], str]] = [
    (lambda rng: np.zeros(200), "f1 has one value in the samples to fit and to test on"),
    (lambda rng: np.arange(200), "f1 has 60 values in 60 samples, and needs 5 samples a value"),
]


@pytest.mark.parametrize(("column", "reason"), CASES)
def test_factors_that_tell_nothing_are_left_out_with_the_reason(
    column: Callable[[np.random.Generator], Array], reason: str
) -> None:
    rng = np.random.default_rng(0)
    kept = rng.integers(0, 3, (200, 2))
    codes = kept + 0.1 * rng.normal(size=(200, 2))
    factors = np.column_stack([kept[:, 0], column(rng), kept[:, 1]])
    found = score(observed(codes, factors)[0], as_codes, SETTINGS, split=SplitRule())
    assert found.left_out == (reason,)
    without = score(observed(codes, kept)[0], as_codes, SETTINGS, split=SplitRule())
    for entry in without.scores:
        assert found[entry.name].value == pytest.approx(entry.value), entry.name
    with pytest.raises(CausalVAEError, match=reason.replace("f1", "f0")) as caught:
        score(observed(codes, factors[:, 1:2])[0], as_codes, SETTINGS, split=SplitRule())
    assert caught.value.code == "CV512"


def test_too_few_samples_are_no_data_to_score() -> None:
    with pytest.raises(CausalVAEError, match="8 samples of own to fit on and 21 to test on") as caught:
        score(of_noise(0, 32), as_codes, SETTINGS, split=SplitRule(fit=0.25, select=0.1))
    assert caught.value.code == "CV512"


def test_a_value_that_occurs_once_refuses_the_votes_alone() -> None:
    rng = np.random.default_rng(0)
    factors = rng.integers(0, 2, (400, 2))
    factors[np.flatnonzero(np.isin(np.arange(400), SplitRule().part(400, "test")))[0], 0] = 2
    found = score(observed(factors + 0.0, factors)[0], as_codes, SETTINGS, split=SplitRule())
    assert found["FactorVAE score"].value is None and "'f0' occurs once" in found["FactorVAE score"].note
    assert found["DCI informativeness"].value == pytest.approx(1, abs=0.02)
