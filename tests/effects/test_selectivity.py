"""Strength over the aggregate posterior against its closed form, and specificity against its bounds."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from causalvae.effects.bootstrap import PairedBootstrap
from causalvae.effects.outcomes import Outcomes
from causalvae.effects.selectivity import (
    calibration,
    change_lengths,
    output_specificity,
    quantile_weights,
    specificity,
)
from causalvae.effects.strength import PatchedArm
from causalvae.plan.types import Patch
from causalvae.spec.value_source import ValueSource, make_source
from tests.effects.synthetic import Array, Network, make_spec
from tests.targets import target

DECODER = np.random.default_rng(4).normal(size=(3, 12))


def lengths_of(z: Array, latent: int, sources: list[ValueSource], values: list[Array]) -> tuple[Array, Array | None]:
    """Change of each sample under each value of one latent of a linear decoder, and the values' weights."""
    network = Network(
        make_spec(), lambda x: {"area": x[:, 0], "place": x[:, 1]}, z, image=lambda latents: latents @ DECODER
    )
    arms = []
    for source, value in zip(sources, values, strict=True):
        moved = z.copy()
        moved[:, latent] = value
        arm = network.run("base", moved, (Patch("latent", (latent,), source),))
        arms.append(PatchedArm(arm.id, target(f"latent[{latent}]"), "unit", source.kind, source.value))
    _, measurements = network.finish()
    weights = calibration(sources)
    return change_lengths(Outcomes(measurements), [arms], len(z), weights)[0], weights


def test_strength_of_a_linear_decoder_is_the_shift_times_the_columns_norm() -> None:
    z = np.random.default_rng(0).normal(size=(50, 3))
    levels = (0.05, 0.25, 0.75, 0.95)
    values = [np.full(50, np.quantile(z[:, 1], level)) for level in levels]
    found, weights = lengths_of(z, 1, [make_source("quantile", level) for level in levels], values)
    assert weights == pytest.approx([0.15, 0.35, 0.35, 0.15])
    expected = sum(
        weight * np.abs(value - z[:, 1]) for weight, value in zip((0.15, 0.35, 0.35, 0.15), values, strict=True)
    )
    assert found == pytest.approx(expected * np.linalg.norm(DECODER[1]))


def test_dense_quantiles_come_to_what_resampling_estimates() -> None:
    """E|v - z| over independent draws of one distribution is Gini's mean difference: 2 / sqrt(pi) of a normal one."""
    z = np.random.default_rng(1).normal(size=(4000, 3))
    levels = [(k + 0.5) / 40 for k in range(40)]
    values = [np.full(4000, np.quantile(z[:, 2], level)) for level in levels]
    dense, _ = lengths_of(z, 2, [make_source("quantile", level) for level in levels], values)
    drawn, weights = lengths_of(z, 2, [make_source("resample", seed=0)], [np.roll(z[:, 2], 1)])
    assert weights == pytest.approx([1.0])
    norm = np.linalg.norm(DECODER[2])
    assert dense.mean() / norm == pytest.approx(2 / np.sqrt(np.pi), rel=0.03)
    assert drawn.mean() / norm == pytest.approx(2 / np.sqrt(np.pi), rel=0.05)
    # Four quantiles that are not weighted overstate it: the tails count as much as the middle.
    assert np.mean([np.abs(values[k] - z[:, 2]).mean() for k in (1, 38)]) > 1.5


def test_weights_follow_the_quantiles_in_any_order() -> None:
    assert quantile_weights([0.5]) == pytest.approx([1.0])
    sources = [make_source("quantile", level) for level in (0.9, 0.1, 0.5)]
    assert calibration(sources) == pytest.approx([0.3, 0.3, 0.4])
    assert quantile_weights([0.1, 0.2, 0.9]) == pytest.approx([0.15, 0.4, 0.45])


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_each_quantile_keeps_its_weight_in_any_order(order: tuple[int, ...]) -> None:
    z = np.random.default_rng(0).normal(size=(50, 3))
    levels, shares = [(0.1, 0.2, 0.9)[k] for k in order], [(0.15, 0.4, 0.45)[k] for k in order]
    values = [np.full(50, np.quantile(z[:, 1], level)) for level in levels]
    found, weights = lengths_of(z, 1, [make_source("quantile", level) for level in levels], values)
    assert weights == pytest.approx(shares)
    expected = sum(share * np.abs(value - z[:, 1]) for share, value in zip(shares, values, strict=True))
    assert found == pytest.approx(expected * np.linalg.norm(DECODER[1]))


@pytest.mark.parametrize(
    "sources",
    [
        [make_source("sd", 2.0), make_source("sd", -2.0)],
        [make_source("zero")],
        [make_source("resample", seed=0, given="scale")],
        [make_source("quantile", 0.1), make_source("quantile", 0.1)],
    ],
)
def test_values_that_are_no_draws_of_the_posterior_have_no_calibrated_strength(sources: list[ValueSource]) -> None:
    assert calibration(sources) is None


def test_code_frequencies_are_draws_of_the_codes() -> None:
    assert calibration([make_source("code_frequency", seed=1)]) == pytest.approx([1.0])
    assert calibration([make_source("code_swap", seed=1)]) is None


def test_specificity_meets_its_bounds() -> None:
    entropy = np.array([0.0, np.log(8)])
    assert specificity(entropy, 8, bounded=True) == pytest.approx([1, 0])
    assert specificity(entropy, 8, bounded=False) == pytest.approx([1e6, 1 / np.log(8)], rel=1e-5)
    assert specificity(np.array([-1e-17]), 8, bounded=False)[0] == pytest.approx(1e6)


def test_output_specificity_is_of_the_mean_entropy_and_leaves_out_what_does_not_change() -> None:
    rng = np.random.default_rng(2)
    spreads = np.stack([np.zeros(40), np.full(40, np.log(64)), rng.uniform(1, 2, 40), np.full(40, np.nan)])
    spreads[2, :5] = np.nan
    boot = PairedBootstrap(40, 200, 0.95, 1)
    found, median = output_specificity(spreads, 64, boot, bounded=True)
    mean = np.nanmean(spreads[2])
    assert found.value[:3] == pytest.approx([1, 0, 1 - mean / np.log(64)])
    assert median[:3] == pytest.approx([1, 0, 1 - np.nanmedian(spreads[2]) / np.log(64)])
    assert np.isnan(found.value[3]) and np.isnan(median[3])
    assert found.lower[2] < found.value[2] < found.upper[2]
