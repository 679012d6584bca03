"""The effects of a path under names of their own.

A change that is sent along named edges gives the same four arms as one that is sent through mediators, with the relayed
value in place: Y(x), Y(x'), Y(x; path <- x') and Y(x'; path <- x). The same contrasts of these mean something else than
natural effects (Avin, Shpitser & Pearl 2005), so they are called otherwise:

- path-specific effect = Y(x; path <- x') - Y(x);
- total path-specific effect = Y(x') - Y(x'; path <- x), which the effect loses where the path keeps the base input's
  value;
- effect around the path = Y(x'; path <- x) - Y(x), what goes all other ways.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar

from causalvae.effects.types import CrossCheck, Estimate, Refutation
from causalvae.plan.owner import Owner
from causalvae.plan.targets import ComponentPath, Target

PATH_EFFECT = "path_specific_effect"
PATH_TERMS = {
    "natural_indirect_effect": PATH_EFFECT,
    "natural_direct_effect": "effect_around_path",
    "total_indirect_effect": "total_path_specific_effect",
    "mediated_share": "path_share",
    "necessity": "path_necessity",
    "mediated_share_ratio_of_means": "path_share_ratio_of_means",
    "mediated_share_mean_of_ratios": "path_share_mean_of_ratios",
    "necessity_ratio_of_means": "path_necessity_ratio_of_means",
    "necessity_mean_of_ratios": "path_necessity_mean_of_ratios",
    "indirect_effect_turned_away": "path_effect_turned_away",
}
RELAYED = "relayed"

Named = TypeVar("Named", Estimate, CrossCheck, Refutation)


def in_path_terms(items: Iterable[Named], owner: Owner) -> list[Named]:
    """The same results, those of `owner` under the names of path effects."""
    return [
        replace(item, estimand=PATH_TERMS.get(item.estimand, item.estimand)) if item.owner == owner else item
        for item in items
    ]


def with_relayed_source(estimates: Iterable[Estimate]) -> list[Estimate]:
    """The same estimates; those whose last stage takes a relayed value say so."""
    return [
        replace(estimate, source=RELAYED) if estimate.source and _has_inner_edge(estimate.component) else estimate
        for estimate in estimates
    ]


def _has_inner_edge(component: Target) -> bool:
    return isinstance(component, ComponentPath) and bool(component.inner)
