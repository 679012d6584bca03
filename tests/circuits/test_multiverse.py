"""Other methods of patching a circuit: planned within a quarter of the rows, and estimated by hand."""

from __future__ import annotations

import copy
from typing import Any

import networkx as nx
import numpy as np
import pytest

from causalvae.circuits import Verdict, judge
from causalvae.data.dsprites import SPACE
from causalvae.plan.claims.multiverse import variant_pairs
from causalvae.plan.compile import compile_spec
from causalvae.plan.owner import Owner
from causalvae.plan.types import Patch
from causalvae.report.circuit_findings import methods_words
from causalvae.spec.schema import Spec
from causalvae.spec.value_source import make_source
from tests.effects.synthetic import Array, Decode, Network, make_hypothesis, make_spec
from tests.plan.small_network import COMPONENTS, DOCUMENT

N, M = 80, 40


class Declared:
    """scale reaches area."""

    def descendants(self, node: str) -> frozenset[str]:
        return frozenset(nx.descendants(nx.DiGraph([("scale", "area"), ("x", "place")]), node))


def judged(decode: Decode, **fields: Any) -> tuple[Verdict, dict[str, Array]]:
    """A claim about latent 0, whose further ways are run by hand; and the latents of every run."""
    spec = make_spec(hypotheses=[make_hypothesis(**fields)], bootstrap=200)
    rng = np.random.default_rng(1)
    z = rng.normal(size=(N, 3))
    z_cf = z + np.array([1.0, 0.2, 0.0])
    network = Network(spec, decode, z, z_cf)
    network.hypothesis("claim", (0,))
    runs = {"base": z[:M], "counterfactual": z_cf[:M]}
    donor = rng.permutation(N)[:M]
    values = {
        ("interchange", "base"): z_cf[donor, 0],
        ("interchange", "counterfactual"): z[donor, 0],
        ("resample", "base"): z[donor, 0],
        ("resample", "counterfactual"): z[donor, 0],
    }
    for index, ((kind, side), value) in enumerate(values.items()):
        latents = runs[side].copy()
        latents[:, 0] = value
        source = make_source(kind, seed=0, given="scale" if kind == "interchange" else None)  # type: ignore[arg-type]
        arm = network.run(side, latents, (Patch("latent", (0,), source),))
        network.use(Owner.hypothesis("claim"), "variant", arm, "latent[0]", "set", index)
        runs[f"{kind} {side}"] = latents
    (verdict,) = judge(network.context(), Declared())
    return verdict, runs


def by_hand(decode: Decode, runs: dict[str, Array]) -> dict[tuple[str, str], float]:
    y = {name: decode(latents)["area"] for name, latents in runs.items()}
    total = y["counterfactual"] - y["base"]
    parts = {
        ("interchange given scale", "denoising"): y["interchange base"] - y["base"],
        ("interchange given scale", "noising"): y["counterfactual"] - y["interchange counterfactual"],
        ("resample", "both"): total - (y["resample counterfactual"] - y["resample base"]),
    }
    return {way: float((part * total).sum() / (total**2).sum()) for way, part in parts.items()}


def test_an_additive_network_gives_every_method_the_same_share() -> None:
    def decode(z: Array) -> dict[str, Array]:
        return {"area": 2 * z[:, 0] + z[:, 1], "place": z[:, 1]}

    verdict, runs = judged(decode)
    found = verdict.multiverse
    assert found is not None and found.pairs == M
    values = {(variant.source, variant.direction): variant.value for variant in found.variants}
    # 2 of 2.2 goes through latent 0, whatever the donors. The claim's own method is not another one.
    exact = 2.0 / 2.2
    assert ("interchange", "denoising") not in values
    for way in (("interchange", "noising"), ("resample", "both")):
        assert values[way] == pytest.approx(exact)
    for way, value in by_hand(decode, runs).items():
        assert values[way] == pytest.approx(value)
    assert found.holding == 4
    assert methods_words(found) == "The claim holds under all 4 other patching methods (40 pairs)."


