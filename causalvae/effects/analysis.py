"""All effects of a run: every intervention and hypothesis of a spec, from its measured tables."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from causalvae.effects.bootstrap import FEW_PAIRS
from causalvae.effects.claims import ClaimData, RatioColumns, fit_columns, interval_of, relative_error
from causalvae.effects.context import EffectContext, reached_from, treated_factor
from causalvae.effects.cross_checks import CrossChecks
from causalvae.effects.mediation import arms_of, pair_effects
from causalvae.effects.outcomes import use_at
from causalvae.effects.screening import summarise_screen
from causalvae.effects.significance import t_test
from causalvae.effects.types import ArrowStrength, CrossCheck, Estimate, Refutation, ScreenSummary
from causalvae.engine.progress import OnProgress, Progress, ignore_progress
from causalvae.plan.owner import Owner
from causalvae.plan.types import OUTPUT, Plan
from causalvae.spec.quantity import QUANTITIES
from causalvae.spec.schema import Hypothesis


@dataclass(frozen=True)
class EffectsResult:
    """All estimates, in the spec's order, what cross-checks found and warn of, and how sweeps were screened."""

    estimates: tuple[Estimate, ...]
    refutations: tuple[Refutation, ...]
    screens: tuple[ScreenSummary, ...] = ()
    checks: tuple[CrossCheck, ...] = ()
    arrows: tuple[ArrowStrength, ...] = ()
    warnings: tuple[str, ...] = ()


def estimate_effects(context: EffectContext, on_progress: OnProgress = ignore_progress) -> EffectsResult:
    """Estimate every effect that the spec asks for.

    Parameters
    ----------
    context : EffectContext
    on_progress : callable, optional
        Called after each intervention and hypothesis.

    Raises
    ------
    CausalVAEError
        CV501 where measurements are missing, CV502 where the plan lacks an arm, CV503 with fewer than two pairs, CV504
        where an effect has no unit.
    """
    spec, plan, whole = context.spec, context.plan, context.scale.whole
    estimates: list[Estimate] = []
    checks = CrossChecks()
    total = len(spec.interventions) + len(spec.hypotheses)

    def report(done: int) -> None:
        on_progress(Progress("estimate effects", done, total, "analyses"))

    report(0)
    for done, intervention in enumerate(spec.interventions, start=1):
        owner = Owner.intervention(intervention.name)
        estimates.extend(intervention.level.estimate(context, owner, checks))
        report(done)
    for done, hypothesis in enumerate(spec.hypotheses, start=len(spec.interventions) + 1):
        estimates.extend(_hypothesis(context, hypothesis))
        report(done)
    if OUTPUT not in plan.outputs:
        # Runs that stop at the latent have no output to speak of.
        estimates = [estimate for estimate in estimates if estimate.outcome != whole.name]
    listing = context.listing
    if listing.record is not None:
        listing.record.estimates([estimate for estimate in estimates if estimate.owner not in listing.found])
    asked = {item.name: getattr(item.level, "pairs", None) for item in spec.interventions}
    limited = [name for name, pairs in asked.items() if pairs is not None and pairs < spec.data.samples]
    arms = {arm.id: arm for arm in plan.arms}
    screens = tuple(
        summarise_screen(
            screen, plan, context.measurements.screens, context.outcomes, context.scale,
            # The pairs of a sweep are the cohort of its treatment.
            arms[plan.candidates(screen)[0].arm].cohort, spec.estimation.confidence,
        )
        for screen in plan.screens
    )  # fmt: skip
    return EffectsResult(
        tuple(estimates), tuple(checks.refutations), screens, tuple(checks.checks), tuple(checks.arrows),
        (*checks.warnings, *few_pairs_warning(estimates, limited, _is_exhausted(plan))),
    )  # fmt: skip


def _is_exhausted(plan: Plan) -> bool:
    """Whether all cohorts of few samples have as many as the data contain for tests."""
    few = [cohort for cohort in plan.cohorts if cohort.samples < FEW_PAIRS]
    return bool(few) and all(plan.asked.get(cohort.name, 0) > cohort.samples for cohort in few)


