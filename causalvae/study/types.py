"""Results of studies: runs, groups of runs, and rank correlations."""

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
        None if the run has no such number.
    unit : str
    lower, upper : float or None
        Interval of the value.
    n : int or None
        Number of samples or units; for active latents, the number of latents.
    """

    name: MeasureName
    value: float | None
    unit: str = ""
    lower: float | None = None
    upper: float | None = None
    n: int | None = None


@dataclass(frozen=True)
class StudyRun:
    """One run of a study, with the measures of its network.

    Parameters
    ----------
    name : str
    data : str
        Name of the data set; ranks are within data sets.
    measures : tuple of Measure
    report : str
        Path of the report of the run, relative to the folder of the study.
    description : str
    model : str
        Kind of network in a study.
    seed : int or None
        Seed of the training in a study.
    results : Results or None
        Results of the run; None in a study.
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
        """The value of the measure `name`; None if there is none."""
        found = self.measure(name)
        return None if found is None else found.value


@dataclass(frozen=True)
class RankCorrelation:
    """Spearman's rank correlation of two measures over networks.

    Parameters
    ----------
    data : tuple of str
        The data sets; ranks are taken within each.
    left, right : MeasureName
    value : float
    lower, upper : float
        Interval of Fisher type with quantiles of t (see `causalvae.study.correlation`).
    p_value : float
        Two-sided, from permutations of the networks within data sets.
    n : int
        Number of networks.
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
    """The networks of one kind on one data set, which differ only in their seeds.

    Parameters
    ----------
    data, model : str
    networks : int
    means, lows, highs : dict
        Measure -> mean, minimum and maximum over seeds, for measures that any network has.
    lowers, uppers : dict
        Measure -> t interval of the mean over seeds, mean -+ t_{n - 1} s / sqrt(n), for measures that at least two
        networks have. The bootstrap is not used since its coverage for three values is at most 75 %.
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
    """The content of the report of a study or a comparison.

    Parameters
    ----------
    kind : {'study', 'comparison'}
        A comparison is a study without training.
    name, description : str
    runs : tuple of StudyRun
    warnings : tuple of str
        Warnings on comparing the runs.
    correlations : tuple of RankCorrelation
        Rank correlations of measures, if there are enough networks.
    too_few : int
        Number of networks of the largest data set of a comparison if too few for correlations; else 0.
    groups : tuple of Group
        Groups over seeds; empty in a comparison.
    published : dict
        Kind of network -> measure -> published number.
    source : str
        Source of the published numbers.
    confidence : float
        Confidence of the intervals.
    apart : tuple of str
        Kinds of networks omitted of correlations.
    digest : str
        Digest of the specs of a comparison.
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
        """The measures that any run has, in order of appearance."""
        found = (measure.name for run in self.runs for measure in run.measures if measure.value is not None)
        return tuple(dict.fromkeys(found))
