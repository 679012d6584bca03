"""A network's whole output as one outcome: what it is called for each kind of data, and the units of its changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod


@dataclass(frozen=True)
class WholeOutput:
    """The whole output as one outcome, which a spec calls ``image`` whatever the data.

    Parameters
    ----------
    name : str
        What reports call it: ``image``, ``all columns`` of a table, ``whole sound``, ``whole output``.
    part : str
        What one number of it is: ``pixel``, ``column``, ``time step``, ``output``.
    numbers : int
        How many numbers it has.
    """

    name: str
    part: str
    numbers: int

    @classmethod
    def of(cls, shape: Sequence[int]) -> WholeOutput:
        """The output of a network by its shape, without the batch axis.

        (channels, height, width) with 1, 3 or 4 channels is an image, (1, length) a sound, (columns,) a row of a table.
        """
        if len(shape) == 3 and shape[0] in (1, 3, 4):
            words = "image", "pixel"
        elif len(shape) == 2 and shape[0] == 1:
            words = "whole sound", "time step"
        elif len(shape) == 1:
            words = "all columns", "column"
        else:
            words = "whole output", "output"
        return cls(*words, prod(shape))

    @property
    def length(self) -> str:
        """Unit of a change's length, the root of the sum of squares over all numbers as the network puts them out."""
        return f"{self.part} L2"

    @property
    def rms(self) -> str:
        """Unit of the same, the mean in place of the sum."""
        return f"{self.part} RMS"
