"""The cost of a run without its arms: first-order screens, learned subspaces, inputs, statistics, exact controls."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from causalvae.engine.attribution import Attribution
from causalvae.engine.clock import busy_seconds
from causalvae.engine.controls import COMPARED_ROWS, FEW_ROWS
from causalvae.engine.fitting import SPLIT_PAIRS, fitted_arms
from causalvae.engine.runner import PlanRunner
from causalvae.engine.screening import LEFT_OUT, choose, mean_over_pairs
from causalvae.engine.statistics import sites_needing
from causalvae.engine.subspaces.interchanges import ROWS
from causalvae.engine.trial import Work, facts_of
from causalvae.engine.values import MIN_ROWS
from causalvae.plan.cost import arm_cost
from causalvae.plan.learned import learned_parts
from causalvae.plan.owner import Owner
from causalvae.plan.relays import with_inner
from causalvae.plan.screens import needed_elsewhere, restrict_arms, thin_out
from causalvae.plan.types import OBSERVED, Arm, Patch, Plan, Screen, Side
from causalvae.spec.value_source import make_source

# Seconds that the gradients of one screen may take in a forecast.
_ALLOWANCE = 2.0
# A gradient's backward pass costs about two forward ones.
_PASSES_OF_GRADIENT = 3.0
# The search for a constant takes about this many gradients.
_PASSES_OF_SEARCH = 30 * _PASSES_OF_GRADIENT


@dataclass(frozen=True)
class ScreenForecast:
    """A sweep that is ranked by gradients before the best of it are run.

    Parameters
    ----------
    owner, cohort, side : str
    candidates, chosen : int
        Arms that are ranked, and arms that are run then.
    work : Work
        Of the ranking.
    """

    owner: Owner
    cohort: str
    side: Side
    candidates: int
    chosen: int
    work: Work


def foresee_screens(
    plan: Plan, runner: PlanRunner, whole: Work, sample_pairs: int
) -> tuple[Plan, tuple[ScreenForecast, ...]]:
    """A plan with the arms that its screens are likely to choose, and what the screens cost.

    A few pairs rank the candidates as all will; where even these would take long, arms evenly spaced stand for the
    chosen ones.

    Parameters
    ----------
    plan : Plan
    runner : PlanRunner
        Of that plan.
    whole : Work
        What whole forward passes cost.
    sample_pairs : int
        Pairs that are ranked on, at most.
    """
    if not plan.screens:
        return plan, ()
    arms = {arm.id: arm for arm in plan.arms}
    chosen: set[str] = set()
    found: list[ScreenForecast] = []
    # As in the run itself, for what was made in inference mode takes no part in gradients.
    with torch.inference_mode(False):
        graph = runner.model.graph.to(runner.device)
    for screen in plan.screens:
        uses = plan.candidates(screen)
        candidates = [arms[use.arm] for use in uses]
        cohort, pairs = candidates[0].cohort, candidates[0].pairs
        inputs = runner.shard(cohort, 0, min(sample_pairs, pairs))
        attribution = Attribution(screen, candidates, runner, graph, facts_of(runner, candidates, inputs))
        expected = _PASSES_OF_GRADIENT * attribution.passes * whole.scaled(1.0).seconds
        rows = pairs * attribution.passes
        if inputs.rows * expected > _ALLOWANCE:
            seconds = pairs * expected
            chosen |= _evenly_spaced(plan, screen)
        else:
            began = busy_seconds(runner.device)
            scores = mean_over_pairs(attribution.of(inputs))
            seconds = (busy_seconds(runner.device) - began) * pairs / inputs.rows
            picked = choose(scores, screen)
            chosen |= {use.arm for use, pick in zip(uses, picked, strict=True) if pick != LEFT_OUT}
        work = whole.times(rows / whole.rows, rows)
        work = Work(rows, work.forwards, work.flops, work.bytes, seconds)
        found.append(ScreenForecast(screen.owner, cohort, screen.side, len(uses), screen.kept + screen.checked, work))
    return restrict_arms(plan, needed_elsewhere(plan).union(chosen)), tuple(found)


def _evenly_spaced(plan: Plan, screen: Screen) -> set[str]:
    candidates = {use.arm for use in plan.candidates(screen)}
    return {arm.id for arm in thin_out(plan).arms} & candidates


def foresee_overheads(plan: Plan, runner: PlanRunner, whole: Work, input_seconds: float) -> float:
    """Seconds of one core for what is no row of an arm: inputs, statistics of cohorts, learned subspaces.

    Parameters
    ----------
    plan : Plan
    runner : PlanRunner
    whole : Work
        What whole forward passes cost.
    input_seconds : float
        What one input takes to make.
    """
    row = whole.scaled(1.0).seconds
    seconds = 0.0
    for cohort in plan.cohorts:
        arms = with_inner(arm for arm in plan.arms if arm.cohort == cohort.name)
        sources = [patch.source for arm in arms for patch in arm.patches]
        donors = len({source.donor_key("base") for source in sources if source.has_donors})
        inputs = (1 if cohort.treatment is None else 2) + donors
        seconds += cohort.samples * inputs * input_seconds
        gathered = cohort.samples if sites_needing(arms, "mean") else 0
        if sites_needing(arms, "values") or sites_needing(arms, "moments"):
            gathered += plan.cohort(OBSERVED).samples
        for needing in fitted_arms(arms).values():
            gathered += 2 * SPLIT_PAIRS
            searches = {arm.patches for arm in needing if any(p.source.is_searched for p in arm.patches)}
            seconds += len(searches) * SPLIT_PAIRS * _PASSES_OF_SEARCH * row
        seconds += gathered * (row + input_seconds)
    for part in learned_parts(plan):
        learned = part.patch.subspace.learned if part.patch.subspace is not None else None
        if learned is not None:
            steps = (1 + learned.restarts) * learned.steps
            gradients = steps * min(ROWS, learned.pairs) * _PASSES_OF_GRADIENT * _share(part.patch.site, runner)
            # Both sides of each pair, and its donor.
            seconds += gradients * row + 3 * learned.pairs * (row + input_seconds)
    return seconds


def foresee_controls(plan: Plan, runner: PlanRunner, whole: Work) -> Work:
    """What the exact controls take: their arms, with a small batch of each, on clean runs of their own."""
    exact = plan.controls.exact
    if not exact:
        return Work()
    pairs = exact[0].pairs
    shares = [arm_cost(arm, runner.components, plan.options.rerun) for arm in exact]
    # Both sides, and the network itself.
    clean = 2 * pairs + min(pairs, COMPARED_ROWS)
    work = whole.scaled(clean + sum(shares) * (pairs + max(FEW_ROWS, MIN_ROWS)))
    return replace(work, rows=float(sum(arm.pairs for arm in exact)))


def _share(site: str, runner: PlanRunner) -> float:
    """What a re-run from a site takes, in whole forward passes."""
    arm = Arm("", "base", (Patch(site, None, make_source("interchange")),), 1)
    return arm_cost(arm, runner.components, "suffix")
