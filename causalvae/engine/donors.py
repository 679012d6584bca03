"""Whose value a resampled component takes: another pair's, any, or one that shares a factor's value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from causalvae.data.dataset import Dataset
from causalvae.data.factors import FloatArray, IntArray, Rows
from causalvae.data.others import Others
from causalvae.engine.values import derangement
from causalvae.errors import CausalVAEError
from causalvae.plan.types import Side
from causalvae.spec.value_source import DonorKey

# Where values have no levels, a donor is one of this many nearest.
_NEAREST = 8


@dataclass(frozen=True)
class Donors:
    """The donor of every pair of a cohort.

    Parameters
    ----------
    rows : array, shape (n, width)
        Their samples.
    pairs : int array, shape (n,)
        The pairs that they are of, whose noise they have.
    """

    rows: Rows
    pairs: IntArray


def choose_donors(dataset: Dataset, rows: Mapping[Side, Rows], key: DonorKey, others: Others = "hold") -> Donors:
    """The donors of a cohort's pairs.

    Without a factor to share: the base samples of other pairs, in a random cyclic order. With one: for each pair a
    sample, from either side of another pair, in which the factor has the value that it has on that side; the nearest
    value where no sample has that one, and one of the `_NEAREST` nearest where the factor is continuous. Imposed: the
    base samples of other pairs, in a random cyclic order, with the factor set to the pair's value on that side.

    Parameters
    ----------
    dataset : Dataset
    rows : mapping
        Side -> samples of the cohort, (n, width).
    key : DonorKey
    others : "hold", "propagate" or Release
        What happens to other factors where one is imposed.

    Raises
    ------
    CausalVAEError
        CV404 for fewer than two pairs, CV535 where a categorical factor's value is shared by no other pair.
    """
    seed, given, side, crossed, imposed = key
    n = len(rows["base"])
    if given is None:
        chosen = derangement(n, seed)
        return Donors(rows["base"][chosen], chosen)
    if imposed:
        chosen = derangement(n, seed)
        values = dataset.values(rows[side])[:, dataset.space.position(given)]
        return Donors(dataset.intervene(rows["base"][chosen], given, values, others), chosen)
    if n < 2:
        derangement(n, seed)
    pool = np.concatenate(list(rows.values()))
    owners = np.tile(np.arange(n), len(rows))
    column = dataset.space.position(given)
    known, wanted = dataset.values(pool)[:, column], dataset.values(rows[side])[:, column]
    factor = dataset.space[given]
    rng = np.random.default_rng([seed, n, column])
    period = factor.period if factor.kind == "cyclic" else None
    picked = _pick(known, owners, wanted, rng, _NEAREST if factor.is_continuous else 1, period)
    if factor.kind == "categorical":
        alone = np.flatnonzero(known[picked] != wanted)
        if len(alone) and crossed:
            picked[alone] = alone + n * list(rows).index(side)
        elif len(alone):
            raise CausalVAEError(
                "CV535",
                f"no other pair has the value of {given} that pair {alone[0]} has, so it can be resampled from none.",
                "Raise data.samples, or resample without `given`.",
                "data.samples",
            )
    return Donors(pool[picked], owners[picked])


def _pick(
    known: FloatArray,
    owners: IntArray,
    wanted: FloatArray,
    rng: np.random.Generator,
    nearest: int,
    period: float | None,
) -> npt.NDArray[np.int64]:
    """For every pair the position of its donor in the pool.

    Parameters
    ----------
    known : float array, shape (m,)
        The factor's values in the pool.
    owners : int array, shape (m,)
        The pairs that the pool's samples are of.
    wanted : float array, shape (n,)
        The value that each pair's donor should have.
    rng : Generator
    nearest : int
        Donors are drawn, without replacement as far as they go, from all others that are as near as this many.
    period : float or None
        Of a factor whose values lie on a circle.
    """
    picked = np.empty(len(wanted), dtype=np.int64)
    lent = np.zeros(len(known), dtype=np.int64)
    for pair, value in enumerate(wanted):
        distance = np.abs(known - value)
        if period is not None:
            distance = np.minimum(distance % period, -distance % period)
        distance = np.where(owners == pair, np.inf, distance)
        place = min(nearest, int(np.isfinite(distance).sum())) - 1
        reach = np.partition(distance, place)[place]
        candidates = np.flatnonzero(distance <= reach)
        # No sample lends its value again while another that is as near has not yet.
        candidates = candidates[lent[candidates] == lent[candidates].min()]
        picked[pair] = candidates[rng.integers(len(candidates))]
        lent[picked[pair]] += 1
    return picked
