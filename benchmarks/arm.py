"""What every way of running the sweep has in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from benchmarks.workload import SweptSite, Workload

Outcomes = npt.NDArray[np.float64]


class BenchmarkArm(Protocol):
    """One way of running the sweep.

    Attributes
    ----------
    name : str
    whole_sites : bool
        Whether a site is always swept whole, because the cost of some units says little about that of the others.
    """

    name: str
    whole_sites: bool

    def prepare(self, site: SweptSite) -> None:
        """What is paid once a site: clean runs, wrapping. Timed apart."""
        ...

    def run(self, site: SweptSite, units: Sequence[int]) -> Any:
        """The timed part: every unit of `units` patched in turn, every pair's outcomes."""
        ...

    def read(self, raw: Any, units: Sequence[int]) -> Outcomes:
        """What `run` gave, as (units, pairs, 2): pixel error, area."""
        ...

    def share(self, site: SweptSite, units: Sequence[int]) -> float:
        """By what a timed call must be multiplied to stand for the whole site."""
        ...


class PeerArm:
    """A peer: the plain network, the base images, the counterfactual activations."""

    name = ""
    whole_sites = False

    def __init__(self, workload: Workload) -> None:
        self.workload = workload
        self.network = workload.plain
        self.x = workload.base
        self.clean: Tensor
        self.donor: Tensor

    @torch.no_grad()
    def prepare(self, site: SweptSite) -> None:
        """Keep the clean images and the site's counterfactual activations."""
        kept: list[Tensor] = []
        module = self.network.get_submodule(site.module)
        handle = module.register_forward_hook(lambda module, given, output: kept.append(output.clone()))
        try:
            self.network(self.workload.counterfactual)
        finally:
            handle.remove()
        (self.donor,) = kept
        self.clean = self.network(self.x)

    def run(self, site: SweptSite, units: Sequence[int]) -> Any:
        """See `BenchmarkArm`."""
        raise NotImplementedError

    def read(self, raw: Any, units: Sequence[int]) -> Outcomes:
        """See `BenchmarkArm`."""
        return torch.stack(list(raw)).double().cpu().numpy()

    def share(self, site: SweptSite, units: Sequence[int]) -> float:
        """See `BenchmarkArm`."""
        return site.units / len(units)


def measure_images(images: Tensor, clean: Tensor) -> Tensor:
    """Pixel error and area, as one writes them by hand: (rows, 2), float32."""
    moved = (images - clean).flatten(1)
    return torch.stack([moved.square().sum(1), images.flatten(1).sum(1)], dim=1)


@torch.no_grad()
def outcome_scale(workload: Workload) -> Outcomes:
    """What counts as one unit of each outcome: its root mean square over the pairs' unpatched counterfactuals, (2,)."""
    clean, other = workload.plain(workload.base), workload.plain(workload.counterfactual)
    return measure_images(other, clean).double().square().mean(0).sqrt().cpu().numpy()


def compare(found: Sequence[Outcomes], expected: Sequence[Outcomes], scale: Outcomes) -> list[float]:
    """How far `found` is from `expected`, for each outcome.

    The largest absolute difference of a row, divided by what is larger: that row's expected outcome, or `scale`.
    """
    mine = np.concatenate([rows.reshape(-1, rows.shape[-1]) for rows in found])
    theirs = np.concatenate([rows.reshape(-1, rows.shape[-1]) for rows in expected])
    return [float(value) for value in (np.abs(mine - theirs) / np.maximum(np.abs(theirs), scale)).max(0)]
