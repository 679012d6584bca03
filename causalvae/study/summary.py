"""Groups of networks, and rank correlations of measures over them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np

from causalvae.comparison.correlation import correlate_ranks
from causalvae.comparison.types import RankCorrelation
from causalvae.spec.study import StudySpec
from causalvae.study.cell import Cell
from causalvae.study.types import Group, StudyResults

CAUSAL = ("mean strength", "mean specificity", "mean mediated share", "modularity", "polysemantic share")
AGAINST = ("disentanglement", "MIG", "reconstruction")
POOLED = "all"
_FEWEST = 4


def summarise_study(study: StudySpec, cells: Sequence[Cell], seed: int = 0) -> StudyResults:
    """Group networks over seeds, and correlate causal measures with classical ones over networks.

    Notes
    -----
    Correlations are Spearman's over networks of one data set; pooled, ranks are taken within each data set, so that
    data sets that differ in everything do not make a correlation by themselves. Networks are the resampling unit; those
    of one kind and several seeds are not independent draws of kinds, so an interval says how far these networks agree,
    and not how other kinds would. Kinds that the study sets apart enter none.
    """
    apart = tuple(name for name, kind in study.models.items() if kind.apart)
    ranked = [cell for cell in cells if cell.model not in apart]
    rng = np.random.default_rng(seed)
    correlations = [
        found
        for left, right in product(CAUSAL, AGAINST)
        for data in (*study.data, POOLED)
        if (found := correlate_measures(ranked, data, left, right, rng)) is not None
    ]
    groups = tuple(
        _group(data, model, [cell for cell in cells if (cell.data, cell.model) == (data, model)])
        for data in study.data
        for model in study.models
    )
    published = {model: dict(numbers) for model, numbers in study.published.items()}
    return StudyResults(
        study.name, study.description, tuple(cells), groups, tuple(correlations), published, study.source, apart=apart
    )


def _group(data: str, model: str, cells: Sequence[Cell]) -> Group:
    names = dict.fromkeys(measure.name for cell in cells for measure in cell.measures)
    values = {name: [v for cell in cells if (v := cell.value(name)) is not None] for name in names}
    held = {name: found for name, found in values.items() if found}
    ends = {name: interval_over_seeds(found) for name, found in held.items() if len(found) > 1}
    return Group(
        data,
        model,
        len(cells),
        {name: float(np.mean(found)) for name, found in held.items()},
        {name: min(found) for name, found in held.items()},
        {name: max(found) for name, found in held.items()},
        {name: lower for name, (lower, _) in ends.items()},
        {name: upper for name, (_, upper) in ends.items()},
    )


def interval_over_seeds(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """The t interval of the mean of two values or more."""
    from scipy.special import stdtrit

    n = len(values)
    mean = float(np.mean(values))
    reach = float(stdtrit(n - 1, (1 + confidence) / 2)) * float(np.std(values, ddof=1)) / np.sqrt(n)
    return mean - reach, mean + reach


def correlate_measures(
    cells: Sequence[Cell], data: str, left: str, right: str, rng: np.random.Generator
) -> RankCorrelation | None:
    """Rank correlation of two measures over the networks of `data`, or of all, ranked within their data sets.

    None where fewer than four networks have both, or a measure is the same in all.
    """
    blocks = []
    for name in dict.fromkeys(cell.data for cell in cells):
        if data not in (name, POOLED):
            continue
        pairs = [
            (a, b)
            for cell in cells
            if cell.data == name and (a := cell.value(left)) is not None and (b := cell.value(right)) is not None
        ]
        if len(pairs) >= _FEWEST:
            blocks.append(np.asarray(pairs, dtype=np.float64))
    if not blocks or (data == POOLED and len(blocks) < 2):
        return None
    return correlate_ranks(blocks, data, left, right, rng)
