"""Screens in a plan: what is ranked, how many are run, and what else must be run."""

from __future__ import annotations

from typing import Any

import pytest

from causalvae.data.dsprites import SPACE
from causalvae.plan.compile import compile_spec
from causalvae.plan.owner import Owner
from causalvae.plan.restrict import restrict
from causalvae.plan.screens import needed_elsewhere, thin_out
from causalvae.plan.types import Plan, Screen
from tests.plan.small_network import COMPONENTS, make_spec


def screened(screen: dict[str, Any] | None, *more: dict[str, Any], **keys: Any) -> Plan:
    activation = {"components": ["encoder.lin1", "decoder.lin1"], "by": "channel", "from": "resize", **keys}
    if screen is not None:
        activation["screen"] = screen
    interventions = [{"name": "resize", "input": {"factor": "scale"}}, {"name": "all", "activation": activation}, *more]
    return compile_spec(make_spec(interventions=interventions, hypotheses=[]), COMPONENTS, SPACE)


def test_defaults_and_counts() -> None:
    plan = screened({"check": 10})
    assert plan.screens == (Screen(Owner.intervention("all"), "base", "image", "attribution", 1, 4, 10, 0),)
    assert len(plan.candidates(plan.screens[0])) == 40
    (screen,) = screened({}).screens
    assert (screen.kept, screen.checked) == (4, 36)


@pytest.mark.parametrize(("keep", "kept"), [(0.001, 1), (0.1, 4), (0.11, 5), (0.7, 28), (0.999, 40)])
def test_the_best_share_is_rounded_up(keep: float, kept: int) -> None:
    (screen,) = screened({"keep": keep}).screens
    assert (screen.kept, screen.checked) == (kept, 40 - kept)


def test_each_direction_is_screened_on_its_own() -> None:
    plan = screened({"method": "integrated_gradients", "outcome": "area", "steps": 3}, direction="both")
    assert [(screen.side, screen.steps) for screen in plan.screens] == [("base", 3), ("counterfactual", 3)]
    sides = {arm.id: arm.side for arm in plan.arms}
    for screen in plan.screens:
        assert {sides[use.arm] for use in plan.candidates(screen)} == {screen.side}
    assert [screen.steps for screen in screened({"method": "integrated_gradients"}).screens] == [8]


def test_the_digest_tells_screens_apart() -> None:
    plans = [screened(None), screened({}), screened({"keep": 0.2}), screened({"check": 5}), screened({"outcome": "cx"})]
    assert len({plan.digest for plan in plans}) == 5
    assert len({plan.arms for plan in plans}) == 1


def test_an_arm_that_another_asks_for_is_run_in_any_case() -> None:
    via = {"name": "via", "mediation": {"treatment": "resize", "mediators": ["decoder.lin1[3]"], "outcomes": ["area"]}}
    plan = screened({"check": 1}, via)
    candidates = plan.candidates(plan.screens[0])
    shared = needed_elsewhere(plan) & {use.arm for use in candidates}
    assert [use.component.label for use in candidates if use.arm in shared] == ["decoder.lin1[3]"]


def test_a_thinned_plan_has_as_many_arms_as_are_run() -> None:
    plan = screened({"check": 6})
    thin = thin_out(plan)
    assert len(thin.uses_of(Owner.intervention("all"), "sweep")) == 10
    assert not thin.screens
    assert {arm.id for arm in plan.arms if not arm.patches} == {arm.id for arm in thin.arms if not arm.patches}


def test_restricting_drops_the_screens_of_what_is_cut_away() -> None:
    plan = screened({})
    assert restrict(plan, (Owner.intervention("resize"),), ("base", "counterfactual"), 8).screens == ()
    kept = restrict(plan, (Owner.intervention("all"),), ("base", "counterfactual", "sweep"), 8)
    assert len(kept.candidates(kept.screens[0])) == 40
