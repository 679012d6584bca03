"""Statistics of sites over a whole cohort, for sources that need them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import torch
from torch import Tensor

from causalvae.engine.memory import BatchSize
from causalvae.engine.shards import ShardInputs, run_rows
from causalvae.engine.values import Statistics
from causalvae.models.components import ComponentMap
from causalvae.models.program import Program
from causalvae.plan.types import OBSERVED, Arm
from causalvae.spec.value_source import Need

Gather = Callable[[Program, ComponentMap, Sequence[str], Iterable[ShardInputs], int], dict[str, Statistics]]

MEAN_BLOCK = 16
# Number of rows of the runs that gather statistics.
CHUNK_PAIRS = 64


def sites_needing(arms: Iterable[Arm], need: Need) -> tuple[str, ...]:
    """Names of the sites that any of `arms` patches from a source with this need, in order of appearance."""
    names = (patch.site for arm in arms for patch in arm.patches if need in patch.source.needs)
    return tuple(dict.fromkeys(names))


def gather_needed(
    graph: Program,
    components: ComponentMap,
    arms: Sequence[Arm],
    shards_of: Callable[[str], Iterable[ShardInputs]],
    cohort: str,
    batch_rows: int = CHUNK_PAIRS,
) -> dict[str, Statistics]:
    """What the sources of `arms` need to know of their sites.

    Parameters
    ----------
    graph : Program
    components : ComponentMap
    arms : sequence of Arm
    shards_of : callable
        The inputs of a cohort, shard by shard.
    cohort : str
        That of the arms; it gives means. Other needs are met from the observed cohort.
    batch_rows : int
        As for `gather_means`.
    """
    found = []
    gathered: tuple[tuple[Need, Gather, str], ...] = (
        ("moments", gather_moments, OBSERVED), ("mean", gather_means, cohort), ("values", gather_observed, OBSERVED),
    )  # fmt: skip
    for need, gather, whose in gathered:
        sites = sites_needing(arms, need)
        if sites:
            found.append(gather(graph, components, sites, shards_of(whose), batch_rows))
    return merge(*found)


def gather_means(
    graph: Program,
    components: ComponentMap,
    sites: Sequence[str],
    shards: Iterable[ShardInputs],
    batch_rows: int = CHUNK_PAIRS,
) -> dict[str, Statistics]:
    """The mean of each site over the base side, accumulated in float64.

    Sums are taken over blocks of `MEAN_BLOCK` rows, so that the mean does not depend on the number of rows of `shards`
    if it is a multiple. At most `batch_rows` are run together, fewer if memory runs out.
    """
    totals = {name: _Totals() for name in sites}
    for name, value in _values(graph, components, sites, shards, batch_rows):
        for block in totals[name].blocks(value):
            totals[name].add(block)
    return {
        name: Statistics(mean=(total.sums[0] / total.rows).to(total.dtype))
        for name, total in totals.items()
        if total.rows
    }


def gather_observed(
    graph: Program,
    components: ComponentMap,
    sites: Sequence[str],
    shards: Iterable[ShardInputs],
    batch_rows: int = CHUNK_PAIRS,
) -> dict[str, Statistics]:
    """The values of each site over the observed cohort, sorted along the first axis."""
    found: dict[str, list[Tensor]] = {name: [] for name in sites}
    for name, value in _values(graph, components, sites, shards, batch_rows):
        found[name].append(value)
    return {name: Statistics(observed=torch.cat(values).sort(0).values) for name, values in found.items()}


def gather_moments(
    graph: Program,
    components: ComponentMap,
    sites: Sequence[str],
    shards: Iterable[ShardInputs],
    batch_rows: int = CHUNK_PAIRS,
) -> dict[str, Statistics]:
    """Mean and standard deviation of each site over the observed cohort, accumulated in float64.

    Values are taken relative to the first row to avoid cancellation; sums are taken over blocks, as in `gather_means`.
    """
    origins: dict[str, Tensor] = {}
    totals = {name: _Totals() for name in sites}
    for name, value in _values(graph, components, sites, shards, batch_rows):
        origin = origins.setdefault(name, value[:1].double())
        for block in totals[name].blocks(value):
            moved = block - origin
            totals[name].add(moved, moved.square())
    found = {}
    for name, total in totals.items():
        if not total.rows:
            continue
        first, second = total.sums
        variance = (second - first.square() / total.rows) / max(total.rows - 1, 1)
        mean, sd = origins[name] + first / total.rows, variance.clamp(min=0.0).sqrt()
        found[name] = Statistics(observed_mean=mean.to(total.dtype), observed_sd=sd.to(total.dtype))
    return found


class _Totals:
    """Sums over the rows of one site, block by block."""

    def __init__(self) -> None:
        self.rows = 0
        self.dtype = torch.float32
        self.sums: tuple[Tensor, ...] = ()

    def blocks(self, value: Tensor) -> tuple[Tensor, ...]:
        """Count the rows of `value` and return them as blocks in float64."""
        self.rows += len(value)
        self.dtype = value.dtype
        return tuple(value.double().split(MEAN_BLOCK))

    def add(self, *parts: Tensor) -> None:
        """Add the rows of each part to its sum."""
        sums = tuple(part.sum(0, keepdim=True) for part in parts)
        self.sums = tuple(old + new for old, new in zip(self.sums, sums, strict=True)) if self.sums else sums


def _values(
    graph: Program, components: ComponentMap, sites: Sequence[str], shards: Iterable[ShardInputs], batch_rows: int
) -> Iterator[tuple[str, Tensor]]:
    """Name and value of each site over the base side, (rows, ...), for each shard."""
    size = BatchSize(batch_rows)
    nodes = [components.site(name).node for name in sites]
    for shard in shards:
        values = run_rows(graph, shard.sides["base"], shard.noise, size, nodes, to_end=False)
        yield from ((name, values[node]) for name, node in zip(sites, nodes, strict=True))


def merge(*gathered: Mapping[str, Statistics]) -> dict[str, Statistics]:
    """Merge statistics by site."""
    found: dict[str, Statistics] = {}
    for facts in gathered:
        for name, known in facts.items():
            found[name] = found[name].joined(known) if name in found else known
    return found
