"""A run from Python: read back from its folder, its findings as pandas tables, names and representations."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

import causalvae
from causalvae import session
from causalvae.effects import context
from causalvae.engine.runner import PlanRunner
from causalvae.plan.owner import Owner

CPU = torch.device("cpu")

SPEC = """
spec: causalvae/v1
name: small
model: {source: zoo, weights: "builtin://dsprites-disentangled"}
data: {source: dsprites, samples: 24, seed: 7}
graph:
  factors: [scale, x]
  attributes: {area: {readout: area}, cx: {readout: centroid, axis: x}}
  edges: [scale -> area, x -> cx]
mapping: {scale: "latent[8]"}
interventions:
  - {name: resize, input: {factor: scale}}
  - {name: via, mediation: {treatment: resize, mediators: [$scale], outcomes: [area]}}
hypotheses:
  - name: carried
    treatment: resize
    circuit: [$scale]
    outcome: area
    expect: {mediated_share: {at_least: 0.7}}
    multiverse: false
estimation: {bootstrap: 100, dowhy: false}
alignment: {samples: 48}
execution: {controls: false}
report: {formats: [json, markdown]}
"""


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> tuple[causalvae.RunOutcome, Counter[str]]:
    """A run, and how often it opened the data, loaded the network and indexed the outcomes."""
    folder = tmp_path_factory.mktemp("outcome")
    (folder / "spec.yaml").write_text(SPEC, encoding="utf-8")
    calls: Counter[str] = Counter()

    def count(module: ModuleType, name: str, patched: pytest.MonkeyPatch) -> None:
        original = getattr(module, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            calls[name] += 1
            return original(*args, **kwargs)

        patched.setattr(module, name, call)

    with pytest.MonkeyPatch.context() as patched:
        for module, name in ((session, "open_dataset"), (session, "load_model"), (context, "Outcomes")):
            count(module, name, patched)
        return causalvae.run(str(folder / "spec.yaml"), out=str(folder / "runs")), calls


@pytest.fixture(scope="module")
def outcome(counted: tuple[causalvae.RunOutcome, Counter[str]]) -> causalvae.RunOutcome:
    return counted[0]


def test_a_run_opens_its_spec_and_indexes_its_tables_once(counted: tuple[causalvae.RunOutcome, Counter[str]]) -> None:
    assert counted[1] == {"open_dataset": 1, "load_model": 1, "Outcomes": 1}


def test_a_run_is_read_back_from_its_folder(outcome: causalvae.RunOutcome) -> None:
    for place in (outcome.folder, str(outcome.folder), outcome.folder / "results.json"):
        again = causalvae.load_run(place)
        assert again.folder == outcome.folder
        assert again.reports == outcome.reports
        assert again.results.verdicts == outcome.results.verdicts
        assert again.estimates.equals(outcome.estimates)


def test_findings_are_tables(outcome: causalvae.RunOutcome) -> None:
    results = outcome.results
    estimates = outcome.estimates
    assert len(estimates) == len(results.estimates) > 0
    row = estimates.query("estimand == 'total_effect' and outcome == 'area' and owner == 'intervention:via'")
    (exact,) = [
        e
        for e in results.estimates
        if (e.estimand, e.outcome, e.owner) == ("total_effect", "area", Owner.intervention("via"))
    ]
    assert row["value"].tolist() == [exact.value]
    assert estimates["value"].dtype == float
    assert outcome.verdicts.set_index("hypothesis").loc["carried", "status"] == results.verdicts[0].status
    assert set(outcome.tests["hypothesis"]) == {"carried"}
    assert len(outcome.tests) == len(results.verdicts[0].tests)
    assert results.alignment is not None
    assert len(outcome.edges) == len(results.alignment.pairs) > 0
    first = results.alignment.pairs[0]
    assert first.data is not None
    assert outcome.edges.loc[0, "data.value"] == first.data.value
    # No unit was perturbed: the table is empty and has its columns all the same.
    assert outcome.units.empty
    assert {"component", "role", "breadth"} <= set(outcome.units.columns)


def test_a_folder_without_results_is_named(tmp_path: Path) -> None:
    with pytest.raises(causalvae.CausalVAEError) as refused:
        causalvae.load_run(tmp_path)
    assert refused.value.code == "CV450"


def test_public_names_and_short_representations(outcome: causalvae.RunOutcome) -> None:
    assert dir(causalvae) == sorted(causalvae.__all__)
    assert all(getattr(causalvae, name) is not None for name in dir(causalvae))
    spec = causalvae.load_spec(outcome.folder / "spec.yaml")
    opened = causalvae.open_session(spec, str(outcome.folder))
    plan = causalvae.compile_plan(opened)
    for value in (outcome, opened, outcome.results, outcome.results.verdicts[0], spec, plan):
        assert len(repr(value)) < 300, repr(value)
        assert "\n" not in repr(value)


def test_the_spread_of_the_output_is_that_of_the_decoded_samples(outcome: causalvae.RunOutcome) -> None:
    spec = causalvae.load_spec(outcome.folder / "spec.yaml")
    folder = outcome.folder.parents[2]
    opened = causalvae.open_session(spec, folder)
    plan = causalvae.compile_plan(opened)
    found = causalvae.execute(opened, plan, folder / "runs" / spec.name)
    # The same cohort again, whole, by the network itself.
    runner = PlanRunner(plan, opened.model, opened.dataset, opened.measure, CPU)
    inputs = opened.dataset.inputs(runner.cohorts["observed"].rows["base"])
    with torch.no_grad():
        output = opened.model.vae.decode(opened.model.vae.encode(inputs).mean).flatten(1).double()
    pairs = output[: len(output) // 2 * 2].unflatten(0, (-1, 2))
    gaps = (pairs[:, 0] - pairs[:, 1]).square().sum(1)
    assert len(found.observations) == len(inputs)
    assert found.output_sd() == pytest.approx(float((gaps.mean() / 2).sqrt()), rel=1e-5)
    assert found.output_sd() == pytest.approx(float(output.var(0).sum().sqrt()), rel=0.2)
