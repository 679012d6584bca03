"""Estimates of many components laid out as grids: component by attribute, one block a site."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from causalvae.effects.types import Estimate
from causalvae.plan.owner import Owner
from causalvae.plan.targets import ComponentSet, Target
from causalvae.report.numbers import is_absent

EFFECT = "effect_size"
BESIDE = (
    "causal_effect_strength",
    "causal_effect_strength_calibrated",
    "specificity",
    "specificity_bounded",
    "output_specificity",
    "output_specificity_bounded",
)


@dataclass(frozen=True)
class Row:
    """One component's effects.

    Parameters
    ----------
    component : str
        As a reader would write it.
    short : str
        Its name within its block: the unit's index, or all of it.
    effects : dict
        Attribute -> estimate of the effect size.
    beside : dict
        (estimand, unit) -> the component's other estimates.
    """

    component: str
    short: str
    effects: dict[str, Estimate]
    beside: dict[tuple[str, str], Estimate]

    @property
    def strongest(self) -> float:
        """The largest effect size on any attribute; minus infinity where there is none."""
        known = [effect.value for effect in self.effects.values() if not is_absent(effect.value)]
        return max(known, default=-math.inf)


@dataclass(frozen=True)
class Block:
    """The components of one site, in the order in which they came; `indexed` where all are single units of it."""

    site: str
    rows: tuple[Row, ...]
    indexed: bool


@dataclass(frozen=True)
class Grid:
    """One intervention in one direction.

    Parameters
    ----------
    owner, treatment, direction, source : str
        As in the estimates; `treatment` is empty for a latent perturbation.
    attributes : tuple of str
    blocks : tuple of Block
        Sites in the order in which they came, which is the network's.
    largest : float
        The largest finite effect size: the end of the colour scale.
    """

    owner: Owner
    treatment: str
    direction: str
    source: str
    attributes: tuple[str, ...]
    blocks: tuple[Block, ...]
    largest: float

    @property
    def rows(self) -> tuple[Row, ...]:
        """All rows, block after block."""
        return tuple(row for block in self.blocks for row in block.rows)


def in_grid(estimate: Estimate) -> bool:
    """Whether an estimate belongs to a grid: an effect size of a patched component, or what stands next to it."""
    return bool(estimate.component) and (estimate.estimand == EFFECT or estimate.estimand in BESIDE)


def build_grids(estimates: Iterable[Estimate]) -> list[Grid]:
    """Group the effect sizes of patched components by intervention, direction and source of the value."""
    groups: dict[tuple[Owner, str, str, str], list[Estimate]] = {}
    for estimate in estimates:
        if in_grid(estimate):
            key = (estimate.owner, estimate.treatment, estimate.direction, estimate.source)
            groups.setdefault(key, []).append(estimate)
    return [_grid(key, members) for key, members in groups.items()]


def strongest_rows(grid: Grid, most: int) -> list[Row]:
    """The `most` rows with the largest effect on any attribute, strongest first; all in order where they are fewer."""
    if len(grid.rows) <= most:
        return list(grid.rows)
    return sorted(grid.rows, key=lambda row: row.strongest, reverse=True)[:most]


def _grid(key: tuple[Owner, str, str, str], estimates: list[Estimate]) -> Grid:
    attributes = tuple(dict.fromkeys(estimate.outcome for estimate in estimates if estimate.estimand == EFFECT))
    effects: dict[Target, dict[str, Estimate]] = {}
    beside: dict[Target, dict[tuple[str, str], Estimate]] = {}
    sites: dict[str, list[Target]] = {}
    for estimate in estimates:
        component = estimate.component
        if component not in effects:
            effects[component], beside[component] = {}, {}
            sites.setdefault(_site(component), []).append(component)
        if estimate.estimand == EFFECT:
            effects[component][estimate.outcome] = estimate
        else:
            beside[component][estimate.estimand, estimate.unit] = estimate
    blocks = []
    for site, components in sites.items():
        units = [_unit(component) for component in components]
        indexed = None not in units
        rows = tuple(
            Row(component.label, str(unit) if indexed else component.label, effects[component], beside[component])
            for component, unit in zip(components, units, strict=True)
        )
        blocks.append(Block(site, rows, indexed))
    finite = [row.strongest for block in blocks for row in block.rows if math.isfinite(row.strongest)]
    return Grid(*key, attributes, tuple(blocks), max(finite, default=0.0))


def _site(component: Target) -> str:
    return " + ".join(component.sites) if isinstance(component, ComponentSet) else component.label


def _unit(component: Target) -> int | None:
    """The position of a single unit of a site."""
    return component.unit if isinstance(component, ComponentSet) else None
