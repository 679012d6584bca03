"""Active latents and dimensions: closed forms, plain loops, a compiled network from end to end, and the view."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

import causalvae
from causalvae.analyses.aggregate_posterior.estimate import (
    AggregatePosterior,
    Dimension,
    LatentUse,
    estimate_posterior,
    intrinsic_dimension,
    linear_dimension,
    participation,
    state_of,
)
from causalvae.analyses.aggregate_posterior.view import view_posterior
from causalvae.effects.bootstrap import paired_bootstrap
from causalvae.engine.cohorts import draw_cohort
from causalvae.report.numbers import ABSENT

SPEC = """
spec: causalvae/v1
name: used
model: {source: compiled, code: identity, dead: 1}
data:
  source: scm
  world: table
  variables: {a: 'uniform(0, 1)', b: 'uniform(0, 0.5)', c: 'uniform(0, 0.1)'}
  scale: none
  samples: 400
graph:
  attributes: {ya: {readout: column, column: a}}
interventions: [{name: sweep, latent: {components: 'latent[0]', values: {quantiles: [0.1, 0.9]}, pairs: 24}}]
aggregate_posterior: {}
estimation: {bootstrap: 200, dowhy: false}
execution: {controls: false}
report: {formats: [json, markdown, html]}
"""


def context(table: dict[str, np.ndarray]) -> SimpleNamespace:
    measured = SimpleNamespace(observations=pd.DataFrame(table))
    return SimpleNamespace(measurements=measured, bootstrap=lambda n: paired_bootstrap(n, 200, 0.95, 0))


def rows_of(covariance: np.ndarray, n: int) -> np.ndarray:
    """Rows whose sample covariance is exactly `covariance`."""
    drawn = np.random.default_rng(0).normal(size=(n, len(covariance)))
    drawn -= drawn.mean(axis=0)
    white = drawn @ np.linalg.inv(np.linalg.cholesky(np.cov(drawn, rowvar=False))).T
    return white @ np.linalg.cholesky(covariance).T


@pytest.mark.parametrize(
    ("covariance", "expected"),
    [
        (np.eye(4), 4.0),
        (np.diag([1.0, 1.0, 1e-8]), 2.0),
        (np.diag([4.0, 1.0]), 25 / 17),
        (np.array([[1.0, 0.999999], [0.999999, 1.0]]), 1.0),
    ],
)
def test_the_participation_ratio_is_that_of_the_eigenvalues(covariance, expected):
    means = rows_of(covariance, 3000)
    assert participation(means) == pytest.approx(expected, rel=1e-5)
    assert linear_dimension(means, paired_bootstrap(3000, 200, 0.95, 0)).value == pytest.approx(expected, rel=0.002)


def test_leaving_a_sample_out_is_done_in_closed_form_as_in_a_loop():
    means = np.random.default_rng(1).normal(size=(60, 3)) * [1.0, 0.5, 0.2]
    whole = participation(means)
    pseudo = [60 * whole - 59 * participation(np.delete(means, sample, axis=0)) for sample in range(60)]
    assert linear_dimension(means, paired_bootstrap(60, 200, 0.95, 0)).value == pytest.approx(np.mean(pseudo), rel=1e-9)


def test_intervals_of_the_participation_ratio_hold_the_truth():
    truth, held = 25 / 17, 0
    for seed in range(100):
        means = np.random.default_rng(seed).normal(size=(150, 2)) * [2.0, 1.0]
        found = linear_dimension(means, paired_bootstrap(150, 200, 0.95, seed))
        held += found.lower <= truth <= found.upper
    assert held >= 88


def test_the_intrinsic_dimension_is_what_a_loop_over_samples_gives():
    points = np.random.default_rng(2).normal(size=(80, 3))
    logs = []
    for sample, point in enumerate(points):
        distances = sorted(np.linalg.norm(other - point) for k, other in enumerate(points) if k != sample)
        logs.append(np.log(distances[1] / distances[0]))
    assert intrinsic_dimension(points, context({})).value == pytest.approx(80 / sum(logs), rel=1e-9)


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_the_intrinsic_dimension_of_a_curved_surface_is_its_own(dimension):
    flat = np.random.default_rng(3).uniform(0, 1, (2000, dimension))
    bent = (
        np.concatenate([np.cos(2 * np.pi * flat), np.sin(2 * np.pi * flat)], axis=1)
        @ np.linalg.qr(np.random.default_rng(4).normal(size=(8, 8)))[0][: 2 * dimension]
    )
    found = intrinsic_dimension(bent, context({}))
    assert found.value == pytest.approx(dimension, rel=0.08)
    assert found.upper - found.lower < 0.15 * dimension


@pytest.mark.parametrize(
    "points", [np.zeros((30, 2)), np.random.default_rng(0).normal(size=(20, 2)), np.eye(30, 2) * 1.0]
)
def test_dimensions_that_no_samples_tell_are_undefined(points):
    distinct = np.unique(points, axis=0)
    assert intrinsic_dimension(distinct, context({})) == Dimension()
    assert linear_dimension(np.zeros((30, 2)), paired_bootstrap(30, 200, 0.95, 0)) == Dimension()


def test_states_follow_intervals():
    assert [state_of(*ends, 0.01) for ends in ((0.02, 0.03), (0.001, 0.01), (0.005, 0.02))] == [
        "active", "inactive", "undecided",
    ]  # fmt: skip


def test_latents_that_do_not_vary_are_inactive_and_a_point_has_no_variance_of_its_own():
    rng = np.random.default_rng(5)
    table = {"mean:0": rng.normal(size=300), "mean:1": np.zeros(300), "mean:2": 0.1 * rng.normal(size=300)}
    found = estimate_posterior(context(table), 0.01)
    assert [latent.state for latent in found.latents] == ["active", "inactive", "undecided"]
    assert found.latents[0].variance == pytest.approx(np.var(table["mean:0"], ddof=1))
    assert {latent.spread for latent in found.latents} == {None}
    spread = estimate_posterior(context({**table, "logvar:0": np.log(rng.uniform(0.5, 1.5, 300))} | {
        f"logvar:{k}": np.full(300, np.log(0.25)) for k in (1, 2)
    }), 0.01)  # fmt: skip
    assert spread.latents[0].spread == pytest.approx(1, abs=0.05)
    assert spread.latents[1].spread == pytest.approx(0.25)


def test_a_compiled_network_has_the_variances_that_plain_encoding_gives(tmp_path: Path):
    (tmp_path / "s.yaml").write_text(SPEC)
    results = causalvae.run(tmp_path / "s.yaml", out=tmp_path / "runs").results
    found = results.analyses["aggregate_posterior"]
    session = causalvae.open(tmp_path / "s.yaml")
    cohort = next(each for each in causalvae.compile_plan(session).cohorts if each.name == "observed")
    inputs = session.dataset.inputs(draw_cohort(session.dataset, cohort, session.split).rows["base"])
    with torch.inference_mode():
        means = session.model.vae.encode(inputs).mean.double().numpy()
    assert [latent.variance for latent in found.latents] == pytest.approx(means.var(axis=0, ddof=1), rel=1e-5)
    # Of a uniform distribution of width w the variance is w^2 / 12; no other latent reads the input.
    largest = sorted((latent.variance for latent in found.latents), reverse=True)
    assert largest[:4] == pytest.approx([1 / 12, 0.25 / 12, 0.01 / 12, 0], rel=0.15, abs=1e-12)
    assert [latent.state for latent in found.latents].count("active") == 2
    variances = np.array([1, 0.25, 0.01])
    assert found.linear.value == pytest.approx(variances.sum() ** 2 / (variances**2).sum(), abs=0.15)
    assert 1.9 < found.intrinsic.value < 3.2
    (folder,) = (path for path in (tmp_path / "runs" / "used").iterdir() if (path / "results.json").exists())
    assert causalvae.load_run(folder).results.analyses["aggregate_posterior"] == found
    assert "The encoder uses 2 of 9 latents" in (folder / "report.md").read_text()
    kept = json.loads((folder / "results.json").read_text())["analyses"]["aggregate_posterior"]
    assert kept["threshold"] == 0.01
    assert "Participation ratio" in (folder / "report.html").read_text()


def made(**changed) -> AggregatePosterior:
    latents = (LatentUse(0, 1.0, 0.9, 1.1, 0.02, "active"), LatentUse(1, 0.01, 0.005, 0.02, None, "undecided"))
    fields = {"samples": 500, "distinct": 500, "threshold": 0.01, "is_map": False}
    return AggregatePosterior(
        latents, **fields, **{"linear": Dimension(1.5, 1.2, 1.8), "intrinsic": Dimension()} | changed
    )


def test_the_view_counts_latents_and_says_what_is_undefined():
    view = view_posterior(made())
    assert view.answer == "The encoder uses 1 of 2 latents (1 undecided); they spread over 1.50 dimensions."
    assert view.warnings == ()
    assert view.sections[0].blocks[1].rows[1][1] == ABSENT
