"""What a run is checked with: exact controls of the engine, and a copy of the network with random weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from causalvae.models.components import ComponentMap
from causalvae.plan.cost import plan_cost
from causalvae.plan.owner import Owner
from causalvae.plan.relays import with_inner
from causalvae.plan.restrict import restrict
from causalvae.plan.types import Arm, Controls, Patch, Plan, Role
from causalvae.spec.value_source import make_source

# Of a copy and of the exact controls: pairs, fewer where they would take more than a share of what the plan takes and
# than so many operations.
_PAIRS, _LEAST_PAIRS = 64, 16
_COPY_SHARE, _FREE_COPY_FLOPS = 0.25, 5e10
_EXACT_SHARE, _FREE_EXACT_FLOPS = 0.05, 1e10
# More perturbations than this are not run on the copy: baselines must not cost what the run does.
_MOST_ARMS = 1024
_COPIED: tuple[Role, ...] = ("base", "counterfactual", "sufficiency", "necessity", "perturbation")


def add_controls(plan: Plan, components: ComponentMap, hypotheses: Sequence[str] = (), has_copy: bool = False) -> Plan:
    """The same plan with its controls.

    Parameters
    ----------
    plan : Plan
        Optimised; its options are those of the controls.
    components : ComponentMap
    hypotheses : sequence of str
        Names of the hypotheses whose circuits the copy runs.
    has_copy : bool
        Whether there is a copy, if there is anything to run on it.
    """
    return replace(
        plan, controls=Controls(_exact(plan, components), _copy(plan, components, hypotheses) if has_copy else None)
    )


def exact_arms(cohort: str, sites: Sequence[str], pairs: int) -> tuple[Arm, ...]:
    """Every site, and its first unit alone, with its own value; then the latent with the other side's."""
    # Without runs that come before it, what is passed on is the clean value.
    own, other = make_source("relayed"), make_source("interchange")
    patches = [Patch(site, units, own) for site in sites for units in (None, (0,))]
    return tuple(Arm(cohort, "base", (patch,), pairs) for patch in (*patches, Patch("latent", None, other)))


def _exact(plan: Plan, components: ComponentMap) -> tuple[Arm, ...]:
    cohort = next((cohort for cohort in plan.cohorts if cohort.treatment is not None), None)
    if cohort is None:
        return ()
    sites = tuple(dict.fromkeys(patch.site for arm in with_inner(plan.arms) for patch in arm.patches))

    def checked(pairs: int) -> Plan:
        return replace(plan, arms=exact_arms(cohort.name, sites, min(pairs, cohort.samples)))

    allowed = max(_EXACT_SHARE * plan_cost(plan, components).flops, _FREE_EXACT_FLOPS)
    return _affordable(checked, components, allowed).arms


def _copy(plan: Plan, components: ComponentMap, hypotheses: Sequence[str]) -> Plan | None:
    owners = (*map(Owner.hypothesis, hypotheses), *_perturbed_owners(plan))
    if not owners:
        return None
    allowed = max(_COPY_SHARE * plan_cost(plan, components).flops, _FREE_COPY_FLOPS)
    found = _affordable(partial(restrict, plan, owners, _COPIED), components, allowed)
    return replace(found, model_digest=f"{plan.model_digest}, drawn again with seed {plan.seed}")


def _affordable(make: Callable[[int], Plan], components: ComponentMap, flops: float) -> Plan:
    """A plan for as many pairs as so many operations suffice for, half as many as long as they do not."""
    pairs = _PAIRS
    found = make(pairs)
    while pairs > _LEAST_PAIRS and plan_cost(found, components).flops > flops:
        pairs //= 2
        found = make(pairs)
    return found


def _perturbed_owners(plan: Plan) -> tuple[Owner, ...]:
    """The latent perturbations whose arms the copy runs too."""
    owners = map(Owner.intervention, plan.compared)
    counts = {owner: len(plan.uses_of(owner, "perturbation")) for owner in owners}
    return tuple(owner for owner, count in counts.items() if 0 < count <= _MOST_ARMS)
