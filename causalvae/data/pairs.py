"""do(factor) on the data: pairs of samples that differ in one factor and agree in all others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from causalvae.data.dataset import Dataset, FiniteDataset, as_finite
from causalvae.data.factors import Factor, IntArray, Rows
from causalvae.data.others import Others
from causalvae.errors import CausalVAEError, NoPairsError

# Samples are drawn in blocks, each with a generator of its own, so that the first k of a longer draw are a draw of k.
_BLOCK = 256
# How often a sample of finite data is offered another counterfactual before it has to wait for its turn to come again.
_OFFERS = 8


@dataclass(frozen=True)
class Pairs:
    """Counterfactual pairs.

    Parameters
    ----------
    base : array, shape (n, width)
        Samples as they are: rows of their data set.
    counterfactual : array, shape (n, width)
        The same samples under do(factor), or the samples that take their place.
    base_sample, counterfactual_sample : int array, shape (n,)
        Which samples these are made from: numbers of the data set where it is finite, else the order in which they
        were drawn. Of finite data no sample is in two pairs.
    """

    base: Rows
    counterfactual: Rows
    base_sample: IntArray
    counterfactual_sample: IntArray

    def __len__(self) -> int:
        return len(self.base)


def draw_samples(dataset: Dataset, samples: int, seed: int, within: IntArray | None = None) -> Rows:
    """Observed samples: rows of the data set, shape (n, width).

    Parameters
    ----------
    dataset : Dataset
    samples : int
        How many are asked for.
    seed : int
        Equal seeds give equal samples, and the first k of a longer draw are the draw of k.
    within : int array, optional
        Numbers of the samples of finite data that may be drawn; all where omitted. Ignored for data without end.

    Returns
    -------
    array
        `samples` independent samples of data without end. Finite data are drawn without replacement, so n is at most
        the number of samples that there are.
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
        What is drawn from. The base inputs are the samples that `draw_samples` gives for the same seed, apart from
        what `level` and `contrast` change and from samples of finite data that are in an earlier pair.
    factor : str
        The factor that is set.
    samples : int
        Number of pairs that are asked for. Finite data give fewer where they are exhausted: each sample is in one
        pair at most, so that pairs are independent and n pairs rest on n samples or more.
    seed : int
        Equal seeds give equal pairs, and the first k of a longer draw are the draw of k.
    level : int, optional
        The level that every counterfactual gets; each base then has a level drawn uniformly from those that mean
        something else. Without it every counterfactual gets a level drawn uniformly from those that mean something
        else than its base's.
    value : float, optional
        The same for a continuous factor, whose bases stay as they are drawn. Without it every counterfactual gets the
        value of another sample.
    others : "hold", "propagate" or Release
        ``hold`` keeps all other factors. ``propagate`` recomputes the descendants of `factor` in the data's
        structural model, and `Release` those that it names. The factors of a full grid are independent and have no
        descendants, so all give the same.
    contrast : {"as_drawn", "increase"}
        ``increase`` makes the factor rise from base to counterfactual: it swaps the two sides of a pair where it would
        fall, and with `level` it draws the bases from the levels below that one.
    start_level : int, optional
        With `level`: the level that every base gets, so that all pairs are one contrast.
    start_value : float, optional
        The same of a continuous factor, with `value`.
    within : int array, optional
        Numbers of the samples of finite data of which both sides are made; all where omitted.

    Returns
    -------
    Pairs

    Raises
    ------
    CausalVAEError
        CV203 for a factor that the data lacks, CV204 for a level that it lacks or a factor that cannot change, CV205
        for ``increase`` where the levels have no order, where none is below `level`, or with a `value` or a start;
        CV206 where the data set has no counterfactuals.
    """
    space = dataset.space
    if factor not in space.names:
        raise CausalVAEError(
            "CV203",
            f"The data set {dataset.name} has no factor {factor}.",
            f"Use one of {', '.join(space.names)}." if space.names else "Give the samples factors, or swap samples.",
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
    """Draw pairs of unrelated samples: what a network gives for one input, and for another in its place.

    The intervention that needs no factors. The base inputs are those that `draw_samples` gives for the same seed, and
    the first k of a longer draw are the draw of k. Finite data of k samples have k // 2 pairs: each sample is in one.

    Parameters
    ----------
    dataset : Dataset
    samples, seed, within
        As for `draw_pairs`.
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
    """Numbers of finite data in random order, each once."""
    numbers = np.arange(dataset.size or 0) if within is None else within
    return np.random.default_rng(seed).permutation(numbers).astype(np.int64)


def _collect(sides: Callable[[int], tuple[Rows, Rows]], samples: int) -> tuple[Rows, Rows]:
    """The first `samples` pairs of as many blocks as hold them; at least one block, for the rows' width."""
    blocks = [sides(block) for block in range(max(1, -(-samples // _BLOCK)))]
    base, counterfactual = (np.concatenate(side)[:samples] for side in zip(*blocks, strict=True))
    return base, counterfactual


# From samples, others that may lend them their values, and a generator to both sides of a pair.
_Sides = Callable[[Rows, Rows, np.random.Generator], tuple[Rows, Rows]]


def _match(dataset: FiniteDataset, sides: _Sides, samples: int, seed: int, within: IntArray | None) -> Pairs:
    """Pairs of finite data such that no sample is in two of them, both sides within `within`.

    Samples are taken in random order. Each is offered random counterfactuals until it gets one that no earlier pair
    has; whatever is left without one is offered others again, until a whole round gives no pair.
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
    """Offer counterfactuals to the samples at `places` of `order`: their pairs, and the places left without one.

    `free` tells which samples are in no pair yet; it is updated.
    """
    bases = dataset.rows_at(order[places])
    spares = dataset.rows_at(order[(places + len(order) // 2) % max(len(order), 1)])
    waiting = np.arange(len(places))
    kept: list[tuple[IntArray, Rows, Rows]] = []
    for _ in range(_OFFERS if len(places) else 1):
        base, counterfactual = sides(bases[waiting], spares[waiting], rng)
        numbers = np.stack([dataset.numbers_of(base), dataset.numbers_of(counterfactual)], axis=1)
        fit = np.flatnonzero(free[numbers].all(axis=1))
        # Of pairs that would share a sample the first keeps it.
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
    """Both sides of do(`factor`) where the factor has levels."""
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
    """Both sides of do(`factor`) where the factor has values and no levels."""
    column = dataset.space.position(factor.name)

    def offer(base: Rows, spare: Rows, rng: np.random.Generator) -> tuple[Rows, Rows]:
        # Another sample's value where none is given: the factor's own distribution.
        other = dataset.values(spare)[:, column] if value is None else np.full(len(base), value, dtype=np.float64)
        if start_value is not None:
            base = dataset.intervene(base, factor.name, np.full(len(base), start_value, dtype=np.float64), others)
        return base, dataset.intervene(base, factor.name, other, others)

    return offer


def _generator(seed: int, block: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(block,)))


def _levels_to_draw_from(factor: Factor, below: bool) -> tuple[IntArray, IntArray]:
    """For each level those of another meaning (or only those below it): a left-aligned table, and how many they are."""
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
    """Refuse a start, (level, value), that makes no contrast with the end."""
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
            f"Factor {factor.name} goes from one value to another in every pair: there is nothing to order.",
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
