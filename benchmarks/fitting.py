"""Exponents and straight lines, with what is uncertain about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Line:
    """A least-squares line.

    Parameters
    ----------
    slope, intercept : float
    error : float
        Standard error of the slope.
    r_squared : float
    """

    slope: float
    intercept: float
    error: float
    r_squared: float


def fit_line(x: Sequence[float], y: Sequence[float]) -> Line:
    """Ordinary least squares of `y` on `x`; needs three points or more."""
    a, b = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    design = np.stack([a, np.ones_like(a)], axis=1)
    (slope, intercept), *_ = np.linalg.lstsq(design, b, rcond=None)
    rest = b - slope * a - intercept
    spread = float(np.square(a - a.mean()).sum())
    error = float(np.sqrt(np.square(rest).sum() / (len(a) - 2) / spread))
    total = float(np.square(b - b.mean()).sum())
    return Line(float(slope), float(intercept), error, 1 - float(np.square(rest).sum()) / total if total else 1.0)


def fit_exponent(x: Sequence[float], y: Sequence[float]) -> Line:
    """The exponent k of y = c x^k: the slope on log-log axes."""
    return fit_line(np.log(x).tolist(), np.log(y).tolist())
