"""Values of another patched run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalvae.spec.value_source import ValueSource

if TYPE_CHECKING:
    from torch import Tensor

    from causalvae.engine.values import SiteRuns


class Relayed(ValueSource):
    """The component's value in a run of the same input in which the patches `upstream` are applied.

    Their own sources may be relayed in turn; without any, it is its own clean value. So a change is sent along named
    edges alone (path-specific effects: Avin, Shpitser & Pearl 2005).
    """

    kind = "relayed"

    def compute(self, runs: SiteRuns) -> Tensor:
        """The value in that run."""
        return runs.relayed(self.upstream) if self.upstream else runs.own
