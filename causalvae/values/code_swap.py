"""Another code at each position."""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalvae.spec.value_source import ValueSource

if TYPE_CHECKING:
    from torch import Tensor

    from causalvae.engine.values import SiteRuns


class CodeSwap(ValueSource):
    """At each position another code, drawn uniformly from the others."""

    kind = "code_swap"
    draws = True

    def compute(self, runs: SiteRuns) -> Tensor:
        """One-hot codes."""
        from causalvae.values._codes import one_hot, uniform_draws

        codes = runs.own.shape[1]
        steps = 1 + (uniform_draws(runs, self.seed) * (codes - 1)).long().clamp(max=max(codes - 2, 0))
        return one_hot((runs.own.argmax(1) + steps) % codes, runs.own)
