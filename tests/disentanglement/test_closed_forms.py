"""Values that follow from the definitions, as in DATA 2.1 of the reference's own tests, and sampled ones by hand."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.metrics import mutual_info_score, roc_auc_score

from causalvae.disentanglement import explicitness, irs, mig, modularity, sap_continuous
from causalvae.disentanglement.arrays import label_codes
from causalvae.disentanglement.dci import measure_disentanglement
from causalvae.disentanglement.information import discretise, measure_entropy, measure_information
from causalvae.disentanglement.modularity import summarise_modularity

Array = npt.NDArray[np.float64]
SIZES = (3, 4, 5, 6)


def grid(samples: int = 3000, seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    return np.stack([rng.integers(0, size, samples) for size in SIZES], axis=1).astype(np.float64)


def dci_of(importance: Array) -> tuple[float | None, float | None]:
    return measure_disentanglement(importance)[1], measure_disentanglement(importance.T)[1]


HALF = 1 - math.log(2) / math.log(10)


@pytest.mark.parametrize(
    ("importance", "disentanglement", "completeness"),
    [
        (np.diag(np.arange(1.0, 6.0)), 1, 1),
        (np.vstack([np.diag(np.arange(1.0, 6.0)), np.zeros((1, 5))]), 1, 1),
        (np.zeros((10, 10)), 0, 0),
        (np.vstack([np.diag(np.ones(5))] * 2), 1, HALF),
        (np.hstack([np.diag(np.ones(5))] * 2), HALF, 1),
        (np.vstack([np.eye(5)[:2], np.zeros((3, 5))]), 1, 1),
        (np.ones((4, 3)), 0, 0),
    ],
)
def test_dci_of_importances(importance: Array, disentanglement: float, completeness: float) -> None:
    assert dci_of(importance) == (pytest.approx(disentanglement, abs=1e-12), pytest.approx(completeness, abs=1e-12))


def test_disentanglement_is_weighted_by_importance() -> None:
    # Entropy 0 with weight 3, and log 2 of log 2 with weight 1.
    assert measure_disentanglement(np.array([[3.0, 0.0], [0.5, 0.5]]))[1] == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("information", "expected"),
    [
        (np.diag(np.arange(1.0, 6.0)), 1),
        (np.vstack([np.diag([1.0, 2.0]), np.zeros((1, 2))]), 2 / 3),
        (np.zeros((10, 10)), 0),
        (np.vstack([np.diag(np.ones(5))] * 2), 1),
        (np.hstack([np.diag(np.ones(5))] * 2), 1 - 1 / 9),
    ],
)
def test_modularity_of_information(information: Array, expected: float) -> None:
    varied = np.ones(information.shape[1], dtype=bool)
    assert summarise_modularity(information, varied).score == pytest.approx(expected, abs=1e-12)


def test_scores_of_the_factors_themselves() -> None:
    factors = grid()
    assert mig(factors, factors).score == pytest.approx(1, abs=0.01)
    assert irs(factors, factors).score == pytest.approx(1)
    assert irs(factors, factors).parents.tolist() == [0, 1, 2, 3]
    assert sap_continuous(factors, factors).score == pytest.approx(1, abs=0.01)
    result = modularity(factors, factors)
    assert result.score == pytest.approx(1, abs=1e-3)
    assert result.parents.tolist() == [0, 1, 2, 3]


def test_scores_of_constants() -> None:
    factors = grid()
    constant = np.full((len(factors), 6), 0.1)
    assert mig(constant, factors).score == 0
    assert mig(constant, factors).best.tolist() == [-1] * 4
    assert irs(constant, factors).score == 0
    assert sap_continuous(constant, factors).score == 0
    assert modularity(constant, factors).score == 0


def test_duplicated_latents_have_no_gap() -> None:
    factors = grid()
    twice = np.hstack([factors, factors])
    assert mig(twice, factors).score == pytest.approx(0, abs=1e-12)
    assert sap_continuous(twice, factors).score == pytest.approx(0, abs=1e-12)


def test_a_single_latent_has_nothing_behind_it() -> None:
    factors = grid()[:, :2]
    result = mig(factors[:, :1], factors)
    assert result.per_factor[0] == pytest.approx(1)
    assert result.per_factor[1] == pytest.approx(result.information[0, 1] / result.entropy[1])


def test_information_is_that_of_scikit_learn() -> None:
    factors = grid(500)
    codes = np.random.default_rng(1).normal(size=(500, 3)) + factors[:, :1]
    sample = label_codes(codes, factors)
    binned = discretise(codes)
    for latent in range(3):
        for factor in range(4):
            expected = mutual_info_score(binned[:, latent], factors[:, factor])
            assert measure_information(sample)[latent, factor] == pytest.approx(expected, abs=1e-12)
    assert measure_entropy(sample)[0] == pytest.approx(mutual_info_score(factors[:, 0], factors[:, 0]))


def test_irs_by_a_loop() -> None:
    factors = grid(800)
    codes = np.random.default_rng(2).normal(size=(800, 3)) + factors[:, [0, 1, 1]] * [1.0, 2.0, 0.0]
    matrix = np.empty((3, 4))
    for latent in range(3):
        z = codes[:, latent]
        for factor in range(4):
            spreads = []
            for level in range(SIZES[factor]):
                members = z[factors[:, factor] == level]
                spreads.append(np.quantile(abs(members - members.mean()), 0.9))
            matrix[latent, factor] = 1 - np.mean(spreads) / abs(z - z.mean()).max()
    result = irs(codes, factors, quantile=0.9)
    np.testing.assert_allclose(result.matrix, matrix, atol=1e-12)
    np.testing.assert_allclose(irs(codes, factors, quantile=0.9, bins=None).matrix, matrix, atol=1e-12)
    weights = abs(codes - codes.mean(axis=0)).max(axis=0)
    assert result.score == pytest.approx((matrix.max(axis=1) * weights).sum() / weights.sum())


def test_explicitness_is_the_area_of_scikit_learn() -> None:
    from sklearn.linear_model import LogisticRegression

    factors = grid(400)[:, :1]
    codes = np.random.default_rng(3).normal(size=(400, 2)) + factors
    train, test = slice(0, 250), slice(250, 400)
    result = explicitness(codes[train], factors[train], codes[test], factors[test])
    scaled = (codes - codes[train].mean(axis=0)) / codes[train].std(axis=0)
    probabilities = LogisticRegression(max_iter=1000).fit(scaled[train], factors[train, 0]).predict_proba(scaled[test])
    expected = roc_auc_score(factors[test, 0], probabilities, multi_class="ovr", average="macro")
    assert result.score == pytest.approx(expected, abs=1e-9)
