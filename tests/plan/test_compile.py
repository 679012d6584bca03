"""What a spec compiles to: cohorts, arms, uses, and how they are shared."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, replace

import pytest

from causalvae.data.dsprites import SPACE
from causalvae.digest import digest, plain_fields
from causalvae.errors import CausalVAEError
from causalvae.plan.compile import compile_spec
from causalvae.plan.owner import Owner
from causalvae.plan.targets import NOTHING
from causalvae.plan.types import Arm, Options, Patch, Plan, Use
from causalvae.spec.schema import Spec
from causalvae.spec.value_source import ValueSource, make_source
from tests.plan.small_network import COMPONENTS, DOCUMENT, make_spec
from tests.targets import target


def compiled(spec: Spec | None = None, passes: tuple[str, ...] | None = None) -> Plan:
    return compile_spec(spec or make_spec(), COMPONENTS, SPACE, passes)


@pytest.fixture(scope="module")
def plan() -> Plan:
    return compiled()


def arm_of(plan: Plan, use: Use) -> Arm:
    (arm,) = (arm for arm in plan.arms if arm.id == use.arm)
    return arm


def uses(plan: Plan, owner: str, role: str) -> list[tuple[Use, Arm]]:
    return [(use, arm_of(plan, use)) for use in plan.uses_of(owner, role)]  # type: ignore[arg-type]


def only(plan: Plan, owner: str, role: str) -> tuple[Use, Arm]:
    (found,) = uses(plan, owner, role)
    return found


def test_cohorts_and_treatments(plan: Plan) -> None:
    cohorts = {cohort.name: cohort for cohort in plan.cohorts}
    assert list(cohorts) == ["observed", "resize", "square", "do(shape)", "do(x)"]
    assert cohorts["observed"].samples == 60
    assert all(cohort.samples == 40 for name, cohort in cohorts.items() if name != "observed")
    assert all(cohort.seed == 7 for cohort in cohorts.values())
    assert cohorts["observed"].treatment is None
    resize, square = cohorts["resize"].treatment, cohorts["square"].treatment
    assert resize is not None
    assert (resize.factor, resize.level, resize.contrast, resize.others) == ("scale", None, "increase", "hold")
    assert square is not None
    assert (square.factor, square.level, square.contrast) == ("shape", 0, "as_drawn")


@pytest.mark.parametrize(
    "owner", [Owner.intervention("resize"), Owner.intervention("square"), Owner.intervention("layers")]
)
def test_input_interventions_have_both_clean_sides(plan: Plan, owner: Owner) -> None:
    (base, base_arm), (other, other_arm) = only(plan, owner, "base"), only(plan, owner, "counterfactual")
    assert (base_arm.side, other_arm.side) == ("base", "counterfactual")
    assert base_arm.patches == other_arm.patches == ()
    assert base_arm.pairs == 40
    assert base.component == other.component == NOTHING
    assert base.granularity == ""


def test_latent_perturbations_have_one_use_a_component_and_value(plan: Plan) -> None:
    _, base = only(plan, Owner.intervention("sweep"), "base")
    assert (base.cohort, base.side, base.patches, base.pairs) == ("observed", "base", (), 30)
    found = uses(plan, Owner.intervention("sweep"), "perturbation")
    assert [use.component.label for use, _ in found] == ["latent[1]"] * 3 + ["latent[4]"] * 3
    assert [use.index for use, _ in found] == list(range(6))
    assert {use.granularity for use, _ in found} == {"unit"}
    assert [arm.patches for _, arm in found] == [
        (Patch("latent", (unit,), make_source("quantile", value)),) for unit in (1, 4) for value in (0.1, 0.5, 0.9)
    ]
    assert {arm.pairs for _, arm in found} == {30}
    nudged = uses(plan, Owner.intervention("nudge"), "perturbation")
    assert [arm.patches[0].source for _, arm in nudged] == [make_source("sd", -1.0), make_source("sd", 1.0)]
    assert {arm.pairs for _, arm in nudged} == {40}


def test_sweeps_go_both_ways_and_one_component_at_a_time(plan: Plan) -> None:
    found = uses(plan, Owner.intervention("channels"), "sweep")
    names = [f"encoder.conv1[{channel}]" for channel in (2, 3, 4)]
    assert [(arm.side, use.component.label) for use, arm in found] == [
        (side, name) for side in ("base", "counterfactual") for name in names
    ]
    assert [use.index for use, _ in found] == list(range(6))
    assert {use.granularity for use, _ in found} == {"channel"}
    assert {arm.pairs for _, arm in found} == {10}
    assert found[0][1].patches == (Patch("encoder.conv1", (2,), make_source("interchange")),)


def test_layers_take_all_units_of_each_leaf(plan: Plan) -> None:
    found = uses(plan, Owner.intervention("layers"), "sweep")
    assert [(use.component.label, arm.patches[0].units, arm.side) for use, arm in found] == [
        ("encoder.conv1", None, "base"),
        ("encoder.lin1", None, "base"),
    ]
    assert {arm.patches[0].source for _, arm in found} == {make_source("mean")}


def test_a_set_is_one_arm_with_one_patch_a_site_in_network_order(plan: Plan) -> None:
    use, arm = only(plan, Owner.intervention("together"), "sweep")
    source = make_source("resample", seed=0)
    assert arm.side == "counterfactual"
    assert arm.patches == (Patch("latent", (0, 2), source), Patch("decoder.lin1", (3,), source))
    assert use.component.label == "latent[0] + decoder.lin1[3] + latent[2]"
    assert use.granularity == "set"


def test_mediation_has_the_joint_set_and_each_mediator_alone(plan: Plan) -> None:
    owner = Owner.intervention("via")
    for role, side in (("sufficiency", "base"), ("necessity", "counterfactual")):
        found = uses(plan, owner, role)
        assert [(use.index, use.component.label) for use, _ in found] == [
            (0, "latent[3] + latent[0]"),
            (1, "latent[3]"),
            (2, "latent[0]"),
        ]
        assert {use.granularity for use, _ in found} == {"set"}
        assert [arm.patches[0].units for _, arm in found] == [(0, 3), (3,), (0,)]
        assert {arm.side for _, arm in found} == {side}
    assert [use.index for use, _ in uses(plan, Owner.intervention("via_one"), "sufficiency")] == [0]


@pytest.mark.parametrize(
    ("control", "source"),
    [
        ("mean", make_source("mean")),
        ("zero", make_source("zero")),
        ({"quantile": 0.25}, make_source("quantile", 0.25)),
        ({"value": -1.5}, make_source("constant", -1.5)),
    ],
    ids=str,
)
def test_mediators_are_held_at_one_value_on_both_sides(control: object, source: ValueSource) -> None:
    section = {"treatment": "resize", "mediators": ["$scale", "latent[0]"], "outcomes": ["area"], "control": control}
    found = uses(compiled(make_spec(**with_intervention(mediation=section))), Owner.intervention("extra"), "controlled")
    assert [(use.index, use.component.label, arm.side) for use, arm in found] == [
        (0, "latent[3] + latent[0]", "base"),
        (1, "latent[3] + latent[0]", "counterfactual"),
    ]
    assert {arm.patches for _, arm in found} == {(Patch("latent", (0, 3), source),)}


def test_a_mediation_holds_nothing_unless_asked(plan: Plan) -> None:
    assert not uses(plan, Owner.intervention("via"), "controlled")


def test_hypotheses_have_their_rivals(plan: Plan) -> None:
    owner = Owner.hypothesis("one")
    roles = {"base", "counterfactual", "sufficiency", "necessity", "rival", "single", "subset"}
    assert {use.role for use in plan.uses_of(owner)} == roles
    rivals = uses(plan, owner, "rival")
    assert [use.index for use, _ in rivals] == list(range(5))
    assert {(arm.cohort, arm.side, arm.pairs) for _, arm in rivals} == {("resize", "base", 24)}
    assert [arm.patches[0].units for _, arm in rivals] == [(unit,) for unit in (0, 1, 2, 4, 5)]


def test_alignment_sets_every_factor_and_gives_mapped_components_a_randomised_donor(plan: Plan) -> None:
    # The grid has no edges between factors, so that a cohort which holds the others may be shared.
    cohorts = {"shape": "do(shape)", "scale": "resize", "x": "do(x)"}
    for factor, cohort in cohorts.items():
        for role in ("base", "counterfactual"):
            assert only(plan, Owner("network", factor), role)[1].cohort == cohort
    assert not plan.uses_of(Owner("mapping", "shape"))
    _, base = only(plan, Owner("mapping", "x"), "base")
    use, arm = only(plan, Owner("mapping", "x"), "perturbation")
    assert (base.cohort, base.pairs, arm.pairs) == ("do(x)", 40, 40)
    donors = make_source("randomised", seed=0, given="x")
    assert arm.patches == (Patch("latent", (1, 4), donors),)
    assert (use.component.label, use.granularity) == ("latent[1] + latent[4]", "set")
    assert {contrast.factor: contrast.donors for contrast in plan.contrasts} == {
        "shape": None,
        "scale": make_source("randomised", seed=0, given="scale"),
        "x": donors,
    }
    assert plan.contrasts[0].released == ("scale", "x")


@pytest.mark.parametrize("edges", [[], ["scale -> x"]])
def test_alignment_takes_nothing_from_the_declared_edges(plan: Plan, edges: list[str]) -> None:
    declared = [*DOCUMENT["graph"]["edges"], *edges]
    other = compiled(make_spec(graph={**DOCUMENT["graph"], "edges": declared}))
    mine, theirs = ({use.arm for use in p.uses if use.owner.kind in ("network", "mapping")} for p in (plan, other))
    assert mine == theirs


def test_an_interventions_name_cannot_take_an_alignment_cohort() -> None:
    """An intervention called do-x that does something else is not what do(x) is measured on."""
    other = {"name": "do-x", "input": {"factor": "scale", "set": {"to": 1.0}}}
    plan = compiled(make_spec(interventions=[*DOCUMENT["interventions"], other]))
    treatment = plan.cohort(only(plan, Owner("network", "x"), "base")[1].cohort).treatment
    assert treatment is not None
    assert treatment.factor == "x"


def test_traversals_show_mapped_latents_first(plan: Plan) -> None:
    assert [strip.latent for strip in plan.traversals] == [1, 3, 4, 0, 2, 5]
    assert plan.traversals[1].label == "latent[3]: scale"
    assert plan.traversals[3].label == "latent[0]"


def test_uses_point_at_arms_and_arms_are_distinct(plan: Plan) -> None:
    ids = [arm.id for arm in plan.arms]
    assert len(set(ids)) == len(ids)
    assert {use.arm for use in plan.uses} == set(ids)
    for arm in plan.arms:
        assert 1 <= arm.pairs <= plan.cohort(arm.cohort).samples


def test_claims_of_no_share_are_compared_with_nothing() -> None:
    one = {**DOCUMENT["hypotheses"][0], "expect": {"off_target": {"at_most": 0.2}}}
    plan = compiled(make_spec(hypotheses=[one]))
    assert not plan.uses_of(Owner.hypothesis(one["name"]), "rival")
    assert plan.uses_of(Owner.hypothesis(one["name"]), "sufficiency")


def test_equal_arms_are_shared(plan: Plan) -> None:
    def ids(owner: str, *roles: str) -> list[str]:
        return [use.arm for use in plan.uses_of(owner) if use.role in roles]

    everything = ("base", "counterfactual", "sufficiency", "necessity", "rival")
    assert ids(Owner.hypothesis("one"), *everything) == ids(Owner.hypothesis("same"), *everything)
    assert ids(Owner.hypothesis("one"), "sufficiency", "necessity") == ids(
        Owner.intervention("via_one"), "sufficiency", "necessity"
    )
    unshared = compiled(passes=())
    assert len(unshared.arms) == len(unshared.uses) == len(plan.uses)
    assert len(plan.arms) < len(unshared.arms)
    assert {arm.id for arm in unshared.arms} == {arm.id for arm in plan.arms}


def test_passes_change_options_and_arms_but_no_meaning() -> None:
    before, after = compiled(passes=()), compiled()
    assert before.options == Options(
        rerun="full", skip_dead_rows=False, low_rank=False, windows=False, stop=False, pack=False, precision="float32"
    )
    assert after.options == Options(
        rerun="suffix", skip_dead_rows=True, low_rank=True, windows=True, stop=True, pack=True, precision="float32"
    )
    assert (after.uses, after.cohorts, after.traversals) == (before.uses, before.cohorts, before.traversals)
    names = ["share", "suffix", "stop", "dead_rows", "low_rank", "windows", "pack"]
    assert [record.name for record in after.passes] == names
    for earlier, later in zip(after.passes, after.passes[1:], strict=False):
        assert (earlier.rows_after, earlier.forwards_after) == (later.rows_before, later.forwards_before)
    assert all(record.forwards_after <= record.forwards_before for record in after.passes)


def test_a_plan_is_plain_json_and_its_digest_is_its_content(plan: Plan) -> None:
    content = json.loads(json.dumps(asdict(plan)))
    del content["passes"], content["captured_by"], content["asked"], content["controls"]
    assert digest(content) == plan.digest


def test_a_digest_does_not_depend_on_the_order_of_keys(plan: Plan) -> None:
    def reverse(value: object) -> object:
        if isinstance(value, dict):
            return {key: reverse(item) for key, item in reversed(value.items())}
        return [reverse(item) for item in value] if isinstance(value, list) else value

    reversed_sections = dict(reversed(DOCUMENT.items()))
    reversed_sections["hypotheses"] = reverse(DOCUMENT["hypotheses"])
    reversed_sections["interventions"] = reverse(DOCUMENT["interventions"])
    assert compiled(Spec.model_validate(reversed_sections)).digest == plan.digest


def test_a_digest_is_the_same_in_another_process(plan: Plan) -> None:
    code = (
        "from causalvae.data.dsprites import SPACE\n"
        "from causalvae.plan.compile import compile_spec\n"
        "from tests.plan.small_network import COMPONENTS, make_spec\n"
        "print(compile_spec(make_spec(), COMPONENTS, SPACE).digest)\n"
    )
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
        assert done.stdout.strip() == plan.digest


@pytest.mark.parametrize(
    "changes",
    [
        {"execution": {"seed": 1}},
        {"data__seed": 8},
        {"data__samples": 41},
        {"execution": {"batch_rows": 7}},
        {"mapping__scale": "latent[2]"},
        {"hypotheses": DOCUMENT["hypotheses"][:1]},
        {
            "hypotheses": [
                {**DOCUMENT["hypotheses"][0], "expect": {"mediated_share": {"at_least": 0.71}}},
                DOCUMENT["hypotheses"][1],
            ]
        },
    ],
    ids=["seed", "data seed", "samples", "batch", "mapping", "fewer hypotheses", "bound"],
)
def test_a_digest_changes_with_what_matters(plan: Plan, changes: dict[str, object]) -> None:
    assert compiled(make_spec(**changes)).digest != plan.digest


HYPOTHESIS = DOCUMENT["hypotheses"][0]


@pytest.mark.parametrize(
    "changes",
    [
        {"description": "Said otherwise."},
        {"hypotheses": [{**HYPOTHESIS, "claim": "Other words."}, *DOCUMENT["hypotheses"][1:]]},
        {"hypotheses": [{**HYPOTHESIS, "expect": {"mediated_share": {"at_least": 0.2}}}, *DOCUMENT["hypotheses"][1:]]},
        {"estimation": {"bootstrap": 77, "dowhy": False}},
        {"alignment__tolerance": 0.3},
        {"graph__edges": ["scale -> area"]},
        {"execution": {"batch_rows": 7, "memory": "300 MB", "device": "cpu"}},
        {"report": {"formats": ["json"]}},
    ],
    ids=["description", "claim", "bound", "estimation", "tolerance", "edges", "execution", "report"],
)
def test_tables_are_shared_by_specs_that_run_the_same(plan: Plan, changes: dict[str, object]) -> None:
    other = compiled(make_spec(**changes))
    assert other.tables_digest == plan.tables_digest
    assert other.digest != plan.digest


@pytest.mark.parametrize(
    "changes",
    [
        {"execution": {"seed": 1}},
        {"execution": {"precision": "bf16"}},
        {"data__seed": 8},
        {"data__samples": 41},
        {"data__path": "mine.npz"},
        {"mapping__scale": "latent[2]"},
        {"graph__attributes": {"area": {"readout": "area"}, "cx": {"readout": "centroid", "axis": "y"}}},
        {"hypotheses": [{**HYPOTHESIS, "null": {"pairs": 25}}, *DOCUMENT["hypotheses"][1:]]},
    ],
    ids=["seed", "precision", "data seed", "samples", "data", "mapping", "readout", "more pairs"],
)
def test_tables_are_not_shared_by_specs_that_run_otherwise(plan: Plan, changes: dict[str, object]) -> None:
    assert compiled(make_spec(**changes)).tables_digest != plan.tables_digest


def test_tables_are_those_of_distinct_arms_in_their_order(plan: Plan) -> None:
    assert replace(plan, arms=plan.arms * 2).tables_digest == plan.tables_digest
    assert replace(plan, arms=plan.arms[::-1]).tables_digest != plan.tables_digest
    assert replace(plan, arms=plan.arms[1:]).tables_digest != plan.tables_digest
    assert compiled(passes=("share",)).tables_digest != plan.tables_digest
    labelled = tuple(replace(use, component=target("other")) for use in plan.uses)
    assert replace(plan, uses=labelled, shard_pairs=16, name="other").tables_digest == plan.tables_digest


def test_a_digest_changes_with_the_model(plan: Plan) -> None:
    other = compile_spec(make_spec(), replace(COMPONENTS, model_digest="other"), SPACE)
    assert other.digest != plan.digest
    assert [arm.id for arm in other.arms] == [arm.id for arm in plan.arms]


def test_another_seed_draws_other_circuits_and_donors(plan: Plan) -> None:
    channels = {**HYPOTHESIS, "circuit": ["decoder.lin1[0, 3, 5]"], "null": {"circuits": "random", "samples": 20}}
    mine, other = (compiled(make_spec(hypotheses=[channels], execution={"seed": seed})) for seed in (0, 1))
    drawn = [{arm.id for _, arm in uses(p, Owner.hypothesis(HYPOTHESIS["name"]), "rival")} for p in (mine, other)]
    assert len(drawn[0]) == 20 and drawn[0] != drawn[1]
    (_, arm) = only(other, Owner("mapping", "x"), "perturbation")
    assert arm.patches[0].source.seed == 1


@pytest.mark.parametrize(("value", "level"), [(0.5161290322580645, 16), (0.5161, 16), (1, 31), (0.0, 0)], ids=str)
def test_a_level_may_be_written_to_a_hundredth_of_a_step(value: float, level: int) -> None:
    changed = [{"name": "resize", "input": {"factor": "x", "set": {"to": value}}}, *DOCUMENT["interventions"][1:]]
    treatment = compiled(make_spec(interventions=changed)).cohort("resize").treatment
    assert treatment is not None
    assert treatment.level == level


def test_a_declared_contrast_sets_the_base_inputs_too() -> None:
    for factor, given, levels in (("shape", ("heart", "square"), (2, 0)), ("scale", (0.5, 1.0), (0, 5))):
        contrast = {"factor": factor, "set": {"from": given[0], "to": given[1]}}
        treatment = compiled(make_spec(**with_intervention(input=contrast))).cohort("extra").treatment
        assert treatment is not None
        assert (treatment.start_level, treatment.level, treatment.contrast) == (*levels, "as_drawn")
        assert treatment.is_declared


def with_intervention(**section: object) -> dict[str, object]:
    return {"interventions": [*DOCUMENT["interventions"], {"name": "extra", **section}]}


def with_hypothesis(**fields: object) -> dict[str, object]:
    return {"hypotheses": [{**DOCUMENT["hypotheses"][0], **fields}]}


FAULTS = {
    "bad address": ("CV300", with_intervention(latent={"components": "latent[a]"})),
    "no such site": ("CV301", with_intervention(latent={"components": "encoder.conv9"})),
    "no match of a pattern": ("CV301", with_intervention(latent={"components": "decoder.fc*"})),
    "out of range": ("CV302", with_intervention(latent={"components": "latent[6]"})),
    "window out of range": ("CV302", with_hypothesis(circuit=["encoder.conv1[:, 0:5, 0:4]"])),
    "window of a vector": ("CV302", with_hypothesis(circuit=["latent[:, 0:1]"])),
    "quantiles of an image": ("CV303", with_intervention(latent={"components": "encoder.conv1[0]"})),
    "mediators held at a quantile of an image": (
        "CV303",
        with_intervention(
            mediation={
                "treatment": "resize",
                "mediators": ["encoder.conv1[0]"],
                "outcomes": ["area"],
                "control": {"quantile": 0.5},
            }
        ),
    ),
    "unmapped": ("CV304", with_hypothesis(circuit=["$shape"])),
    "two windows": ("CV305", with_hypothesis(circuit=["encoder.conv1[:, 0:2, 0:2]", "encoder.conv1[:, 1:3, 0:2]"])),
    "one value twice": ("CV305", with_hypothesis(circuit=["latent[0]", "latent.mean[1]"])),
    "no treatment": ("CV307", with_hypothesis(treatment="nothing")),
    "not an input intervention": ("CV307", with_hypothesis(treatment="sweep")),
    "no such factor": ("CV308", with_intervention(input={"factor": "colour"})),
    "no such label": ("CV309", with_intervention(input={"factor": "shape", "set": {"to": "disc"}})),
    "no such start": ("CV309", with_intervention(input={"factor": "shape", "set": {"from": "disc", "to": "heart"}})),
    "no such value": ("CV309", with_intervention(input={"factor": "scale", "set": {"to": 0.55}})),
    "label of a number": ("CV309", with_intervention(input={"factor": "scale", "set": {"to": "large"}})),
    "a level that no number of random circuits reaches": (
        "CV311",
        with_hypothesis(circuit=["decoder.lin1[0:9]"], alpha=1e-4),
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_have_codes_and_remedies(name: str) -> None:
    code, changes = FAULTS[name]
    with pytest.raises(CausalVAEError) as caught:
        compiled(make_spec(**changes))
    assert caught.value.code == code
    assert caught.value.message
    assert caught.value.remedy
    assert caught.value.place


@pytest.mark.parametrize("name", ["no such site", "out of range", "window of a vector"])
def test_a_wrong_address_is_placed_in_the_spec(name: str) -> None:
    with pytest.raises(CausalVAEError) as caught:
        compiled(make_spec(**FAULTS[name][1]))
    owner = "hypothesis:" if name == "window of a vector" else "intervention:extra: "
    assert str(caught.value.place).startswith(owner)


def test_units_of_a_value_with_one_further_axis_are_refused() -> None:
    from causalvae.models.components import ComponentMap, Site

    odd = ComponentMap((Site("encoder.seq", "encoder", "Conv1d", (4, 9), "n", True, 1.0), *COMPONENTS.sites), 6, "m")
    section = {"components": "encoder.seq", "by": "unit", "from": "resize"}
    with pytest.raises(CausalVAEError) as caught:
        compile_spec(make_spec(**with_intervention(activation=section)), odd, SPACE)
    assert caught.value.code == "CV306"


def test_the_observed_cohort_keeps_its_name() -> None:
    changed = [{"name": "observed", "input": {"factor": "x"}}]
    with pytest.raises(CausalVAEError) as caught:
        compiled(make_spec(interventions=[*changed, *DOCUMENT["interventions"]]))
    assert caught.value.code == "CV310"


def test_wrong_names_suggest_right_ones() -> None:
    with pytest.raises(CausalVAEError) as caught:
        compiled(make_spec(**with_hypothesis(circuit=["encoder.conv2"])))
    assert "encoder.conv1" in caught.value.remedy


def test_units_of_an_image_are_single_positions() -> None:
    section = {"components": "encoder.conv1[1, 2; 0:2, 1:3]", "by": "unit", "from": "resize"}
    plan = compiled(make_spec(**with_intervention(activation=section)))
    found = uses(plan, Owner.intervention("extra"), "sweep")
    assert [use.component.label for use, _ in found][:3] == [
        "encoder.conv1[1; 0:1, 1:2]",
        "encoder.conv1[1; 0:1, 2:3]",
        "encoder.conv1[1; 1:2, 1:2]",
    ]
    assert len(found) == 2 * 2 * 2
    labels = [use.component.label for use, _ in found]
    assert [COMPONENTS.resolve(label)[0].label for label in labels] == labels


def test_a_latent_attribute_names_a_latent_of_the_network() -> None:
    def with_latent(index: int) -> Spec:
        attributes = {**DOCUMENT["graph"]["attributes"], "z": {"readout": "latent", "index": index}}
        return Spec.model_validate({**DOCUMENT, "graph": {**DOCUMENT["graph"], "attributes": attributes}})

    assert compiled(with_latent(5)).latent_attributes == {"z": 5}
    with pytest.raises(CausalVAEError, match="6 latents") as caught:
        compiled(with_latent(6))
    assert caught.value.code == "CV313"


def test_a_plan_as_plain_values_is_what_dataclasses_give(plan: Plan) -> None:
    assert plain_fields(plan) == asdict(plan)
    assert json.dumps(plain_fields(plan), sort_keys=True) == json.dumps(asdict(plan), sort_keys=True)
