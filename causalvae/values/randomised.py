"""Another sample, with one factor set as on the other side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalvae.spec.value_source import OTHER, DonorKey, Side, ValueSource

if TYPE_CHECKING:
    from torch import Tensor

    from causalvae.engine.values import SiteRuns


class Randomised(ValueSource):
    """Its value for another base sample in which `given` has the value of the other side of the pair.

    Unlike the pair's own other side, that sample differs in everything else too.
    """

    kind = "randomised"
    from_input = True

    def donor_key(self, side: Side) -> DonorKey:
        """Donors with the factor imposed."""
        return DonorKey(self.seed or 0, self.given, OTHER[side], imposed=True)

    def compute(self, runs: SiteRuns) -> Tensor:
        """The donor's value."""
        return runs.of_donors(self)
