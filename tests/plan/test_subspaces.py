"""Mediations through learned subspaces, from the spec to the arms of a plan."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from causalvae.data.dsprites import SPACE
from causalvae.errors import CausalVAEError
from causalvae.plan.compile import compile_spec
from causalvae.plan.learned import learned_parts
from causalvae.plan.owner import Owner
from causalvae.plan.types import Arm, Learning, Plan, Subspace, Use
from causalvae.spec.schema import Spec
from causalvae.spec.value_source import make_source
from tests.plan.small_network import COMPONENTS, DOCUMENT

OWNER = Owner.intervention("size")


def compiled(subspace: dict[str, Any], mediators: tuple[str, ...] = ("latent",), swap: bool = False) -> Plan:
    document = copy.deepcopy(DOCUMENT)
    treatment = {"name": "resize", "input": {"set": "swap"} if swap else {"factor": "scale"}}
    mediation = {"treatment": "resize", "mediators": list(mediators), "outcomes": ["area"], "subspace": subspace}
    document["interventions"] = [treatment, {"name": "size", "mediation": mediation}]
    document["hypotheses"] = []
    document["execution"] = {"seed": 11}
    return compile_spec(Spec.model_validate(document), COMPONENTS, SPACE)


def arms_of(plan: Plan, role: Any) -> list[tuple[Use, Arm]]:
    arms = {arm.id: arm for arm in plan.arms}
    return [(use, arms[use.arm]) for use in plan.uses_of(OWNER, role)]


def test_the_learned_directions_stand_beside_the_whole_their_complement_and_random_ones() -> None:
    plan = compiled({"dim": 2, "objective": "area", "learned_on": 40, "steps": 9, "restarts": 3})
    learned = Learning("area", 40, 9, 3, 11, "scale")
    labels = [
        "latent: 2 learned directions",
        "latent: all",
        "latent: the other 4 directions",
        "latent: 2 random directions",
    ]
    through = [Subspace(2, 11, learned), None, Subspace(2, 11, learned, complement=True), Subspace(2, 11)]
    for role, side in (("sufficiency", "base"), ("necessity", "counterfactual")):
        found = arms_of(plan, role)
        assert [(use.index, use.component.label, use.granularity) for use, _ in found] == [
            (index, label, "subspace") for index, label in enumerate(labels)
        ]
        assert [arm.side for _, arm in found] == [side] * 4
        assert [arm.patches[0].subspace for _, arm in found] == through
        assert {arm.patches[0].source for _, arm in found} == {make_source("interchange")}
    donors = arms_of(plan, "variant")
    assert [use.component.label for use, _ in donors] == [labels[0], labels[1], labels[3]]
    assert {arm.patches[0].source for _, arm in donors} == {make_source("interchange", seed=11, given="scale")}
    # All of them go through the same directions, which are learned once.
    (part,) = learned_parts(plan)
    assert (part.cohort, part.patch.site) == ("resize", "latent")


def test_samples_that_are_swapped_whole_have_no_donors() -> None:
    plan = compiled({}, swap=True)
    assert {arm.patches[0].source for _, arm in arms_of(plan, "variant")} == {make_source("interchange")}
    assert learned_parts(plan)[0].patch.subspace == Subspace(1, 11, Learning("image", 256, 200, 1, 11, None))


def test_what_is_learned_differs_by_part_and_by_setting() -> None:
    plans = [
        compiled({}),
        compiled({"steps": 100}),
        compiled({"dim": 2}),
        compiled({}, ("latent[0:4]",)),
        compiled({}, ("encoder.conv1[:, 0:2, 0:2]",)),
        compiled({}, ("latent[0]", "latent[2:4]")),
        compiled({"objective": "cx"}),
    ]
    ids = [learned_parts(plan)[0].id for plan in plans]
    assert len(set(ids)) == len(ids)
    assert len({plan.tables_digest for plan in plans}) == len(ids)
    # A tolerance is a matter of what is made of the tables.
    assert compiled({"tolerance": 0.3}).tables_digest == plans[0].tables_digest


@pytest.mark.parametrize(
    ("code", "subspace", "mediators"),
    [
        ("CV319", {}, ("latent", "encoder.lin1")),
        ("CV320", {"dim": 6}, ("latent",)),
        ("CV320", {"dim": 2}, ("latent[1]", "latent[4]")),
        ("CV320", {}, ("latent[2]",)),
    ],
)
def test_what_has_no_learned_directions_is_refused(
    code: str, subspace: dict[str, Any], mediators: tuple[str, ...]
) -> None:
    with pytest.raises(CausalVAEError, match=code):
        compiled(subspace, mediators)
