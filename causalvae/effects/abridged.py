"""Latent perturbations and screens of more components than results list."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from causalvae.effects.sweep_types import LayerEffect, SweepSummary, site_of, tally_units
from causalvae.effects.sweeps import Strongest, listed_components
from causalvae.effects.types import Estimate, ScreenSummary, UnitRole
from causalvae.plan.owner import Owner
from causalvae.plan.targets import Target

# Estimates of perturbed components that results list.
MOST_PERTURBED = 1_200

# Candidates of screens that results list.
MOST_SCREENED = 2_000

_Group = tuple[Owner, str]
_Column = tuple[str, str, str]


def abridge(
    estimates: Sequence[Estimate], units: Sequence[UnitRole], owners: Collection[Owner], most: int = MOST_PERTURBED
) -> tuple[tuple[Estimate, ...], tuple[UnitRole, ...], tuple[SweepSummary, ...]]:
    """The strongest components of each perturbation, with a summary of those of which not all are listed.

    Parameters
    ----------
    estimates : sequence of Estimate
    units : sequence of UnitRole
    owners : collection of Owner
        The latent perturbations; what others asked for stays as it is.
    most : int
        Estimates of their components to list.
    """
    groups: dict[_Group, dict[Target, list[Estimate]]] = {}
    for estimate in estimates:
        if estimate.owner in owners and estimate.component:
            mine = groups.setdefault((estimate.owner, estimate.source), {})
            mine.setdefault(estimate.component, []).append(estimate)
    sizes = {key: (len(found), max(map(len, found.values()))) for key, found in groups.items()}
    listed = listed_components(sizes, most)
    left: set[tuple[Owner, str, Target]] = set()
    summaries = []
    for key, found in groups.items():
        if listed[key] == len(found):
            continue
        columns = _columns(found)
        components = list(found)
        kept = Strongest(listed[key]).add(columns, 0, len(columns))
        left |= {(*key, component) for place, component in enumerate(components) if place not in kept}
        owner, source = key
        summaries.append(
            SweepSummary(
                owner, "", "", source, len(found), len(kept), _layers(columns, components),
                tally_units([unit for unit in units if unit.owner == owner and unit.source == source]),
            )
        )  # fmt: skip
    return (
        tuple(each for each in estimates if (each.owner, each.source, each.component) not in left),
        tuple(each for each in units if (each.owner, each.source, each.component) not in left),
        tuple(summaries),
    )


def abridge_screens(screens: Sequence[ScreenSummary], most: int = MOST_SCREENED) -> tuple[ScreenSummary, ...]:
    """Screens with their strongest candidates, by exact effect and by first-order effect of what was not run."""
    sizes = {place: (len(screen.components), 1) for place, screen in enumerate(screens)}
    listed = listed_components(sizes, most)
    return tuple(
        screen if listed[place] == len(screen.components) else _abridge_screen(screen, listed[place])
        for place, screen in enumerate(screens)
    )


def _abridge_screen(screen: ScreenSummary, most: int) -> ScreenSummary:
    columns = {
        "exact": np.array([math.nan if each.exact is None else each.exact for each in screen.components]),
        "first order": np.array([each.attribution if each.exact is None else math.nan for each in screen.components]),
    }
    kept = Strongest(most).add(columns, 0, len(columns))
    return replace(screen, components=tuple(each for place, each in enumerate(screen.components) if place in kept))


def _columns(found: dict[Target, list[Estimate]]) -> dict[_Column, np.ndarray]:
    columns: dict[_Column, np.ndarray] = {}
    for place, estimates in enumerate(found.values()):
        for each in estimates:
            key = each.estimand, each.outcome, each.unit
            columns.setdefault(key, np.full(len(found), math.nan))[place] = each.value
    return columns


def _layers(columns: dict[_Column, np.ndarray], components: Sequence[Target]) -> tuple[LayerEffect, ...]:
    sites = np.asarray([site_of(component) for component in components])
    layers = []
    for site in dict.fromkeys(sites.tolist()):
        for key, values in columns.items():
            mine = np.flatnonzero((sites == site) & np.isfinite(values))
            if len(mine):
                best = int(mine[values[mine].argmax()])
                layers.append(
                    LayerEffect(
                        site, *key, len(mine), float(values[mine].mean()), float(values[best]), components[best]
                    )
                )  # fmt: skip
    return tuple(layers)
