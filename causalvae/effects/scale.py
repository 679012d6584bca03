"""What effects are measured in: the scale of each outcome of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from causalvae.effects.notes import Note, Notes
from causalvae.effects.outcomes import IMAGE
from causalvae.spec.schema import VectorSection
from causalvae.spec.whole_output import WholeOutput

ATTRIBUTE = "attribute"
MIXED = "mixed units"


@dataclass(frozen=True)
class Vector:
    """Several attributes that are one outcome.

    Parameters
    ----------
    components : tuple of str
        Attributes, in the order declared.
    divisors : tuple of float
        What each component's change is divided by: its standard deviation over the observed reconstructions, or 1.
    periods : tuple of (float or None)
        Of each component.
    unit : str
        Of a change's length: ``sd``, or the components' own.
    sd : float or None
        Root mean square of the components' standard deviations, each over its divisor; None where no component varies.
    fixed : tuple of str
        Declared components that do not vary over the observed reconstructions and are omitted: there is nothing to
        divide their change by.
    """

    components: tuple[str, ...]
    divisors: tuple[float, ...]
    periods: tuple[float | None, ...]
    unit: str
    sd: float | None
    fixed: tuple[str, ...] = ()

    @property
    def on_circle(self) -> bool:
        """Whether a component has a period: values on a circle have no mean."""
        return any(period is not None for period in self.periods)

    @property
    def along(self) -> Notes:
        """What an effect on it is."""
        code = {"sd": "along_sd", MIXED: "along_mixed"}.get(self.unit, "along")
        still = (Note("still", self.fixed),) if self.fixed else ()
        return (Note(code, self.components), *still)


@dataclass(frozen=True)
class Scale:
    """What effects on attributes are divided by, and how their differences wrap.

    Parameters
    ----------
    sd : mapping
        Attribute -> standard deviation over the observed reconstructions; only attributes that vary are in it.
    periods : mapping
        Attribute -> period, for those that have one.
    units : mapping
        Attribute -> its own unit, for those that have one.
    whole : WholeOutput
        The decoded output as one outcome.
    output_sd : float
        Standard deviation of the whole output over the observed reconstructions; see `Measurements.output_sd`.
    vectors : mapping
        Name -> the attributes that are one outcome by that name.
    """

    sd: Mapping[str, float]
    periods: Mapping[str, float]
    units: Mapping[str, str]
    whole: WholeOutput
    output_sd: float
    vectors: Mapping[str, Vector] = field(default_factory=dict)

    def unit(self, outcome: str) -> str:
        """The outcome's own unit."""
        if outcome in self.vectors:
            return self.vectors[outcome].unit
        return self.whole.length if outcome == IMAGE else self.units.get(outcome, ATTRIBUTE)

    def label(self, outcome: str) -> str:
        """What estimates call an outcome of a spec: its name, or what the whole output is called."""
        return self.whole.name if outcome == IMAGE else outcome

    def sd_of(self, outcome: str) -> float | None:
        """The outcome's standard deviation over the observed reconstructions; None of the image and where it is 0."""
        vector = self.vectors.get(outcome)
        return self.sd.get(outcome) if vector is None else vector.sd


def measure_vector(
    section: VectorSection, sd: Mapping[str, float], periods: Mapping[str, float], units: Mapping[str, str]
) -> Vector:
    """A declared vector with the divisors that the run gives it.

    Parameters
    ----------
    section : VectorSection
    sd, periods, units : mapping
        Of the attributes, as of `Scale`.

    Notes
    -----
    Divided by standard deviations a component that does not vary is omitted; where none varies, all are kept as they
    are, and no share of their changes is read. Undivided, the length's unit is the components' where that is one unit.
    """
    names = section.components
    varying = tuple(name for name in names if name in sd)
    scaled = section.scale == "sd" and bool(varying)
    kept = varying if scaled else names
    divisors = tuple(sd[name] if scaled else 1.0 for name in kept)
    own = {units.get(name, ATTRIBUTE) for name in kept}
    unit = "sd" if scaled else own.pop() if len(own) == 1 else MIXED
    spreads = [(sd.get(name, 0.0) / divisor) ** 2 for name, divisor in zip(kept, divisors, strict=True)]
    return Vector(
        components=kept,
        divisors=divisors,
        periods=tuple(periods.get(name) for name in kept),
        unit=unit,
        sd=float(np.sqrt(np.mean(spreads))) if varying else None,
        fixed=tuple(name for name in names if name not in kept),
    )
