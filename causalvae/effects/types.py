"""What a number means, and the number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Estimator = Literal["exact", "dowhy"]


@dataclass(frozen=True)
class Estimate:
    """One number with all that is needed to read it.

    Parameters
    ----------
    estimand : str
        The name of the quantity (SCIENCE terms): total_effect, natural_direct_effect, natural_indirect_effect,
        total_indirect_effect, interaction, mediated_share, necessity, off_target, effect_size, causal_effect_strength,
        specificity, ...
    value : float
        The estimate.
    unit : str
        Its unit: the attribute's own, ``sd`` (standard deviations of the attribute), ``share``, ``pixel L2`` ...
    lower, upper : float or None
        Interval at `confidence`.
    confidence : float or None
    p_value : float or None
        Two-sided, of no effect, unless `note` says otherwise.
    n : int
        Pairs (the resampling unit).
    outcome : str
        Attribute, or ``image``.
    treatment : str
        The input intervention, or empty.
    component, granularity, source, direction : str
        The ablation tuple; empty where nothing was patched.
    estimator : {"exact", "dowhy"}
    owner : str
        The intervention or hypothesis that asked for it.
    seed : int or None
        Of the bootstrap.
    note : str
    """

    estimand: str
    value: float
    unit: str
    n: int
    outcome: str
    lower: float | None = None
    upper: float | None = None
    confidence: float | None = None
    p_value: float | None = None
    treatment: str = ""
    component: str = ""
    granularity: str = ""
    source: str = ""
    direction: str = ""
    estimator: Estimator = "exact"
    owner: str = ""
    seed: int | None = None
    note: str = ""


@dataclass(frozen=True)
class Refutation:
    """One DoWhy refuter on one effect.

    Parameters
    ----------
    refuter : str
        placebo, random_common_cause or subset.
    estimand, outcome, owner : str
        The effect it was run on.
    original, refuted : float
        The effect before, and its mean under the refuter's simulations.
    p_value : float
        The refuter's own.
    passed : bool
    rule : str
        What it tests and when it passes, in words.
    """

    refuter: str
    estimand: str
    outcome: str
    owner: str
    original: float
    refuted: float
    p_value: float
    passed: bool
    rule: str
