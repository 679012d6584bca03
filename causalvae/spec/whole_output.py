"""The whole output of a network as one outcome: its name for each kind of data, and units of changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod


@dataclass(frozen=True)
class WholeOutput:
    """The whole output as one outcome, called ``image`` in specs for all kinds of data.

    Parameters
    ----------
    name : str
        Name in reports: ``image``, ``all columns`` of a table, ``whole sound``, ``whole output``.
    part : str
        Name of one of its numbers: ``pixel``, ``column``, ``time step``, ``output``.
    numbers : int
        Size of the output.
    """

    name: str
    part: str
    numbers: int

    @classmethod
    def of(cls, shape: Sequence[int]) -> WholeOutput:
        """From the shape of the output, without the batch axis.

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
        """Unit of the L2 norm of a change, in the units of the network's output."""
        return f"{self.part} L2"

    @property
    def rms(self) -> str:
        """Unit of the root mean square of a change."""
        return f"{self.part} RMS"
