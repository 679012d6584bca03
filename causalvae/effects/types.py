"""What a number means, and the number."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from causalvae.effects.notes import Notes
from causalvae.plan.owner import Owner
from causalvae.plan.targets import NOTHING, Target

Estimator = Literal["exact", "dowhy"]
Selected = Literal["kept", "checked", "left out"]
CrossMethod = Literal["dowhy", "gcm", "gcm sampled", "observational"]
Role = Literal["polysemantic", "monosemantic", "undecided", "undeclared", "inert"]


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
        Two-sided, of no effect, unless `notes` say otherwise.
    n : int
        Pairs (the resampling unit).
    outcome : str
        Attribute, or ``image``.
    treatment : str
        The input intervention, or empty.
    component : Target
    granularity, source, direction : str
        The ablation tuple; empty where nothing was patched.
    estimator : {"exact", "dowhy"}
    owner : Owner
        The intervention or hypothesis that asked for it.
    seed : int or None
        Of the bootstrap.
    notes : tuple of Note
    interval : str
        How the interval was made from the paired bootstrap: ``bootstrap-t`` (studentised), ``BCa`` (bias-corrected and
        accelerated, where resamples lack a spread of their own), ``BCa (asked)`` (where the spec asks for it),
        ``expanded percentile`` (of means of ratios), ``percentile`` (where neither is defined), or empty where it is no
        bootstrap's or there is none.
    """

    estimand: str
    value: float
    unit: str
    n: int
    outcome: str
    owner: Owner = field(kw_only=True)
    lower: float | None = None
    upper: float | None = None
    confidence: float | None = None
    p_value: float | None = None
    treatment: str = ""
    component: Target = NOTHING
    granularity: str = ""
    source: str = ""
    direction: str = ""
    estimator: Estimator = "exact"
    seed: int | None = None
    notes: Notes = ()
    interval: str = ""


