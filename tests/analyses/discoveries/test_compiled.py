"""Discoveries in networks with hand-set weights: exactly the minimal circuits that they are known to have."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

import causalvae
from causalvae.analyses.discoveries import Discoveries
from causalvae.analyses.discoveries.discover import discover
from causalvae.analyses.discoveries.findings import Discovered, Discovery
from causalvae.analyses.discoveries.trial import judge_together
from causalvae.analyses.discoveries.words import hypothesis_text
from causalvae.models.kinds.compiled import CompiledModel
from causalvae.models.planted import truth
from causalvae.report.json_report import plain_values
from causalvae.spec.loader import parse_spec

TEXT = """
spec: causalvae/v1
name: planted
model: {source: compiled, circuit: %s, latents: 8, dead: %d}
data: {source: scm, world: table, variables: {t: "uniform(0, 1)", s: "%s", u: "uniform(0, 1)"}, seed: %d, samples: 96}
graph: {factors: [t], attributes: {y: {readout: column, index: 0}}, edges: [t -> y]}
interventions: [{name: rise, input: {factor: t}}]
estimation: {bootstrap: 200}
discoveries:
  pairs: 96
  circuits: [{name: found, treatment: rise, outcome: y, target: %s, candidates: %s, halves: 4}]
"""
SWITCH = {"context": "bernoulli(0.5)", "failing": "bernoulli(0.05)"}
CIRCUITS = (
    "carrier", "or", "and", "product", "spread", "promoter_inhibitor", "cancelling_pair", "chain", "direct_path",
    "distractor", "context", "failing",
)  # fmt: skip


@cache
def find(
    circuit: str, seed: int = 0, candidates: str = "latents", dead: int = 0, target: float | None = None
) -> tuple[Discovery, CompiledModel]:
    target = target or (0.7 if circuit == "direct_path" else 0.8)
    switch = SWITCH.get(circuit, "uniform(0, 1)")
    spec, diagnostics = parse_spec(TEXT % (circuit, dead, switch, seed, target, candidates))
    assert spec is not None, diagnostics
    settings = spec.analyses["discoveries"]
    assert isinstance(settings, Discoveries) and isinstance(spec.model, CompiledModel)
    searched = discover(causalvae.open_session(spec, "."), settings.circuits[0], settings)
    return judge_together([searched]).circuits[0], spec.model


def units(circuit: tuple) -> tuple[int, ...]:  # type: ignore[type-arg]
    return tuple(ref.units[0] for ref in circuit)


def check(found: Discovery, model: CompiledModel) -> None:
    known = set(truth(model).circuits["latent"])
    listed = {units(found.circuit), *(units(other.circuit) for other in found.equivalents)}
    assert units(found.circuit) in known
    assert listed == known
    assert found.alike == len(known)
    assert found.verdict is not None
    assert found.verdict.status == ("unspecific" if len(known) > 1 else "supported")


@pytest.mark.parametrize("circuit", ["or", "promoter_inhibitor", "context"])
def test_the_known_circuits_are_found(circuit: str) -> None:
    check(*find(circuit))


@pytest.mark.simulation
@pytest.mark.parametrize("circuit", CIRCUITS)
def test_the_known_circuits_are_found_over_draws(circuit: str) -> None:
    for seed in range(8):
        check(*find(circuit, seed, dead=seed % 3))


def test_what_is_known_of_an_or() -> None:
    found, _ = find("or")
    assert found.share.value == pytest.approx(0.98, abs=0.01)
    assert found.share.lower <= found.share.value <= found.share.upper
    assert found.error.value == pytest.approx(0.02, abs=0.01)
    assert (found.past.value, found.alone.value) == pytest.approx((0.0, 1.0), abs=1e-6)
    assert found.claimed.value == pytest.approx(found.share.value, abs=1e-6)
    assert {motif.kind for motif in found.motifs.found} == {"redundant", "convergence"}
    assert [(site.site, site.members, site.candidates) for site in found.sites] == [("latent", 1, 8)]
    # Which of the two is found depends on the pairs.
    assert sum(member.found_in or 0.0 for member in found.members) == pytest.approx(1.0)


def test_what_flows_past_the_latents_is_told() -> None:
    found, _ = find("direct_path")
    assert found.past.value == pytest.approx(0.2, abs=0.02)
    assert found.alone.value == pytest.approx(0.8, abs=0.02)


def test_a_chain_through_hidden_layers() -> None:
    found, model = find("chain", candidates="units")
    known = truth(model)
    for site, circuits in known.circuits.items():
        if site != "latent":
            assert units(tuple(ref for ref in found.circuit if ref.site == site)) in circuits, site
    assert [site.site for site in found.sites] == ["encoder.lin1", "encoder.lin2", "encoder.lin3", "decoder.lin1"]
    (chain,) = [motif for motif in found.motifs.found if motif.kind == "chain"]
    assert [label.site for label in (found.motif_members[member] for member in chain.members[:-1])] == [
        site.site for site in found.sites
    ]
    assert chain.shown.value == pytest.approx(1.0, abs=0.05)


def test_a_found_circuit_can_be_pasted_into_the_spec(tmp_path: Path) -> None:
    found, _ = find("and")
    text = TEXT % ("and", 0, "uniform(0, 1)", 0, 0.8, "latents") + "hypotheses:\n" + hypothesis_text(found)
    spec, diagnostics = parse_spec(text)
    assert spec is not None, diagnostics
    assert spec.hypotheses[0].circuit == ("latent[0, 1]",)
    session = causalvae.open_session(spec, tmp_path)
    plan = causalvae.compile_plan(session)
    results = causalvae.analyse(session, causalvae.execute(session, plan, tmp_path / "runs"))
    (verdict,) = results.verdicts
    assert found.verdict is not None
    assert verdict.status == found.verdict.status == "supported"
    # The claim is judged on the very pairs that the discovery was tested on.
    share = next(test for test in verdict.tests if test.name == "mediated_share")
    assert share.value == pytest.approx(found.share.value, abs=1e-6)
    assert (share.lower, share.upper) == pytest.approx((found.share.lower, found.share.upper), abs=1e-5)


def test_search_and_test_share_no_pair() -> None:
    from causalvae.analyses.discoveries.discover import open_search

    spec, _ = parse_spec(TEXT % ("or", 0, "uniform(0, 1)", 0, 0.8, "latents"))
    assert spec is not None
    settings = spec.analyses["discoveries"]
    assert isinstance(settings, Discoveries)
    session = causalvae.open_session(spec, ".")
    sides = [
        open_search(session, settings.circuits[0], settings).runs(part).inputs.sides["base"].numpy()
        for part in ("select", "test")
    ]
    assert not np.isin(sides[0][:, 0], sides[1][:, 0]).any()


def test_results_are_read_back(tmp_path: Path) -> None:
    from causalvae.analyses.discoveries.measure import find_circuits

    spec, _ = parse_spec(TEXT % ("or", 0, "uniform(0, 1)", 0, 0.8, "latents"))
    assert spec is not None
    settings = spec.analyses["discoveries"]
    assert isinstance(settings, Discoveries)
    session = causalvae.open_session(spec, tmp_path)
    first = find_circuits(session, settings, tmp_path, lambda progress: None)
    assert [file.name.split(".")[0] for file in tmp_path.iterdir()] == ["found"]
    again = find_circuits(session, settings, tmp_path, lambda progress: None)
    assert isinstance(again, Discovered)
    assert plain_values(again) == plain_values(first)
    assert again.circuits[0].circuit == first.circuits[0].circuit
    (file,) = tmp_path.iterdir()
    file.write_text("{}")
    assert plain_values(find_circuits(session, settings, tmp_path, lambda progress: None))["circuits"][0]["motifs"]
