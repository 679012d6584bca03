"""What a study found: its networks, groups of them, and how measures rank networks alike."""

from __future__ import annotations

from dataclasses import dataclass, field

from causalvae.comparison.types import RankCorrelation
from causalvae.study.cell import Cell


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
    means: dict[str, float]
    lows: dict[str, float]
    highs: dict[str, float]
    lowers: dict[str, float] = field(default_factory=dict)
    uppers: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class StudyResults:
    """Everything that a study's report says.

    Parameters
    ----------
    name, description : str
    cells : tuple of Cell
    groups : tuple of Group
    correlations : tuple of RankCorrelation
    published : dict
        Model -> measure -> number from elsewhere.
    source : str
        Where those stand.
    confidence : float
        Of the intervals.
    apart : tuple of str
        Models whose networks enter no correlation.
    """

    name: str
    description: str
    cells: tuple[Cell, ...]
    groups: tuple[Group, ...]
    correlations: tuple[RankCorrelation, ...]
    published: dict[str, dict[str, float]]
    source: str
    confidence: float = 0.95
    apart: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"StudyResults({self.name!r}: {len(self.cells)} networks)"

    @property
    def measures(self) -> tuple[str, ...]:
        """Names of the measures that any network has, in order."""
        found = (measure.name for cell in self.cells for measure in cell.measures if measure.value is not None)
        return tuple(dict.fromkeys(found))
