"""A forward hook on the module, one forward pass a unit: what most people write by hand."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.arm import PeerArm, measure_images
from benchmarks.workload import SweptSite, Workload
from causalvae.models.subpixel import channels_last


class HookLoop(PeerArm):
    """One forward pass of all pairs a unit."""

    name = "hook loop"

    @torch.no_grad()
    def run(self, site: SweptSite, units: Sequence[int]) -> list[Tensor]:
        """Outcomes of each unit."""
        module = self.network.get_submodule(site.module)
        found = []
        for unit in units:
            column = site.columns[unit]

            def patch(module: nn.Module, given: Any, output: Tensor, column: int = column) -> Tensor:
                output[:, column] = self.donor[:, column]
                return output

            handle = module.register_forward_hook(patch)
            try:
                images = self.network(self.x)
            finally:
                handle.remove()
            found.append(measure_images(images, self.clean))
        return found


class ChannelsLastHookLoop(HookLoop):
    """The same on a network laid out channels-last: what the memory layout alone is worth to a hook loop."""

    name = "hook loop, channels-last"

    def __init__(self, workload: Workload) -> None:
        super().__init__(workload)
        self.network = copy.deepcopy(workload.plain)
        channels_last(self.network)
        self.x = workload.base.contiguous(memory_format=torch.channels_last)
