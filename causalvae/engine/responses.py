"""Responses to latent perturbations: spread over the output, and overlap of the changes in a layer.

They need whole outputs and activations, which the outcome table does not contain, so they are read from the rows of a
few samples of each perturbation while these are run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from math import prod

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from causalvae.digest import digest
from causalvae.engine.rerun import Batch
from causalvae.engine.response_table import OVERLAP, SPREAD, make_frame
from causalvae.models.components import ComponentMap
from causalvae.models.operators import OperatorGraph
from causalvae.models.program import Program
from causalvae.plan.owner import Owner
from causalvae.plan.types import OUTPUT, Arm, Plan

FloatArray = npt.NDArray[np.float64]

RESPONSE_PAIRS = 64
# Maximum number of overlaps per intervention, and of activations in memory.
_MOST_OVERLAPS = 2_000_000
_MOST_HELD = 16_000_000


@dataclass(frozen=True)
class Perturbed:
    """The arms of one latent perturbation.

    Parameters
    ----------
    owner : Owner
    components : tuple of str
    arms : tuple of tuple of Arm
        For each value, the arm of each component set to it.
    sites : tuple of str
        Sites where changes of activations are compared.
    pairs : int
        Number of samples.
    """

    owner: Owner
    components: tuple[str, ...]
    arms: tuple[tuple[Arm, ...], ...]
    sites: tuple[str, ...]
    pairs: int


def find_perturbed(plan: Plan) -> tuple[Perturbed, ...]:
    """The latent perturbations of a plan; none if runs do not decode."""
    if OUTPUT not in plan.outputs:
        return ()
    arms = {arm.id: arm for arm in plan.arms}
    found = []
    for name, sites in plan.compared.items():
        owner = Owner.intervention(name)
        groups: dict[str, list[Arm]] = {}
        for use in plan.uses_of(owner, "perturbation"):
            groups.setdefault(use.component.label, []).append(arms[use.arm])
        if not groups:
            continue
        values = tuple(zip(*groups.values(), strict=True))
        overlaps = max(1, len(groups) * (len(groups) - 1) // 2 * len(sites))
        pairs = min([RESPONSE_PAIRS, *(arm.pairs for group in groups.values() for arm in group)])
        pairs = min(pairs, max(2, _MOST_OVERLAPS // overlaps))
        found.append(Perturbed(owner, tuple(groups), values, sites, pairs))
    return tuple(found)


@dataclass(frozen=True)
class ResponsePart:
    """Rows that are run together: the arms of one value of a perturbation, on a few pairs of a shard.

    Parameters
    ----------
    item, value : int
        Positions of the perturbation, and of the value among its values.
    arms : tuple of str
        Ids, one for each component.
    sites : tuple of str
        Where activations are compared.
    first, stop : int
        Half-open range of pairs, counted from the shard's first.
    """

    item: int
    value: int
    arms: tuple[str, ...]
    sites: tuple[str, ...]
    first: int
    stop: int


class ResponsePlan:
    """The responses that a plan asks for.

    Parameters
    ----------
    plan : Plan
    graph : Program
        The network.
    components : ComponentMap

    Attributes
    ----------
    perturbed : tuple of Perturbed
        With the sites that the network computes; none where it has no operator graph.
    graph : Program
        The network with the compared sites as outputs.
    places : mapping
        Each compared site and the output -> node.
    """

    def __init__(self, plan: Plan, graph: Program, components: ComponentMap) -> None:
        found = find_perturbed(plan)
        nodes: dict[str, str] = {}
        if found and isinstance(graph, OperatorGraph):
            named = {site: components.site(site).node for item in found for site in item.sites}
            nodes = {site: node for site, node in named.items() if node in graph.by_name}
            outputs = {**graph.outputs, **nodes}
            graph = OperatorGraph(graph.operations, graph.inputs, outputs, graph.parameters, graph.origins)
        self.perturbed = tuple(
            replace(item, sites=tuple(site for site in item.sites if site in nodes)) for item in found
        )
        self.graph: Program = graph
        self.places = {**nodes, OUTPUT: graph.outputs[OUTPUT]}

    @property
    def nodes(self) -> frozenset[str]:
        """Nodes whose clean values are compared with."""
        return frozenset(self.places.values())

    @property
    def pairs(self) -> int:
        """Responses are read from the first so many pairs; 0 where there are none to read."""
        return max((item.pairs for item in self.perturbed), default=0)

    @property
    def arms(self) -> list[Arm]:
        """The arms of all perturbations, each once."""
        return list({arm.id: arm for item in self.perturbed for arms in item.arms for arm in arms}.values())

    @property
    def digest(self) -> str:
        """Of what is asked."""
        asked = [
            (str(item.owner), item.components, [[arm.id for arm in arms] for arms in item.arms], item.sites, item.pairs)
            for item in self.perturbed
        ]
        return digest(asked)[:16]


class ShardResponses:
    """The responses in one shard of the observed cohort, read while its rows are run.

    Parameters
    ----------
    asked : ResponsePlan
    first, stop : int
        Half-open range of the shard's pairs.

    Attributes
    ----------
    graph, nodes
        As of `asked`.
    """

    def __init__(self, asked: ResponsePlan, first: int, stop: int) -> None:
        self.graph, self.nodes = asked.graph, asked.nodes
        self._places, self._perturbed = asked.places, asked.perturbed
        self._first = first
        self._rows = [max(0, min(item.pairs, stop) - first) for item in self._perturbed]
        self._spread: list[FloatArray] = []
        self._overlap: list[dict[str, FloatArray]] = []
        for item, rows in zip(self._perturbed, self._rows, strict=True):
            count, values = len(item.components), len(item.arms)
            self._spread.append(np.full((count, rows, values), np.nan))
            blank = np.full((count * (count - 1) // 2, rows, values), np.nan)
            self._overlap.append({site: blank.copy() for site in item.sites})

    def parts(self) -> Iterator[ResponsePart]:
        """The rows to run, as many at once as activations may be held of."""
        for number, (item, rows) in enumerate(zip(self._perturbed, self._rows, strict=True)):
            size = sum(prod(self.graph.shape(self._places[site])) for site in item.sites) * len(item.components)
            step = max(1, min(16, _MOST_HELD // max(1, size)))
            for first in range(0, rows, step):
                for value, arms in enumerate(item.arms):
                    ids = tuple(arm.id for arm in arms)
                    yield ResponsePart(number, value, ids, item.sites, first, min(first + step, rows))

    def open(self, part: ResponsePart, clean: Mapping[str, Tensor]) -> OpenPart:
        """Begin a part; `clean` has the values of `nodes` on the shard's pairs."""
        nodes = {site: self._places[site] for site in (OUTPUT, *part.sites)}
        return OpenPart(
            part,
            {site: clean[node] for site, node in nodes.items()},
            self._spread[part.item][:, part.first : part.stop, part.value],
            {site: values[:, part.first : part.stop, part.value] for site, values in self._overlap[part.item].items()},
        )

    def frame(self) -> pd.DataFrame:
        """The rows of the responses table; see `causalvae.engine.measurements`."""
        frames = []
        for item, spread, overlap in zip(self._perturbed, self._spread, self._overlap, strict=True):
            names = item.components
            frames.append(make_frame(item.owner, SPREAD, OUTPUT, [(name, "") for name in names], spread, self._first))
            labels = list(combinations(names, 2))
            frames += [
                make_frame(item.owner, OVERLAP, site, labels, found, self._first) for site, found in overlap.items()
            ]
        return pd.concat(frames, ignore_index=True)


