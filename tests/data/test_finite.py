"""Finite data of every source: drawn without replacement, no sample in two pairs, parts apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from causalvae.data.conditioned import ConditionedDataset
from causalvae.data.dataset import DspritesDataset, FiniteDataset, as_finite
from causalvae.data.factors import Factor, FactorSpace, IntArray
from causalvae.data.files.labelled import GridSamples, ObservedSamples
from causalvae.data.kinds.scm import ScmData
from causalvae.data.pairs import Pairs, draw_pairs, draw_samples, draw_swaps
from causalvae.data.scm import open_scm
from causalvae.data.split import PARTS, SplitRule
from causalvae.engine.cohorts import draw_cohort, tabulate_split
from causalvae.errors import CausalVAEError
from causalvae.plan.types import Cohort, Treatment
from causalvae_neighbours.half_avae.mixtures import MixturesDataset

SPACE = FactorSpace(
    (
        Factor("kind", "categorical", (0.0, 1.0, 2.0), ("a", "b", "c")),
        Factor("size", "ordinal", (1.0, 2.0, 3.0, 5.0)),
        Factor("place", "ordinal", tuple(float(k) for k in range(9))),
    )
)


class Rows:
    """Each input is the number of its sample."""

    input_shape = (1,)
    columns = None

    def read(self, numbers: IntArray) -> torch.Tensor:
        return torch.from_numpy(numbers.astype(np.float32))[:, None]


def grid() -> FiniteDataset:
    """108 samples, one for every combination, in an order of their own."""
    return GridSamples("grid", SPACE, Rows(), {}, np.random.default_rng(0).permutation(108))


def observed() -> FiniteDataset:
    values = np.random.default_rng(0).normal(size=(75, 1))
    samples = ObservedSamples(
        "observed", FactorSpace((Factor("dose", "continuous", (-3.0, 3.0), settable=False),)), Rows(), {}, values
    )
    samples.files = [f"{number}.png" for number in range(75)]
    return samples


SOURCES = {
    "grid": grid,
    "observed": observed,
    "conditioned": lambda: ConditionedDataset(grid(), ("size",)),
    "mixtures": lambda: MixturesDataset(16),
    "dsprites": DspritesDataset,
}


def pairs_of(data: FiniteDataset, samples: int, seed: int, within: IntArray | None = None) -> list[Pairs]:
    """Pairs of swaps, and of every factor that can be set."""
    drawn = [draw_swaps(data, samples=samples, seed=seed, within=within)]
    for factor in data.space.factors:
        if factor.settable:
            drawn.append(draw_pairs(data, factor=factor.name, samples=samples, seed=seed, within=within))
            if factor.kind == "ordinal":
                options = {"factor": factor.name, "samples": samples, "seed": seed, "within": within}
                drawn.append(draw_pairs(data, **options, level=1, contrast="increase"))
    return drawn


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("samples", [7, 2000])
def test_no_sample_is_in_two_pairs_and_both_sides_are_what_they_are_said_to_be(source: str, samples: int) -> None:
    data = SOURCES[source]()
    for pairs in pairs_of(data, samples, 3):
        numbers = np.concatenate([pairs.base_sample, pairs.counterfactual_sample])
        assert len(np.unique(numbers)) == len(numbers) == 2 * len(pairs)
        assert len(pairs) <= min(samples, data.size // 2)
        assert len(pairs) == samples or samples > 7
        np.testing.assert_array_equal(data.rows_at(pairs.base_sample), pairs.base)
        np.testing.assert_array_equal(data.rows_at(pairs.counterfactual_sample), pairs.counterfactual)
    rows = draw_samples(data, samples, 3)
    assert len(rows) == min(samples, data.size)
    assert len(np.unique(data.numbers_of(rows))) == len(rows)


@pytest.mark.parametrize("source", SOURCES)
def test_a_shorter_draw_begins_a_longer_one_also_where_data_end(source: str) -> None:
    data = SOURCES[source]()
    for short, long in zip(pairs_of(data, 5, 8), pairs_of(data, 3000, 8), strict=True):
        np.testing.assert_array_equal(short.base, long.base[:5])
        np.testing.assert_array_equal(short.counterfactual, long.counterfactual[:5])


@pytest.mark.parametrize("source", [source for source in SOURCES if source != "dsprites"])
@pytest.mark.parametrize("rule", [SplitRule(), SplitRule(0.4, 0.35, 7)])
def test_parts_share_no_sample_and_are_all_there_is(source: str, rule: SplitRule) -> None:
    data = SOURCES[source]()
    parts = {part: rule.within(data, part) for part in PARTS}
    assert np.array_equal(np.sort(np.concatenate(list(parts.values()))), np.arange(data.size))
    for numbers in parts.values():
        inside = set(numbers.tolist())
        for pairs in pairs_of(data, 100, 1, numbers):
            assert inside.issuperset(pairs.base_sample.tolist() + pairs.counterfactual_sample.tolist())
        assert inside.issuperset(data.numbers_of(draw_samples(data, 10_000, 1, numbers)).tolist())
    table = tabulate_split(data, rule)
    assert table is not None
    for part, numbers in parts.items():
        assert table["sample"][table["part"] == part].tolist() == numbers.tolist()
        if source == "observed":
            assert table["file"][table["part"] == part].tolist() == [f"{number}.png" for number in numbers]


def test_large_parts_to_fit_and_select_on_are_limited() -> None:
    assert SplitRule().sizes(737_280) == {"fit": 25_000, "select": 25_000, "test": 687_280}
    assert SplitRule().sizes(300) == {"fit": 90, "select": 60, "test": 150}


def test_a_grid_that_is_used_up_still_gives_most_of_its_pairs() -> None:
    """Of 108 samples, 9 x 4 contexts with three kinds each, one of which is left over: 36 pairs at most."""
    pairs = draw_pairs(grid(), factor="kind", samples=500, seed=0)
    assert len(pairs) == 36
    counts = np.zeros((3, 3), dtype=int)
    for seed in range(60):
        pairs = draw_pairs(grid(), factor="kind", samples=12, seed=seed)
        np.add.at(counts, (pairs.base[:, 0], pairs.counterfactual[:, 0]), 1)
    # Six cells of 120 on average, with a standard deviation of 10.
    assert np.abs(counts[~np.eye(3, dtype=bool)] - 120).max() < 40


def test_samples_without_end_are_numbered_as_they_were_drawn() -> None:
    data = open_scm(
        ScmData.model_validate({"source": "scm", "world": "table", "variables": {"a": "uniform(0, 1)", "b": "2 * a"}})
    )
    assert as_finite(data) is None and SplitRule().within(data, "test") is None
    pairs = draw_pairs(data, factor="a", samples=600, seed=0)
    assert pairs.base_sample.tolist() == pairs.counterfactual_sample.tolist() == list(range(600))
    swaps = draw_swaps(data, samples=600, seed=0)
    assert len({*swaps.base_sample.tolist(), *swaps.counterfactual_sample.tolist()}) == 1200


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(CausalVAEError, match="0 are there to select on") as caught:
        SplitRule(0.3, 0.0).within(observed(), "select")
    assert caught.value.code == "CV207"
    one = SplitRule(0.45, 0.45)
    data = GridSamples("few", FactorSpace(SPACE.factors[:1]), Rows(), {})
    with pytest.raises(CausalVAEError, match="make 0 pairs") as caught:
        draw_cohort(
            GridSamples("few", FactorSpace(SPACE.factors[1:2]), Rows(), {}),
            Cohort("up", 20, 0, Treatment("up", "size", 0, "hold", "as_drawn", start_level=3)),
            SplitRule(0.25, 0.25, 2),
        )
    assert caught.value.code == "CV438"
    with pytest.raises(CausalVAEError, match="2 are needed"):
        one.within(data, "fit", 2)


def test_morphomnist_pairs_rest_on_different_images() -> None:
    folder = Path(__file__).parents[3] / "shared" / "data" / "morphomnist"
    if not folder.is_dir():
        pytest.skip("../shared/data/morphomnist is absent")
    from causalvae.data.files.morphomnist import MorphoMnistDataset

    data = MorphoMnistDataset(folder, "t10k")
    part = SplitRule().within(data, "test")
    same = draw_pairs(data, factor="thickness", samples=40, seed=0, within=part)
    np.testing.assert_array_equal(same.base_sample, same.counterfactual_sample)
    assert len(np.unique(same.base_sample)) == 40
    other = draw_pairs(data, factor="digit", samples=40, seed=0, within=part)
    assert len(np.unique(np.concatenate([other.base_sample, other.counterfactual_sample]))) == 80
    assert set(part.tolist()).issuperset(other.counterfactual_sample.tolist())
