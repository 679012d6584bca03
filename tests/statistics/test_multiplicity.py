import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from causalvae.statistics.multiplicity import adjust


@pytest.mark.parametrize(("ours", "theirs"), [("holm", "holm"), ("bh", "fdr_bh")])
@pytest.mark.parametrize("k", [1, 2, 17])
def test_equals_statsmodels(ours: str, theirs: str, k: int) -> None:
    rng = np.random.default_rng(k)
    p = np.round(rng.random(k) ** 3, 2)
    np.testing.assert_allclose(adjust(p, ours), multipletests(p, method=theirs)[1], rtol=1e-12)


def test_none_changes_nothing_and_an_empty_family_is_empty() -> None:
    p = np.array([0.3, 0.01])
    np.testing.assert_array_equal(adjust(p, "none"), p)
    assert adjust([], "holm").shape == (0,)


def test_holm_by_hand() -> None:
    assert adjust([0.01, 0.04, 0.03], "holm") == pytest.approx((0.03, 0.06, 0.06))
    assert adjust([0.5, 0.9], "holm").tolist() == [1.0, 1.0]
