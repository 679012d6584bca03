"""What paths and edges of a mediation compile to, and which of them send no change."""

from __future__ import annotations

from typing import Any

import pytest

from causalvae.data.dsprites import SPACE
from causalvae.errors import CausalVAEError
from causalvae.models.components import ComponentMap, OperationCost, Site
from causalvae.plan.compile import compile_spec
from causalvae.plan.owner import Owner
from causalvae.plan.relays import inner_runs
from causalvae.plan.types import Arm, Patch, Plan, Use
from causalvae.spec.value_source import ValueSource, make_source
from tests.plan.small_network import COMPONENTS, make_spec

SWAP, CLEAN = make_source("interchange"), make_source("relayed")
OWNER = Owner.intervention("sent")


def compiled(components: ComponentMap = COMPONENTS, **section: Any) -> Plan:
    mediation = {"treatment": "resize", "outcomes": ["area"], **section}
    interventions = [{"name": "resize", "input": {"factor": "scale"}}, {"name": "sent", "mediation": mediation}]
    return compile_spec(make_spec(interventions=interventions, hypotheses=[]), components, SPACE)


def sent(plan: Plan) -> dict[str, tuple[Use, Arm]]:
    """Role -> the use and arm that patch something."""
    arms = {arm.id: arm for arm in plan.arms}
    return {use.role: (use, arms[use.arm]) for use in plan.uses_of(OWNER) if arms[use.arm].patches}


def relayed(*upstream: Patch) -> ValueSource:
    return make_source("relayed", upstream=upstream)


def test_each_stage_reads_a_run_in_which_the_one_before_is_patched() -> None:
    found = sent(compiled(path=["encoder.conv1[2]", "$scale", "decoder.lin1"], pairs=12))
    conv = Patch("encoder.conv1", (2,), SWAP)
    latent = Patch("latent", (3,), relayed(conv))
    assert set(found) == {"sufficiency", "necessity"}
    for role, side in (("sufficiency", "base"), ("necessity", "counterfactual")):
        use, arm = found[role]
        assert arm == Arm("resize", side, (Patch("decoder.lin1", None, relayed(latent)),), 12)  # type: ignore[arg-type]
        assert (use.component.label, use.granularity, use.index) == (
            "encoder.conv1[2] → latent[3] → decoder.lin1",
            "path",
            0,
        )
    # The shorter inner run first: the longer one reads it.
    runs = inner_runs([found["sufficiency"][1]])
    assert [(run.sites, run.depth, run.arm.patches) for run in runs] == [
        (("latent",), 1, (conv,)),
        (("decoder.lin1",), 2, (latent,)),
    ]
    assert [run.label for run in runs] == ["encoder.conv1 to latent", "encoder.conv1 to latent to decoder.lin1"]


def test_a_path_of_one_stage_has_the_arms_of_a_mediator() -> None:
    path, mediators = compiled(path=["latent[0:2]"]), compiled(mediators=["latent[0:2]"])
    assert [arm for _, arm in sent(path).values()] == [arm for _, arm in sent(mediators).values()]
    assert path.tables_digest == mediators.tables_digest
    assert compiled(path=["encoder.lin1", "latent[0:2]"]).tables_digest != path.tables_digest


def test_a_stage_may_be_a_set() -> None:
    plan = compiled(path=["encoder.lin1", ["decoder.lin1[2]", "latent[0]", "latent[4]"], "decoder.convT1"])
    use, arm = sent(plan)["sufficiency"]
    lin1 = relayed(Patch("encoder.lin1", None, SWAP))
    stage = (Patch("latent", (0, 4), lin1), Patch("decoder.lin1", (2,), lin1))
    assert arm.patches == (Patch("decoder.convT1", None, relayed(*stage)),)
    assert use.component.label == "encoder.lin1 → (decoder.lin1[2] + latent[0] + latent[4]) → decoder.convT1"
    (first, last) = inner_runs([arm])
    assert set(first.sites) == {"latent", "decoder.lin1"}
    assert last.sites == ("decoder.convT1",)


