"""What a plan is checked with: exact controls and a copy with random weights, and what these may cost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from causalvae.data.dsprites import SPACE
from causalvae.models.components import ComponentMap, OperationCost
from causalvae.plan.compile import compile_spec
from causalvae.plan.controls import add_controls
from causalvae.plan.owner import Owner
from causalvae.plan.types import Arm, Cohort, Controls, Patch, Plan, Treatment
from causalvae.spec.value_source import make_source
from tests.plan.small_network import COMPONENTS, make_spec

TREATED = Cohort("c", 400, 1, Treatment("c", "scale", None, "hold", "increase"))
SWAP = make_source("interchange")


def dear(flops: float) -> ComponentMap:
    """The small network with one operation after the latent that takes so much."""
    last = len(COMPONENTS.sites) - 1
    sites = tuple(
        replace(site, downstream=frozenset({0}) if place < last else frozenset())
        for place, site in enumerate(COMPONENTS.sites)
    )
    return replace(COMPONENTS, sites=sites, operations=(OperationCost("decode", flops, 1.0),))


def plan_of(*arms: Arm) -> Plan:
    return Plan("p", "s", "m", (Cohort("observed", 50, 0), TREATED), arms, (), ("area",))


def test_every_patched_site_has_exact_controls() -> None:
    plan = compile_spec(make_spec(), COMPONENTS, SPACE)
    exact = plan.controls.exact
    patched = {patch.site for arm in plan.arms for patch in arm.patches}
    *own, full = exact
    assert [(patch.site, patch.units) for arm in own for patch in arm.patches] == [
        (site, units)
        for site in dict.fromkeys(patch.site for arm in own for patch in arm.patches)
        for units in (None, (0,))
    ]
    assert {patch.site for arm in own for patch in arm.patches} == patched
    assert {patch.source for arm in own for patch in arm.patches} == {make_source("relayed")}
    assert full.patches == (Patch("latent", None, SWAP),)
    treated = next(cohort for cohort in plan.cohorts if cohort.treatment is not None)
    assert {(arm.cohort, arm.side, arm.pairs) for arm in exact} == {(treated.name, "base", treated.samples)}


def test_controls_change_no_digest_and_are_not_run_where_nothing_is_treated() -> None:
    plan = compile_spec(make_spec(), COMPONENTS, SPACE)
    bare = replace(plan, controls=Controls())
    assert (bare.digest, bare.tables_digest) == (plan.digest, plan.tables_digest)
    watched = replace(plan, cohorts=plan.cohorts[:1], arms=(), uses=())
    assert add_controls(watched, COMPONENTS).controls == Controls()


def test_the_copy_runs_the_claims_and_the_perturbations() -> None:
    spec = make_spec()
    copy = compile_spec(spec, COMPONENTS, SPACE).controls.copy
    assert copy is not None and copy.controls == Controls()
    owners = {use.owner for use in copy.uses}
    assert {Owner.hypothesis(hypothesis.name) for hypothesis in spec.hypotheses} <= owners
    assert not {use.role for use in copy.uses} & {"sweep", "rival", "part", "subset"}
    assert copy.model_digest != compile_spec(spec, COMPONENTS, SPACE).model_digest
    quiet = spec.model_copy(update={"execution": spec.execution.model_copy(update={"controls": False})})
    assert compile_spec(quiet, COMPONENTS, SPACE).controls.copy is None
    assert compile_spec(quiet, COMPONENTS, SPACE).controls.exact


@pytest.mark.parametrize(("flops", "pairs"), [(5e7, 64), (1e8, 32), (1e12, 16)])
def test_exact_controls_take_a_small_share_of_the_run(flops: float, pairs: int) -> None:
    """Three arms; 1e10 operations are free, and else a twentieth of the plan's, of which 400 rows are run."""
    sweep = [Arm("c", "base", (Patch("latent", (0,), SWAP),), 400)]
    components = dear(flops)
    (_, _, full) = add_controls(plan_of(*sweep), components).controls.exact
    assert full.pairs == pairs
