"""Which units of a site do something: what random circuits are drawn among."""

from __future__ import annotations

from typing import Protocol

from causalvae.plan.types import Cohort, Patch


class FindActive(Protocol):
    """Finds the units of a site that the treatment moves and that something reads."""

    def __call__(self, cohort: Cohort, patch: Patch) -> tuple[int, ...]:
        """The active units of `patch`'s site within its window, increasing.

        A unit is active if interchanging it alone between the two inputs of a pair changes the network's output, on
        either side, in one of a few pairs. So units that nothing reads, or that the treatment does not move, play no
        part, however many there are and whatever their scale.
        """
        ...