def test_edges_part_and_meet_and_hold_what_lies_between() -> None:
    edges = [
        "input -> encoder.lin1[0]",
        "encoder.lin1[0] -> latent[1]",
        "encoder.lin1[0] -> latent[2]",
        "latent[2] -> decoder.lin1[5]",
        "latent[1] -> output",
        "decoder.lin1[5] -> output",
    ]
    use, arm = sent(compiled(edges=edges))["sufficiency"]
    unit = Patch("encoder.lin1", (0,), SWAP)
    hidden = relayed(Patch("latent", (2,), relayed(unit)))
    assert arm.patches == (Patch("latent", (1,), relayed(unit)), Patch("decoder.lin1", (5,), hidden))
    assert use.component.label == (
        "encoder.lin1[0] → latent[1]; encoder.lin1[0] → latent[2]; latent[2] → decoder.lin1[5]"
    )
    # Around a component that is named elsewhere: there it keeps its clean value, as no edge leads into it.
    edges = ["input -> encoder.lin1[0]", "encoder.lin1[0] -> output", "input -> latent[1]", "latent[1] -> decoder.lin1"]
    _, arm = sent(compiled(edges=[*edges, "decoder.lin1 -> output"]))["sufficiency"]
    through = relayed(Patch("latent", (1,), SWAP))
    assert arm.patches == (unit, Patch("latent", (1,), CLEAN), Patch("decoder.lin1", None, through))


def test_a_chain_of_edges_is_a_path() -> None:
    edges = ["latent[3] -> output", "input -> encoder.lin1", "encoder.lin1 -> latent[3]"]
    by_edges, by_path = sent(compiled(edges=edges)), sent(compiled(path=["encoder.lin1", "latent[3]"]))
    assert list(by_edges.values()) == list(by_path.values())


@pytest.mark.parametrize(
    ("code", "said", "section"),
    [
        ("CV317", "encoder.conv1 is not computed from encoder.lin1", {"path": ["encoder.lin1", "encoder.conv1"]}),
        ("CV317", "latent[1] is not computed from latent.mean", {"path": ["latent.mean", "latent[1]"]}),
        ("CV317", "encoder.conv1 is not", {"path": ["encoder.lin1", ["latent", "encoder.conv1"]]}),
        ("CV317", "latent is not computed from decoder.lin1", {"path": [["encoder.lin1", "decoder.lin1"], "latent"]}),
        (
            "CV318",
            "share a part of latent",
            {
                "edges": [
                    "input -> encoder.lin1[0]", "input -> encoder.lin1[1]", "encoder.lin1[0] -> latent[0:2]",
                    "encoder.lin1[1] -> latent[1:3]", "latent[0:2] -> output", "latent[1:3] -> output",
                ]
            },
        ),
        ("CV305", "are the same value", {"path": ["encoder.lin1", ["latent", "latent.mean"]]}),
        ("CV301", "encoder.lin9", {"path": ["encoder.lin9", "latent"]}),
    ],
)  # fmt: skip
def test_what_sends_no_change_is_refused(code: str, said: str, section: dict[str, Any]) -> None:
    with pytest.raises(CausalVAEError) as caught:
        compiled(**section)
    assert caught.value.code == code
    assert said in caught.value.message
    assert caught.value.remedy
    assert code == "CV301" or caught.value.place == str(OWNER)


def branched() -> ComponentMap:
    """Two branches from one layer, one of which is a dead end; and their operations."""
    names = ("x", "a", "b", "dead", "out")
    before = ({0}, {0, 1}, {0, 2}, {0, 1, 3}, {0, 1, 2, 4})
    after = ({1, 2, 4}, {4}, {4}, set[int](), set[int]())
    sites = tuple(
        Site(
            f"{'decoder' if name == 'out' else 'encoder'}.{name}", "decoder" if name == "out" else "encoder", "Linear",
            (3,), name, True, 0.5, frozenset(down), frozenset(), frozenset(up),
        )
        for name, up, down in zip(names, before, after, strict=True)
    )  # fmt: skip
    latent = Site("latent", "latent", "latent", (6,), "x", True, 0.5, frozenset({1, 2, 4}), frozenset(), frozenset({0}))
    return ComponentMap((*sites, latent), 6, "m", tuple(OperationCost(name, 1.0, 1.0) for name in names))


def test_the_graph_tells_what_is_downstream_and_not_the_order() -> None:
    components = branched()
    assert sent(compiled(components, path=["encoder.x", "encoder.b", "decoder.out"]))
    with pytest.raises(CausalVAEError, match=r"encoder\.b is not computed from encoder\.a"):
        compiled(components, path=["encoder.a", "encoder.b"])
    with pytest.raises(CausalVAEError, match=r"nothing that is decoded is computed from encoder\.dead") as caught:
        compiled(components, path=["encoder.a", "encoder.dead"])
    assert caught.value.code == "CV317"
