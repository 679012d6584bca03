"""The circuits that a hypothesised one is compared with: which, how many, and that idle units play no part."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from math import comb
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalvae.data.dsprites import SPACE
from causalvae.errors import CausalVAEError
from causalvae.models.components import ComponentRef
from causalvae.plan.claims.members import MOST_MEMBERS, members_of, parts_of, patches_of
from causalvae.plan.claims.rivals import count_up_to, draw_rivals
from causalvae.plan.compile import compile_spec
from causalvae.plan.owner import Owner
from causalvae.plan.types import Patch, Plan
from causalvae.spec.hypothesis_section import MOST_RANDOM, NullSection, fewest_random
from causalvae.spec.schema import Spec
from causalvae.spec.value_source import make_source
from tests.plan.small_network import COMPONENTS, DOCUMENT

INTERCHANGE = make_source("interchange")
Units = tuple[int, ...]


def at(site: str, *units: int) -> Patch:
    return Patch(site, units or None, INTERCHANGE)


def draw(
    patches: Sequence[Patch],
    sizes: Sequence[int],
    circuits: str = "auto",
    samples: int = 200,
    fewest: int = 19,
    active: Callable[[Patch], Units] | None = None,
    seed: int = 3,
) -> tuple[str, str, list[tuple[tuple[str, Units | None], ...]]]:
    null = NullSection.model_validate({"circuits": circuits, "samples": samples})
    kind, why, found = draw_rivals(tuple(patches), sizes, null, fewest, active, seed, Owner.hypothesis("h"))
    return kind, why, [tuple((patch.site, patch.units) for patch in circuit) for circuit in found]


def test_every_other_latent_is_a_rival_of_one() -> None:
    kind, _, found = draw([at("latent", 3)], [10])
    assert kind == "every"
    assert found == [(("latent", (unit,)),) for unit in range(10) if unit != 3]


def test_pairs_are_compared_with_pairs_and_with_single_units() -> None:
    kind, _, found = draw([at("latent", 1, 4)], [6])
    assert kind == "every"
    sets = [units for ((_, units),) in found]
    assert len(sets) == len(set(sets)) == 6 + comb(6, 2) - 1
    assert (1, 4) not in sets and (1,) in sets and (0, 5) in sets


@given(
    size=st.integers(2, 12),
    units=st.sets(st.integers(0, 11), min_size=1, max_size=4),
    idle=st.sets(st.integers(0, 11)),
)
@settings(max_examples=60, deadline=None)
def test_idle_units_add_no_rival_that_does_something_else(size: int, units: set[int], idle: set[int]) -> None:
    """What rivals do is the same whether idle units are among the candidates or told to be idle."""
    own = tuple(sorted(unit for unit in units if unit < size)) or (0,)
    idle = {unit for unit in idle if unit < size and unit not in own}
    live = tuple(unit for unit in range(size) if unit not in idle)
    kind, _, every = draw([at("latent", *own)], [size])
    if len(own) == size:
        assert kind == "none"
        return
    doing = {tuple(unit for unit in units_ or () if unit in live) for ((_, units_),) in every} - {(), own}
    _, _, few = draw([at("latent", *own)], [3000], active=lambda patch: live)
    assert {units_ for ((_, units_),) in few} == doing


def test_many_units_are_cut_down_to_those_that_do_something() -> None:
    asked: list[str] = []

    def active(patch: Patch) -> Units:
        asked.append(patch.site)
        return (0, 7, 99)

    kind, _, found = draw([at("latent", 0, 1)], [100], active=active)
    assert (kind, asked) == ("every", ["latent"])
    # The circuit's own units count as well, whatever they do.
    assert {units for ((_, units),) in found} == {
        (0,), (1,), (7,), (99,), (0, 7), (0, 99), (1, 7), (1, 99), (7, 99)
    }  # fmt: skip
    assert draw([at("latent", 0)], [100], active=active)[0] == "every"
    assert asked == ["latent"], "with few enough sets no unit is asked about"


def test_the_design_depends_on_active_units_alone() -> None:
    def active(patch: Patch) -> Units:
        return tuple(range(30))

    designs = {size: draw([at("latent", 0, 1, 2)], [size], active=active) for size in (40, 100, 400)}
    assert {kind for kind, _, _ in designs.values()} == {"random"}
    assert designs[40] == designs[100] == designs[400]


def test_random_circuits_are_distinct_as_large_and_never_the_circuit() -> None:
    patches = [Patch("encoder.conv1", (0, 1, 2), INTERCHANGE, ((0, 2), (0, 2))), at("latent", 5)]
    null = NullSection.model_validate({"samples": 100})
    kind, _, circuits = draw_rivals(tuple(patches), [32, 20], null, 19, None, 3, "h")
    assert kind == "random" and len(set(circuits)) == 100
    for first, second in circuits:
        assert (first.site, second.site) == ("encoder.conv1", "latent")
        assert first.window == ((0, 2), (0, 2))
        assert len(set(first.units or ())) == 3 and len(set(second.units or ())) == 1
        assert (first.units, second.units) != ((0, 1, 2), (5,))


def test_as_many_random_circuits_as_the_level_needs() -> None:
    assert [len(draw([at("a", *range(9))], [64], fewest=n)[2]) for n in (19, 400, 3000)] == [200, 400, 3000]
    assert draw([at("a", *range(9))], [64]) == draw([at("a", *range(9))], [64])
    assert draw([at("a", *range(9))], [64]) != draw([at("a", *range(9))], [64], seed=4)
    with pytest.raises(CausalVAEError, match=f"{MOST_RANDOM + 1} random circuits") as raised:
        draw([at("a", *range(9))], [64], fewest=MOST_RANDOM + 1)
    assert raised.value.code == "CV311"
    claims = [object()] * 11
    assert fewest_random(claims, 0.05) == 219
    assert 11 / (fewest_random(claims, 0.05) + 1) <= 0.05 + 1e-12


def test_random_where_asked_and_every_one_where_there_are_no_more() -> None:
    kind, _, found = draw([at("latent", 0)], [300], circuits="random", samples=50)
    assert (kind, len(found)) == ("random", 50)
    kind, _, found = draw([at("latent", 0)], [10], circuits="random", samples=200)
    assert (kind, len(found)) == ("every", 9)


def test_a_circuit_that_takes_its_sites_whole_has_no_rival() -> None:
    assert draw([at("latent")], [10]) == ("none", "whole_site", [])
    assert draw([at("latent", *range(10))], [10]) == ("none", "whole_site", [])
    # Beside another site it stays whole in every rival.
    kind, _, found = draw([at("latent.logvar"), at("latent", 1)], [10, 4])
    assert kind == "every"
    assert all(circuit[0] == ("latent.logvar", None) for circuit in found)
    assert {circuit[1:] for circuit in found} == {(), *((("latent", (unit,)),) for unit in (0, 2, 3))}


def test_a_circuit_whose_sites_do_nothing_else_has_no_rival() -> None:
    many = [at("a", *range(12))]
    assert draw(many, [200], active=lambda patch: tuple(range(12))) == ("none", "no_other", [])
    kind, _, found = draw(many, [200], active=lambda patch: tuple(range(13)))
    assert kind == "same_size"
    assert len(found) == 12 and all(len(units or ()) == 12 for ((_, units),) in found)


def test_sets_are_counted() -> None:
    assert count_up_to([range(10)], [1]) == 11
    assert count_up_to([range(64)], [2]) == 1 + 64 + 2016
    assert count_up_to([range(3), range(4)], [1, 2]) == 4 * 11


def compiled(samples: int = 512, **hypothesis: Any) -> Plan:
    document = copy.deepcopy(DOCUMENT)
    document["data"]["samples"] = samples
    document["interventions"] = document["interventions"][:1]
    document["hypotheses"] = [{**document["hypotheses"][0], "multiverse": False, "null": {}, **hypothesis}]
    return compile_spec(Spec.model_validate(document), COMPONENTS, SPACE)


def sides(plan: Plan, role: str) -> list[tuple[str, Units | None]]:
    arms = {arm.id: arm for arm in plan.arms}
    return [
        (arms[use.arm].side, arms[use.arm].patches[0].units)
        for use in plan.uses_of(Owner.hypothesis("one"), role)  # type: ignore[arg-type]
    ]


def test_other_circuits_are_run_on_the_sides_that_are_claimed() -> None:
    share, necessity = {"mediated_share": {"at_least": 0.7}}, {"necessity": {"at_least": 0.7}}
    circuit = ["latent[1]", "latent[4]"]
    for expect, wanted in (
        (share, {"base"}), (necessity, {"counterfactual"}), ({**share, **necessity}, {"base", "counterfactual"}),
    ):  # fmt: skip
        plan = compiled(expect=expect, circuit=circuit)
        assert {side for side, _ in sides(plan, "rival")} == wanted
        assert {units for _, units in sides(plan, "part")} == {(1,), (4,)}
        assert {side for side, _ in sides(plan, "part")} == wanted
        assert len(sides(plan, "single")) == (6 if "base" in wanted else 0)
        arms = {arm.id: arm for arm in plan.arms}
        assert {arms[use.arm].pairs for use in plan.uses if use.role == "rival"} == {96}
    design = compiled(expect=share, circuit=circuit).claims["one"]
    assert design.circuit == design.members == (ComponentRef("latent", (1,)), ComponentRef("latent", (4,)))
    assert (design.rivals, design.subsets) == ("every", True)


def test_no_circuit_is_run_beside_a_claim_that_asks_for_none() -> None:
    plan = compiled(null={"circuits": "none"})
    assert not sides(plan, "rival") and not sides(plan, "single")
    assert (plan.claims["one"].rivals, plan.claims["one"].why_none) == ("none", "not_asked")
    untouched = compiled(expect={"off_target": {"at_most": 0.2}})
    assert not sides(untouched, "rival") and not sides(untouched, "part")


def test_rivals_that_are_parts_are_run_once() -> None:
    plan = compiled(circuit=["latent[1]", "latent[4]"])
    parts = {use.arm for use in plan.uses if use.role == "part"}
    assert parts < {use.arm for use in plan.uses if use.role == "rival"}
    assert len({arm.id for arm in plan.arms}) == len(plan.arms)


def test_members_are_units_and_where_these_are_too_many_what_is_written() -> None:
    latents = COMPONENTS.resolve("latent[0:3]") + COMPONENTS.resolve("latent[2]")
    members = members_of(latents)
    assert [member.label for member in members] == ["latent[0]", "latent[1]", "latent[2]"]
    whole = (Patch("latent", (0, 1, 2), INTERCHANGE),)
    assert [patches_of(part, whole)[0].units for part in parts_of(members)] == [
        (0, 1), (0, 2), (1, 2), (0,), (1,), (2,)
    ]  # fmt: skip
    layer = COMPONENTS.resolve("decoder.lin1")
    assert len(members_of(layer)) == layer[0].site.units <= MOST_MEMBERS
    many = tuple(ComponentRef("latent", (unit,)) for unit in range(9))
    assert len(list(parts_of(many))) == 9
