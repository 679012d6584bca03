"""do(factor) pairs: what changes, what is held, and that a draw is a function of its seed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalvae.data.dataset import DspritesDataset
from causalvae.data.dsprites import render_levels
from causalvae.data.factors import Factor, FactorSpace
from causalvae.data.kinds.scm import ScmData
from causalvae.data.pairs import draw_pairs, draw_samples
from causalvae.data.scm import open_scm
from causalvae.errors import CausalVAEError

DATASET = DspritesDataset()
SPACE = DATASET.space
ORDINAL = ("scale", "x", "y")


@given(st.sampled_from(SPACE.names), st.integers(0, 700), st.integers(0, 2**40), st.data())
@settings(max_examples=60, deadline=None)
def test_only_the_factor_changes_and_it_always_does(factor, samples, seed, data):
    column = SPACE.position(factor)
    level = data.draw(st.none() | st.integers(0, SPACE[factor].size - 1))
    rising = factor in ORDINAL and level != 0 and data.draw(st.booleans())
    pairs = draw_pairs(
        DATASET,
        factor=factor,
        samples=samples,
        seed=seed,
        level=level,
        contrast="increase" if rising else "as_drawn",
    )
    assert pairs.base.shape == pairs.counterfactual.shape == (samples, 5)
    assert pairs.base.dtype == pairs.counterfactual.dtype == np.int64
    others = [k for k in range(5) if k != column]
    assert np.array_equal(pairs.base[:, others], pairs.counterfactual[:, others])
    before, after = pairs.base[:, column], pairs.counterfactual[:, column]
    assert (before != after).all()
    for side in (before, after):
        assert ((side >= 0) & (side < SPACE[factor].size)).all()
    if factor == "orientation":
        assert (before % 39 != after % 39).all()
    if level is not None:
        assert (after == level).all()
    if rising:
        assert (before < after).all()


@given(st.integers(0, 600), st.integers(0, 600), st.integers(0, 2**40))
@settings(max_examples=30, deadline=None)
def test_a_shorter_draw_is_the_start_of_a_longer_one(few, more, seed):
    few, more = min(few, more), max(few, more)
    short = draw_pairs(DATASET, factor="scale", samples=few, seed=seed, contrast="increase")
    long = draw_pairs(DATASET, factor="scale", samples=more, seed=seed, contrast="increase")
    assert np.array_equal(short.base, long.base[:few])
    assert np.array_equal(short.counterfactual, long.counterfactual[:few])
    assert np.array_equal(draw_samples(DATASET, few, seed), draw_samples(DATASET, more, seed)[:few])


@pytest.mark.parametrize(("start", "level"), [(0, 2), (2, 0)])
def test_a_declared_contrast_sets_both_sides_and_holds_the_rest(start, level):
    pairs = draw_pairs(DATASET, factor="shape", samples=300, seed=4, level=level, start_level=start)
    column = SPACE.position("shape")
    assert (pairs.base[:, column] == start).all()
    assert (pairs.counterfactual[:, column] == level).all()
    others = [k for k in range(5) if k != column]
    observed = draw_samples(DATASET, 300, 4)
    for side in (pairs.base, pairs.counterfactual):
        assert np.array_equal(side[:, others], observed[:, others])
    assert len(np.unique(observed[:, column])) == 3


def test_a_declared_contrast_of_a_continuous_factor():
    section = {"source": "scm", "world": "table", "variables": {"a": "uniform(0, 1)", "b": "2 * a"}}
    data = open_scm(ScmData.model_validate(section))
    values = {}
    for others in ("hold", "propagate"):
        pairs = draw_pairs(data, factor="a", samples=50, seed=1, value=0.75, start_value=0.25, others=others)
        values[others] = data.values(pairs.base), data.values(pairs.counterfactual)
        a, b = (data.space.position(name) for name in "ab")
        assert np.allclose(values[others][0][:, a], 0.25)
        assert np.allclose(values[others][1][:, a], 0.75)
    assert np.allclose(values["propagate"][1][:, b] - values["propagate"][0][:, b], 1.0)
    assert np.array_equal(values["hold"][0][:, b], values["hold"][1][:, b])


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"factor": "shape", "level": 1, "start_level": 1}, "CV204"),
        ({"factor": "orientation", "level": 0, "start_level": 39}, "CV204"),
        ({"factor": "shape", "start_level": 1}, "CV204"),
        ({"factor": "shape", "level": 1, "start_level": 3}, "CV204"),
        ({"factor": "shape", "level": 1, "start_value": 0.5}, "CV204"),
        ({"factor": "scale", "level": 3, "start_level": 1, "contrast": "increase"}, "CV205"),
    ],
)
def test_a_contrast_that_is_none_is_refused(arguments, code):
    with pytest.raises(CausalVAEError) as caught:
        draw_pairs(DATASET, samples=4, seed=0, **arguments)
    assert caught.value.code == code


def test_bases_are_the_observed_samples_of_the_same_seed():
    pairs = draw_pairs(DATASET, factor="shape", samples=300, seed=11)
    assert np.array_equal(pairs.base, draw_samples(DATASET, 300, 11))


def test_equal_seeds_agree_and_others_do_not():
    first, again, other = (draw_pairs(DATASET, factor="x", samples=50, seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(first.base, again.base)
    assert np.array_equal(first.counterfactual, again.counterfactual)
    assert not np.array_equal(first.base, other.base)


def test_levels_are_uniform_given_the_base():
    pairs = draw_pairs(DATASET, factor="scale", samples=60_000, seed=0)
    column = SPACE.position("scale")
    counts = np.zeros((6, 6))
    np.add.at(counts, (pairs.base[:, column], pairs.counterfactual[:, column]), 1)
    assert (np.diag(counts) == 0).all()
    # 30 cells of expectation 2000 each: five standard deviations are 220.
    assert np.abs(counts[~np.eye(6, dtype=bool)] - 2000).max() < 220


def test_the_last_orientation_draws_the_first_ones_image():
    assert SPACE["orientation"].meanings.tolist() == [*range(39), 0]
    levels = np.array([[shape, 5, 0, 7, 9] for shape in range(3)])
    turned = levels.copy()
    turned[:, 2] = 39
    assert np.array_equal(render_levels(levels), render_levels(turned))


def test_meanings_follow_the_period():
    hue = Factor("hue", "cyclic", (0.0, 0.25, 0.5, 0.75, 1.0, 1.25), period=1.0)
    assert hue.meanings.tolist() == [0, 1, 2, 3, 0, 1]
    assert Factor("size", "ordinal", (0.0, 2 * np.pi)).meanings.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"factor": "colour"}, "CV203"),
        ({"factor": "scale", "level": 6}, "CV204"),
        ({"factor": "scale", "level": -1}, "CV204"),
        ({"factor": "shape", "contrast": "increase"}, "CV205"),
        ({"factor": "orientation", "contrast": "increase"}, "CV205"),
        ({"factor": "scale", "contrast": "increase", "level": 0}, "CV205"),
    ],
)
def test_what_cannot_be_drawn_is_refused(arguments, code):
    with pytest.raises(CausalVAEError) as caught:
        draw_pairs(DATASET, samples=4, seed=0, **arguments)
    assert caught.value.code == code
    assert caught.value.remedy


def test_a_factor_of_one_level_cannot_be_set():
    class OneColour(DspritesDataset):
        space = FactorSpace((Factor("colour", "categorical", (1.0,), ("white",)), *SPACE.factors))

    with pytest.raises(CausalVAEError) as caught:
        draw_pairs(OneColour(), factor="colour", samples=4, seed=0)
    assert caught.value.code == "CV204"


def test_samples_within_a_part_are_in_the_order_of_a_permutation_of_it():
    within = np.arange(0, DATASET.size, 3)
    for seed in (1, 2, 1):
        order = np.random.default_rng(seed).permutation(within)
        drawn = draw_samples(DATASET, 40, seed, within)
        np.testing.assert_array_equal(drawn, DATASET.rows_at(order[:40]))
        drawn[:] = 0
