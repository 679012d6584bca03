"""Draws the samples of the cohorts of a plan."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from causalvae.data.dataset import Dataset, as_finite
from causalvae.data.factors import IntArray, Rows
from causalvae.data.pairs import draw_pairs, draw_samples, draw_swaps
from causalvae.data.split import PARTS, Part, SplitRule
from causalvae.errors import NoPairsError
from causalvae.plan.types import Cohort, Side

_LEAST = 2


@dataclass(frozen=True)
class CohortInputs:
    """The samples of a cohort.

    Parameters
    ----------
    cohort : Cohort
        With the actual number of samples.
    rows : dict
        Side -> rows of the data set, (samples, width).
    numbers : dict
        Side -> numbers of the samples, int array of shape (samples,); see `causalvae.data.pairs.Pairs`.
    """

    cohort: Cohort
    rows: dict[Side, Rows]
    numbers: dict[Side, IntArray]


def draw_cohort(dataset: Dataset, cohort: Cohort, rule: SplitRule | None, part: Part = "test") -> CohortInputs:
    """Draw a cohort.

    Parameters
    ----------
    dataset : Dataset
    cohort : Cohort
        With the requested number of samples; finite data may have fewer.
    rule : SplitRule or None
        Division of finite data; if None, all samples are used for every part.
    part : {"fit", "select", "test"}

    Raises
    ------
    CausalVAEError
        CV207 if the part has too few samples, CV438 if they make fewer than two pairs; CV203 to CV206, see
        `draw_pairs`.
    """
    treatment = cohort.treatment
    within = None if rule is None else rule.within(dataset, part)
    if treatment is None:
        rows = draw_samples(dataset, cohort.samples, cohort.seed, within)
        numbers = number_samples(dataset, rows)
        return CohortInputs(replace(cohort, samples=len(rows)), {"base": rows}, {"base": numbers})
    if treatment.factor is None:
        pairs = draw_swaps(dataset, samples=cohort.samples, seed=cohort.seed, within=within)
    else:
        pairs = draw_pairs(
            dataset,
            factor=treatment.factor,
            samples=cohort.samples,
            seed=cohort.seed,
            level=treatment.level,
            value=treatment.value,
            others=treatment.others,
            contrast=treatment.contrast,
            start_level=treatment.start_level,
            start_value=treatment.start_value,
            within=within,
        )
    if len(pairs) < min(_LEAST, cohort.samples):
        raise NoPairsError(
            "CV438",
            f"The samples of {dataset.name} that are there to {part} on make {len(pairs)} pairs of {cohort.name} in "
            "which no sample occurs twice.",
            "Give more samples, another data.split, or another intervention.",
            "data.split",
        )
    return CohortInputs(
        replace(cohort, samples=len(pairs)),
        {"base": pairs.base, "counterfactual": pairs.counterfactual},
        {"base": pairs.base_sample, "counterfactual": pairs.counterfactual_sample},
    )


def number_samples(dataset: Dataset, rows: Rows) -> IntArray:
    """Numbers of observed rows, (rows,): indices of a finite data set, else the order of the draw."""
    finite = as_finite(dataset)
    return np.arange(len(rows)) if finite is None else finite.numbers_of(rows)


def tabulate_split(dataset: Dataset, rule: SplitRule | None) -> pd.DataFrame | None:
    """The part of each sample of finite data: columns ``sample`` (int), ``part`` (str) and ``file`` (str), if any.

    None for data without end, and if the data are not divided.
    """
    finite = as_finite(dataset)
    if finite is None or rule is None:
        return None
    parts = {part: rule.part(finite.size or 0, part) for part in PARTS}
    numbers = np.concatenate(list(parts.values()))
    order = np.argsort(numbers)
    codes = np.repeat(np.arange(len(PARTS)), [len(part) for part in parts.values()])[order]
    frame = {"sample": numbers[order], "part": pd.Categorical.from_codes(codes, pd.Index(list(PARTS)))}
    files = finite.files_of(numbers[order])
    return pd.DataFrame({**frame, **({"file": files} if files else {})})
