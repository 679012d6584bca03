"""The table of metrics: each next to what it is for the data's own factors and for a network with random weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from causalvae.effects.bootstrap import Ends
from causalvae.effects.effect_matrix import EffectMatrix
from causalvae.effects.notes import Note
from causalvae.effects.selectivity import specificity
from causalvae.effects.types import MetricRow, UnitRole
from causalvae.effects.units import entropy, polysemantic_share
from causalvae.plan.owner import Owner
from causalvae.spec.whole_output import WholeOutput

FloatArray = npt.NDArray[np.float64]
Key = tuple[str, str, str]  # metric, unit, layer


@dataclass
class MetricFacts:
    """What the metrics of one perturbation are made of.

    Parameters
    ----------
    matrix : EffectMatrix
        Over attributes.
    roles : tuple of UnitRole
        One a component, or none where they cannot be determined.
    lengths : float array, shape (components, n)
        Length of the output's change, averaged over values.
    whole : WholeOutput
        Numbers of an output.
    reconstruction : float or None
        Negative log-likelihood in nats, mean over the observed samples.
    calibrated : float array or None, shape (components, n)
        The length over the aggregate posterior.
    spreads : float array or None, shape (components, m)
        Entropy of the output's change in nats.
    modularity : dict
        Layer -> its value and interval.
    graph : (float, Ends) or None
    no_modularity : str
        Why no layer has one.
    ends : dict
        Intervals over samples of metrics that are means over units.
    """

    matrix: EffectMatrix
    roles: tuple[UnitRole, ...]
    lengths: FloatArray
    whole: WholeOutput
    reconstruction: float | None = None
    calibrated: FloatArray | None = None
    spreads: FloatArray | None = None
    modularity: dict[str, tuple[float, Ends | None]] = field(default_factory=dict)
    graph: tuple[float, Ends | None] | None = None
    no_modularity: str = ""
    ends: dict[Key, Ends] = field(default_factory=dict)

    @property
    def lacking(self) -> dict[Key, str]:
        """The metrics that are not there, and why."""
        found: dict[Key, str] = {}
        inert = bool(self.roles) and not any(role.moves_declared for role in self.roles)
        still = "no latent has an effect above the tolerance on what is declared"
        if len(self.matrix.outcomes) < 2:
            found["specificity_bounded", "share", ""] = "it needs two attributes that vary"
        elif inert:
            found["specificity_bounded", "share", ""] = still
        if not self.modularity:
            found["modularity", "share", ""] = self.no_modularity or "fewer than two latents have an effect"
        if not self.roles:
            found["polysemantic_share", "share", ""] = "it needs two factors, or attributes, that latents can move"
        elif inert:
            found["polysemantic_share", "share", ""] = still
        return found


@dataclass(frozen=True)
class Summary:
    """One metric: of what each unit has, mean and median over `units` units; of a whole run, the value alone.

    The interval is over samples, the units being all there are.
    """

    value: float
    median: float | None = None
    ends: Ends | None = None
    units: int = 0


def summarise_facts(facts: MetricFacts) -> dict[Key, Summary]:
    """Every metric that the facts give, in the order of the table.

    Strengths are averaged over all units; specificities over those that move what is declared, because the
    distribution of an effect that is none is that of rounding.
    """
    active = np.array([role.moves_declared for role in facts.roles] or [True] * len(facts.lengths))
    found: dict[Key, Summary | None] = {}
    lengths = facts.lengths.mean(axis=1)
    found["causal_effect_strength", facts.whole.length, ""] = _over_units(lengths)
    found["causal_effect_strength", facts.whole.rms, ""] = _over_units(lengths / np.sqrt(facts.whole.numbers))
    if facts.calibrated is not None:
        found["causal_effect_strength_calibrated", facts.whole.length, ""] = _over_units(facts.calibrated.mean(axis=1))
    outcomes = len(facts.matrix.outcomes)
    if outcomes > 1:
        spread = entropy(np.nan_to_num(_sizes(facts.matrix.squares)), axis=1)
        for name, unit, bounded in (("specificity", "1/nat", False), ("specificity_bounded", "share", True)):
            found[name, unit, ""] = _over_units(specificity(spread, outcomes, bounded=bounded)[active])
    if facts.spreads is not None and facts.whole.numbers > 1:
        spread = _mean_defined(facts.spreads)
        forms = (("output_specificity", "1/nat", False), ("output_specificity_bounded", "share", True))
        for name, unit, bounded in forms:
            found[name, unit, ""] = _over_units(specificity(spread, facts.whole.numbers, bounded=bounded)[active])
    for site, (value, ends) in facts.modularity.items():
        found["modularity", "share", site] = Summary(value, ends=ends, units=int(active.sum()))
    if facts.graph is not None:
        found["graph_modularity", "Q", ""] = Summary(facts.graph[0], ends=facts.graph[1], units=len(facts.lengths))
    share = polysemantic_share(facts.roles)
    if share is not None:
        found["polysemantic_share", "share", ""] = Summary(
            share[0], ends=Ends(share[1], share[2]), units=int(active.sum())
        )  # fmt: skip
    if facts.reconstruction is not None:
        found["reconstruction_error", "nats", ""] = Summary(facts.reconstruction)
    return {
        key: replace(summary, ends=summary.ends or facts.ends.get(key))
        for key, summary in found.items()
        if summary is not None
    }


def metric_rows(
    owner: Owner,
    facts: MetricFacts,
    own: Mapping[Key, Summary],
    oracle: Mapping[Key, Summary] | None,
    copy: Mapping[Key, Summary] | None,
) -> list[MetricRow]:
    """The rows of one perturbation's table; what cannot be had of it is omitted, and the note says why."""
    rows = []
    for (metric, unit, site), summary in own.items():
        ideal = None if oracle is None else oracle.get((metric, unit, ""))
        random = None if copy is None else copy.get((metric, unit, site))
        notes: list[Note] = []
        if metric == "modularity":
            notes.append(Note("modularity_oracle"))
        elif metric != "reconstruction_error" and ideal is None:
            notes.append(Note("unsettable" if oracle is None else "undefined_of_factors"))
        if random is None:
            notes.append(Note("no_copy" if copy is None else "still_copy"))
        rows.append(
            MetricRow(
                metric=metric, owner=owner, source=facts.matrix.source, unit=unit, value=summary.value,
                lower=None if summary.ends is None else summary.ends.lower,
                upper=None if summary.ends is None else summary.ends.upper,
                median=summary.median, units=summary.units,
                oracle=1.0 if metric == "modularity" else None if ideal is None else ideal.value,
                random=None if random is None else random.value, notes=tuple(notes), at=site,
            )
        )  # fmt: skip
    rows += [
        MetricRow(
            metric, owner, facts.matrix.source, unit, math.nan, None, None, None, 0, notes=(Note("unmeasured", (why,)),)
        )
        for (metric, unit, _), why in facts.lacking.items()
        if not any(known[0] == metric for known in own)
    ]
    return rows


def _over_units(values: FloatArray) -> Summary | None:
    known = values[np.isfinite(values)]
    if not len(known):
        return None
    return Summary(float(known.mean()), float(np.median(known)), units=len(known))


def _sizes(squares: FloatArray) -> FloatArray:
    return np.asarray(np.sqrt(_mean_defined(squares)))


def _mean_defined(values: FloatArray) -> FloatArray:
    """Mean over the last axis of what is finite; NaN where nothing is."""
    known = np.isfinite(values)
    result = np.full(values.shape[:-1], np.nan)
    np.divide(np.where(known, values, 0.0).sum(axis=-1), known.sum(axis=-1), out=result, where=known.any(axis=-1))
    return result
