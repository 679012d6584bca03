"""Who asked for a run, and so for the numbers that come of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

OwnerKind = Literal["intervention", "hypothesis", "network", "mapping", "control", "analysis"]


@dataclass(frozen=True, order=True)
class Owner:
    """The part of a spec, or of every run, that asked for an arm, an estimate or a screen.

    Parameters
    ----------
    kind : {"intervention", "hypothesis", "network", "mapping", "control", "analysis"}
        ``network`` and ``mapping`` are what the alignment asks of a factor: the runs of its inputs, and those in which
        its components are patched.
    name : str
        The intervention's, hypothesis's, factor's, control's or analysis's.

    Examples
    --------
    >>> str(Owner("intervention", "resize"))
    'intervention:resize'
    """

    kind: OwnerKind
    name: str

    @classmethod
    def intervention(cls, name: str) -> Owner:
        """The intervention called `name`."""
        return cls("intervention", name)

    @classmethod
    def hypothesis(cls, name: str) -> Owner:
        """The hypothesis called `name`."""
        return cls("hypothesis", name)

    @classmethod
    def analysis(cls, name: str) -> Owner:
        """The analysis called `name`, or a question of it that has a name of its own."""
        return cls("analysis", name)

    def __str__(self) -> str:
        """As messages and the columns of tables name it; no code takes this apart again."""
        return f"{self.kind}:{self.name}"


OBSERVED_CONTROL = Owner("control", "observed")
