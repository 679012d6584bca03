"""pyvene: a vanilla interchange intervention a unit, with the source's activations given."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from benchmarks.arm import PeerArm, measure_images
from benchmarks.workload import SweptSite, Workload


class PyveneInterchange(PeerArm):
    """``IntervenableModel`` on one module; unit locations choose the channel."""

    name = "pyvene"

    def __init__(self, workload: Workload) -> None:
        super().__init__(workload)
        # pyvene was made for language models and reads these of the network.
        network: Any = self.network
        network.config = SimpleNamespace(to_dict=dict)
        network.device = torch.device("cpu")
        self.model: Any = None

    def prepare(self, site: SweptSite) -> None:
        """The clean runs, and the wrapped model for this site."""
        import pyvene

        super().prepare(site)
        representation = {
            "component": f"{site.module}.output",
            "unit": "dim",
            "intervention": pyvene.VanillaIntervention(),
        }
        self.model = pyvene.IntervenableModel(representation, self.network)

    @torch.no_grad()
    def run(self, site: SweptSite, units: Sequence[int]) -> list[Tensor]:
        """Outcomes of each unit."""
        (key,) = self.model.sorted_keys
        found = []
        for unit in units:
            column = site.columns[unit]
            place = [[[column]] * len(self.x)]
            _, images = self.model(
                {"x": self.x},
                unit_locations={"sources->base": (place, place)},
                source_representations={key: self.donor[:, [column]]},
            )
            found.append(measure_images(images, self.clean))
        return found
