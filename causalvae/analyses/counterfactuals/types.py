"""What a test of counterfactuals found: plain frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

LEAST: Final = 24
"""Samples without which nothing is judged."""

Status = Literal["sound", "unsound", "undecided"]
Why = Literal["unmapped", "no_attribute", "not_settable", "few_samples"]


@dataclass(frozen=True)
class Distance:
    """Root mean square difference of an attribute, in its standard deviations over the data.

    Parameters
    ----------
    attribute : str
    value, lower, upper : float
        With the bootstrap interval over samples.
    n : int
        Samples in which the attribute is defined.
    p_sound : float or None
        Against a distance of the bound or more; None where the distance is not judged.
    """

    attribute: str
    value: float
    lower: float
    upper: float
    n: int
    p_sound: float | None = None


@dataclass(frozen=True)
class Distances:
    """How far two sets of inputs and outputs are from each other.

    Parameters
    ----------
    attributes : tuple of Distance
        The largest first.
    pixels : float
        Root mean square difference of the numbers of inputs and outputs: shown, and not judged.
    unjudged : tuple of str
        Attributes that are defined on too few samples to be judged.
    """

    attributes: tuple[Distance, ...]
    pixels: float
    unjudged: tuple[str, ...] = ()

    @property
    def worst(self) -> Distance | None:
        """The largest; None where no attribute is measured."""
        return self.attributes[0] if self.attributes else None


@dataclass(frozen=True)
class Repetition:
    """Distances from the input after a number of cycles.

    Parameters
    ----------
    cycles : int
        Reconstructions of one another (composition), or how often a factor is set and set back (reversibility).
    distances : Distances
    reconstructed : Distances or None
        Of reversibility: the distances after as many passes through the network without an intervention.
    """

    cycles: int
    distances: Distances
    reconstructed: Distances | None = None


@dataclass(frozen=True)
class FactorSoundness:
    """Effectiveness and reversibility of one factor.

    Parameters
    ----------
    factor : str
    status : {"sound", "unsound", "undecided"}
        ``sound``: every interval of `own` and `others` lies at or below the bound, every `p_sound` is small enough for
        all of them together, and no own attribute is `unjudged`. ``unsound``: an interval lies above the bound.
    own, others : tuple of Distance
        Of f(x, A := a) from the data's counterfactual, the largest first: attributes that the graph gives an effect of
        A when all other factors are held, and the others. Intervals hold for all of them together.
    pixels : float
        The same of the output's numbers; see `Distances`.
    reversibility : tuple of Repetition
    samples : int
        Samples that lie where the data are.
    outside : float
        Share of samples that are omitted because the counterfactual input, or the donor, lies outside the ellipse
        that holds 99 % of the data's factors; 0 where factors are uncorrelated.
    unjudged : tuple of str
        Own attributes that are defined on fewer than 24 samples.
    """

    factor: str
    status: Status
    own: tuple[Distance, ...]
    others: tuple[Distance, ...]
    pixels: float
    reversibility: tuple[Repetition, ...]
    samples: int
    outside: float = 0.0
    unjudged: tuple[str, ...] = ()

    @property
    def worst(self) -> Distance:
        """The attribute with the largest error."""
        return max((*self.own, *self.others), key=lambda distance: distance.value)


@dataclass(frozen=True)
class Commutativity:
    """How far it matters which of two factors is set first: the distances of f_B(f_A(x)) and f_A(f_B(x))."""

    first: str
    second: str
    distances: Distances


@dataclass(frozen=True)
class Untested:
    """A declared factor that was not tested, and why.

    ``unmapped``: no component is mapped to it. ``no_attribute``: in the graph it has no effect on an attribute.
    ``not_settable``: the data cannot set it. ``few_samples``: it can be set, and its attributes are
    defined, in fewer than 24 samples.
    """

    factor: str
    why: Why


@dataclass(frozen=True)
class Example:
    """One sample, from the input to the last cycle.

    Parameters
    ----------
    factor : str
    sample : int
    before, after : float
        The factor's value in the input and in the counterfactual.
    levels : tuple of str
        Names of these levels; empty where they have none.
    points : tuple of str
        ``input``, ``data``, ``output``, ``back``.
    cycles : tuple of int
        0, or how often the factor was set and set back.
    attributes : tuple of dict
        Attribute -> its value at each point, in its own unit; None where it is undefined.
    images : tuple of str
        PNG in base64 of each point; empty where outputs are no pictures.
    """

    factor: str
    sample: int
    before: float
    after: float
    levels: tuple[str, ...]
    points: tuple[str, ...]
    cycles: tuple[int, ...]
    attributes: tuple[dict[str, float | None], ...]
    images: tuple[str, ...] = ()


@dataclass(frozen=True)
class Counterfactuals:
    """The mapping as a generator of counterfactuals.

    Parameters
    ----------
    factors : tuple of FactorSoundness
        The largest error first.
    untested : tuple of Untested
    composition : tuple of Repetition
    commutativity : tuple of Commutativity
        The largest distance first.
    examples : tuple of Example
    bound : float
        Standard deviations over the data that a sound counterfactual may be off.
    confidence : float
    seed : int
    repeated : int
        Samples that composition, reversibility and commutativity are measured on; fewer where there are fewer.
    unit : str
        Of the root mean square difference of the output's numbers, such as ``pixel RMS``.
    """

    factors: tuple[FactorSoundness, ...]
    untested: tuple[Untested, ...]
    composition: tuple[Repetition, ...]
    commutativity: tuple[Commutativity, ...]
    examples: tuple[Example, ...]
    bound: float
    confidence: float
    seed: int
    repeated: int
    unit: str

    def reconstruction(self, attribute: str) -> Distance | None:
        """What one reconstruction of an input leaves of an attribute: the network's part in every difference."""
        return next((found for found in self.composition[0].distances.attributes if found.attribute == attribute), None)

    @property
    def worst(self) -> FactorSoundness | None:
        """The factor with the largest error; an unsound one before all others. None where none was tested."""
        return next((found for found in self.factors if found.status == "unsound"), next(iter(self.factors), None))

    @property
    def status(self) -> Status | None:
        """Of the mapping: unsound where one factor is, sound where all that were tested are; None where none was."""
        found = {factor.status for factor in self.factors}
        return next((status for status in ("unsound", "undecided", "sound") if status in found), None)