@dataclass(frozen=True)
class Refutation:
    """One DoWhy refuter on one effect.

    Parameters
    ----------
    refuter : str
        placebo, random_common_cause, subset or bootstrap.
    estimand, outcome : str
    owner : Owner
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
    owner: Owner
    original: float
    refuted: float
    p_value: float
    passed: bool
    rule: str


@dataclass(frozen=True)
class CrossCheck:
    """An exact effect computed another way.

    Parameters
    ----------
    method : {"dowhy", "gcm", "gcm sampled", "observational"}
        DoWhy's regression on the crossed patch design; its graphical causal model, pair by pair and by sampling; two
        regressions on observed samples, without patching.
    owner : Owner
    outcome, unit, estimand : str
    component : Target
        The effect, as in the exact estimate.
    exact : float
    value : float or None
        None where it was refused.
    lower, upper : float or None
        The other way's own interval, which is not to be reported as ours.
    tolerance : float or None
        How far the value may lie from the exact one; None where agreement is not to be expected.
    agrees : bool or None
        Whether it lies that near, of every pair where pairs are compared; None where there is no tolerance.
    expression : str
        The estimand as DoWhy identifies and prints it.
    notes : tuple of Note
    refusal : str
        Why there is no value.
    """

    method: CrossMethod
    owner: Owner
    outcome: str
    unit: str
    component: Target
    estimand: str
    exact: float
    value: float | None = None
    lower: float | None = None
    upper: float | None = None
    tolerance: float | None = None
    agrees: bool | None = None
    expression: str = ""
    notes: Notes = ()
    refusal: str = ""


@dataclass(frozen=True)
class ArrowStrength:
    """How much of an outcome's variance one arrow of treatment -> mediators -> outcome carries.

    Parameters
    ----------
    owner : Owner
    outcome : str
    component : Target
        The mediation, its attribute, and the mediators.
    parent : {"treatment", "mediators"}
        Where the arrow to the outcome starts.
    strength, error : float
        DoWhy's, by sampling, and its standard error; in squared units of the outcome.
    exact : float
        From the four arms of every pair.
    share : float
        Of both arrows' exact strengths; NaN where both are zero.
    agrees : bool
        Whether the sampled one is as near the exact one as sampling allows.
    """

    owner: Owner
    outcome: str
    component: Target
    parent: str
    strength: float
    error: float
    exact: float
    share: float
    agrees: bool


@dataclass(frozen=True)
class ScreenedComponent:
    """A candidate of a screen: what it does to first order, and exactly where that was run.

    Parameters
    ----------
    component : Target
    granularity : str
    attribution : float
        Mean over pairs of the size of its first-order effect; NaN where that is defined for no pair.
    selected : {"kept", "checked", "left out"}
        Why it was run exactly, or that the screen did not ask for it.
    exact : float or None
        Mean over pairs of the size of its exact effect; None where it was not run.
    """

    component: Target
    granularity: str
    attribution: float
    selected: Selected
    exact: float | None = None


@dataclass(frozen=True)
class ScreenSummary:
    """How a sweep was screened, and how well.

    Parameters
    ----------
    owner : Owner
    treatment, direction, source : str
        The sweep's, as in its estimates.
    outcome, unit : str
        What components were ranked by their effect on, and the unit of attributions and exact effects.
    method : str
        ``attribution`` or ``integrated_gradients``.
    steps, pairs : int
    kept, checked, left_out : int
        How many components were run for their rank, how many of the others as a random sample, and how many not.
    recall : float
        Share of the `kept` components with truly largest effects that were kept, as estimated from the random sample.
    recall_lower, recall_upper : float
        Its interval at `confidence`, exact in the sampling of components.
    rank_correlation : float
        Spearman's, of attribution and exact effect over the random sample; NaN where it is not defined.
    rank_lower, rank_upper : float or None
        Its interval.
    confidence : float
    seed : int
        Of the random sample.
    components : tuple of ScreenedComponent
        In the sweep's order.
    """

    owner: Owner
    treatment: str
    direction: str
    source: str
    outcome: str
    unit: str
    method: str
    steps: int
    pairs: int
    kept: int
    checked: int
    left_out: int
    recall: float
    recall_lower: float
    recall_upper: float
    rank_correlation: float
    rank_lower: float | None
    rank_upper: float | None
    confidence: float
    seed: int
    components: tuple[ScreenedComponent, ...]

    @property
    def candidates(self) -> int:
        """How many components were ranked; `components` has the strongest where these are many."""
        return self.kept + self.checked + self.left_out


# The breadth between units that move one factor and those that move several.
BROAD = 1.5


@dataclass(frozen=True)
class UnitRole:
    """What one unit is, by the number of factors that it moves.

    Parameters
    ----------
    owner : Owner
    treatment, source, direction, granularity : str
    component : Target
        As in the estimates of its effects.
    role : {"polysemantic", "monosemantic", "undecided", "undeclared", "inert"}
        ``undeclared``: it moves the output, and no outcome of the declared graph; ``inert``: it moves nothing.
    breadth : float
        exp(H(p)), p the unit's effect sizes divided by their sum: the effective number of factors.
    lower, upper : float or None
        Its interval at `confidence`, by pair bootstrap.
    confidence : float
    largest : float
        The largest effect size, in standard deviations.
    on : str
        What that is on.
    p_value : float
        Of no effect above the tolerance, over all outcomes.
    over : str
        ``factors``, or ``attributes`` where the declared graph does not tell which attributes stand for which factor.
    outcomes : int
        How many of them.
    n : int
        Pairs.
    output : float or None
        Mean length of the output's change, in the output's own unit.
    output_share : float or None
        Its root mean square in standard deviations of the output.
    """

    owner: Owner
    treatment: str
    source: str
    direction: str
    component: Target
    granularity: str
    role: Role
    breadth: float
    lower: float | None
    upper: float | None
    confidence: float
    largest: float
    on: str
    p_value: float
    over: str
    outcomes: int
    n: int
    output: float | None = None
    output_share: float | None = None

    @property
    def from_threshold(self) -> float:
        """How far its breadth lies above the threshold between monosemantic and polysemantic; negative below it."""
        return self.breadth - BROAD

    @property
    def moves_declared(self) -> bool:
        """Whether it is shown to move an outcome of the declared graph."""
        return self.role not in ("undeclared", "inert")


@dataclass(frozen=True)
class MetricRow:
    """One metric of one run next to what it would be for a perfect and for an untrained network.

    Parameters
    ----------
    metric : str
        The estimand.
    owner : Owner
    source : str
        The intervention that it is of, and the source of its values.
    unit : str
    value : float
        Of a metric that each unit has, the mean over units.
    lower, upper : float or None
        Its interval; of a mean over units over samples, the units being all there are.
    median : float or None
        Over units; None where the metric is of the run as a whole.
    units : int
        How many units.
    oracle : float or None
        The same for the data's own factors, changed one at a time in the true input.
    random : float or None
        The same for the network with weights drawn again.
    notes : tuple of Note
        What is omitted, and why.
    at : str
        The layer, where the metric is of one.
    """

    metric: str
    owner: Owner
    source: str
    unit: str
    value: float
    lower: float | None
    upper: float | None
    median: float | None
    units: int
    oracle: float | None = None
    random: float | None = None
    notes: Notes = ()
    at: str = ""
