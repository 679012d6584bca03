"""Counterfactual pairs of samples under do(factor)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from causalvae.data.dataset import Dataset, FiniteDataset, as_finite
from causalvae.data.factors import Factor, IntArray, Rows
from causalvae.data.others import Others
from causalvae.errors import CausalVAEError, NoPairsError

# Samples are drawn in blocks, each with its own generator, so that a shorter draw is a prefix of a longer one.
_BLOCK = 256
# Number of attempts per round to find a counterfactual for a sample of finite data.
_OFFERS = 8


@dataclass(frozen=True)
class Pairs:
    """Counterfactual pairs.

    Parameters
    ----------
    base : array, shape (n, width)
        Rows of samples.
    counterfactual : array, shape (n, width)
        The same samples under do(factor), or samples that replace them.
    base_sample, counterfactual_sample : int array, shape (n,)
        Numbers of the samples in a finite data set, else in the order of the draw. For finite data, no sample is in two
        pairs.
    """

    base: Rows
    counterfactual: Rows
    base_sample: IntArray
    counterfactual_sample: IntArray

    def __len__(self) -> int:
        return len(self.base)


def draw_samples(dataset: Dataset, samples: int, seed: int, within: IntArray | None = None) -> Rows:
    """Draw observed samples: rows, (n, width).

    Parameters
    ----------
    dataset : Dataset
    samples : int
        Requested number of samples.
    seed : int
        Equal seeds give equal samples; a shorter draw is a prefix of a longer one.
    within : int array, optional
        Numbers of the samples of finite data that may be drawn; all if omitted. Ignored for data without end.

    Returns
    -------
    array
        `samples` independent samples for data without end. Finite data are drawn without replacement, so n is at most
        their number.
    """
    finite = as_finite(dataset)
    if finite is not None:
        return finite.rows_at(_shuffle(finite, seed, within)[:samples])
    blocks = [dataset.draw(_BLOCK, _generator(seed, block)) for block in range(max(1, -(-samples // _BLOCK)))]
    return np.concatenate(blocks)[:samples]


def draw_pairs(
    dataset: Dataset,
    *,
    factor: str,
    samples: int,
    seed: int,
    level: int | None = None,
    value: float | None = None,
    others: Others = "hold",
    contrast: Literal["increase", "as_drawn"] = "as_drawn",
    start_level: int | None = None,
    start_value: float | None = None,
    within: IntArray | None = None,
) -> Pairs:
    """Draw counterfactual pairs of do(`factor`).

    Parameters
    ----------
    dataset : Dataset
        The base inputs are the samples of `draw_samples` with the same seed, except for changes by `level` and
        `contrast` and for samples of finite data that are in an earlier pair.
    factor : str
        The factor to set.
    samples : int
        Requested number of pairs. Finite data may give fewer, since each sample is in at most one pair, so that pairs
        are independent.
    seed : int
        Equal seeds give equal pairs; a shorter draw is a prefix of a longer one.
    level : int, optional
        Level of all counterfactuals; the level of each base is then drawn uniformly from the other levels. Without it,
        the level of each counterfactual is drawn uniformly from the levels other than that of its base. Equivalent
        levels of cyclic factors count as one.
    value : float, optional
        Value of all counterfactuals for a continuous factor; bases are not changed. Without it, each counterfactual
        gets the value of another sample.
    others : "hold", "propagate" or Release
        ``hold`` keeps all other factors. ``propagate`` recomputes the descendants of `factor` in the structural model,
        and `Release` the named ones. No effect for factors of a full grid, which have no descendants.
    contrast : {"as_drawn", "increase"}
        With ``increase`` the factor increases from base to counterfactual: the sides of a pair are swapped otherwise,
        and with `level` the bases are drawn from the levels below it.
    start_level : int, optional
        With `level`, the level of all bases, so that all pairs have the same contrast.
    start_value : float, optional
        With `value`, the value of all bases for a continuous factor.
    within : int array, optional
        Numbers of the samples of finite data that may be used; all if omitted.

    Returns
    -------
    Pairs

    Raises
    ------
    CausalVAEError
        CV203 if the data lack the factor, CV204 for an unknown level or a factor that cannot change, CV205 for
        ``increase`` if levels have no order, if none is below `level`, or with a `value` or a start; CV206 if the data
        set has no counterfactuals.
    """
    space = dataset.space
    if factor not in space.names:
        raise CausalVAEError(
            "CV203",
            f"The data set {dataset.name} has no factor {factor}.",
            f"Use one of {', '.join(space.names)}." if space.names else "Give the data factors, or swap samples.",
            factor,
        )
    chosen = space[factor]
    _refuse_impossible(chosen, level, value, contrast)
    _refuse_no_contrast(chosen, (start_level, start_value), (level, value), contrast)
    ordered = contrast == "increase"
    if chosen.is_continuous:
        offer = _continuous_sides(dataset, chosen, value, others, start_value)
    else:
        offer = _discrete_sides(dataset, chosen, level, others, level is not None and ordered, start_level)
    column = space.position(factor)

    def sides(base: Rows, spare: Rows, rng: np.random.Generator) -> tuple[Rows, Rows]:
        base, counterfactual = offer(base, spare, rng)
        if not ordered or level is not None:
            return base, counterfactual
        falls = (dataset.values(base)[:, column] > dataset.values(counterfactual)[:, column])[:, None]
        return np.where(falls, counterfactual, base), np.where(falls, base, counterfactual)

    finite = as_finite(dataset)
    if finite is not None:
        return _match(finite, sides, samples, seed, within)
    needs_spare = chosen.is_continuous and value is None

    def drawn(block: int) -> tuple[Rows, Rows]:
        rng = _generator(seed, block)
        base = dataset.draw(_BLOCK, rng)
        return sides(base, dataset.draw(_BLOCK, rng) if needs_spare else base, rng)

    base, counterfactual = _collect(drawn, samples)
    return Pairs(base, counterfactual, np.arange(samples), np.arange(samples))


def draw_swaps(dataset: Dataset, *, samples: int, seed: int, within: IntArray | None = None) -> Pairs:
    """Draw pairs of unrelated samples.

    This intervention needs no factors. The base inputs are those of `draw_samples` with the same seed, and a shorter
    draw is a prefix of a longer one. Finite data of k samples give at most k // 2 pairs, since each sample is in at
    most one pair.

    Parameters
    ----------
    dataset : Dataset
    samples, seed, within
        See `draw_pairs`.
    """
    finite = as_finite(dataset)
    if finite is not None:
        order = _shuffle(finite, seed, within)
        half = len(order) // 2
        base, source = order[:half][:samples], order[half : 2 * half][:samples]
        return Pairs(finite.rows_at(base), finite.rows_at(source), base, source)

    def sides(block: int) -> tuple[Rows, Rows]:
        rng = _generator(seed, block)
        return dataset.draw(_BLOCK, rng), dataset.draw(_BLOCK, rng)

    block, place = np.divmod(np.arange(samples), _BLOCK)
    number = 2 * _BLOCK * block + place
    return Pairs(*_collect(sides, samples), number, number + _BLOCK)


def _shuffle(dataset: FiniteDataset, seed: int, within: IntArray | None) -> IntArray:
    """A random permutation of the numbers of finite data."""
    size = (dataset.size or 0) if within is None else len(within)
    order = _permutation(size, seed)
    return order.copy() if within is None else within[order].astype(np.int64)


# A run draws most of its cohorts with one seed.
@lru_cache(maxsize=2)
def _permutation(size: int, seed: int) -> IntArray:
    """A random order of the first integers, read-only."""
    order = np.random.default_rng(seed).permutation(size).astype(np.int64, copy=False)
    order.flags.writeable = False
    return order


def _collect(sides: Callable[[int], tuple[Rows, Rows]], samples: int) -> tuple[Rows, Rows]:
    """The first `samples` pairs of consecutive blocks."""
    blocks = [sides(block) for block in range(max(1, -(-samples // _BLOCK)))]
    base, counterfactual = (np.concatenate(side)[:samples] for side in zip(*blocks, strict=True))
    return base, counterfactual


# Maps samples, other samples whose values may be used, and a generator to both sides of pairs.
_Sides = Callable[[Rows, Rows, np.random.Generator], tuple[Rows, Rows]]


def _match(dataset: FiniteDataset, sides: _Sides, samples: int, seed: int, within: IntArray | None) -> Pairs:
    """Pairs of finite data such that no sample is in two of them, with both sides within `within`.

    Samples are processed in random order. For each, random counterfactuals are drawn until one is not in an earlier
    pair; this is repeated for the remaining samples until a whole round gives no pair.
    """
    order = _shuffle(dataset, seed, within)
    free = np.zeros(dataset.size or 0, dtype=bool)
    free[order] = True
    rng = _generator(seed, 1)
    waiting, found, count = np.arange(len(order)), [_offer(dataset, sides, order, order[:0], free, rng)[0]], 0
    while len(waiting) and count < samples:
        before, postponed = count, []
        for start in range(0, len(waiting), _BLOCK):
            if count >= samples:
                break
            pairs, left = _offer(dataset, sides, order, waiting[start : start + _BLOCK], free, rng)
            found.append(pairs)
            postponed.append(left)
            count += len(pairs)
        if count == before:
            break
        waiting = np.concatenate(postponed)
    base, counterfactual = (
        np.concatenate([getattr(pairs, side) for pairs in found])[:samples] for side in ("base", "counterfactual")
    )
    return Pairs(base, counterfactual, dataset.numbers_of(base), dataset.numbers_of(counterfactual))


def _offer(
    dataset: FiniteDataset,
    sides: _Sides,
    order: IntArray,
    places: IntArray,
    free: npt.NDArray[np.bool_],
    rng: np.random.Generator,
) -> tuple[Pairs, IntArray]:
    """Draw counterfactuals for the samples at `places` of `order`; returns pairs, and places without one.

    `free` is the mask of samples without a pair, (size,), and is updated.
    """
    bases = dataset.rows_at(order[places])
    spares = dataset.rows_at(order[(places + len(order) // 2) % max(len(order), 1)])
    waiting = np.arange(len(places))
    kept: list[tuple[IntArray, Rows, Rows]] = []
    for _ in range(_OFFERS if len(places) else 1):
        base, counterfactual = sides(bases[waiting], spares[waiting], rng)
        numbers = np.stack([dataset.numbers_of(base), dataset.numbers_of(counterfactual)], axis=1)
        fit = np.flatnonzero(free[numbers].all(axis=1))
        # The first of several pairs with the same sample is used.
        _, first, which = np.unique(numbers[fit], return_index=True, return_inverse=True)
        accepted = fit[(first[which.reshape(-1, 2)] // 2 == np.arange(len(fit))[:, None]).all(axis=1)]
        free[numbers[accepted]] = False
        kept.append((waiting[accepted], base[accepted], counterfactual[accepted]))
        waiting = np.delete(waiting, accepted)
        if not len(waiting):
            break
    taken, base, counterfactual = (np.concatenate(part) for part in zip(*kept, strict=True))
    turn = np.argsort(taken, kind="stable")
    none = places[:0]
    return Pairs(base[turn], counterfactual[turn], none, none), places[waiting]


def _discrete_sides(
    dataset: Dataset, factor: Factor, level: int | None, others: Others, below: bool, start_level: int | None
) -> _Sides:
    """Both sides of do(`factor`) for a factor with levels."""
    table, counts = _levels_to_draw_from(factor, below)
    column = dataset.space.position(factor.name)
    values = np.asarray(factor.values, dtype=np.float64)

    def offer(base: Rows, spare: Rows, rng: np.random.Generator) -> tuple[Rows, Rows]:
        pick = rng.random(len(base))
        if level is None:
            here = factor.levels_at(dataset.values(base)[:, column])
            other = table[here, (pick * counts[here]).astype(np.int64)]
        else:
            drawn = table[level, (pick * counts[level]).astype(np.int64)]
            start = drawn if start_level is None else np.full(len(base), start_level)
            base = dataset.intervene(base, factor.name, values[start], others)
            other = np.full(len(base), level)
        return base, dataset.intervene(base, factor.name, values[other], others)

    return offer


def _continuous_sides(
    dataset: Dataset, factor: Factor, value: float | None, others: Others, start_value: float | None
) -> _Sides:
    """Both sides of do(`factor`) for a continuous factor."""
    column = dataset.space.position(factor.name)

    def offer(base: Rows, spare: Rows, rng: np.random.Generator) -> tuple[Rows, Rows]:
        # The value of another sample if none is given, so from the distribution of the factor.
        other = dataset.values(spare)[:, column] if value is None else np.full(len(base), value, dtype=np.float64)
        if start_value is not None:
            base = dataset.intervene(base, factor.name, np.full(len(base), start_value, dtype=np.float64), others)
        return base, dataset.intervene(base, factor.name, other, others)

    return offer


def _generator(seed: int, block: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(block,)))


def _levels_to_draw_from(factor: Factor, below: bool) -> tuple[IntArray, IntArray]:
    """For each level the other levels (or only those below it), as a left-aligned table, and their number."""
    meanings = factor.meanings
    wanted = meanings[:, None] > meanings[None, :] if below else meanings[:, None] != meanings[None, :]
    table = np.argsort(~wanted, axis=1, kind="stable").astype(np.int64)
    return table, wanted.sum(axis=1).astype(np.int64)


def _refuse_no_contrast(
    factor: Factor,
    start: tuple[int | None, float | None],
    end: tuple[int | None, float | None],
    contrast: str,
) -> None:
    """Raise an error if the start, (level, value), makes no contrast with the end."""
    level, value = start
    if level is None and value is None:
        return
    known = value is not None and end[1] is not None
    if not factor.is_continuous:
        known = level is not None and end[0] is not None and 0 <= level < factor.size
    if not known:
        raise NoPairsError(
            "CV204",
            f"Both sides of a contrast of {factor.name} must be levels of it, or both values of a continuous factor.",
            "Give what the base inputs are set to and what the counterfactual ones are set to.",
            factor.name,
        )
    if start == end or (level is not None and factor.meanings[level] == factor.meanings[end[0]]):
        raise NoPairsError(
            "CV204",
            f"Factor {factor.name} is set from one value to another that means the same.",
            "Give two values that differ.",
            factor.name,
        )
    if contrast == "increase":
        raise CausalVAEError(
            "CV205",
            f"Factor {factor.name} goes from one value to another in every pair: the pairs have no order.",
            "Use contrast: as_drawn.",
            factor.name,
        )


def _refuse_impossible(factor: Factor, level: int | None, value: float | None, contrast: str) -> None:
    alone = factor.values[0] == factor.values[-1] if factor.is_continuous else len(set(factor.meanings.tolist())) < 2
    if alone:
        raise NoPairsError(
            "CV204",
            f"Factor {factor.name} has a single level and cannot be set to another.",
            "Choose a factor with at least two levels.",
            factor.name,
        )
    if (level if factor.is_continuous else value) is not None:
        raise NoPairsError(
            "CV204",
            f"Factor {factor.name} is {factor.kind}.",
            "Set it to a value." if factor.is_continuous else "Set it to one of its levels.",
            factor.name,
        )
    if contrast == "increase" and value is not None:
        raise CausalVAEError(
            "CV205",
            f"Factor {factor.name} is set to one value, from which no base is known to rise.",
            "Use contrast: as_drawn.",
            factor.name,
        )
    if level is not None and not 0 <= level < factor.size:
        raise NoPairsError(
            "CV204",
            f"Factor {factor.name} has no level {level}.",
            f"Use a level from 0 to {factor.size - 1}.",
            factor.name,
        )
    if contrast == "increase" and factor.kind not in ("ordinal", "continuous"):
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
