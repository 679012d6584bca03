"""From an input intervention to the treatment of a cohort."""

from __future__ import annotations

from itertools import pairwise

from causalvae.data.factors import Factor, FactorSpace
from causalvae.data.others import Others, Release
from causalvae.errors import CausalVAEError
from causalvae.interventions.input.section import InputIntervention, SetTo
from causalvae.plan.treatments import factor_to_set
from causalvae.plan.types import Treatment


def treatment_of(name: str, section: InputIntervention, space: FactorSpace) -> Treatment:
    """What the input intervention `name` does to the inputs.

    Raises
    ------
    CausalVAEError
        CV308 for an unknown factor, CV309 for a value that it cannot have, CV314 for a factor that cannot be set.
    """
    if section.factor is None:
        return Treatment(name, None, None, "hold", "as_drawn")
    factor = factor_to_set(name, section.factor, space)
    level: int | None = None
    value: float | None = None
    if isinstance(section.set, SetTo) and factor.is_continuous:
        value = _value(name, section.set.to)
    elif isinstance(section.set, SetTo):
        level = _known_level(factor, section.set.to, name)
    start_level: int | None = None
    start_value: float | None = None
    if isinstance(section.set, SetTo) and section.set.start is not None:
        if factor.is_continuous:
            start_value = _value(name, section.set.start)
        else:
            start_level = _known_level(factor, section.set.start, name)
    rises = factor.kind in ("ordinal", "continuous") and section.set == "resample"
    contrast = section.contrast or ("increase" if rises else "as_drawn")
    others: Others = section.others if isinstance(section.others, str) else Release(section.others.names)
    return Treatment(name, section.factor, level, others, contrast, value, start_level, start_value)


def _value(name: str, given: float | str) -> float:
    if isinstance(given, str):
        raise CausalVAEError(
            "CV309",
            f"a continuous factor has no level {given!r}.",
            "Set it to a number.",
            f"interventions.{name}",
        )
    return given


def _known_level(factor: Factor, value: float | str, name: str) -> int:
    """The level that a value names; raises CV309 where it names none."""
    level = _level_of(factor, value)
    if level is None:
        choices = factor.labels if isinstance(value, str) or factor.coded else factor.values
        raise CausalVAEError(
            "CV309",
            f"{factor.name} has no level {value!r}.",
            f"Its levels are: {', '.join(map(str, choices)) or 'numbers'}.",
            f"interventions.{name}",
        )
    return level


def _level_of(factor: Factor, value: float | str) -> int | None:
    """The level that a label or a physical value names, as validation reads it: within a hundredth of a step."""
    if isinstance(value, str) or factor.coded:
        label = value if isinstance(value, str) else f"{value:.15g}"
        return factor.labels.index(label) if label in factor.labels else None
    distances = [abs(known - value) for known in factor.values]
    level = min(range(factor.size), key=distances.__getitem__)
    step = min((abs(b - a) for a, b in pairwise(factor.values)), default=0.0)
    return level if distances[level] <= 0.01 * step else None
