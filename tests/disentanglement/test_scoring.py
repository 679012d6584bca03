"""All scores of a network on a data set."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from causalvae.data.dsprites import SPACE
from causalvae.data.factors import Factor, FactorSpace
from causalvae.disentanglement import (
    Codes,
    DisentanglementScores,
    Score,
    ScoredCodes,
    ScoreSettings,
    condense,
    mig,
    pool_draws,
    score,
    score_factors,
)
from causalvae.disentanglement.arrays import label_codes
from causalvae.disentanglement.intervals import accuracy_interval, basic_interval, draw_halves, draw_resamples
from causalvae.disentanglement.labels import measure_dependence, read_labels
from causalvae.disentanglement.mig import recompute_mig
from causalvae.disentanglement.sap import resample_sap_continuous, sap_continuous
from causalvae.disentanglement.scoring import FreshSampler, encode
from causalvae.errors import CausalVAEError

Array = npt.NDArray[Any]

SMALL = ScoreSettings(
    samples=400, test_samples=200, votes=60, test_votes=60, vote_batch=16, density_samples=50, resamples=30
)


class Tiles:
    """Samples whose inputs are their factors' values, with a second factor that may follow the first."""

    name = "tiles"
    input_shape = (4,)
    size = None
    space = FactorSpace(
        (
            Factor("kind", "categorical", (1.0, 2.0, 3.0), ("a", "b", "c")),
            Factor("length", "ordinal", (0.5, 1.0, 1.5, 2.0)),
            Factor("turn", "cyclic", (0.0, math.pi, 2 * math.pi)),
            Factor("weight", "continuous", (-10.0, 10.0)),
        )
    )

    def __init__(self, follows: bool = False) -> None:
        self.follows = follows

    def draw(self, n: int, rng: np.random.Generator) -> Array:
        levels = np.stack([rng.integers(0, size, n) for size in (3, 4, 3)], axis=1)
        if self.follows:
            levels[:, 1] = levels[:, 0]
        values = [np.asarray(factor.values)[levels[:, j]] for j, factor in enumerate(self.space.factors[:3])]
        return np.column_stack([*values, rng.normal(size=n)])

    def values(self, rows: Array) -> Array:
        return rows

    def inputs(self, rows: Array) -> torch.Tensor:
        return torch.from_numpy(rows).to(torch.float32)

    def intervene(self, rows: Array, factor: str, values: Array, others: str) -> Array:
        changed = rows.copy()
        changed[:, self.space.position(factor)] = values
        return changed

    def truth(self, rows: Array) -> dict[str, Array]:
        return {}

    def describe(self) -> dict[str, Any]:
        return {}


def read_off(inputs: torch.Tensor) -> Codes:
    """A latent for each factor, turns by their cosine, and a dead one."""
    mean = torch.column_stack([inputs[:, :2], torch.cos(inputs[:, 2]), inputs[:, 3], 1e-3 * inputs[:, 0]])
    logvar = torch.tensor([-6.0, -6.0, -6.0, -6.0, 0.0]).expand_as(mean)
    return Codes.of_gaussian(mean.requires_grad_(), logvar)


@pytest.fixture(scope="module")
def measured() -> DisentanglementScores:
    return score(Tiles(), read_off, SMALL)


def test_a_network_that_reads_off_every_factor(measured: DisentanglementScores) -> None:
    assert measured.factors == ("kind", "length", "turn", "weight")
    assert measured.active.tolist() == [True, True, True, True, False]
    # At 20 bins each of the discrete factors is known from its latent; 20 levels of 20 samples bias the rest down.
    assert measured["MIG"].value == pytest.approx(0.9, abs=0.1)
    assert measured["DCI disentanglement"].value > 0.85
    assert measured["FactorVAE score"].value == 1
    assert measured["SAP by correlation"].value > 0.95
    assert measured.ordered == ("length", "weight")
    assert measured["unconfoundedness"].value == 1
    assert measured.irs.parents.tolist() == [0, 1, 2, 3, -1]
    assert measured.sampled_mig is not None
    assert np.isnan(measured.mig.information[4]).all()
    assert measured.dependence < 0.05


def test_every_score_is_in_the_table_with_its_interval_or_its_caution(measured: DisentanglementScores) -> None:
    names = [entry.name for entry in measured.scores]
    assert len(set(names)) == len(names) == 13
    for entry in measured.scores:
        assert entry.value is not None
        if entry.lower is not None and entry.name != "MIG":
            assert 0 <= entry.lower <= entry.value <= entry.upper <= 1, entry.name
    assert {entry.name for entry in measured.scores if entry.lower is not None} == {
        "MIG",
        "SAP by correlation",
        "FactorVAE score",
        "beta-VAE score",
    }
    for name in ("modularity", "explicitness", "IRS"):
        assert "compare it with one of them" in measured[name].note
    with pytest.raises(KeyError):
        measured["ELBO"]


