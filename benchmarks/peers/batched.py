"""Several units in one forward pass: each has its copy of the pairs in a batch of 256 rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.arm import PeerArm, measure_images
from benchmarks.workload import SweptSite

_ROWS = 256


class BatchedLoop(PeerArm):
    """A whole forward pass for every few units."""

    name = "batched forward"

    @torch.no_grad()
    def run(self, site: SweptSite, units: Sequence[int]) -> list[Tensor]:
        """Outcomes of each unit."""
        module = self.network.get_submodule(site.module)
        pairs = len(self.x)
        at_once = max(_ROWS // pairs, 1)
        found: list[Tensor] = []
        for first in range(0, len(units), at_once):
            chosen = [site.columns[unit] for unit in units[first : first + at_once]]

            def patch(module: nn.Module, given: Any, output: Tensor, chosen: list[int] = chosen) -> Tensor:
                for position, column in enumerate(chosen):
                    output[position * pairs : (position + 1) * pairs, column] = self.donor[:, column]
                return output

            repeats = (len(chosen), *[1] * (self.x.ndim - 1))
            handle = module.register_forward_hook(patch)
            try:
                images = self.network(self.x.repeat(repeats))
            finally:
                handle.remove()
            found += measure_images(images, self.clean.repeat(repeats)).split(pairs)
        return found