def test_an_interaction_makes_the_share_depend_on_the_direction() -> None:
    """Y = z0 z1: in the base run latent 0 does as much as z1 is there, in the counterfactual run as it is there."""

    def gated(z: Array) -> dict[str, Array]:
        return {"area": z[:, 0] * z[:, 1], "place": z[:, 1]}

    verdict, runs = judged(gated, expect={"mediated_share": {"at_least": 0.5}})
    found = verdict.multiverse
    assert found is not None
    values = {(variant.source, variant.direction): variant for variant in found.variants}
    for way, value in by_hand(gated, runs).items():
        assert values[way].value == pytest.approx(value)
        assert values[way].holds == (0.5 <= value <= 1.3)
    assert found.holding == sum(variant.holds for variant in found.variants)


def test_a_refuted_claim_holds_under_no_method_that_agrees_with_the_refutation() -> None:
    """The verdict's own method refutes; what is counted is whether the claim holds, not whether the methods agree."""

    def other(z: Array) -> dict[str, Array]:
        return {"area": z[:, 1], "place": z[:, 2]}

    verdict, _ = judged(other)
    assert verdict.status == "refuted" and verdict.multiverse is not None
    assert verdict.multiverse.holding == 0
    assert methods_words(verdict.multiverse).startswith("The claim holds under 0 of 4 other patching methods")


def test_both_shares_leave_three_other_methods() -> None:
    def decode(z: Array) -> dict[str, Array]:
        return {"area": 2 * z[:, 0] + z[:, 1], "place": z[:, 1]}

    verdict, _ = judged(decode, expect={"mediated_share": {"at_least": 0.5}, "necessity": {"at_least": 0.95}})
    assert verdict.multiverse is not None
    held = {(variant.source, variant.direction): variant.holds for variant in verdict.multiverse.variants}
    assert held == {
        ("interchange given scale", "denoising"): True,
        ("interchange given scale", "noising"): False,
        ("resample", "both"): True,
    }


def compiled(samples: int, **hypothesis: Any) -> Any:
    document = copy.deepcopy(DOCUMENT)
    document["data"]["samples"] = samples
    document["interventions"] = document["interventions"][:1]
    claim = {**document["hypotheses"][0], "null": {"circuits": "none"}, **hypothesis}
    document["hypotheses"] = [claim]
    return compile_spec(Spec.model_validate(document), COMPONENTS, SPACE)


@pytest.mark.parametrize("samples", [64, 200, 512, 3000])
def test_the_ways_take_at_most_a_quarter_more_rows(samples: int) -> None:
    plan, plain = compiled(samples), compiled(samples, multiverse=False)
    uses = plan.uses_of(Owner.hypothesis("one"), "variant")
    arms = {arm.id: arm for arm in plan.arms}
    sides = [arms[use.arm].side for use in uses]
    assert sides == ["base", "counterfactual"] * 2
    assert [arms[use.arm].patches[0].source.label for use in uses] == ["interchange given scale"] * 2 + ["resample"] * 2
    clean = ("base", "counterfactual", "sufficiency", "necessity")
    own = sum(arms[use.arm].pairs for use in plan.uses_of(Owner.hypothesis("one")) if use.role in clean)
    # Each way's rows, and three clean runs of donors.
    more = sum(arms[use.arm].pairs for use in uses) + 3 * variant_pairs(samples)
    assert 0 < more <= 0.25 * own
    assert not plain.uses_of(Owner.hypothesis("one"), "variant")


def test_no_further_ways_for_few_pairs_or_where_no_share_is_claimed() -> None:
    assert not compiled(40).uses_of(Owner.hypothesis("one"), "variant")
    claimed = compiled(512, expect={"off_target": {"at_most": 0.2}})
    assert not claimed.uses_of(Owner.hypothesis("one"), "variant")
