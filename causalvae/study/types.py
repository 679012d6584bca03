"""What a study found: its runs, groups of them, and how measures rank networks alike."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from causalvae.results import Results
from causalvae.spec.measures import MeasureName


@dataclass(frozen=True)
class Measure:
    """One number of one run.

    Parameters
    ----------
    name : MeasureName
    value : float or None
        None where the run has no such number.
    unit : str
    lower, upper : float or None
        Its interval.
    n : int or None
        What it was measured on; of active latents, how many latents there are.
    """

    name: MeasureName
    value: float | None
    unit: str = ""
    lower: float | None = None
    upper: float | None = None
    n: int | None = None


@dataclass(frozen=True)
class StudyRun:
    """One run of a study and what was measured of its network.

    Parameters
    ----------
    name : str
    data : str
        The data set: runs are ranked within it.
    measures : tuple of Measure
    report : str
        The path of its own report, relative to the study's folder.
    description : str
    model : str
        The kind of the network in a grid of networks.
    seed : int or None
        Of the training in a grid of networks.
    results : Results or None
        Everything that was found; None in a grid, which keeps the measures alone.
    """

    name: str
    data: str
    measures: tuple[Measure, ...]
    report: str = ""
    description: str = ""
    model: str = ""
    seed: int | None = None
    results: Results | None = None

    def measure(self, name: MeasureName) -> Measure | None:
        """The measure `name`, if there is one."""
        return next((measure for measure in self.measures if measure.name == name), None)

    def value(self, name: MeasureName) -> float | None:
        """The value of the measure `name`; None where there is none."""
        found = self.measure(name)
        return None if found is None else found.value


@dataclass(frozen=True)
class RankCorrelation:
    """Spearman's rank correlation of two measures over networks.

    Parameters
    ----------
    data : tuple of str
        The data sets: ranks are taken within each and pooled.
    left, right : MeasureName
    value : float
    lower, upper : float
        Interval of Fisher's kind with quantiles of t (`study.correlation`).
    p_value : float
        Two-sided, by permuting the networks within data sets.
    n : int
        Networks.
    """

    data: tuple[str, ...]
    left: MeasureName
    right: MeasureName
    value: float
    lower: float
    upper: float
    p_value: float
    n: int


@dataclass(frozen=True)
class Group:
    """The networks of one kind on one data set, which differ in their seed alone.

    Parameters
    ----------
    data, model : str
    networks : int
    means, lows, highs : dict
        Measure -> its mean, least and greatest value over seeds; without the measures that no network has.
    lowers, uppers : dict
        Measure -> the ends of the mean's t interval over seeds, mean -+ t_{n - 1} s / sqrt(n); without the measures
        that fewer than two networks have. No bootstrap: three values have ten resamples, and their range holds the
        mean three times in four.
    """

    data: str
    model: str
    networks: int
    means: dict[MeasureName, float]
    lows: dict[MeasureName, float]
    highs: dict[MeasureName, float]
    lowers: dict[MeasureName, float] = field(default_factory=dict)
    uppers: dict[MeasureName, float] = field(default_factory=dict)


@dataclass(frozen=True)
class StudyResults:
    """Everything that the report of a study or a comparison says.

    Parameters
    ----------
    kind : {'study', 'comparison'}
        A comparison is a study without training.
    name, description : str
    runs : tuple of StudyRun
    warnings : tuple of str
        What a reader must know before comparing runs.
    correlations : tuple of RankCorrelation
        How far measures rank the networks alike, where there are enough of them.
    too_few : int
        Networks of the largest data set of a comparison, where they are too few for any correlation; 0 elsewhere.
    groups : tuple of Group
        Of a grid's networks over seeds; empty in a comparison.
    published : dict
        Kind of network -> measure -> number from elsewhere.
    source : str
        Where those are from.
    confidence : float
        Of the intervals.
    apart : tuple of str
        Kinds of networks that enter no correlation.
    digest : str
        Of a comparison's specs.
    """

    kind: Literal["study", "comparison"]
    name: str
    description: str
    runs: tuple[StudyRun, ...]
    warnings: tuple[str, ...] = ()
    correlations: tuple[RankCorrelation, ...] = ()
    too_few: int = 0
    groups: tuple[Group, ...] = ()
    published: dict[str, dict[MeasureName, float]] = field(default_factory=dict)
    source: str = ""
    confidence: float = 0.95
    apart: tuple[str, ...] = ()
    digest: str = ""

    def __repr__(self) -> str:
        return f"StudyResults({self.name!r}: {len(self.runs)} runs)"

    @property
    def measures(self) -> tuple[MeasureName, ...]:
        """The measures that any run has, in order."""
        found = (measure.name for run in self.runs for measure in run.measures if measure.value is not None)
        return tuple(dict.fromkeys(found))