def test_an_estimate_that_its_samples_bias_says_so(measured: DisentanglementScores) -> None:
    # 400 samples in 400 cells: information that is not there, and most on the second-best latents.
    rows = Tiles().draw(20_000, np.random.default_rng(5))
    codes = encode(Tiles(), rows, read_off).mean[:, :4]
    truth = mig(codes, read_labels(Tiles.space, rows).levels).score
    entry = measured["MIG"]
    assert entry.value < entry.lower - 0.01
    assert entry.bias is not None and entry.bias < -0.01
    assert abs((entry.lower + entry.upper) / 2 - truth) < abs(entry.value - truth)


def test_equal_seeds_give_equal_scores(measured: DisentanglementScores) -> None:
    again = score(Tiles(), read_off, SMALL)
    assert again.scores == measured.scores
    other = score(Tiles(), read_off, dataclasses.replace(SMALL, seed=1))
    assert other["MIG"].value != measured["MIG"].value


def test_a_plain_tuple_without_divergences_keeps_every_latent() -> None:
    result = score(Tiles(), lambda inputs: (inputs[:, :2].numpy(), None), SMALL)
    assert result.kl is None
    assert result.active.tolist() == [True, True]
    assert result.sampled_mig is None


def test_a_collapsed_network_scores_nothing() -> None:
    result = score(Tiles(), lambda inputs: (inputs, torch.zeros(4)), SMALL)
    assert not result.active.any()
    for name in ("MIG", "DCI disentanglement", "SAP", "SAP by correlation", "FactorVAE score", "modularity", "IRS"):
        assert result[name].value == 0, name
    assert result["unconfoundedness"].value is None
    assert "no latent" in result["unconfoundedness"].note


def test_dependent_factors_are_told() -> None:
    result = score(Tiles(follows=True), read_off, SMALL)
    assert result.dependence > 0.9
    assert "dependent" in result["FactorVAE score"].note
    assert "dependent" in result["IRS"].note


def test_fresh_samples_share_the_factor_that_was_set() -> None:
    sampler = FreshSampler(Tiles(follows=True), lambda inputs: (inputs, None), 50)
    groups = sampler(0, 30, 8, np.random.default_rng(0))
    assert groups.shape == (30, 8, 4)
    assert (np.ptp(groups[:, :, 0], axis=1) == 0).all()
    assert (np.ptp(groups[:, :, 1], axis=1) > 0).sum() > 25
    assert len(np.unique(groups[:, 0, 0])) == 3
    result = score(Tiles(), read_off, dataclasses.replace(SMALL, sampling="fresh"))
    assert result["FactorVAE score"].value == 1


def test_data_without_factors_is_refused() -> None:
    tiles = Tiles()
    tiles.space = FactorSpace(())  # type: ignore[misc]
    with pytest.raises(CausalVAEError) as caught:
        score(tiles, read_off, SMALL)
    assert caught.value.code == "CV512"


def test_latent_maps_are_refused() -> None:
    with pytest.raises(CausalVAEError) as caught:
        score(Tiles(), lambda inputs: (inputs[:, :, None], None), SMALL)
    assert caught.value.code == "CV510"


def test_encoding_does_not_depend_on_batches() -> None:
    rows = Tiles().draw(50, np.random.default_rng(0))
    whole, parts = (encode(Tiles(), rows, read_off, size) for size in (50, 7))
    np.testing.assert_array_equal(whole.mean, parts.mean)
    np.testing.assert_array_equal(whole.kl, parts.kl)


def test_turns_that_mean_the_same_are_one_level() -> None:
    values = SPACE.values_of(np.array([[0, 0, 0, 0, 0], [1, 2, 39, 3, 4], [2, 5, 38, 31, 31]]))
    labels = read_labels(SPACE, values)
    assert labels.levels.tolist() == [[0, 0, 0, 0, 0], [1, 2, 0, 3, 4], [2, 5, 38, 31, 31]]
    assert labels.ordered.tolist() == [False, True, False, True, True]
    assert labels.named.tolist() == [True, False, False, False, False]


def test_continuous_factors_are_cut_into_equal_counts() -> None:
    space = FactorSpace((Factor("noise", "continuous", (-np.inf, np.inf)),))
    labels = read_labels(space, np.random.default_rng(0).standard_cauchy((1000, 1)), 20)
    assert np.bincount(labels.levels[:, 0]).tolist() == [50] * 20


