"""Pairs in which a circuit fails to carry the effect, one by one: what no test of a mean excludes."""

from __future__ import annotations

import numpy as np

from causalvae.effects.bootstrap import BoolArray, FloatArray

# A pair that hardly moves is held against this part of the root mean square of the total effect.
FLOOR = 0.25


def misses(share: float) -> float:
    """How much of a pair's total effect a circuit may miss that is claimed to carry `share` of it: 1 - share / 2."""
    return 1 - share / 2


def failing_pairs(total: FloatArray, distance: FloatArray, share: float) -> BoolArray:
    """Which pairs fail: |TE - NIE| > (1 - t / 2) max(|TE|, RMS(TE) / 4).

    Parameters
    ----------
    total : float array, shape (n,)
        TE, or its length where the outcome has several numbers.
    distance : float array, shape (n,)
        |TE - NIE|, of several numbers ||TE - NIE||.
    share : float
        t, in (0, 1].

    Notes
    -----
    A circuit of constant share s fails in no pair if |1 - s| <= 1 - t / 2 (with t = 0.7, from 0.35 to 1.65), and
    otherwise in every pair that moves by a quarter of the root mean square or more.
    """
    size = np.maximum(np.abs(total), FLOOR * float(np.sqrt(np.mean(total**2))))
    return np.asarray(distance > misses(share) * size * (1 + 1e-9))
