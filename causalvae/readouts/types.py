"""What a readout says of an attribute without measuring it, and what a readout is held against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ReadoutCheck:
    """A readout held against the data's true factor values, on real inputs and on reconstructions.

    Parameters
    ----------
    attribute, readout : str
    against : str
        What the truth is, such as ``x position in pixels``.
    metric : str
        Name of the agreement measure, such as ``R^2`` or ``accuracy``.
    on_inputs : float
        Agreement measured on real inputs.
    on_reconstructions : float
        Agreement measured on the network's reconstructions of them.
    n : int
    passed : bool
        Whether `on_inputs` reaches what this readout must reach to be trusted.
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
    """What a readout found on samples whose truth is known.

    Parameters
    ----------
    attribute, readout : str
    truth : mapping
        What readouts should find, by their names, each (n,); nan where undefined.
    groups : mapping
        Which samples show which shape: name -> (n,) bool.
    found, rebuilt : float array, shape (n,)
        On real inputs, and on the network's reconstructions of them.
    """

    attribute: str
    readout: str
    truth: Mapping[str, FloatArray]
    groups: Mapping[str, npt.NDArray[np.bool_]]
    found: FloatArray
    rebuilt: FloatArray

    @property
    def own_truth(self) -> FloatArray:
        """What this readout should find."""
        return self.truth[self.readout]


def r_squared(truth: FloatArray, found: FloatArray) -> float:
    """1 - (sum of squared errors) / (sum of squares about the mean), with nothing fitted."""
    return 1.0 - float(((found - truth) ** 2).sum() / ((truth - truth.mean()) ** 2).sum())


def rms(error: FloatArray) -> float:
    """Root mean square."""
    return float(np.sqrt((error**2).mean()))


def wrap(difference: npt.NDArray[np.float64], period: float | None) -> npt.NDArray[np.float64]:
    """Differences of a periodic attribute, each taken the short way round: into (-period/2, period/2].

    Parameters
    ----------
    difference : float array
        Plain differences of measured values.
    period : float or None
        The attribute's period; None leaves the differences as they are.
    """
    if period is None:
        return difference
    return difference - period * np.ceil(difference / period - 0.5)