def few_pairs_warning(
    estimates: Sequence[Estimate], limited: Collection[str] = (), exhausted: bool = False
) -> tuple[str, ...]:
    """That intervals over so few pairs may promise too much; empty where none is.

    Parameters
    ----------
    estimates : sequence of Estimate
    limited : collection of str
        Interventions with `pairs` of their own, which use fewer than `data.samples`.
    exhausted : bool
        Whether the data have no more samples for tests.
    """
    few = [e for e in estimates if e.interval and e.n < FEW_PAIRS and e.lower != e.upper]
    if not few:
        return ()
    named = ", ".join(name for name in limited if any(e.owner == Owner.intervention(name) for e in few))
    raised = f"Raise `pairs` of {named}." if named else "Raise data.samples."
    if exhausted:
        raised = "The data have no more for tests: use more data, or smaller parts `fit` and `select` (data.split)."
    return (
        f"{len(few)} interval{'s are' if len(few) > 1 else ' is'} over fewer than {FEW_PAIRS} pairs (the fewest: "
        f"{min(e.n for e in few)}). If effects are skewed, the coverage of such intervals is below their nominal level "
        f"(docs/coverage.md has the rates). {raised}",
    )


def claim_columns(context: EffectContext, hypothesis: Hypothesis, reached: frozenset[str]) -> dict[str, RatioColumns]:
    """Per-pair columns of every quantity that a hypothesis may bound.

    Parameters
    ----------
    context : EffectContext
    hypothesis : Hypothesis
    reached : frozenset of str
        Descendants of the treatment's factor in the declared graph.

    Returns
    -------
    dict
        Quantity -> columns; without ``total_effect`` where the outcome has no standard deviation and none is claimed.
    """
    arms = arms_of(context.plan, Owner.hypothesis(hypothesis.name))
    outcome, scale = hypothesis.outcome, context.scale
    effects = pair_effects(
        context.outcomes, arms, outcome, scale.periods.get(outcome), scale.vectors.get(outcome)
    )  # fmt: skip
    context.bootstrap(effects.n)
    sd = scale.sd_of(outcome)
    bounds = hypothesis.expect.bounds
    changes, kept = context.changes(arms.base, arms.counterfactual, outcome), effects.kept
    left = None if kept is None else changes.squares((arms.sufficiency,), len(kept))[0][0][kept]
    data = ClaimData(
        context.outcomes, arms, effects, sd, scale.sd, scale.periods, reached, context.as_drawn(hypothesis.treatment),
        frozenset(bounds), left, hypothesis.pair_share, scale.unit(outcome),
    )  # fmt: skip
    columns: dict[str, RatioColumns] = {}
    # Results do not depend on what is installed: others' quantities are computed where they are claimed.
    always = (name for name in QUANTITIES.own if QUANTITIES.get(name).always)
    for name in dict.fromkeys((*always, *bounds)):
        found = QUANTITIES.get(name).columns(data)
        if found is not None:
            columns[name] = found
    if hypothesis.claims_a_share and kept is not None and left is not None:
        remaining = changes.squares((arms.necessity,), len(kept))[1][0]
        columns["pairwise_fit"] = fit_columns("pairwise_fit", effects, left, sd)
        columns["removal_fit"] = fit_columns("removal_fit", effects, remaining[kept], sd)
    return columns


def _hypothesis(context: EffectContext, hypothesis: Hypothesis) -> list[Estimate]:
    owner = Owner.hypothesis(hypothesis.name)
    use = use_at(context.plan, owner, "sufficiency")
    ablation = context.ablation(owner, use, treatment=hypothesis.treatment, source="interchange")
    reached = reached_from(context.spec, treated_factor(context.spec, hypothesis.treatment))
    errors = {"pairwise_fit": ("relative_error", "denoising"), "removal_fit": ("relative_error_removed", "noising")}
    estimates = []
    for quantity, columns in claim_columns(context, hypothesis, reached).items():
        if columns.undefined:
            continue
        if quantity in errors:
            estimand, direction = errors[quantity]
            value, ends = relative_error(columns, context.bootstrap(columns.n))
            estimates.append(
                ablation.estimate(
                    estimand, context.scale.label(hypothesis.outcome), "of the effect", columns.n, value, ends, None,
                    direction=direction,
                    notes=columns.notes,
                )
            )  # fmt: skip
            continue
        value, ends = interval_of(columns, context.bootstrap(columns.n))
        p_value = None if columns.is_size else float(t_test(columns.numerator[None]).p_two_sided[0])
        kind = QUANTITIES.get(quantity)
        named = ablation if kind.of_circuit else ablation.clean
        estimates.append(
            named.estimate(
                quantity, context.scale.label(hypothesis.outcome), columns.unit, columns.n, value, ends, p_value,
                direction=kind.direction, notes=columns.notes,
            )
        )  # fmt: skip
    return estimates
