"""A data set's factors as metrics take them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from causalvae.data.factors import FactorSpace
from causalvae.disentanglement.arrays import BoolArray, FloatArray, IntArray
from causalvae.disentanglement.information import inform, tabulate
from causalvae.errors import CausalVAEError

# Fewer samples of a level than this, on average, are too few to score it.
LEAST = 5


@dataclass(frozen=True, eq=False)
class Labels:
    """Factors of samples.

    Parameters
    ----------
    levels : int array, shape (n, n_factors)
        Levels; two that mean the same are one, and a continuous factor is binned.
    values : float array, shape (n, n_factors)
        Physical values.
    ordered, named : bool array, shape (n_factors,)
        Which factors' values have an order that does not close on itself, and which are only names.
    """

    levels: IntArray
    values: FloatArray
    ordered: BoolArray
    named: BoolArray


def read_labels(space: FactorSpace, values: FloatArray, bins: int = 20) -> Labels:
    """Labels of physical `values`, shape (n, n_factors).

    dSprites' orientation, for one, runs from 0 to 2 pi with both ends, which draw the same image: they are one level.
    Continuous factors are cut into `bins` of equally many samples, since a long tail would leave equal widths empty;
    into fewer where these would have fewer than 10 samples.
    """
    bins = max(2, min(bins, len(values) // (2 * LEAST)))
    levels = np.empty(values.shape, dtype=np.int64)
    for column, factor in enumerate(space.factors):
        here = values[:, column]
        if factor.is_continuous:
            cuts = np.quantile(here, np.arange(1, bins) / bins)
            levels[:, column] = np.searchsorted(cuts, here, side="right")
        else:
            levels[:, column] = factor.meanings[factor.levels_at(here)]
    ordered = np.array([factor.kind in ("ordinal", "continuous") for factor in space.factors], dtype=bool)
    named = np.array([factor.kind == "categorical" for factor in space.factors], dtype=bool)
    return Labels(levels, values, ordered, named)


def leave_out(labels: Labels, samples: int, names: tuple[str, ...]) -> tuple[Labels, tuple[str, ...]]:
    """Labels in which the factors that cannot be scored are constant, and the reason for each of them.

    Parameters
    ----------
    labels : Labels
        Of the samples to fit on and, after them, of those to test on.
    samples : int
        How many there are to fit on.
    names : tuple of str
        Of the factors.

    Raises
    ------
    CausalVAEError
        CV512 where no factor is left.
    """
    levels, ordered, reasons = labels.levels.copy(), labels.ordered.copy(), []
    for column, name in enumerate(names):
        fit, test = levels[:samples, column], levels[samples:, column]
        known, tested = len(np.unique(fit)), len(np.unique(test))
        if known < 2 or tested < 2:
            parts = [part for part, count in (("fit", known), ("test", tested)) if count < 2]
            reasons.append(f"{name} has one value in the samples to {' and to '.join(parts)} on")
        elif len(fit) < LEAST * known:
            reasons.append(f"{name} has {known} values in {len(fit)} samples, and needs {LEAST} samples a value")
        else:
            continue
        levels[:, column], ordered[column] = 0, False
    if len(reasons) == len(names):
        raise CausalVAEError(
            "CV512",
            f"No factor can be scored: {'; '.join(reasons)}.",
            "Give data with factors that vary, and enough samples of each of their values.",
            "data",
        )
    return replace(labels, levels=levels, ordered=ordered), tuple(reasons)


def measure_dependence(levels: IntArray) -> float:
    """The largest mutual information between two columns of `levels`, over the smaller of their entropies.

    The plug-in estimate's excess of (a - 1)(b - 1) / 2n (Miller 1955) is taken off; 0 where fewer than two vary.
    """
    n, columns = levels.shape
    coded = [np.unique(levels[:, column], return_inverse=True)[1] for column in range(columns)]
    entropy = [inform(tabulate(column, column)) for column in coded]
    largest = 0.0
    for i in range(columns):
        for j in range(i):
            smaller = min(entropy[i], entropy[j])
            if smaller > 0:
                table = tabulate(coded[i], coded[j])
                excess = (table.shape[0] - 1) * (table.shape[1] - 1) / (2 * n)
                largest = max(largest, (inform(table) - excess) / smaller)
    return largest
