"""The batches of a training run: functions of (seed, step) alone, drawn from any data set."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from causalvae.data.dataset import Dataset
from causalvae.data.factors import Rows
from causalvae.errors import CausalVAEError

if TYPE_CHECKING:
    from torch import Tensor

# Many samples are drawn at once, which costs less a sample, but no more than this many batches and bytes.
_MOST_BATCHES = 32
_MOST_BYTES = 2**25
# A share of the data that so many draws of a block's size never hit is empty.
_TRIES = 50
_OFTEN = 10
_DEFAULT_SHARE = 0.1


class Batches:
    """Draws a run's training batches, and the samples that tell how well it does on new data.

    Parameters
    ----------
    dataset : Dataset
    seed : int
        Of the spec: every batch is a function of it and of the step.
    batch_size : int
    held_out : float
        Share of the data's samples, by number, that no batch holds; below 1. Which they are depends on the data alone,
        so networks that were trained with other seeds can be held against the same samples.
    arrange : callable, optional
        Makes a batch's rows from those that were drawn for it, as many; see
        `causalvae.training.supervision.Labels.pair`.
    """

    def __init__(
        self,
        dataset: Dataset,
        seed: int,
        batch_size: int,
        held_out: float = 0.0,
        arrange: Callable[[Rows], Rows] | None = None,
    ) -> None:
        self._dataset = dataset
        self._seed = seed
        self._batch_size = batch_size
        self.held_out = held_out
        self._arrange = arrange
        size = 4 * batch_size * prod(dataset.input_shape)
        self._ahead = max(1, min(_MOST_BATCHES, _MOST_BYTES // size))
        self._block: tuple[int, Rows, Tensor] | None = None

    def at(self, step: int) -> Tensor:
        """The batch of a step: float32 tensor, (batch_size, *input_shape)."""
        _, inputs = self.samples_at(step)
        return inputs

    def samples_at(self, step: int) -> tuple[Rows, Tensor]:
        """The rows of a step's batch, (batch_size, width), and its inputs as `at` gives them."""
        block, slot = divmod(step, self._ahead)
        if self._block is None or self._block[0] != block:
            self._block = None  # the old block's memory is free before the new one's is taken
            rng = np.random.default_rng([self._seed, block])
            rows = self._draw(self._ahead * self._batch_size, rng, aside=False)
            if self._arrange is not None:
                rows = np.concatenate([self._arrange(batch) for batch in np.split(rows, self._ahead)])
            self._block = (block, rows, self._dataset.inputs(rows))
        _, rows, inputs = self._block
        batch = slice(slot * self._batch_size, (slot + 1) * self._batch_size)
        return rows[batch], inputs[batch]

    def new(self, most: int) -> Tensor:
        """Samples that tell how the network does on new data: float32 tensor, (n, *input_shape), n at most `most`.

        The held-out ones, each once; where none are held out, `most` samples drawn as training draws them.
        """
        # A seed sequence that no block of training uses.
        rows = self._draw(most, np.random.default_rng([self._seed, 0, 1]), aside=True)
        if self.held_out:
            _, first = np.unique(rows, axis=0, return_index=True)
            rows = rows[np.sort(first)]
        return self._dataset.inputs(rows)

    def _draw(self, n: int, rng: np.random.Generator, aside: bool) -> Rows:
        """`n` samples from the part that is held out or from the other; from all where nothing is held out."""
        if not self.held_out:
            return self._dataset.draw(n, rng)
        kept: list[Rows] = []
        count = 0
        for _ in range(_TRIES):
            rows = self._dataset.draw(n, rng)
            rows = rows[is_held_out(rows, self.held_out) == aside]
            kept.append(rows)
            count += len(rows)
            if count >= n:
                return np.concatenate(kept)[:n]
        if aside and count:
            return np.concatenate(kept)
        part = "held out" if aside else "left to train on"
        raise CausalVAEError(
            "CV426",
            f"of the data's samples none is {part}: the share that is held out is {self.held_out:g} of "
            f"{self._dataset.size or 'endlessly'} many.",
            "Choose another share, or `held_out: 0` to train on all.",
            "held_out",
        )


def is_held_out(rows: Rows, share: float) -> npt.NDArray[np.bool_]:
    """Which samples are held out: see `is_chosen`."""
    return is_chosen(rows, share)


def is_chosen(rows: Rows, share: float, salt: int = 0) -> npt.NDArray[np.bool_]:
    """A choice of samples: a function of each row's content alone, true for about `share` of all rows.

    Parameters
    ----------
    rows : array of numbers, shape (n, width)
    share : float
        In [0, 1).
    salt : int
        Choices with different salts are independent.

    Notes
    -----
    The row's words go through the finaliser of SplitMix64 (Steele, Lea & Flood 2014) one after another.
    """
    words = np.ascontiguousarray(rows, dtype=np.float64).view(np.uint64)
    mixed = np.full(len(rows), salt, dtype=np.uint64)
    for column in words.T:
        mixed = (mixed ^ column) + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    return np.asarray(mixed < np.uint64(int(share * 2**64)), dtype=np.bool_)


def share_to_hold_out(wanted: float | None, from_files: bool, size: int | None, drawn: int) -> float:
    """The share of the data that is held out.

    Parameters
    ----------
    wanted : float or None
        As the spec has it.
    from_files : bool
    size : int or None
        Number of different samples; None where there is no end of them.
    drawn : int
        How many samples training draws.

    Returns
    -------
    float
        `wanted` where it is given. Else a tenth, for finite data that is read from files or of which each sample is
        drawn ten times or more: a network can then know its samples by heart. Else 0: new samples are as good.
    """
    if wanted is not None:
        return wanted
    repeats = size is not None and (from_files or drawn >= _OFTEN * size)
    return _DEFAULT_SHARE if repeats else 0.0


def size_for_estimates(size: int | None, held_out: float, drawn: int, batch_size: int) -> int:
    """The number of samples that a batch stands for, as Chen et al.'s minibatch-stratified estimate needs it.

    Of finite data it is how many samples training draws from. Data without end has no such number: what the encoder is
    fitted to is then the samples that training draws in all, each once, and their number is taken. With an infinite one
    a sample's own posterior would weigh nothing in the aggregate, and the mutual information would be infinite in the
    limit of narrow posteriors. It is never less than the batch.
    """
    known = drawn if size is None else round(size * (1.0 - held_out))
    return max(known, batch_size)
