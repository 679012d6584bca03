"""Treatments of factors, and which factors can be treated."""

from __future__ import annotations

from causalvae.data.factors import Factor, FactorSpace
from causalvae.data.others import Others
from causalvae.errors import CausalVAEError
from causalvae.plan.owner import Owner
from causalvae.plan.types import Treatment


def redrawn(name: str, factor: str, others: Others, space: FactorSpace) -> Treatment:
    """The treatment that draws another level of a factor for each pair, in the order of drawing.

    Raises
    ------
    CausalVAEError
        As `factor_to_set`.
    """
    return Treatment(name, factor_to_set(name, factor, space).name, None, others, "as_drawn")


def factor_to_set(name: str, factor: str, space: FactorSpace) -> Factor:
    """The factor that the input intervention `name` sets.

    Raises
    ------
    CausalVAEError
        CV308 for an unknown factor, CV314 for one that cannot be set.
    """
    try:
        found = space[factor]
    except KeyError:
        raise unknown_factor(factor, space, f"interventions.{name}") from None
    if not found.settable:
        raise CausalVAEError(
            "CV314",
            f"the data have no counterfactual samples under another {found.name}.",
            "Set a factor whose counterfactuals the data contain, or write `set: swap` to swap whole samples.",
            f"interventions.{name}",
        )
    return found


def unknown_factor(factor: str, space: FactorSpace, place: str | Owner) -> CausalVAEError:
    """CV308: a factor that the data does not have."""
    advice = f"It has: {', '.join(space.names) or 'none'}."
    return CausalVAEError("CV308", f"the data have no factor {factor!r}.", advice, place)
