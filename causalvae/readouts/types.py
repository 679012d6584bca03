"""What a readout is held against."""

from __future__ import annotations

from dataclasses import dataclass


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
