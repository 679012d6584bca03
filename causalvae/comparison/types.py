"""What a comparison holds: for each side its run's results, and what is set beside each other."""

from __future__ import annotations

from dataclasses import dataclass

from causalvae.results import Results


@dataclass(frozen=True)
class Measure:
    """One number of one side.

    Parameters
    ----------
    name : str
        What it is, such as ``active latents``; the same on every side.
    value : float or None
        None where the side has no such number.
    lower, upper : float or None
        Its interval.
    unit : str
    n : int or None
        What it was measured on.
    """

    name: str
    value: float | None
    unit: str = ""
    lower: float | None = None
    upper: float | None = None
    n: int | None = None


@dataclass(frozen=True)
class Side:
    """One run of a comparison.

    Parameters
    ----------
    name, description : str
    results : Results
    measures : tuple of Measure
        One list of names on all sides.
    report : str
        The path of its own report, relative to the comparison's; empty where it has none.
    """

    name: str
    description: str
    results: Results
    measures: tuple[Measure, ...]
    report: str = ""

    def measure(self, name: str) -> Measure | None:
        """The measure called `name`, if there is one."""
        return next((measure for measure in self.measures if measure.name == name), None)


@dataclass(frozen=True)
class RankCorrelation:
    """Spearman's rank correlation of two measures over networks.

    Parameters
    ----------
    data : str
        The data set, or ``all`` where ranks are taken within each data set and pooled.
    left, right : str
    value : float
    lower, upper : float
        Interval of Fisher's kind with quantiles of t (`comparison.correlation`).
    p_value : float
        Two-sided, by permuting the networks (within data sets).
    n : int
        Networks.
    """

    data: str
    left: str
    right: str
    value: float
    lower: float
    upper: float
    p_value: float
    n: int


@dataclass(frozen=True)
class Comparison:
    """Runs of several networks, or on several data sets, under one spec.

    Parameters
    ----------
    name, description : str
    sides : tuple of Side
    digest : str
        Of the sides' specs.
    warnings : tuple of str
        What must be known before sides are compared.
    correlations : tuple of RankCorrelation
        How far measures rank the sides alike, where there are enough of them.
    too_few : str
        Why there are no correlations, where there are none.
    """

    name: str
    description: str
    sides: tuple[Side, ...]
    digest: str
    warnings: tuple[str, ...] = ()
    correlations: tuple[RankCorrelation, ...] = ()
    too_few: str = ""

    def __repr__(self) -> str:
        return f"Comparison({self.name!r}: {', '.join(side.name for side in self.sides)})"
