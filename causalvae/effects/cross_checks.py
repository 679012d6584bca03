"""Every effect of a mediation computed other ways, and what to say where they differ.

Three ways, of which only the exact, paired values are reported as the effects: DoWhy's regression on the crossed patch
design, with its refuters; DoWhy's graphical causal model with the network for a mechanism; and, where the spec asks for
it, regressions on observed samples, which need no agreement and show what patching is for.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from causalvae.effects.ablation import Ablation
from causalvae.effects.bootstrap import Ends
from causalvae.effects.dowhy.crossed import crossed_contrasts, estimate_with_dowhy
from causalvae.effects.dowhy.network_model import (
    PATHS,
    Sampled,
    arrow_strengths,
    counterfactual_effects,
    open_network_model,
    sampled_effect,
)
from causalvae.effects.dowhy.refuters import refute_with_dowhy
from causalvae.effects.mediation import MediationArms, PairEffects
from causalvae.effects.notes import Note, Notes
from causalvae.effects.observational import diagnose, estimate_from_samples
from causalvae.effects.observed import gather_samples
from causalvae.effects.outcomes import Outcomes
from causalvae.effects.scale import Vector
from causalvae.effects.types import ArrowStrength, CrossCheck, CrossMethod, Estimate, Refutation
from causalvae.engine.measurements import Measurements
from causalvae.spec.schema import Spec

# Of DoWhy's interventional distributions, and of the units and values for an arrow's strength.
DRAWS = 10_000
ARROW_RUNS = 400

_NO_AXIS = "the total change of each pair has a different direction, which is not defined for observed samples"
_CIRCLE = "the outcome lies on a circle: its values have no mean that a structural model could compare"


@dataclass(frozen=True)
class Case:
    """One mediation's effects on one attribute or vector, through its joint set of mediators.

    Parameters
    ----------
    effects : PairEffects
        The exact ones.
    arms : MediationArms
    ablation : Ablation
    unit : str
        The outcome's.
    period : float or None
        The attribute's.
    note : str
        Added to the note of DoWhy's estimates.
    vector : Vector or None
        What the outcome is, where it is a vector.
    """

    effects: PairEffects
    arms: MediationArms
    ablation: Ablation
    unit: str
    period: float | None = None
    notes: Notes = ()
    vector: Vector | None = None

    @property
    def on_circle(self) -> bool:
        """Whether the outcome, or a component of it, has a period."""
        return self.period is not None or (self.vector is not None and self.vector.on_circle)

    def exact(self) -> dict[str, float]:
        """Mean effects by estimand."""
        effects = self.effects
        return {
            "total_effect": float(effects.total.mean()),
            "natural_direct_effect": float(effects.direct.mean()),
            "natural_indirect_effect": float(effects.indirect.mean()),
            "total_indirect_effect": float(effects.total_indirect.mean()),
        }

    def check(self, method: CrossMethod, estimand: str) -> CrossCheck:
        """A cross-check of this case, without its result."""
        ablation = self.ablation
        exact = self.exact()[estimand]
        return CrossCheck(method, ablation.owner, self.effects.outcome, self.unit, ablation.component, estimand, exact)


@dataclass
class CrossChecks:
    """What cross-checks found and what else is to be remarked, gathered over mediations."""

    estimates: list[Estimate] = field(default_factory=list)
    refutations: list[Refutation] = field(default_factory=list)
    checks: list[CrossCheck] = field(default_factory=list)
    arrows: list[ArrowStrength] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader must know: every exact value that another way does not confirm, and the remarks."""
        return (
            *self.remarks,
            *(_differs(check) for check in self.checks if check.agrees is False),
            *(
                f"DoWhy's strength of the arrow from the {arrow.parent} to {arrow.outcome} ({arrow.owner}) is "
                f"{arrow.strength:.6g}, by the four arms {arrow.exact:.6g}: more than sampling explains."
                for arrow in self.arrows
                if not arrow.agrees
            ),
        )


def cross_check(
    spec: Spec,
    measurements: Measurements,
    outcomes: Outcomes,
    case: Case,
    descendants: frozenset[str],
    into: CrossChecks,
) -> list[Estimate]:
    """Compute a mediation's effects every other way that the spec asks for.

    Parameters
    ----------
    spec : Spec
    measurements : Measurements
    outcomes : Outcomes
        Of `measurements`.
    case : Case
    descendants : frozenset of str
        What the treatment's factor reaches in the declared graph.
    into : CrossChecks
        Takes what is found.

    Returns
    -------
    list of Estimate
        DoWhy's, to be shown next to the exact ones.
    """
    estimation = spec.estimation
    estimates: list[Estimate] = []
    if estimation.dowhy:
        estimates = _by_regression(spec, outcomes, case, into)
        if estimation.gcm:
            _by_network_model(spec, outcomes, case, into)
    if estimation.observational:
        into.checks.extend(_by_observation(spec, measurements, case, descendants))
    return estimates


