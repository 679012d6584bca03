"""Checks of readouts, agreement measures, and differences of cyclic attributes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ReadoutCheck:
    """Comparison of a readout with true factor values, on inputs and on reconstructions.

    Parameters
    ----------
    attribute, readout : str
    against : str
        Description of the truth, such as ``x position in pixels``.
    metric : str
        Name of the agreement measure, such as ``R^2`` or ``accuracy``.
    on_inputs : float
        Agreement on inputs.
    on_reconstructions : float
        Agreement on the reconstructions of the network.
    n : int
    passed : bool
        Whether `on_inputs` meets the requirement of the readout.
    note : str
    """

    attribute: str
    readout: str
    against: str
    metric: str
    on_inputs: float
    on_reconstructions: float
    n: int
    passed: bool
    note: str = ""


@dataclass(frozen=True)
class Seen:
    """Values of a readout on samples with known truth.

    Parameters
    ----------
    attribute, readout : str
    truth : mapping
        True values of readouts by name, each (n,); nan if undefined.
    groups : mapping
        Name of a shape -> mask of its samples, bool, (n,).
    found, rebuilt : float array, shape (n,)
        Values on inputs and on reconstructions.
    """

    attribute: str
    readout: str
    truth: Mapping[str, FloatArray]
    groups: Mapping[str, npt.NDArray[np.bool_]]
    found: FloatArray
    rebuilt: FloatArray

    @property
    def own_truth(self) -> FloatArray:
        """The true values of this readout, (n,)."""
        return self.truth[self.readout]


def r_squared(truth: FloatArray, found: FloatArray) -> float:
    """R^2 without fitting: 1 - (sum of squared errors) / (sum of squares about the mean)."""
    return 1.0 - float(((found - truth) ** 2).sum() / ((truth - truth.mean()) ** 2).sum())


def rms(error: FloatArray) -> float:
    """Root mean square."""
    return float(np.sqrt((error**2).mean()))


def wrap(difference: npt.NDArray[np.float64], period: float | None) -> npt.NDArray[np.float64]:
    """Wrap differences of a cyclic attribute to (-period/2, period/2].

    Parameters
    ----------
    difference : float array
        Differences of measured values.
    period : float or None
        Period of the attribute; if None, the differences are returned unchanged.
    """
    if period is None:
        return difference
    return difference - period * np.ceil(difference / period - 0.5)
