"""Summarises runs: groups over seeds, rank correlations, and warnings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import product
from typing import Final

import numpy as np

from causalvae.digest import digest
from causalvae.results import Results
from causalvae.spec.measures import MeasureName
from causalvae.spec.study import StudySpec
from causalvae.study.correlation import FloatArray, correlate_ranks
from causalvae.study.types import Group, RankCorrelation, StudyResults, StudyRun

# Measures whose rank correlations over networks are computed.
COMPARED: Final = (MeasureName.STRENGTH, MeasureName.SPECIFICITY, MeasureName.MODULARITY)
STUDIED: Final = (
    MeasureName.STRENGTH,
    MeasureName.SPECIFICITY,
    MeasureName.MEDIATED_SHARE,
    MeasureName.MODULARITY,
    MeasureName.POLYSEMANTIC_SHARE,
)
AGAINST: Final = (MeasureName.DISENTANGLEMENT, MeasureName.MIG, MeasureName.RECONSTRUCTION)
# Minimum number of networks of one data set. With fewer than five, permutation tests cannot reject at 0.05.
FEWEST_COMPARED: Final = 5
FEWEST_STUDIED: Final = 4


def summarise_comparison(name: str, description: str, runs: Sequence[StudyRun]) -> StudyResults:
    """Summarise the runs of a comparison.

    Parameters
    ----------
    name, description : str
    runs : sequence of StudyRun
        Runs with results; the names of the data sets are set here.
    """
    found = [(run, run.results) for run in runs if run.results is not None]
    named = [replace(run, data=data) for run, data in zip(runs, _name_data([each for _, each in found]), strict=True)]
    rng = np.random.default_rng(0)
    correlations, most = [], 0
    for left, right in product(COMPARED, AGAINST):
        blocks = pair_measures(named, left, right)
        most = max([most, *map(len, blocks.values())])
        enough = {data: block for data, block in blocks.items() if len(block) >= FEWEST_COMPARED}
        correlation = correlate_ranks(enough, left, right, rng) if enough else None
        if correlation is not None:
            correlations.append(correlation)
    return StudyResults(
        "comparison",
        name,
        description,
        tuple(named),
        tuple(_warn(found)),
        tuple(correlations),
        too_few=0 if correlations or most < 2 else most,
        digest=digest([[run.name, results.manifest.get("spec digest", "")] for run, results in found]),
    )


def summarise_study(study: StudySpec, runs: Sequence[StudyRun]) -> StudyResults:
    """Summarise the runs of a study: groups over seeds, and correlations of causal with classical measures.

    Notes
    -----
    Spearman correlations are over networks of one data set, or pooled with ranks within each data set, so that
    differences between data sets cause no correlation. Networks are the resampling unit. Networks of one kind with
    several seeds are not independent draws of kinds, so intervals do not generalise to other kinds. Kinds that the
    study sets apart are omitted.
    """
    apart = tuple(name for name, kind in study.models.items() if kind.apart)
    ranked = [run for run in runs if run.model not in apart]
    rng = np.random.default_rng(0)
    correlations = [
        found for left, right in product(STUDIED, AGAINST) for found in correlate_measures(ranked, left, right, rng)
    ]
    groups = tuple(
        _group(data, model, [run for run in runs if (run.data, run.model) == (data, model)])
        for data in study.data
        for model in study.models
    )
    seeds = len({run.seed for run in runs})
    return StudyResults(
        "study",
        study.name,
        study.description,
        tuple(runs),
        () if seeds >= 5 else (_FEW_SEEDS.format(seeds=f"{seeds} seed{'s' if seeds != 1 else ''}"),),
        tuple(correlations),
        groups=groups,
        published={model: dict(numbers) for model, numbers in study.published.items()},
        source=study.source,
        apart=apart,
    )


_FEW_SEEDS = (
    "{seeds} a network: differences between objectives that are smaller than the spread over seeds mean nothing."
)


def correlate_measures(
    runs: Sequence[StudyRun], left: MeasureName, right: MeasureName, rng: np.random.Generator
) -> list[RankCorrelation]:
    """Rank correlations of two measures over the networks of each data set, and pooled over data sets.

    Data sets with fewer than four networks that have both measures, or with a constant measure, are omitted.
    """
    pairs = pair_measures(runs, left, right)
    blocks = {data: block for data, block in pairs.items() if len(block) >= FEWEST_STUDIED}
    scopes = [{data: block} for data, block in blocks.items()] + ([blocks] if len(blocks) > 1 else [])
    found = [correlate_ranks(scope, left, right, rng) for scope in scopes]
    return [each for each in found if each is not None]


def pair_measures(runs: Sequence[StudyRun], left: MeasureName, right: MeasureName) -> dict[str, FloatArray]:
    """Data set -> the two measures of its networks that have both, (networks, 2)."""
    found: dict[str, list[tuple[float, float]]] = {}
    for run in runs:
        a, b = run.value(left), run.value(right)
        if a is not None and b is not None:
            found.setdefault(run.data, []).append((a, b))
    return {data: np.asarray(pairs, dtype=np.float64) for data, pairs in found.items()}


def _group(data: str, model: str, runs: Sequence[StudyRun]) -> Group:
    names = dict.fromkeys(measure.name for run in runs for measure in run.measures)
    values = {name: [v for run in runs if (v := run.value(name)) is not None] for name in names}
    held = {name: found for name, found in values.items() if found}
    ends = {name: interval_over_seeds(found) for name, found in held.items() if len(found) > 1}
    return Group(
        data,
        model,
        len(runs),
        {name: float(np.mean(found)) for name, found in held.items()},
        {name: min(found) for name, found in held.items()},
        {name: max(found) for name, found in held.items()},
        {name: lower for name, (lower, _) in ends.items()},
        {name: upper for name, (_, upper) in ends.items()},
    )


def interval_over_seeds(values: Sequence[float]) -> tuple[float, float]:
    """The 95 % t interval of the mean of at least two values."""
    from scipy.special import stdtrit

    n = len(values)
    mean = float(np.mean(values))
    reach = float(stdtrit(n - 1, 0.975)) * float(np.std(values, ddof=1)) / np.sqrt(n)
    return mean - reach, mean + reach


def _name_data(results: Sequence[Results]) -> list[str]:
    """A name for the data of each run: the source, numbered if several data sets have the same source."""
    names: dict[str, str] = {}
    sources: Counter[str] = Counter()
    found = []
    for each in results:
        source, content = ("data", "") if each.draw is None else (each.draw.source, each.draw.digest)
        if content not in names:
            sources[source] += 1
            names[content] = source if sources[source] == 1 else f"{source} {sources[source]}"
        found.append(names[content])
    return found


def _warn(runs: Sequence[tuple[StudyRun, Results]]) -> Iterable[str]:
    if len({results.draw for _, results in runs}) > 1:
        yield "The sides were run on different data or draws: their differences are not the networks' alone."
    for run, results in runs:
        for warning in results.warnings:
            yield f"{run.name}: {warning}"
