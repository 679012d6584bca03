"""nnsight: a trace a unit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from benchmarks.arm import PeerArm, measure_images
from benchmarks.workload import SweptSite, Workload


class NnsightTrace(PeerArm):
    """The module's output is written to within ``model.trace``."""

    name = "nnsight"

    def __init__(self, workload: Workload) -> None:
        from nnsight import NNsight

        super().__init__(workload)
        self.model: Any = NNsight(self.network)

    @torch.no_grad()
    def run(self, site: SweptSite, units: Sequence[int]) -> list[Tensor]:
        """Outcomes of each unit."""
        envoy: Any = self.model
        for part in site.module.split("."):
            envoy = envoy[int(part)] if part.isdigit() else getattr(envoy, part)
        x, donor = self.x, self.donor
        found = []
        for unit in units:
            column = site.columns[unit]
            with self.model.trace(x):
                envoy.output[:, column] = donor[:, column]
                images = self.model.output.save()
            found.append(measure_images(images, self.clean))
        return found
