"""Responses to latent perturbations: spread over the output, and overlap of the changes in a layer.

They need whole outputs and activations, which the outcome table does not contain, so a few samples of each perturbation
are run again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import prod
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from causalvae.digest import digest
from causalvae.engine.measurements import write_table
from causalvae.engine.memory import BatchSize
from causalvae.engine.needed_values import needed_values
from causalvae.engine.rerun import Group, Shortcuts, group_arms
from causalvae.engine.response_table import COLUMNS, OVERLAP, SPREAD, make_frame
from causalvae.engine.runner import PlanRunner
from causalvae.engine.shards import run_clean
from causalvae.engine.tables import read_table
from causalvae.engine.values import Statistics
from causalvae.models.operators import OperatorGraph
from causalvae.models.program import Program
from causalvae.plan.owner import Owner
from causalvae.plan.types import OBSERVED, OUTPUT, Arm, Plan

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
        pairs = max(2, min(pairs, _MOST_OVERLAPS // overlaps))
        found.append(Perturbed(owner, tuple(groups), values, sites, pairs))
    return tuple(found)


def measure_responses(plan: Plan, runner: PlanRunner, folder: Path) -> pd.DataFrame:
    """The responses table of a plan, read from `folder` if stored there; see `measurements`.

    Parameters
    ----------
    plan : Plan
    runner : PlanRunner
        Runner of that plan.
    folder : Path
        Folder of ``responses.DIGEST.parquet``.
    """
    perturbed = find_perturbed(plan)
    if not perturbed:
        return pd.DataFrame({name: [] for name in COLUMNS})
    asked = [
        (str(item.owner), item.components, [[arm.id for arm in arms] for arms in item.arms], item.sites, item.pairs)
        for item in perturbed
    ]
    path = folder / f"responses.{digest(asked)[:16]}.parquet"
    if path.exists():
        return read_table(path)
    table = pd.concat([_measure(item, runner) for item in perturbed], ignore_index=True)
    write_table(table, path)
    return table


def _measure(item: Perturbed, runner: PlanRunner) -> pd.DataFrame:
    graph, sites = _with_sites(runner.graph, item, runner)
    all_arms = [arm for arms in item.arms for arm in arms]
    statistics = runner.statistics(OBSERVED, all_arms)
    counts = [len(item.components), item.pairs, len(item.arms)]
    spread = np.full(counts, np.nan)
    chosen = list(combinations(range(len(item.components)), 2))
    overlaps = {site: np.full([len(chosen), item.pairs, len(item.arms)], np.nan) for site in sites}
    size = sum(prod(graph.shape(graph.outputs[site])) for site in sites) * len(item.components)
    rows = max(1, min(16, _MOST_HELD // max(1, size)))
    for first in range(0, item.pairs, rows):
        stop = min(first + rows, item.pairs)
        for value, arms in enumerate(item.arms):
            entropies, cosines = _respond(arms, graph, sites, runner, statistics, first, stop)
            spread[:, first:stop, value] = entropies
            for site, alike in cosines.items():
                for number, (i, j) in enumerate(chosen):
                    overlaps[site][number, first:stop, value] = alike[:, i, j]
    names = item.components
    frames = [make_frame(item.owner, SPREAD, OUTPUT, [(name, "") for name in names], spread)]
    labels = [(names[i], names[j]) for i, j in chosen]
    frames += [make_frame(item.owner, OVERLAP, site, labels, found) for site, found in overlaps.items()]
    return pd.concat(frames, ignore_index=True)


def _with_sites(graph: Program, item: Perturbed, runner: PlanRunner) -> tuple[Program, tuple[str, ...]]:
    """The network with the compared sites as outputs; unchanged if it has no operator graph."""
    if not isinstance(graph, OperatorGraph):
        return graph, ()
    nodes = {site: runner.components.site(site).node for site in item.sites}
    nodes = {site: node for site, node in nodes.items() if node in graph.by_name}
    outputs = {**graph.outputs, **nodes}
    return OperatorGraph(
        graph.operations, graph.inputs, outputs, graph.parameters, graph.origins
    ), tuple(nodes)  # fmt: skip


def _respond(
    arms: Sequence[Arm], graph: Program, sites: tuple[str, ...], runner: PlanRunner,
    statistics: Mapping[str, Statistics], first: int, stop: int,
) -> tuple[npt.NDArray[np.float64], dict[str, npt.NDArray[np.float64]]]:  # fmt: skip
    """Entropies of the changes of the output, (arms, rows), and cosines of changes at each site, (rows, arms, arms)."""
    shortcuts, requested = Shortcuts.of(runner.plan.options), (OUTPUT, *sites)
    inputs = runner.shard(OBSERVED, first, stop)
    batch_rows = BatchSize(runner.plan.batch_rows)
    keep = needed_values(graph, runner.components, arms, shortcuts, requested)
    clean = run_clean(graph, inputs, keep, batch_rows)
    base = clean.sides["base"]
    rows = stop - first
    entropies = torch.full((len(arms), rows), torch.nan, dtype=torch.float64)
    changes = {site: torch.zeros(len(arms), rows, prod(graph.shape(graph.outputs[site]))) for site in sites}
    for members in group_arms(arms):
        group = Group(
            graph, runner.components, [arms[member] for member in members], clean, statistics, [rows] * len(members),
            shortcuts, requested,
        )  # fmt: skip
        positions = torch.tensor(members)
        for batch in group.batches(group.live(), batch_rows):
            owners, pairs = positions[batch.arms.cpu()], batch.pairs.cpu()
            moved = _change(batch.values[OUTPUT], base[graph.outputs[OUTPUT]], batch.pairs)
            entropies[owners, pairs] = _entropy(moved).cpu()
            for site in sites:
                moved = _change(batch.values[site], base[graph.outputs[site]], batch.pairs)
                changes[site][owners, pairs] = moved.cpu()
    return entropies.numpy(), {site: _cosines(change).numpy() for site, change in changes.items()}


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
