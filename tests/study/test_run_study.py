"""A grid of two tiny networks from text to report, and what a second call does not do again."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

import causalvae
from causalvae.api import run_spec
from causalvae.plan.owner import Owner
from causalvae.spec import load_spec
from causalvae.spec.loader import load_study_spec
from causalvae.spec.measures import MeasureName
from causalvae.spec.schema import Spec
from causalvae.study import running
from causalvae.study.running import analysis_spec

ANALYSIS = """\
spec: causalvae/v1
name: table-analysis
model: {source: zoo, weights: put-here-by-the-study}
data: &data
  source: scm
  world: table
  variables: {a: "uniform(0, 1)", b: "0.5 * a + uniform(0, 0.5)"}
  samples: 16
graph:
  factors: [a, b]
  attributes: {level: {readout: mean}}
  edges: [a -> b, a -> level, b -> level]
mapping: {a: {find: 1}}
interventions:
  - {name: raise, input: {factor: a}}
  - {name: sweep, latent: {components: latent, values: resample}}
  - {name: via, mediation: {treatment: raise, mediators: [$a], outcomes: [level]}}
estimation: {bootstrap: 20, dowhy: false}
alignment: {samples: 24, pairs: 24}
execution: {controls: false}
"""
STUDY = """\
spec: causalvae/study-v1
name: tiny
data:
  table:
    data: {source: scm, world: table, variables: {a: "uniform(0, 1)", b: "0.5 * a + uniform(0, 0.5)"}}
    model: {architecture: mlp, latent_dim: 2, likelihood: gaussian, sigma: 0.1}
    analysis: analysis.yaml
models:
  VAE: {objective: {name: vae}}
  VQ: {objective: {name: vq_vae}, model: {architecture: vq, latent_dim: 2, codes: 4, likelihood: gaussian}}
seeds: [0]
steps: 20
batch_size: 16
scores: {samples: 200, votes: 50, predictor: bagging}
"""


@pytest.mark.slow
def test_a_study_from_text_to_report(tmp_path: Path) -> None:
    (tmp_path / "analysis.yaml").write_text(ANALYSIS.replace("&data", ""), encoding="utf-8")
    (tmp_path / "study.yaml").write_text(STUDY, encoding="utf-8")
    told: list[str] = []
    outcome = causalvae.run_study(tmp_path / "study.yaml", tmp_path / "out", lambda name, k, n: told.append(name))
    assert told == ["training table-VAE-0", "training table-VQ-0", "analysing table-VAE-0", "analysing table-VQ-0"]
    cells = outcome.results.runs
    assert [cell.name for cell in cells] == ["table-VAE-0", "table-VQ-0"]

    # A cell's numbers are those of its own analysis run alone.
    weights = (outcome.folder / "weights" / cells[0].name / f"{cells[0].name}.safetensors").resolve()
    spec = analysis_spec(load_spec(tmp_path / "analysis.yaml"), weights, cells[0].name)
    alone = run_spec(spec, tmp_path, tmp_path / "alone").results
    shares = [
        e.value
        for e in alone.estimates
        if e.estimand == "mediated_share" and e.outcome == "level" and e.owner == Owner.intervention("via")
    ]
    assert cells[0].value(MeasureName.MEDIATED_SHARE) == pytest.approx(shares[0])
    for name in ("reconstruction", "kl", "causal_effect_strength", "dci_disentanglement", "mig"):
        assert cells[0].value(MeasureName(name)) is not None, name
    assert (outcome.folder / cells[0].report).exists()
    # An encoder of points has codes to score, and no KL.
    assert cells[1].value(MeasureName.DISENTANGLEMENT) is not None and cells[1].value(MeasureName.KL) is None

    stamps = {path: path.stat().st_mtime_ns for path in outcome.folder.rglob("*.safetensors")}
    kept = {path: path.stat().st_mtime_ns for path in (outcome.folder / "cells").iterdir()}
    again = causalvae.run_study(tmp_path / "study.yaml", tmp_path / "out")
    assert again.results.runs == cells
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in (stamps | kept).items())


def test_changed_data_files_are_analysed_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = ANALYSIS.replace("  source: scm\n  world: table\n", "  source: csv\n  path: table.csv\n  inputs: ['x*']\n")
    own = own.replace('  variables: {a: "uniform(0, 1)", b: "0.5 * a + uniform(0, 0.5)"}\n', "  factors: [a, b]\n")
    (tmp_path / "analysis.yaml").write_text(own.replace("&data", ""), encoding="utf-8")
    (tmp_path / "study.yaml").write_text(STUDY, encoding="utf-8")
    table = tmp_path / "table.csv"
    table.write_text("a,b,x0,x1\n0,0,0.1,0.2\n1,1,0.3,0.4\n", encoding="utf-8")
    done: list[str] = []

    def run(spec: Spec, folder: Path, out: Path, tell: object) -> SimpleNamespace:
        done.append(spec.name)
        return SimpleNamespace(results=None, reports={"html": out / "report.html"})

    monkeypatch.setattr(running, "run_spec", run)
    monkeypatch.setattr(running, "measures_of", lambda results: ())
    monkeypatch.setattr(running, "read_weights", lambda where, folder: SimpleNamespace(digest="weights"))
    study = load_study_spec(tmp_path / "study.yaml")

    def analyse() -> int:
        done.clear()
        running.analyse_cells(study, tmp_path / "out", tmp_path)
        return len(done)

    (tmp_path / "out").mkdir()
    assert (analyse(), analyse()) == (2, 0)
    table.write_text("a,b,x0,x1\n0,0,0.1,0.2\n1,1,0.3,0.5\n", encoding="utf-8")
    assert (analyse(), analyse()) == (2, 0)


def test_checkpoints_that_a_killed_study_left_beside_finished_weights_are_removed(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(STUDY, encoding="utf-8")
    study = load_study_spec(tmp_path / "study.yaml")
    for name in ("table-VAE-0", "table-VQ-0"):
        place = tmp_path / "weights" / name
        place.mkdir(parents=True)
        (place / f"{name}.safetensors").touch()
        (place / "checkpoint.pt").touch()
    running.train_cells(study, tmp_path, tmp_path)
    kept = sorted(path.name for path in (tmp_path / "weights").rglob("*.*"))
    assert kept == ["table-VAE-0.safetensors", "table-VQ-0.safetensors"]
