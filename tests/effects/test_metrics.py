"""All metrics of one perturbation, on a network whose latents each move one attribute or none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from causalvae.effects.bootstrap import PairedBootstrap
from causalvae.effects.context import EffectContext, open_context
from causalvae.effects.effect_matrix import EffectMatrix
from causalvae.effects.metric_rows import MetricFacts, metric_rows, summarise_facts
from causalvae.effects.metrics import Metrics, measure_metrics
from causalvae.effects.units import classify_units
from causalvae.engine.response_table import OVERLAP, SPREAD, make_frame
from causalvae.plan.owner import Owner
from causalvae.plan.types import Patch
from causalvae.report.metric_tables import metric_table, role_table, role_words
from causalvae.report.notes import notes_words
from causalvae.report.numbers import ABSENT
from causalvae.spec.value_source import make_source
from causalvae.spec.whole_output import WholeOutput
from tests.effects.synthetic import Array, Network, make_spec
from tests.targets import target

OWNER = Owner.intervention("perturb")
N, PIXELS = 60, 16
COLUMNS = np.random.default_rng(1).normal(size=(3, PIXELS)) * np.array([[1.0], [2.0], [0.0]])
LEVELS = (0.1, 0.9)
PERTURB = {"name": "perturb", "latent": {"components": "latent", "values": {"quantiles": list(LEVELS)}}}


def run(edges: Sequence[str] = ("scale -> area", "x -> place")) -> EffectContext:
    z = np.random.default_rng(0).normal(size=(N, 3))

    def decode(latents: Array) -> dict[str, Array]:
        return {"area": 3 * latents[:, 0], "place": np.tanh(latents[:, 1])}

    spec = make_spec(interventions=[PERTURB], edges=edges)
    network = Network(spec, decode, z, image=lambda latents: latents @ COLUMNS)
    network.use(OWNER, "base", network.run("base", z))
    for latent in range(3):
        for index, level in enumerate(LEVELS):
            moved = z.copy()
            moved[:, latent] = np.quantile(z[:, latent], level)
            arm = network.run("base", moved, (Patch("latent", (latent,), make_source("quantile", level)),))
            network.use(OWNER, "perturbation", arm, f"latent[{latent}]", "unit", 2 * latent + index)
    _, measurements = network.finish()
    names = [f"latent[{k}]" for k in range(3)]
    spread = np.repeat(np.array([0.0, np.log(PIXELS), 1.0])[:, None, None], 8, axis=1)
    pairs = [(names[0], names[1]), (names[0], names[2]), (names[1], names[2])]
    overlaps = np.repeat(np.array([0.2, 0.9, 0.9])[:, None, None], 8, axis=1)
    responses = pd.concat(
        [
            make_frame(OWNER, SPREAD, "output", [(name, "") for name in names], spread),
            make_frame(OWNER, OVERLAP, "decoder.lin1", pairs, overlaps),
        ]
    )
    measured = replace(measurements, responses=responses)
    return open_context(spec, measured, WholeOutput.of((1, 1, PIXELS)))


@pytest.fixture(scope="module")
def found() -> Metrics:
    context = run()
    return measure_metrics(context, context)


def row(found: Metrics, metric: str, unit: str) -> Any:
    return next(item for item in found.rows if (item.metric, item.unit) == (metric, unit))


def test_each_latent_is_what_it_is(found: Metrics) -> None:
    assert [(unit.component.label, unit.role) for unit in found.units] == [
        ("latent[0]", "monosemantic"),
        ("latent[1]", "monosemantic"),
        ("latent[2]", "inert"),
    ]
    assert [unit.on for unit in found.units[:2]] == ["scale", "x"]
    assert found.units[0].over == "factors"


def test_estimates_of_the_whole_leave_inert_latents_out(found: Metrics) -> None:
    whole = {e.estimand: e for e in found.estimates if not e.component}
    assert whole["modularity"].value == pytest.approx(0.8) and whole["modularity"].outcome == "decoder.lin1"
    # Two blocks of nearly equal weight.
    assert whole["graph_modularity"].value == pytest.approx(0.5, abs=1e-3)
    share = whole["polysemantic_share"]
    assert (share.value, share.lower, share.upper) == (0.0, 0.0, 0.0)
    assert "2 monosemantic, 0 undecided, 0 undeclared, 1 inert" in notes_words(share.notes)


def test_strength_is_raw_by_pixel_and_calibrated(found: Metrics) -> None:
    z = np.random.default_rng(0).normal(size=(N, 3))
    norms = np.linalg.norm(COLUMNS, axis=1)
    lengths = [
        np.mean([np.abs(np.quantile(z[:, k], level) - z[:, k]).mean() for level in LEVELS]) * norms[k] for k in range(3)
    ]
    raw = row(found, "causal_effect_strength", "pixel L2")
    assert (raw.value, raw.median, raw.units) == (pytest.approx(np.mean(lengths)), pytest.approx(lengths[0]), 3)
    assert row(found, "causal_effect_strength", "pixel RMS").value == pytest.approx(np.mean(lengths) / 4)
    # Two symmetric quantiles weigh the same, so that the calibrated value is the plain mean.
    calibrated = {e.component.label: e for e in found.estimates if e.estimand == "causal_effect_strength_calibrated"}
    assert [calibrated[f"latent[{k}]"].value for k in range(3)] == pytest.approx(lengths)


def test_specificity_is_of_latents_with_an_effect(found: Metrics) -> None:
    assert row(found, "specificity_bounded", "share").value == pytest.approx(1.0)
    pixels = row(found, "output_specificity_bounded", "share")
    assert (pixels.value, pixels.units) == (pytest.approx(0.5), 2)
    each = {e.component.label: e.value for e in found.estimates if e.estimand == "output_specificity_bounded"}
    assert each == pytest.approx({"latent[0]": 1.0, "latent[1]": 0.0, "latent[2]": 1 - 1 / np.log(PIXELS)})


def test_a_baseline_that_cannot_be_had_is_left_out_with_a_word(found: Metrics) -> None:
    for item in found.rows:
        assert item.random == pytest.approx(item.value)
        if item.metric == "modularity":
            assert item.oracle == 1.0
        else:
            assert item.oracle is None and "no oracle" in notes_words(item.notes)
    context = run()
    alone = measure_metrics(context)
    assert all(item.random is None and "no random copy" in notes_words(item.notes) for item in alone.rows)


def test_an_oracle_stands_beside_what_it_bounds(found: Metrics) -> None:
    squares = np.repeat(np.eye(3)[:, :, None], 20, axis=2)
    matrix = EffectMatrix(
        Owner("control", "oracle"), "", "", "", ("a", "b", "c"), ("unit",) * 3, ("r", "s", "t"), squares
    )
    roles = classify_units(matrix, PairedBootstrap(20, 50), 0.1)
    facts = MetricFacts(matrix, tuple(roles), np.ones((3, 20)), WholeOutput.of((1, 1, PIXELS)), graph=(2 / 3, None))
    summary = summarise_facts(facts)
    assert summary["specificity_bounded", "share", ""].value == pytest.approx(1)
    assert summary["polysemantic_share", "share", ""].value == 0
    rows = metric_rows(OWNER, facts, summary, summary, None)
    assert all(item.oracle == pytest.approx(item.value) for item in rows if item.metric != "modularity")
    (lacking,) = [item for item in rows if item.metric == "modularity"]
    assert np.isnan(lacking.value) and "not measured: fewer than two latents" in notes_words(lacking.notes)


@pytest.mark.parametrize(
    ("compared", "why"),
    [({OWNER.name: ("decoder.lin1",)}, "run with hooks"), ({OWNER.name: ()}, "no linear or convolution layer")],
)
def test_a_modularity_that_is_not_there_says_why(compared: dict[str, tuple[str, ...]], why: str) -> None:
    context = run()
    measurements, plan = context.measurements, replace(context.plan, compared=compared)
    bare = replace(measurements, responses=measurements.responses[measurements.responses["quantity"] != OVERLAP])
    rows = measure_metrics(open_context(context.spec, replace(bare, plan=plan), context.scale.whole)).rows
    (lacking,) = [item for item in rows if item.metric == "modularity"]
    assert np.isnan(lacking.value) and why in notes_words(lacking.notes)
    table = metric_table(rows)
    assert any(why in note for note in table.notes)
    assert [cells[2] for cells in table.rows if cells[0] == "modularity"] == [ABSENT]


def test_what_inert_latents_cannot_have_says_so() -> None:
    squares = np.full((3, 2, 20), 1e-6)
    matrix = EffectMatrix(Owner("control", "oracle"), "", "", "", ("a", "b", "c"), ("unit",) * 3, ("r", "s"), squares)
    facts = MetricFacts(
        matrix,
        tuple(classify_units(matrix, PairedBootstrap(20, 50), 0.1)),
        np.ones((3, 20)),
        WholeOutput.of((1, 1, PIXELS)),
    )
    rows = {item.metric: item for item in metric_rows(OWNER, facts, summarise_facts(facts), None, None)}
    for metric in ("specificity_bounded", "polysemantic_share"):
        assert np.isnan(rows[metric].value) and "no latent has an effect" in notes_words(rows[metric].notes)


def test_attributes_serve_where_the_graph_tells_no_factors() -> None:
    context = run(edges=("scale -> area", "scale -> place"))
    units = measure_metrics(context).units
    assert {unit.over for unit in units} == {"attributes"}
    assert "attributes, because the declared graph does not say" in role_words(units)
    assert "Attributes moved [interval]" in [column.name for column in role_table(units).columns]


def test_tables_say_what_a_reader_needs(found: Metrics) -> None:
    table = metric_table(found.rows)
    assert [column.name for column in table.columns][-2:] == ["Oracle", "Random"]
    assert len(table.rows) == len(found.rows)
    assert any("no oracle" in note for note in table.notes)
    kinds = role_table(found.units)
    assert [cells[1] for cells in kinds.rows] == ["monosemantic", "monosemantic", "inert"]
    assert "Factors moved [interval]" in [column.name for column in kinds.columns]
    many = [replace(found.units[2], component=target(f"u[{k}]")) for k in range(40)]
    assert role_table([*found.units, *many]).notes[-1] == "41 inert units are not listed."
