"""A given number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalvae.spec.value_source import ValueSource

if TYPE_CHECKING:
    from torch import Tensor

    from causalvae.engine.values import SiteRuns


class Constant(ValueSource):
    """The number that the spec gives, for every unit."""

    kind = "constant"
    held = "mediators held at {0:g}"

    def label_of(self, values: str) -> str:
        """The numbers."""
        return f"at {values}"

    def compute(self, runs: SiteRuns) -> Tensor:
        """The number for every row."""
        import torch

        return torch.full_like(runs.own, self.number)
