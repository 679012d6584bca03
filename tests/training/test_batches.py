"""Batches are functions of (seed, step), and what is held out is in none of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from causalvae.data.dataset import open_dataset
from causalvae.data.factors import Factor, FactorSpace, FloatArray, Rows
from causalvae.data.kinds.dsprites import DspritesData
from causalvae.errors import CausalVAEError
from causalvae.training import batches
from causalvae.training.batches import Batches, is_chosen, share_to_hold_out, size_for_estimates


class Numbered:
    """So many samples in a file: each is its own number, told twice."""

    name = "numbered"
    space = FactorSpace((Factor("number", "ordinal", (0.0, 1.0)),))
    input_shape = (2,)

    def __init__(self, size: int) -> None:
        self.size = size

    def draw(self, n: int, rng: np.random.Generator) -> Rows:
        return rng.integers(0, self.size, (n, 1))

    def values(self, rows: Rows) -> FloatArray:
        return rows.astype(np.float64)

    def inputs(self, rows: Rows) -> torch.Tensor:
        return torch.from_numpy(np.repeat(rows, 2, axis=1)).float()


def numbers(x: torch.Tensor) -> set[int]:
    return {int(value) for value in x[:, 0]}


def test_a_batch_is_a_function_of_seed_and_step() -> None:
    first, second = Batches(Numbered(10_000), 3, 8), Batches(Numbered(10_000), 3, 8)
    ahead = [first.at(step) for step in range(70)]
    for step in (69, 0, 33, 31, 32):
        assert torch.equal(second.at(step), ahead[step])
    assert len({tuple(x[:, 0].tolist()) for x in ahead}) == 70
    assert not torch.equal(Batches(Numbered(10_000), 4, 8).at(0), ahead[0])


def test_blocks_stay_small_where_samples_are_large(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    class Watched(Numbered):
        def draw(self, n: int, rng: np.random.Generator) -> Rows:
            asked.append(n)
            return super().draw(n, rng)

    monkeypatch.setattr(batches, "_MOST_BYTES", 4 * 2 * 8 * 3)
    source = Batches(Watched(100), 0, 8)
    for step in range(6):
        assert source.at(step).shape == (8, 2)
    assert asked == [24, 24]


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_no_batch_holds_what_is_held_out(share: float) -> None:
    size = 200
    aside = {int(row) for row in np.flatnonzero(is_chosen(np.arange(size)[:, None], share))}
    for seed in (0, 1):
        source = Batches(Numbered(size), seed, 16, share)
        seen = set().union(*(numbers(source.at(step)) for step in range(200)))
        assert seen == set(range(size)) - aside
        # Which samples are held out depends on no seed, and each is told once.
        new = source.new(2000)
        assert numbers(new) == aside
        assert len(new) == len(aside)


@pytest.mark.parametrize("share", [0.0, 0.03, 0.1, 0.7])
def test_the_held_out_share_is_as_asked(share: float) -> None:
    rng = np.random.default_rng(0)
    n = 20_000
    for rows in (np.arange(n)[:, None], rng.integers(0, 40, (n, 7)), rng.normal(size=(n, 3))):
        different = np.unique(rows, axis=0)
        found = is_chosen(different, share).mean()
        assert abs(found - share) <= 4 * np.sqrt(share * (1 - share) / len(different))


def test_every_column_decides_what_is_held_out() -> None:
    rows = np.zeros((1000, 4))
    for column in range(4):
        moved = rows.copy()
        moved[:, column] = np.arange(1000)
        assert 400 < is_chosen(moved, 0.5).sum() < 600


def test_nothing_to_hold_out_or_to_train_on_is_told() -> None:
    with pytest.raises(CausalVAEError) as caught:
        Batches(Numbered(3), 0, 8, 0.001).new(100)
    assert caught.value.code == "CV426"
    assert "held out" in caught.value.message
    with pytest.raises(CausalVAEError) as caught:
        Batches(Numbered(3), 0, 8, 0.999).at(0)
    assert "left to train on" in caught.value.message


def test_new_samples_of_endless_data_are_none_of_training() -> None:
    source = Batches(open_dataset(DspritesData(source="dsprites"), Path()), 0, 4)
    assert source.new(6).shape == (6, 1, 64, 64)
    assert not torch.equal(source.new(4), source.at(0))
    assert torch.equal(source.new(6), source.new(6))


@pytest.mark.parametrize(
    ("wanted", "from_files", "size", "drawn", "share"),
    [
        (None, False, None, 10**6, 0.0),
        (None, True, 10**6, 10, 0.1),
        (None, False, 7308, 10**6, 0.1),
        (None, False, 737_280, 64 * 26_000, 0.0),
        (0.25, False, None, 10, 0.25),
        (0.0, True, 100, 10**6, 0.0),
    ],
)
def test_the_share_to_hold_out(
    wanted: float | None, from_files: bool, size: int | None, drawn: int, share: float
) -> None:
    assert share_to_hold_out(wanted, from_files, size, drawn) == share


def test_the_size_that_a_batch_stands_for() -> None:
    assert size_for_estimates(1000, 0.1, 10**6, 64) == 900
    assert size_for_estimates(None, 0.0, 6400, 64) == 6400
    assert size_for_estimates(10, 0.0, 6400, 64) == 64
