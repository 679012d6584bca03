"""One bound, tested: against a hand calculation, both ends, and how many pairs would settle it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from causalvae.circuits.hypothesis import assess_bound, pairs_needed
from causalvae.effects.bootstrap import PairedBootstrap
from causalvae.effects.claims import RatioColumns
from causalvae.effects.notes import Note
from causalvae.report.notes import notes_words
from causalvae.spec.schema import Bound


def columns(share: float, n: int = 60, noise: float = 0.3, seed: int = 0) -> RatioColumns:
    rng = np.random.default_rng(seed)
    total = rng.normal(2, 0.5, n)
    return RatioColumns("mediated_share", (share * total + noise * rng.normal(size=n)) * total, total**2, "share")


def test_at_least_is_a_one_sided_t_test_of_the_margin() -> None:
    ratio = columns(0.8)
    result = assess_bound(ratio, Bound(at_least=0.7), PairedBootstrap(60), 0.05)
    margin = ratio.numerator - 0.7 * ratio.denominator
    assert result.test.p_support == pytest.approx(stats.ttest_1samp(margin, 0, alternative="greater").pvalue)
    assert result.test.p_refute == pytest.approx(stats.ttest_1samp(margin, 0, alternative="less").pvalue)
    assert result.test.value == pytest.approx(ratio.numerator.sum() / ratio.denominator.sum())
    assert (result.inside, result.outside, result.leans) == (True, False, "support")


def test_at_most_is_the_mirror_image() -> None:
    ratio = columns(0.8)
    least = assess_bound(ratio, Bound(at_least=0.7), PairedBootstrap(60), 0.05).test
    result = assess_bound(ratio, Bound(at_most=0.7), PairedBootstrap(60), 0.05)
    assert result.test.p_support == pytest.approx(least.p_refute)
    assert result.test.p_refute == pytest.approx(least.p_support)
    assert (result.inside, result.outside, result.leans) == (False, True, "refute")


def test_both_ends() -> None:
    ratio = columns(0.8)
    boot = PairedBootstrap(60)
    low, high = (assess_bound(ratio, bound, boot, 0.05).test for bound in (Bound(at_least=0.7), Bound(at_most=0.9)))
    both = assess_bound(ratio, Bound(at_least=0.7, at_most=0.9), boot, 0.05)
    assert both.test.p_support == max(low.p_support, high.p_support)
    assert both.test.p_refute == min(1.0, 2 * min(low.p_refute, high.p_refute))
    assert both.inside
    above = assess_bound(ratio, Bound(at_least=0.1, at_most=0.5), boot, 0.05)
    assert above.outside and above.test.p_refute < 1e-6


@pytest.mark.parametrize("direction", ["support", "refute"])
def test_the_pairs_needed_would_settle_it(direction: str) -> None:
    bound = Bound(at_least=0.7)
    share = 0.73 if direction == "support" else 0.67
    # From a large sample's mean and spread, so that the number is about the truth and not one draw's luck.
    result = assess_bound(columns(share, n=20000), bound, PairedBootstrap(20000, 10), 0.05)
    assert result.needed is not None and 100 < result.needed < 2000
    decided = []
    for seed in range(300):
        test = assess_bound(
            columns(share, n=result.needed, seed=seed + 1), bound, PairedBootstrap(result.needed, 2), 0.05
        ).test
        decided.append((test.p_support if direction == "support" else test.p_refute) <= 0.025)
    assert 0.7 <= np.mean(decided) <= 0.9


def test_a_few_failing_pairs_do_not_hide_a_fit_that_is_shown() -> None:
    # Five of 192 pairs fail. Some resamples have almost none of them and hardly any spread, so that the studentised
    # replicates of the ratio are useless. The margin of the bound has the spread of the effect in every resample.
    rng = np.random.default_rng(7)
    effect = rng.uniform(0, 1, 192) ** 2
    carried = effect.copy()
    carried[rng.choice(192, 5, replace=False)] = 0
    ratio, boot = RatioColumns("pairwise_fit", carried, effect, "share"), PairedBootstrap(192)
    wide = boot.ratio(carried[None], effect[None])
    assert wide.lower[0] < 0.49
    result = assess_bound(ratio, Bound(at_least=0.49), boot, 0.05)
    assert result.inside and result.test.p_support < 1e-6
    assert result.test.lower is not None and 0.49 <= result.test.lower < result.test.value
    # The end that is shown is where the interval of the margin ends at zero.
    ends = [
        float(boot.ratio((carried - bound * effect)[None]).lower[0])
        for bound in (result.test.lower - 1e-3, result.test.lower + 1e-3)
    ]
    assert ends[0] >= 0 > ends[1]


def test_the_interval_that_is_shown_says_what_the_verdict_says() -> None:
    places = set()
    for seed in range(150):
        boot, bound = PairedBootstrap(48, 200, seed=seed), Bound(at_least=0.7, at_most=1.3)
        test = assess_bound(columns(0.8, n=48, noise=0.5, seed=seed), bound, boot, 0.05).test
        assert test.lower is not None and test.upper is not None and test.lower <= test.value <= test.upper
        assert (test.place == "inside") == (test.lower >= 0.7 and test.upper <= 1.3)
        places.add(test.place)
    assert {"inside", "across"} <= places


def test_needed_is_given_only_where_nothing_is_settled() -> None:
    assert assess_bound(columns(0.8), Bound(at_least=0.7), PairedBootstrap(60), 0.05).test.needed is None
    assert assess_bound(columns(0.72, n=12), Bound(at_least=0.7), PairedBootstrap(12), 0.05).test.needed is not None


def test_pairs_needed_by_hand() -> None:
    assert pairs_needed(0.5, 1.0, 0.05) == int(np.ceil(((1.6448536 + 0.8416212) / 0.5) ** 2))
    assert pairs_needed(0.0, 1.0, 0.05) is None
    assert pairs_needed(-0.1, 1.0, 0.05) is None
    assert pairs_needed(1e-9, 1.0, 0.05) is None


def test_an_undefined_ratio_decides_nothing() -> None:
    nothing = RatioColumns("mediated_share", np.zeros(9), np.zeros(9), "share", undefined=Note("unchanged", ("area",)))
    result = assess_bound(nothing, Bound(at_least=0.7), PairedBootstrap(9), 0.05)
    assert (result.test.p_support, result.test.p_refute) == (1.0, 1.0)
    assert not result.inside and not result.outside
    assert (result.test.value, result.test.lower, result.test.upper) == (0.0, None, None)
    assert "the treatment does not change area" in notes_words(result.test.notes)
