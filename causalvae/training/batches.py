"""The batches of a training run, which are functions of (seed, step)."""

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

# Maximum number of batches and bytes drawn together, which is faster per sample.
_MOST_BATCHES = 32
_MOST_BYTES = 2**25
# Number of draws of a block after which a part of the data without samples counts as empty.
_TRIES = 50
_OFTEN = 10
_DEFAULT_SHARE = 0.1


class Batches:
    """Draws the batches of a training run, and samples for evaluation.

    Parameters
    ----------
    dataset : Dataset
    seed : int
        Seed of the spec; a batch is a function of it and of the step.
    batch_size : int
    held_out : float
        Share of the samples that are omitted of all batches, below 1. The selection depends on the data only, so that
        networks with other seeds can be compared on the same samples.
    arrange : callable, optional
        Maps the rows drawn for a batch to an equal number of rows; see
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
        """The batch of a step, float32, (batch_size, *input_shape)."""
        _, inputs = self.samples_at(step)
        return inputs

    def samples_at(self, step: int) -> tuple[Rows, Tensor]:
        """The rows of the batch of a step, (batch_size, width), and its inputs; see `at`."""
        block, slot = divmod(step, self._ahead)
        if self._block is None or self._block[0] != block:
            self._block = None  # frees the memory of the old block first
            rng = np.random.default_rng([self._seed, block])
            rows = self._draw(self._ahead * self._batch_size, rng, aside=False)
            if self._arrange is not None:
                rows = np.concatenate([self._arrange(batch) for batch in np.split(rows, self._ahead)])
            self._block = (block, rows, self._dataset.inputs(rows))
        _, rows, inputs = self._block
        batch = slice(slot * self._batch_size, (slot + 1) * self._batch_size)
        return rows[batch], inputs[batch]

    def new(self, most: int) -> Tensor:
        """Samples for evaluation, float32, (n, *input_shape), n at most `most`.

        Distinct held-out samples; if none are held out, `most` new samples.
        """
        # A seed sequence not used by any block of training.
        rows = self._draw(most, np.random.default_rng([self._seed, 0, 1]), aside=True)
        if self.held_out:
            _, first = np.unique(rows, axis=0, return_index=True)
            rows = rows[np.sort(first)]
        return self._dataset.inputs(rows)

    def _draw(self, n: int, rng: np.random.Generator, aside: bool) -> Rows:
        """`n` samples from the held-out part or from the other; from all if nothing is held out."""
        if not self.held_out:
            return self._dataset.draw(n, rng)
        kept: list[Rows] = []
        count = 0
        for _ in range(_TRIES):
            rows = self._dataset.draw(n, rng)
            rows = rows[is_chosen(rows, self.held_out) == aside]
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


def is_chosen(rows: Rows, share: float, salt: int = 0) -> npt.NDArray[np.bool_]:
    """Select about `share` of all rows by their content: mask, bool, (n,).

    Parameters
    ----------
    rows : array of numbers, shape (n, width)
    share : float
        In [0, 1).
    salt : int
        Selections with different salts are independent.

    Notes
    -----
    Rows are hashed with the finaliser of SplitMix64 (Steele, Lea & Flood 2014).
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
    """The share of the data to hold out.

    Parameters
    ----------
    wanted : float or None
        The value in the spec.
    from_files : bool
    size : int or None
        Number of distinct samples; None if infinite.
    drawn : int
        Number of samples drawn in training.

    Returns
    -------
    float
        `wanted` if given. Else 0.1 for finite data that are read from files or whose samples are each drawn ten times
        or more, since a network can then memorise them. Else 0.
    """
    if wanted is not None:
        return wanted
    repeats = size is not None and (from_files or drawn >= _OFTEN * size)
    return _DEFAULT_SHARE if repeats else 0.0


def size_for_estimates(size: int | None, held_out: float, drawn: int, batch_size: int) -> int:
    """The size of the data set for the minibatch-stratified estimates of Chen et al.

    For finite data it is the number of training samples. For data without end it is the number of samples drawn in
    training; with an infinite size, the weight of a sample's own posterior would be 0 and the mutual information
    infinite in the limit of narrow posteriors. It is at least the batch size.
    """
    known = drawn if size is None else round(size * (1.0 - held_out))
    return max(known, batch_size)
