"""Interchange: the other side of the pair."""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalvae.spec.value_source import OTHER, DonorKey, Side, ValueSource

if TYPE_CHECKING:
    from torch import Tensor

    from causalvae.engine.values import SiteRuns


class Interchange(ValueSource):
    """The same component on the other side of the pair.

    With `given`, its value for another pair in which that factor has the other side's value; its own other side serves
    where there is none.
    """

    kind = "interchange"
    keys = ("mode",)
    is_exchanged = True
    from_input = True

    def donor_key(self, side: Side) -> DonorKey | None:
        """Pairs that share the factor with the other side."""
        return None if self.given is None else DonorKey(self.seed or 0, self.given, OTHER[side], crossed=True)

    def compute(self, runs: SiteRuns) -> Tensor:
        """The other side's value, or that of a donor."""
        return runs.other if self.given is None else runs.of_donors(self)
