"""Which distinct samples the numbers of a run rest on, and what of them its intervals take as given."""

from __future__ import annotations

from causalvae.data.dataset import Dataset
from causalvae.data.split import SplitRule
from causalvae.engine.cohorts import draw_cohort
from causalvae.engine.fitting import SPLIT_PAIRS, split_of
from causalvae.plan.owner import Owner
from causalvae.plan.relays import with_inner
from causalvae.plan.types import OBSERVED, Arm, Cohort, Plan
from causalvae.results import GivenEstimate, SampleFacts, SampleUse
from causalvae.session import Session
from causalvae.spec.schema import Spec


def find_samples(session: Session, plan: Plan) -> SampleFacts:
    """How many distinct samples support each cohort of a plan, and which fitted values its effects take as given."""
    uses = tuple(
        SampleUse(cohort.name, asked_for(session.spec, plan, cohort), cohort.samples, cohort.treatment is not None)
        for cohort in plan.cohorts
    )
    return SampleFacts(uses, _given(session.dataset, plan))


def asked_for(spec: Spec, plan: Plan, cohort: Cohort) -> int:
    """How many samples of a cohort the spec asks for; what only a default adds is not missed where it is not there."""
    asked = plan.asked.get(cohort.name, cohort.samples)
    if cohort.name == OBSERVED and spec.alignment.samples == "auto":
        return min(asked, max(spec.data.samples, cohort.samples))
    return asked


def _given(dataset: Dataset, plan: Plan) -> tuple[GivenEstimate, ...]:
    arms = {arm.id: arm for arm in plan.arms}
    counts: dict[tuple[str, str, int], int] = {}
    found: dict[tuple[Owner, str, str], GivenEstimate] = {}
    for use in plan.uses:
        for kind, cohort, pairs in _needed(plan, arms[use.arm]):
            key = (kind, cohort.name, pairs)
            if key not in counts:
                drawn = split_of(cohort, 0, pairs)
                counts[key] = (
                    pairs if dataset.size is None else draw_cohort(dataset, drawn, plan.split, "fit").cohort.samples
                )
            known = found.get((use.owner, kind, cohort.name))
            samples = counts[key] if known is None else min(known.samples, counts[key])
            found[use.owner, kind, cohort.name] = GivenEstimate(use.owner, kind, samples)
    return tuple(found.values())


def _needed(plan: Plan, arm: Arm) -> list[tuple[str, Cohort, int]]:
    """What an arm's sources are fitted on: kind, cohort, and how many of it are asked for."""
    own, observed = plan.cohort(arm.cohort), plan.cohort(OBSERVED)
    found: list[tuple[str, Cohort, int]] = []
    for part in with_inner([arm]):
        for patch in part.patches:
            source = patch.source
            cohorts = [own if need == "mean" else observed for need in source.needs]
            found += [(source.kind, cohort, cohort.samples) for cohort in cohorts]
            if source.is_fitted:
                found.append((source.kind, own, SPLIT_PAIRS))
            if patch.subspace is not None and patch.subspace.learned is not None:
                found.append(("subspace", own, patch.subspace.learned.pairs))
    return found


def split_facts(dataset: Dataset, rule: SplitRule) -> dict[str, int | str]:
    """The division of finite data, for a manifest; empty for data without end."""
    if dataset.size is None:
        return {}
    return {
        **{f"samples to {part} on": count for part, count in rule.sizes(dataset.size).items()},
        "seed": rule.seed,
        "digest": rule.digest(dataset.size),
    }