def test_dependence_is_that_of_the_nearest_pair() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 20, 2000), rng.integers(0, 20, 2000)
    assert abs(measure_dependence(np.column_stack([first, second]))) < 0.01
    assert measure_dependence(np.column_stack([first, second, first // 2])) == pytest.approx(1, abs=0.03)
    assert measure_dependence(np.column_stack([first, 0 * first])) == 0


def test_resamples_by_a_loop() -> None:
    rng = np.random.default_rng(0)
    factors = rng.integers(0, 3, (90, 2))
    codes = factors + rng.normal(size=(90, 2))
    sample = label_codes(codes, factors)
    weights = draw_resamples(90, 4, seed=1)
    assert (weights.sum(axis=1) == 90).all()
    fast = resample_sap_continuous(sample, weights)
    for row, value in zip(weights.astype(int), fast, strict=True):
        chosen = np.repeat(np.arange(90), row)
        assert value == pytest.approx(sap_continuous(codes[chosen], factors[chosen]).score, abs=1e-12)
    halves = draw_halves(90, 3, seed=1)
    assert all(len(set(half)) == 45 for half in halves.tolist())
    expected = [mig(codes[half], factors[half]).score for half in halves]
    np.testing.assert_allclose(recompute_mig(sample, halves), expected, atol=1e-12)


def test_intervals_cover() -> None:
    rng = np.random.default_rng(0)

    def draw(n: int) -> tuple[Array, Array]:
        factors = rng.integers(0, 3, (n, 2))
        return factors[:, ::-1] + 0.7 * rng.normal(size=(n, 2)), factors

    truth = sap_continuous(*draw(200_000)).score
    hits = 0
    for trial in range(100):
        codes, factors = draw(200)
        replicates = resample_sap_continuous(label_codes(codes, factors), draw_resamples(200, 100, trial))
        ends = basic_interval(sap_continuous(codes, factors).score, replicates, 0.9)
        hits += ends.lower <= truth <= ends.upper
    # Binomial(100, 0.9) is within these bounds with probability 0.998.
    assert 81 <= hits <= 98


def test_only_what_is_asked_for_is_measured_and_is_what_it_is_among_others(measured: DisentanglementScores) -> None:
    told: list[tuple[int, int]] = []
    asked = dataclasses.replace(SMALL, measures=("irs", "mig"))
    some = score(Tiles(), read_off, asked, lambda done, total: told.append((done, total)))
    assert [entry.name for entry in some.scores] == ["MIG", "MIG of posterior samples", "IRS", "unconfoundedness"]
    assert all(entry == measured[entry.name] for entry in some.scores)
    assert some.dci is None and some.factor_vae is None and some.sap_continuous is None
    assert told == [(0, 2), (1, 2), (2, 2)]


def test_the_factors_are_a_perfect_code_on_any_scale() -> None:
    found = score_factors(Tiles(), dataclasses.replace(SMALL, measures=("dci", "factor_vae", "sap", "mig")))
    assert found.active.all() and found.kl is None
    for name in ("DCI disentanglement", "DCI completeness", "FactorVAE score"):
        assert found[name].value == pytest.approx(1, abs=0.12), name
    assert found["SAP by correlation"].value > 0.95


def test_draws_are_pooled_by_students_t() -> None:
    def drawn(mig: float, sap: float | None, active: bool) -> ScoredCodes:
        return ScoredCodes((Score("MIG", mig, 0.0, 1.0, "plug-in"), Score("SAP", sap)), (True, active), 0.01)

    found = pool_draws([drawn(0.2, 0.1, True), drawn(0.4, None, False), drawn(0.3, 0.1, False)], 0.95)
    # t at 2 degrees of freedom is 4.3027, sd 0.1.
    reach = 4.302653 * 0.1 / math.sqrt(3)
    assert (found.scores[0].lower, found.scores[0].upper) == pytest.approx((0.3 - reach, 0.3 + reach), abs=1e-6)
    assert found.value("MIG") == pytest.approx(0.3) and found.value("SAP") is None
    assert found.scores[0].note == "plug-in; mean of 3 draws"
    assert found.active == (True, False)
    one = drawn(0.2, 0.1, True)
    assert pool_draws([one], 0.95) is one


def test_shares_of_importance_sum_to_one_over_active_latents(measured: DisentanglementScores) -> None:
    shares = condense(measured).importance
    assert shares[4] == (None,) * 4
    columns = list(zip(*shares[:4], strict=True))
    assert all(sum(column) == pytest.approx(1) for column in columns)
    assert [column.index(max(column)) for column in columns] == [0, 1, 2, 3]


def test_wilson_interval() -> None:
    ends = accuracy_interval(0.5, 100, 0.95)
    assert (ends.lower, ends.upper) == (pytest.approx(0.4038, abs=1e-4), pytest.approx(0.5962, abs=1e-4))
    assert accuracy_interval(1.0, 50, 0.95).upper == pytest.approx(1.0)
    assert accuracy_interval(1.0, 50, 0.95).lower < 0.95
