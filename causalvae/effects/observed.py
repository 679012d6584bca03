"""From a run's tables to what the observational mode takes: a factor, mediators and an outcome of observed samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from causalvae.data.others import recomputed
from causalvae.effects.bootstrap import FloatArray
from causalvae.effects.mediation import MediationArms
from causalvae.effects.observational import ObservedSamples
from causalvae.engine.measurements import Measurements
from causalvae.engine.observed_columns import Group, column_of, names_in
from causalvae.plan.relays import is_relayed
from causalvae.plan.types import Arm, Treatment
from causalvae.spec.schema import Spec

# Sites whose values the observed table has, and the groups of its columns of them.
_GROUPS: dict[str, Group] = {"latent": "latent", "latent.mean": "mean", "latent.exogenous": "exogenous"}


@dataclass(frozen=True)
class Gathered:
    """Samples and the treatment's mean change over the pairs, or why there are none."""

    samples: ObservedSamples | None = None
    change: float = 0.0
    refusal: str = ""


def gather_samples(
    spec: Spec,
    measurements: Measurements,
    arms: MediationArms,
    outcome: str,
    descendants: frozenset[str],
    period: float | None = None,
) -> Gathered:
    """The observed samples of one mediation and attribute.

    Parameters
    ----------
    spec : Spec
    measurements : Measurements
    arms : MediationArms
    outcome : str
        An attribute.
    descendants : frozenset of str
        What the treatment's factor reaches in the declared graph: not adjusted for where it follows the treatment.
    period : float, optional
        The attribute's.
    """
    plan = measurements.plan
    arm = next(arm for arm in plan.arms if arm.id == arms.sufficiency)
    treatment = plan.cohort(arm.cohort).treatment
    refusal = _refuse(spec, treatment, outcome, period)
    if refusal or treatment is None or treatment.factor is None:
        return Gathered(refusal=refusal)
    table = measurements.observations
    named = _mediators(arm, table)
    if isinstance(named, str):
        return Gathered(refusal=named)
    followers = frozenset(recomputed(treatment.others, sorted(descendants)))
    kept = [name for name in names_in(table, "factor") if name not in followers | {treatment.factor}]
    values = {name: table[column].to_numpy(np.float64) for name, column in named.items()}
    result = table[column_of("attribute", outcome)].to_numpy(np.float64)
    factor = table[column_of("factor", treatment.factor)].to_numpy(np.float64)
    others = [_encode(spec, name, table[column_of("factor", name)].to_numpy(np.float64)) for name in kept]
    covariates = np.concatenate([np.empty((len(table), 0)), *others], axis=1)
    mediators = np.stack(list(values.values()), axis=1)
    finite = np.isfinite(np.column_stack([factor, result, mediators, covariates])).all(axis=1)
    samples = ObservedSamples(factor[finite], mediators[finite], result[finite], covariates[finite], tuple(values))
    return Gathered(samples, _mean_change(measurements, arm, treatment.factor))


def _refuse(spec: Spec, treatment: Treatment | None, outcome: str, period: float | None) -> str:
    if treatment is None or treatment.factor is None:
        return "the treatment swaps whole samples: no factor is its treatment"
    kind, _ = _kind_of(spec, treatment.factor)
    if kind in ("categorical", "cyclic"):
        return f"{treatment.factor} is {kind}: a slope over it means nothing"
    if period is not None:
        return f"{outcome} lies on a circle: a line cannot follow it"
    return ""


def _mediators(arm: Arm, table: pd.DataFrame) -> dict[str, str] | str:
    """Mediator -> its column, or why there is none."""
    found: dict[str, str] = {}
    if is_relayed(arm.patches):
        return "what goes along a path alone shows in no observed sample: a stage's value is made by all ways to it"
    if any(patch.subspace is not None for patch in arm.patches):
        return "what goes through directions alone shows in no observed sample: latents are kept there one by one"
    for patch in arm.patches:
        group = _GROUPS.get(patch.site)
        latents = () if group is None else names_in(table, group)
        if group is None or not latents or patch.window:
            return (
                f"the activations of {patch.site} are not among what is observed: of whole latents alone they are kept"
            )
        units = range(len(latents)) if patch.units is None else patch.units
        found |= {f"{patch.site}[{unit}]": column_of(group, unit) for unit in units}
    return found


def _mean_change(measurements: Measurements, arm: Arm, factor: str) -> float:
    pairs = measurements.pairs
    mine = pairs[(pairs["cohort"] == arm.cohort) & (pairs["pair"] < arm.pairs)]
    return float((mine[f"counterfactual:{factor}"] - mine[f"base:{factor}"]).mean())


def _encode(spec: Spec, name: str, values: FloatArray) -> FloatArray:
    """A covariate as columns: indicators of categories, sine and cosine of a cyclic one; none where it is constant."""
    kind, period = _kind_of(spec, name)
    levels = np.unique(values)
    if len(levels) < 2:
        return np.empty((len(values), 0))
    if kind == "categorical":
        return np.asarray(values[:, None] == levels[None, :-1], dtype=np.float64)
    if kind == "cyclic" and period is not None:
        turns = 2 * np.pi * values / period
        return np.stack([np.cos(turns), np.sin(turns)], axis=1)
    return values[:, None]


def _kind_of(spec: Spec, name: str) -> tuple[str | None, float | None]:
    """A factor's kind and period, as the spec declares them or else the data source."""
    section, source = spec.graph.factors.get(name), spec.data.facts()
    entry = source.factor(name) if source is not None else None
    kind = (section and section.kind) or (entry and entry.kind)
    ends = (section and section.range) or (entry and (entry.low, entry.high))
    period = entry.period if entry is not None and entry.period is not None else None
    if period is None and ends:
        period = ends[1] - ends[0]
    return kind or None, period
