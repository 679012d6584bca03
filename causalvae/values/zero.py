"""Zero ablation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalvae.spec.value_source import ValueSource

if TYPE_CHECKING:
    from torch import Tensor

    from causalvae.engine.values import SiteRuns


class Zero(ValueSource):
    """Zero."""

    kind = "zero"
    keys = ("mode", "values", "control")
    held = "mediators held at zero"

    def compute(self, runs: SiteRuns) -> Tensor:
        """Zero for every row."""
        import torch

        return torch.zeros_like(runs.own)
