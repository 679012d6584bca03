"""Interchange accuracy of a mapping: how often swapped components do what the network does for the swapped factor."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

from causalvae.alignment.columns import FactorColumns
from causalvae.alignment.types import Interchange, Share
from causalvae.effects.outcomes import difference
from causalvae.effects.significance import exact_interval

FloatArray = npt.NDArray[np.float64]

GOOD: Final = 0.8
"""Accuracy that is right: green if it is shown to be reached, red if shown not to be."""
WITHIN: Final = 0.25
"""Standard deviations over the data within which an attribute is right."""


def measure_interchange(columns: FactorColumns, confidence: float) -> Interchange | None:
    """Interchange accuracy of one factor's mapping, on the pairs that lie where the data are.

    Pairs in which the network's own counterfactual is undefined are omitted; an attribute that is undefined through
    the mapping alone is wrong.

    Returns
    -------
    Interchange or None
        None where the factor is not mapped, no attribute is measured on outputs, or no pair is left.
    """
    measured = [item for item in columns.columns if item.mapping is not None and item.data is not None]
    if not measured:
        return None
    inside = measured[0].donor_inside
    own = [
        difference(item.mapping, item.network, item.period)
        for item in measured
        if item.mapping is not None and item.network is not None
    ]
    known = inside & np.isfinite([item.network for item in measured if item.network is not None]).all(axis=0)
    if not known.any():
        return None
    return Interchange(
        columns.factor,
        _share(own, known, confidence),
        _share(columns.mapped_error.values(), known, confidence),
        _share(columns.own_error.values(), known, confidence),
        _share([item.network for item in measured if item.network is not None], known, confidence),
    )


def worst(interchanges: Iterable[Interchange]) -> Interchange | None:
    """The lowest accuracy: an average hides failures."""
    return min(interchanges, key=lambda found: found.accuracy.value, default=None)


def _share(errors: Iterable[FloatArray], known: npt.NDArray[np.bool_], confidence: float) -> Share:
    return share_of(np.all([np.abs(error) <= WITHIN for error in errors], axis=0)[known], confidence)


def share_of(right: npt.NDArray[np.bool_], confidence: float) -> Share:
    """The share of pairs that are right, at least one, with its exact interval."""
    hits, n = int(right.sum()), len(right)
    ends = exact_interval(hits, n, confidence)
    return Share(hits / n, ends.lower, ends.upper, n)
