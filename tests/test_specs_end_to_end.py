"""Data without factors, latents set to numbers, and a run folder's own spec, through `causalvae.run`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

from causalvae.api import RunOutcome, run
from causalvae.cli.app import app
from causalvae.models.architectures import perceptron
from causalvae.plan.owner import Owner
from causalvae.results import Results

SPEC = """\
spec: causalvae/v1
name: without
model: {source: checkpoint, name: mlp, weights: ../nets/net.safetensors, untrained: true}
data: {source: npz, path: data.npz, samples: 32}
graph: {attributes: {brightness: {readout: mean}, first: {readout: latent, index: 0}}}
interventions:
  - {name: another, input: {set: swap}}
  - {name: sweep, latent: {components: latent, values: {at: [-1, 2]}, pairs: 12}}
  - {name: via, mediation: {treatment: another, mediators: ["latent[0]"], outcomes: [brightness, image]}}
estimation: {bootstrap: 20, dowhy: false}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "specs").mkdir()
    (folder / "nets").mkdir()
    torch.manual_seed(0)
    network = perceptron((6,), 3, (8,))
    state = {
        f"{part}.{name}": value
        for part in ("encoder", "decoder")
        for name, value in getattr(network, part).state_dict().items()
    }
    save_file(state, folder / "nets" / "net.safetensors")
    inputs = np.random.default_rng(0).random((60, 6)).astype(np.float32)
    np.savez(folder / "specs" / "data.npz", inputs=inputs)
    (folder / "specs" / "without.yaml").write_text(SPEC)
    return folder


@pytest.fixture(scope="module")
def first(project: Path) -> RunOutcome:
    return run(project / "specs" / "without.yaml", project / "out" / "runs")


def _numbers(results: Results) -> list[tuple[object, ...]]:
    return [(e.owner, e.estimand, e.outcome, e.value, e.lower, e.upper) for e in results.estimates]


def test_data_without_factors_reaches_a_report(first: RunOutcome) -> None:
    assert set(first.reports) == {"html", "markdown", "json"}
    assert first.results.graph.factors == ()
    shares = [
        e for e in first.results.estimates if e.owner == Owner.intervention("via") and e.estimand == "mediated_share"
    ]
    assert {share.outcome for share in shares} == {"brightness", "all columns"}


def test_latents_are_set_to_the_numbers_that_the_spec_gives(first: RunOutcome) -> None:
    tables = first.folder.parent / "tables" / first.results.manifest["tables digest"]
    observed = pd.concat(pd.read_parquet(file) for file in sorted((tables / "observations").glob("*.parquet")))
    z = observed["latent:0"].to_numpy(np.float64)
    (size,) = [
        e
        for e in first.results.estimates
        if (e.owner, e.estimand, e.outcome, e.component.label)
        == (Owner.intervention("sweep"), "effect_size", "first", "latent[0]")
    ]
    moved = np.stack([value - z[:12] for value in (-1.0, 2.0)])
    assert size.value == pytest.approx(np.sqrt((moved**2).mean()) / z.std(ddof=1), rel=1e-4)
    assert size.source == "at -1, 2"
    text = first.reports["markdown"].read_text(encoding="utf-8")
    assert "values: at" in text


def test_a_run_folders_own_spec_runs_again_from_anywhere(
    project: Path, first: RunOutcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = first.folder / "spec.yaml"
    monkeypatch.chdir(tmp_path)
    checked = CliRunner().invoke(app, ["validate", str(own), "--json"])
    assert checked.exit_code == 0
    assert json.loads(checked.stdout)["files"][0]["digest"] == first.folder.name
    again = run(os.path.relpath(own), project / "out" / "runs")
    assert again.folder.resolve() == first.folder.resolve()
    assert _numbers(again.results) == _numbers(first.results)
    # Where runs are kept is not where paths start.
    elsewhere = run(own, tmp_path / "other")
    assert elsewhere.folder.name == first.folder.name
    assert _numbers(elsewhere.results) == _numbers(first.results)
    assert CliRunner().invoke(app, ["validate", str(elsewhere.folder / "spec.yaml")]).exit_code == 0
