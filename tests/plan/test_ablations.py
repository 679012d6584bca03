"""From the modes that a spec names to the sources of a plan."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from causalvae.data.dsprites import SPACE
from causalvae.errors import CausalVAEError
from causalvae.plan.compile import compile_spec
from causalvae.plan.owner import Owner
from causalvae.plan.types import Plan
from causalvae.spec.schema import Spec
from causalvae.spec.value_source import ValueSource, make_source
from tests.plan.small_network import COMPONENTS, DOCUMENT


def compiled(mode: Any, **fields: Any) -> Plan:
    document = copy.deepcopy(DOCUMENT)
    sweep = {"components": "encoder.conv1[2:4]", "from": "resize", "mode": mode, "direction": "both", **fields}
    document["interventions"] = [document["interventions"][0], {"name": "sweep", "activation": sweep}]
    document["hypotheses"] = []
    return compile_spec(Spec.model_validate(document), COMPONENTS, SPACE)


def sources(plan: Plan) -> list[ValueSource]:
    arms = {arm.id: arm for arm in plan.arms}
    return [arms[use.arm].patches[0].source for use in plan.uses_of(Owner.intervention("sweep"), "sweep")]


@pytest.mark.parametrize(
    ("mode", "expected", "label"),
    [
        ("interchange", make_source("interchange"), "interchange"),
        ("mean", make_source("mean"), "mean"),
        ("zero", make_source("zero"), "zero"),
        ("resample", make_source("resample", seed=0), "resample"),
        ({"resample": {"given": "shape"}}, make_source("resample", seed=0, given="shape"), "resample given shape"),
        ("noise", make_source("noise", 1.0, seed=0), "noise of 1 sd"),
        ({"noise": 0.25}, make_source("noise", 0.25, seed=0), "noise of 0.25 sd"),
        ("additive", make_source("additive", seed=0), "additive"),
    ],
)
def test_every_mode_has_its_source_on_both_sides(mode: Any, expected: ValueSource, label: str) -> None:
    found = sources(compiled(mode))
    assert found == [expected] * 4
    assert found[0].label == label


def test_each_component_has_an_optimal_constant_of_its_own() -> None:
    found = sources(compiled("optimal"))
    assert [source.kind for source in found] == ["optimal"] * 4
    # Two channels, each the same on both sides.
    assert found[:2] == found[2:] and found[0].joint != found[1].joint
    assert len({source.joint for source in sources(compiled("optimal", by="layer", components="encoder.conv1"))}) == 1


def test_donors_can_only_share_a_factor_of_the_data() -> None:
    with pytest.raises(CausalVAEError, match="CV308"):
        compiled({"resample": {"given": "colour"}})


@pytest.mark.parametrize("mode", [{}, {"noise": 0.0}, {"noise": 1.0, "resample": {"given": "shape"}}, {"mean": True}])
def test_a_mode_is_one_variant_with_sound_settings(mode: Any) -> None:
    with pytest.raises(ValueError):
        compiled(mode)
