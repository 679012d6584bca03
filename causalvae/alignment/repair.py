"""Which latents would carry a factor, where those that it is mapped to do not.

Subsets of at most three latents are tried on one half of the pairs: each latent alone, the pairs of the best four, and
the best pair with each of the other two. The best of them is tested on the other half, which chose nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Final

import numpy as np
import numpy.typing as npt

from causalvae.alignment.columns import FactorColumns, Units
from causalvae.alignment.interchange import WITHIN
from causalvae.effects.outcomes import difference

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Subset = tuple[int, ...]
_PAIRED: Final = 4
# A larger subset has to be better by this much.
_WORTH = 0.01


def choose_subset(latents: Sequence[int], accuracies: Callable[[Sequence[Subset]], Sequence[float]]) -> Subset:
    """The subset of `latents` with the best interchange accuracy, the smaller of two that are about equal.

    Parameters
    ----------
    latents : sequence of int
        At least one.
    accuracies : callable
        From subsets to the accuracy of each, on the pairs that are there to choose on.
    """
    found: dict[Subset, float] = {}

    def measure(subsets: Sequence[Subset]) -> None:
        found.update(zip(subsets, accuracies(subsets), strict=True))

    def best(size: int) -> Subset:
        return max((subset for subset in found if len(subset) == size), key=lambda subset: found[subset])

    measure([(latent,) for latent in latents])
    ranked = sorted(latents, key=lambda latent: -found[(latent,)])[:_PAIRED]
    if len(ranked) > 1:
        measure(list(combinations(ranked, 2)))
    if len(ranked) > 2:
        pair = best(2)
        measure([(*pair, latent) for latent in ranked if latent not in pair])
    chosen = best(1)
    for size in range(2, min(len(ranked), 3) + 1):
        larger = best(size)
        if found[larger] > found[chosen] + _WORTH:
            chosen = larger
    return tuple(sorted(chosen))


def most_subsets(latents: int) -> int:
    """How many subsets of so many latents `choose_subset` tries at most."""
    few = min(latents, _PAIRED)
    return latents + few * (few - 1) // 2 + max(0, few - 2)


def right_pairs(columns: FactorColumns, units: Units, before: FloatArray, after: FloatArray, rows: slice) -> BoolArray:
    """Whether the attributes under a patch are what the network gives for the counterfactual input, pair by pair.

    Parameters
    ----------
    columns : FactorColumns
    units : Units
    before, after : float array, shape (n, attributes)
        Without and with the patch, in the order of the attributes of `columns`.
    rows : slice
        Which pairs of `columns` these are.

    Returns
    -------
    bool array, shape (n,)
        As for `measure_interchange`, latents as attributes omitted.
    """
    right = np.ones(len(after), dtype=bool)
    attributes = [item for item in columns.columns if not item.between_factors]
    for position, item in enumerate(attributes):
        if item.data is not None and item.network is not None:
            change = units[item.target].change(before[:, position], after[:, position])
            with np.errstate(invalid="ignore"):
                right &= np.abs(difference(change, item.network[rows], item.period)) <= WITHIN
    return right


def attribute_columns(
    columns: FactorColumns, units: Units, before: FloatArray, after: FloatArray, stop: int
) -> FactorColumns:
    """The columns of the first `stop` pairs with another network's outputs, shape (stop, attributes), in `network`."""
    attributes = [item for item in columns.columns if not item.between_factors]
    changed = [
        replace(item, network=units[item.target].change(before[:, position], after[:, position]))
        for position, item in enumerate(attributes)
    ]
    return replace(columns, columns=tuple(changed))


def judged_pairs(columns: FactorColumns) -> BoolArray:
    """The pairs that interchange accuracy is measured on: where the data are, the network's counterfactual defined."""
    measured = [item for item in columns.columns if item.network is not None and item.data is not None]
    known = np.isfinite([item.network for item in measured if item.network is not None]).all(axis=0)
    return np.asarray(measured[0].donor_inside & known)
