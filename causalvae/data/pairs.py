"""do(factor) on the data: pairs of samples that differ in one factor and agree in all others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from causalvae.data.dataset import Dataset
from causalvae.data.factors import Factor, IntArray
from causalvae.errors import CausalVAEError

# Samples are drawn in blocks, each with a generator of its own, so that the first k of a longer draw are a draw of k.
_BLOCK = 256


@dataclass(frozen=True)
class Pairs:
    """Counterfactual pairs.

    Parameters
    ----------
    base : int array, shape (n, n_factors)
        Levels of the inputs as they are.
    counterfactual : int array, shape (n, n_factors)
        Levels of the same inputs under do(factor).
    """

    base: IntArray
    counterfactual: IntArray

    def __len__(self) -> int:
        return len(self.base)


def draw_samples(dataset: Dataset, samples: int, seed: int) -> IntArray:
    """Levels of `samples` observed samples: int array, shape (samples, n_factors).

    Equal seeds give equal samples, and the first k of a longer draw are the draw of k.
    """
    blocks = [dataset.draw(_BLOCK, _generator(seed, block)) for block in range(-(-samples // _BLOCK))]
    return np.concatenate([*blocks, np.empty((0, len(dataset.space.factors)), np.int64)])[:samples]


def draw_pairs(
    dataset: Dataset,
    *,
    factor: str,
    samples: int,
    seed: int,
    level: int | None = None,
    others: Literal["hold", "propagate"] = "hold",
    contrast: Literal["increase", "as_drawn"] = "as_drawn",
) -> Pairs:
    """Draw counterfactual pairs of do(`factor`).

    Parameters
    ----------
    dataset : Dataset
        What is drawn from. The base inputs are the samples that `draw_samples` gives for the same seed, apart from
        what `level` and `contrast` change.
    factor : str
        The factor that is set.
    samples : int
        Number of pairs.
    seed : int
        Equal seeds give equal pairs, and the first k of a longer draw are the draw of k.
    level : int, optional
        The level that every counterfactual gets; each base then has a level drawn uniformly from those that mean
        something else. Without it every counterfactual gets a level drawn uniformly from those that mean something
        else than its base's.
    others : {"hold", "propagate"}
        ``hold`` keeps all other factors. ``propagate`` recomputes the descendants of `factor` in the data's
        structural model; the factors of a full grid are independent and have no descendants, so both give the same.
    contrast : {"as_drawn", "increase"}
        ``increase`` makes the factor rise from base to counterfactual: it swaps the two sides of a pair where it would
        fall, and with `level` it draws the bases from the levels below that one.

    Returns
    -------
    Pairs

    Raises
    ------
    CausalVAEError
        CV203 for a factor that the data lacks, CV204 for a level that it lacks or a factor that cannot change, CV205
        for ``increase`` where the levels have no order, or where none is below `level`.
    """
    space = dataset.space
    if factor not in space.names:
        raise CausalVAEError(
            "CV203",
            f"The data set {dataset.name} has no factor {factor}.",
            f"Use one of {', '.join(space.names)}.",
            factor,
        )
    column, chosen = space.position(factor), space[factor]
    _refuse_impossible(chosen, level, contrast)
    table, counts = _levels_to_draw_from(chosen, below=level is not None and contrast == "increase")

    base_blocks, counterfactual_blocks = [], []
    for block in range(-(-samples // _BLOCK)):
        rng = _generator(seed, block)
        base = dataset.draw(_BLOCK, rng)
        pick = rng.random(_BLOCK)
        counterfactual = base.copy()
        if level is None:
            here = base[:, column]
            counterfactual[:, column] = table[here, (pick * counts[here]).astype(np.int64)]
        else:
            base[:, column] = table[level, (pick * counts[level]).astype(np.int64)]
            counterfactual[:, column] = level
        if level is None and contrast == "increase":
            falls = (base[:, column] > counterfactual[:, column])[:, None]
            base, counterfactual = np.where(falls, counterfactual, base), np.where(falls, base, counterfactual)
        base_blocks.append(base)
        counterfactual_blocks.append(counterfactual)
    none = np.empty((0, len(space.factors)), np.int64)
    return Pairs(
        np.concatenate([*base_blocks, none])[:samples],
        np.concatenate([*counterfactual_blocks, none])[:samples],
    )


def _generator(seed: int, block: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(block,)))


def _levels_to_draw_from(factor: Factor, below: bool) -> tuple[IntArray, IntArray]:
    """For each level those of another meaning (or only those below it): a left-aligned table, and how many they are."""
    meanings = factor.meanings
    wanted = meanings[:, None] > meanings[None, :] if below else meanings[:, None] != meanings[None, :]
    table = np.argsort(~wanted, axis=1, kind="stable").astype(np.int64)
    return table, wanted.sum(axis=1).astype(np.int64)


def _refuse_impossible(factor: Factor, level: int | None, contrast: str) -> None:
    if len(set(factor.meanings.tolist())) < 2:
        raise CausalVAEError(
            "CV204",
            f"Factor {factor.name} has a single level and cannot be set to another.",
            "Choose a factor with at least two levels.",
            factor.name,
        )
    if level is not None and not 0 <= level < factor.size:
        raise CausalVAEError(
            "CV204",
            f"Factor {factor.name} has no level {level}.",
            f"Use a level from 0 to {factor.size - 1}.",
            factor.name,
        )
    if contrast == "increase" and factor.kind != "ordinal":
        raise CausalVAEError(
            "CV205",
            f"Factor {factor.name} is {factor.kind}: its levels have no order in which it could increase.",
            "Use contrast: as_drawn.",
            factor.name,
        )
    if contrast == "increase" and level == 0:
        raise CausalVAEError(
            "CV205",
            f"Factor {factor.name} is set to its lowest level, to which it cannot rise.",
            "Use contrast: as_drawn, or set a higher level.",
            factor.name,
        )