class OpenPart:
    """A part of a shard while its rows are run.

    Parameters
    ----------
    part : ResponsePart
    clean : mapping
        The output and each compared site -> clean values of the shard's pairs.
    spread : float array, shape (arms, rows)
        Takes entropies.
    overlap : mapping
        Site -> float array, shape (pairs of arms, rows), which takes cosines.
    """

    def __init__(
        self,
        part: ResponsePart,
        clean: Mapping[str, Tensor],
        spread: FloatArray,
        overlap: Mapping[str, FloatArray],
    ) -> None:
        self._part, self._clean, self._spread, self._overlap = part, clean, spread, overlap
        rows = part.stop - part.first
        self._changes = {
            site: torch.zeros(len(part.arms), rows, clean[site][0].numel()) for site in part.sites
        }  # fmt: skip

    def read(self, arms: Tensor, batch: Batch) -> None:
        """Take the rows of a batch; `arms` are the positions of their arms in the part."""
        rows = batch.pairs.cpu() - self._part.first
        moved = _change(batch.values[OUTPUT], self._clean[OUTPUT], batch.pairs)
        self._spread[arms.numpy(), rows.numpy()] = _entropy(moved).cpu().numpy()
        for site, changes in self._changes.items():
            changes[arms, rows] = _change(batch.values[site], self._clean[site], batch.pairs).cpu()

    def close(self) -> None:
        """Compare the changes of all arms."""
        first, second = np.triu_indices(len(self._part.arms), 1)
        for site, changes in self._changes.items():
            self._overlap[site][:] = _cosines(changes).numpy()[:, first, second].T


def _change(value: Tensor, clean: Tensor, pairs: Tensor) -> Tensor:
    return (value.float() - clean.float().index_select(0, pairs)).flatten(1)


def _entropy(moved: Tensor) -> Tensor:
    """Entropy in nats of the absolute values of each row, divided by their sum; NaN if all are zero."""
    sizes = moved.abs().double()
    entropy: Tensor = torch.special.entr(sizes / sizes.sum(1, keepdim=True)).sum(1)
    return entropy


def _cosines(changes: Tensor) -> Tensor:
    """|cosine| of the changes of two arms in each row, (rows, arms, arms); NaN if either is zero."""
    by_row = changes.transpose(0, 1).double()
    length = by_row.norm(dim=2, keepdim=True)
    unit = by_row / torch.where(length > 0, length, torch.nan)
    alike: Tensor = torch.bmm(unit, unit.transpose(1, 2)).abs()
    return alike
