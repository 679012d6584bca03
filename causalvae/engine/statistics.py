"""Gathers what sources need to know of a site over a whole cohort."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from causalvae.engine.shards import ShardInputs
from causalvae.engine.values import Statistics
from causalvae.models.components import ComponentMap
from causalvae.models.operators import OperatorGraph
from causalvae.plan.types import Arm

OBSERVED_KINDS = ("quantile", "sd")


def sites_needing(arms: Iterable[Arm], kinds: Sequence[str]) -> tuple[str, ...]:
    """Names of the sites that any of `arms` patches from a source of one of `kinds`, in order of appearance."""
    names = (patch.site for arm in arms for patch in arm.patches if patch.source.kind in kinds)
    return tuple(dict.fromkeys(names))


def gather_means(
    graph: OperatorGraph, components: ComponentMap, sites: Sequence[str], shards: Iterable[ShardInputs]
) -> dict[str, Statistics]:
    """The mean of each site over the base side, accumulated in float64."""
    totals: dict[str, Tensor] = {}
    rows = 0
    for shard in shards:
        values = graph.run(shard.sides["base"], shard.noise, keep=[components.site(name).node for name in sites])
        rows += shard.rows
        for name in sites:
            value = values[components.site(name).node]
            total = value.double().sum(0, keepdim=True)
            totals[name] = total if name not in totals else totals[name] + total
            dtype = value.dtype
    return {name: Statistics(mean=(total / rows).to(dtype)) for name, total in totals.items()}


def gather_observed(
    graph: OperatorGraph, components: ComponentMap, sites: Sequence[str], shards: Iterable[ShardInputs]
) -> dict[str, Statistics]:
    """The values of each site over the observed cohort, sorted along the first axis."""
    found: dict[str, list[Tensor]] = {name: [] for name in sites}
    for shard in shards:
        values = graph.run(shard.sides["base"], shard.noise, keep=[components.site(name).node for name in sites])
        for name in sites:
            found[name].append(values[components.site(name).node])
    return {name: Statistics(observed=torch.cat(values).sort(0).values) for name, values in found.items()}


def merge(means: dict[str, Statistics], observed: dict[str, Statistics]) -> dict[str, Statistics]:
    """One entry a site, with whatever either side knows."""
    return {
        name: Statistics(
            mean=means[name].mean if name in means else None,
            observed=observed[name].observed if name in observed else None,
        )
        for name in {**means, **observed}
    }
