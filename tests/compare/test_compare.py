"""Sides of a comparison: how they are declared, checked, run and reported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import causalvae
from causalvae.cli.app import app
from causalvae.errors import CausalVAEError
from causalvae.plan.owner import Owner
from causalvae.spec import load_spec, parse_spec
from causalvae.spec.measures import MeasureName
from causalvae.study.page import key_tables

SPEC = """\
spec: causalvae/v1
name: two
description: Which of <two> networks?
model: {source: zoo, weights: builtin://dsprites-disentangled}
data: {source: dsprites, samples: 24, seed: 3}
variants:
  tc: {}
  plain:
    description: the <standard> one
    model: {source: zoo, weights: builtin://dsprites-vae}
    mapping: {x: "latent[1]"}
graph:
  factors: [scale, x]
  attributes:
    area: {readout: area}
  edges: [scale -> area]
mapping: {scale: {find: 1}, x: "latent[0]"}
interventions:
  - {name: resize, input: {factor: scale}}
  - {name: via, mediation: {treatment: resize, mediators: [$scale], outcomes: [area]}}
  - {name: along, mediation: {treatment: resize, path: ["encoder.lin1[0:128]", $scale], outcomes: [area]}}
hypotheses:
  - name: one
    treatment: resize
    circuit: [$scale]
    outcome: area
    expect: {mediated_share: {at_least: 0.5}}
    null: {circuits: none}
estimation: {bootstrap: 50, dowhy: false}
alignment: {samples: 50, pairs: 50}
execution: {controls: false}
"""


def test_a_variant_replaces_its_sections_and_keeps_the_rest() -> None:
    spec, faults = parse_spec(SPEC)
    assert spec is not None, faults
    tc, plain = spec.variant("tc"), spec.variant("plain")
    assert tc.model == spec.model and tc.mapping == spec.mapping
    assert plain.model.weights == "builtin://dsprites-vae"
    assert plain.mapping["x"].components == ("latent[1]",) and plain.mapping["scale"] == spec.mapping["scale"]
    assert plain.hypotheses == spec.hypotheses and not plain.variants
    assert len({tc.digest, plain.digest, spec.digest}) == 3
    # What a spec is compared with is no part of what it says.
    assert spec.model_copy(update={"variants": {}}).digest == spec.digest


def test_a_fault_of_one_side_is_placed_there() -> None:
    spec, faults = parse_spec(SPEC.replace('"latent[1]"', '"latent[12]"'))
    assert spec is None
    (fault,) = faults
    assert fault.code == "CV052" and fault.line == 11
    assert "in variant 'plain'" in fault.message


def test_latents_of_an_attribute_cannot_be_found() -> None:
    text = SPEC.replace('x: "latent[0]"', "area: {find: 1}").replace('    mapping: {x: "latent[1]"}\n', "")
    spec, faults = parse_spec(text)
    assert spec is None
    assert {fault.code for fault in faults} == {"CV090"}


def test_one_side_is_no_comparison(tmp_path: Path) -> None:
    path = tmp_path / "one.yaml"
    path.write_text(SPEC.replace("  tc: {}\n", ""), encoding="utf-8")
    with pytest.raises(CausalVAEError) as caught:
        causalvae.compare([path], tmp_path)
    assert caught.value.code == "CV460"


@pytest.mark.slow
def test_two_networks_side_by_side(tmp_path: Path) -> None:
    path = tmp_path / "two.yaml"
    path.write_text(SPEC, encoding="utf-8")
    told: list[tuple[str, int, int]] = []
    outcome = causalvae.compare([path], tmp_path / "runs", on_side=lambda *side: told.append(side))
    assert told == [("tc", 1, 2), ("plain", 2, 2)]
    written = json.loads(outcome.reports["json"].read_text(encoding="utf-8"))
    assert [side["name"] for side in written["runs"]] == ["tc", "plain"]
    page = outcome.reports["html"].read_text(encoding="utf-8")
    assert "Which of &lt;two&gt; networks?" in page and "<standard>" not in page
    for side, name in zip(outcome.results.runs, ("tc", "plain"), strict=True):
        # Each side is the run of its own spec, number for number.
        alone = causalvae.run_spec(load_spec(path).variant(name), tmp_path, tmp_path / "runs")
        assert side.results is not None
        assert side.results.verdicts == alone.results.verdicts
        assert (outcome.folder / side.report).resolve() == alone.reports["html"].resolve()
        (share,) = [
            e.value
            for e in alone.results.estimates
            if e.estimand == "mediated_share" and e.outcome == "area" and e.owner == Owner.intervention("via")
        ]
        claim, fit = (test for verdict in side.results.verdicts for test in verdict.tests)
        assert fit.name == "pairwise_fit"
        assert claim.value == pytest.approx(share)
        found = side.results.graph.mapping["scale"]
        assert len(found) == 1 and found[0].startswith("latent[")
        kls = [latent.kl for latent in side.results.latents]
        active = side.measure(MeasureName.ACTIVE_LATENTS)
        assert active is not None and active.value == sum(kl > 0.1 for kl in kls if kl is not None)
        assert active.n == len(kls)
        assert side.value(MeasureName.RECONSTRUCTION) == alone.results.model["reconstruction (nats a sample)"]
    heads = {table.caption: [column.name for column in table.columns] for table in key_tables(outcome.results)}
    assert any("mediated share" in head for head in heads["via: resize on area"])
    assert any("share of the path" in head for head in heads["along: resize on area"])
    markdown = outcome.reports["markdown"].read_text(encoding="utf-8")
    assert "| tc |" in markdown and "| plain |" in markdown


def test_the_command_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        app(["--help"])
    assert "compare" in capsys.readouterr().out
