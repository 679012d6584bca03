"""captum: feature ablation of a layer, with the counterfactual activations as its baseline.

Of captum's methods this is the one that gives an interchange intervention. It attributes every output of the forward
function to every feature, so one call gives all units' outcomes of all pairs.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from benchmarks.arm import Outcomes, PeerArm, measure_images
from benchmarks.workload import SweptSite

# Before the ablations a call runs the network once for the layer's value and once for the unablated outcome.
_FIXED_PASSES = 2


class CaptumAblation(PeerArm):
    """One call of ``LayerFeatureAblation`` a site; features are units, and all others together are one more."""

    name = "captum"

    @torch.no_grad()
    def run(self, site: SweptSite, units: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Outcomes without ablation, (pairs * 2,), and what each unit takes away, (pairs * 2, units)."""
        from captum.attr import LayerFeatureAblation

        module = self.network.get_submodule(site.module)

        def outcomes(x: Tensor) -> Tensor:
            return measure_images(self.network(x), self.clean).flatten()

        columns = [site.columns[unit] for unit in units]
        features = torch.full((self.donor.shape[1],), len(units))
        features[columns] = torch.arange(len(units))
        mask = features.reshape(1, -1, *[1] * (self.donor.ndim - 2))
        found = LayerFeatureAblation(outcomes, module).attribute(self.x, layer_baselines=self.donor, layer_mask=mask)
        taken = found.flatten(2)[:, columns, 0] if found.ndim > 2 else found[:, columns]
        return outcomes(self.x), taken

    def read(self, raw: tuple[Tensor, Tensor], units: Sequence[int]) -> Outcomes:
        """See `BenchmarkArm`."""
        clean, taken = raw
        return (clean[:, None] - taken).T.reshape(len(units), -1, 2).double().numpy()

    def share(self, site: SweptSite, units: Sequence[int]) -> float:
        """Passes of a call on the whole site over passes of the timed call, the last `outcomes` counted with it."""
        others = 1 if len(units) < self.donor.shape[1] else 0
        whole = 1 if site.units < self.donor.shape[1] else 0
        return (site.units + whole + _FIXED_PASSES) / (len(units) + others + _FIXED_PASSES + 1)