def _by_regression(spec: Spec, outcomes: Outcomes, case: Case, into: CrossChecks) -> list[Estimate]:
    """DoWhy's values of the four effects, and its refuters on the natural indirect one."""
    outcome, estimation = case.effects.outcome, spec.estimation
    directions = {
        "natural_indirect_effect": "denoising",
        "natural_direct_effect": "noising",
        "total_indirect_effect": "noising",
    }
    notes = (Note("regression"), *case.effects.along, *case.notes)
    estimates: list[Estimate] = []
    for contrast in crossed_contrasts(outcomes, case.arms, case.effects, case.period, case.vector):
        effect = estimate_with_dowhy(contrast, estimation.confidence)
        named = case.ablation.clean if contrast.estimand == "total_effect" else case.ablation
        estimates.append(
            named.estimate(
                contrast.estimand, outcome, case.unit, case.effects.n, effect.value, Ends(effect.lower, effect.upper),
                direction=directions.get(contrast.estimand, ""), estimator="dowhy", notes=notes,
            )
        )  # fmt: skip
        into.checks.append(
            replace(
                case.check("dowhy", contrast.estimand), value=effect.value, lower=effect.lower, upper=effect.upper,
                tolerance=effect.tolerance, agrees=effect.agrees, expression=effect.expression,
                notes=(Note(f"rows_{contrast.estimand}"),),
            )
        )  # fmt: skip
        if contrast.estimand == "natural_indirect_effect" and estimation.refute:
            into.refutations.extend(
                refute_with_dowhy(
                    effect, estimation.refute, estimation.simulations, spec.execution.seed, outcome,
                    case.ablation.owner,
                )
            )  # fmt: skip
    return estimates


def _by_network_model(spec: Spec, outcomes: Outcomes, case: Case, into: CrossChecks) -> None:
    """DoWhy's graphical causal model: each pair by counterfactuals, the means by sampling, and strengths of arrows."""
    if case.on_circle:
        into.checks.extend(replace(case.check("gcm", path), refusal=_CIRCLE) for path in PATHS)
        return
    seed, model = spec.execution.seed, open_network_model(outcomes, case.arms, case.effects.outcome, case.vector)
    pairs = {
        "total_effect": case.effects.total,
        "natural_direct_effect": case.effects.direct,
        "natural_indirect_effect": case.effects.indirect,
        "total_indirect_effect": case.effects.total_indirect,
    }
    for path, exact in pairs.items():
        found = counterfactual_effects(model, path)
        gap = float(np.abs(found - exact).max())
        into.checks.append(
            replace(
                case.check("gcm", path), value=float(found.mean()), tolerance=model.rounding,
                agrees=gap <= model.rounding,
                notes=(Note("largest_gap", (gap,)),),
            )
        )  # fmt: skip
        sampled = sampled_effect(model, path, DRAWS, seed)
        into.checks.append(
            replace(
                case.check("gcm sampled", path), value=sampled.value, tolerance=sampled.tolerance,
                agrees=sampled.agrees,
                notes=(Note("draws", (DRAWS, sampled.error)),),
            )
        )  # fmt: skip
    into.arrows.extend(_arrows(arrow_strengths(model, ARROW_RUNS, ARROW_RUNS, seed), case))


def _arrows(strengths: tuple[Sampled, ...], case: Case) -> list[ArrowStrength]:
    whole = sum(strength.exact for strength in strengths)
    return [
        ArrowStrength(
            case.ablation.owner, case.effects.outcome, case.ablation.component, strength.name, strength.value,
            strength.error, strength.exact, strength.exact / whole if whole > 0 else float("nan"), strength.agrees,
        )
        for strength in strengths
    ]  # fmt: skip


def _by_observation(
    spec: Spec, measurements: Measurements, case: Case, descendants: frozenset[str]
) -> list[CrossCheck]:
    """Regressions on observed samples, or the refusal of them."""
    natural = ("natural_direct_effect", "natural_indirect_effect")
    if case.vector is not None:
        return [replace(case.check("observational", estimand), refusal=_NO_AXIS) for estimand in natural]
    gathered = gather_samples(spec, measurements, case.arms, case.effects.outcome, descendants, case.period)
    if gathered.samples is None:
        return [replace(case.check("observational", estimand), refusal=gathered.refusal) for estimand in natural]
    samples = gathered.samples
    found = diagnose(samples)
    if found.refusal:
        return [
            replace(case.check("observational", estimand), refusal=found.refusal, notes=(found.note,))
            for estimand in natural
        ]
    effects = estimate_from_samples(samples, gathered.change, spec.estimation.confidence)
    notes = (Note("observed", (len(samples.treatment),)), found.note)
    return [
        replace(
            case.check("observational", effect.estimand),
            value=effect.value,
            lower=effect.lower,
            upper=effect.upper,
            notes=notes,
        )
        for effect in effects
    ]


# What a warning adds of the method's tolerance, by the code of the check's note.
_BESIDE = {
    "largest_gap": " (largest difference of any pair {0:.2g})",
    "draws": " ({0:,} draws, standard error {1:.2g})",
}
_WAYS = {"dowhy": "DoWhy", "gcm": "DoWhy's causal model", "gcm sampled": "DoWhy's causal model, sampled,"}


def _differs(check: CrossCheck) -> str:
    name, way = check.estimand.replace("_", " "), _WAYS.get(check.method, check.method)
    value = float("nan") if check.value is None else check.value
    beside = "".join(_BESIDE.get(note.code, "").format(*note.values) for note in check.notes)
    return (
        f"{way} gives {value:.12g} for the {name} on {check.outcome} through {check.component} ({check.owner}), and "
        f"the exact value is {check.exact:.12g}; they may differ by {check.tolerance:.2g}{beside}. One of the two is "
        "wrong: use neither, and report this as an error in causalvae."
    )
