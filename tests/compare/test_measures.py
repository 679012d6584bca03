"""What a run is summarised by."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from causalvae.alignment.types import Alignment, GraphCount, Headline, LinkCount, Support
from causalvae.disentanglement import ScoreReport, ScoreRow
from causalvae.effects.types import Estimate, MetricRow
from causalvae.plan.owner import Owner
from causalvae.report.measure_labels import MEASURE_LABELS
from causalvae.results import DataDraw, GraphSummary, NetworkFit, Results
from causalvae.spec.measures import MeasureName
from causalvae.study.measures import measures_of
from causalvae.study.page import build_study, too_few_words
from causalvae.study.summary import summarise_comparison
from causalvae.study.types import StudyResults, StudyRun
from tests.targets import target

SWEEP = Owner.intervention("sweep")
estimate_of = partial(Estimate, owner=Owner.intervention("move"))


def results(
    *estimates: Estimate,
    metrics: tuple[MetricRow, ...] = (),
    scores: ScoreReport | None = None,
    draw: DataDraw | None = None,
) -> Results:
    graph = GraphSummary((), (), (), {})
    return Results(
        "run", "", "", "", (), estimates, (), None, graph, (), (), (), (), {}, {}, {}, {},
        metrics=metrics, scores=scores, draw=draw,
    )  # fmt: skip


def summarise(
    *estimates: Estimate, metrics: tuple[MetricRow, ...] = (), scores: ScoreReport | None = None
) -> dict[MeasureName, tuple[float | None, float | None, float | None]]:
    found = measures_of(results(*estimates, metrics=metrics, scores=scores))
    return {measure.name: (measure.value, measure.lower, measure.upper) for measure in found}


def whole(estimand: str, value: float, outcome: str, treatment: str = "") -> Estimate:
    return estimate_of(estimand, value, "share", 64, outcome, value - 0.1, value + 0.1, 0.95, treatment=treatment)


def test_modularity_is_averaged_over_layers_and_a_share_keeps_its_interval() -> None:
    found = summarise(
        whole("modularity", 0.8, "decoder.lin1"),
        whole("modularity", 0.6, "decoder.lin2"),
        whole("polysemantic_share", 0.5, "factors"),
        whole("polysemantic_share", 0.1, "factors", treatment="resize"),
    )
    assert found[MeasureName.MODULARITY] == (pytest.approx(0.7), None, None)
    assert found[MeasureName.POLYSEMANTIC_SHARE] == pytest.approx((0.5, 0.4, 0.6))


def test_a_run_without_perturbed_latents_has_neither() -> None:
    found = summarise(whole("polysemantic_share", 0.1, "factors", treatment="resize"))
    assert found[MeasureName.MODULARITY] == found[MeasureName.POLYSEMANTIC_SHARE] == (None, None, None)


def row(metric: str, value: float, unit: str, owner: Owner = SWEEP) -> MetricRow:
    return MetricRow(metric, owner, "quantile", unit, value, None, None, None, 3)


def test_strength_and_specificity_are_those_of_the_reports_metrics() -> None:
    found = summarise(
        *(
            estimate_of("specificity_bounded", value, "share", 8, "attributes", component=target(f"latent[{k}]"))
            for k, value in enumerate((0.9, 0.1))
        ),
        metrics=(
            row("specificity_bounded", 0.9, "share"),
            row("specificity", 12.0, "1/nat"),
            row("causal_effect_strength", 3.0, "pixel L2"),
            row("causal_effect_strength", 0.1, "pixel RMS"),
        ),
    )
    # The second latent is inert: the metrics leave it out, and what counts it too has a name of its own.
    assert found[MeasureName.SPECIFICITY][0] == 0.9
    assert found[MeasureName.SPECIFICITY_OF_ALL][0] == pytest.approx(0.5)
    assert found[MeasureName.STRENGTH][0] == 3.0


def test_the_fit_of_the_network_is_a_measure() -> None:
    found = {each.name: each.value for each in measures_of(replace(results(), fit=NetworkFit(12.3456, None)))}
    assert (found[MeasureName.RECONSTRUCTION], found[MeasureName.KL]) == (12.35, None)
    assert all(each.value is None for each in measures_of(results()))


def test_every_measure_has_a_label_of_its_own() -> None:
    assert set(MEASURE_LABELS) == set(MeasureName)
    assert len(set(MEASURE_LABELS.values())) == len(MeasureName)


def test_data_sets_of_one_source_are_told_apart() -> None:
    runs = sides([(1, 2)], "csv") + sides([(1, 2)], "scm")
    other = replace(results(), draw=DataDraw("csv", "other", 1))
    runs.append(StudyRun("third", "", measures_of(other), results=other))
    again = replace(results(), draw=DataDraw("csv", "csv", 9))
    runs.append(StudyRun("fourth", "", measures_of(again), results=again))
    found = compare(runs)
    assert [run.data for run in found.runs] == ["csv", "scm", "csv 2", "csv"]
    assert any("different data or draws" in warning for warning in found.warnings)
    assert not compare(sides([(1, 2), (2, 3)])).warnings


def test_classical_scores_are_named_apart_from_metrics_of_interventions() -> None:
    rows = (
        ScoreRow("DCI disentanglement", 0.3),
        ScoreRow("MIG", 0.2, 0.1, 0.25),
        ScoreRow("modularity", 0.8),
        ScoreRow("SAP", None, note="why"),
    )
    found = summarise(whole("modularity", 0.5, "decoder"), scores=ScoreReport(rows))
    assert found[MeasureName.DISENTANGLEMENT] == (0.3, None, None)
    assert found[MeasureName.MIG] == (0.2, 0.1, 0.25)
    assert (found[MeasureName.MODULARITY][0], found[MeasureName.CODE_MODULARITY][0], found[MeasureName.SAP][0]) == (
        0.5,
        0.8,
        None,
    )
    assert MeasureName.DISENTANGLEMENT not in summarise(whole("modularity", 0.5, "decoder"))


def sides(pairs: list[tuple[float, float]], source: str = "dsprites") -> list[StudyRun]:
    return [
        StudyRun(f"{source} {number}", "", measures_of(found), results=found)
        for number, (strength, score) in enumerate(pairs)
        for found in [
            results(
                metrics=(row("causal_effect_strength", strength, "pixel L2"),),
                scores=ScoreReport((ScoreRow("DCI disentanglement", score),)),
                draw=DataDraw(source, source, 1),
            )
        ]
    ]


def compare(runs: list[StudyRun]) -> StudyResults:
    return summarise_comparison("c", "", runs)


def test_too_few_networks_are_not_correlated_and_that_is_said() -> None:
    few = compare(sides([(1, 4), (2, 3), (3, 2), (4, 1)]))
    assert few.correlations == ()
    assert few.too_few == 4
    assert "4 on one data set" in too_few_words(few) and "0.083" in too_few_words(few)
    # Two data sets of four networks each are no eight networks.
    both = compare(sides([(1, 4), (2, 3), (3, 2), (4, 1)]) + sides([(1, 4), (2, 3), (3, 2), (4, 1)], "other"))
    assert both.correlations == () and both.too_few


def test_enough_networks_are_ranked_within_their_data() -> None:
    pairs = [(1.0, 5.0), (2.0, 4.0), (3.0, 3.0), (4.0, 2.0), (6.0, 1.0)]
    found = compare(sides(pairs))
    (correlation,) = found.correlations
    assert (correlation.left, correlation.right) == (MeasureName.STRENGTH, MeasureName.DISENTANGLEMENT)
    assert correlation.value == pytest.approx(-1) and correlation.n == 5 and not found.too_few
    # 2 of 120 orders are as far, of which one is this one.
    assert correlation.p_value == pytest.approx(2 / 120, abs=0.008)
    # Data sets whose levels differ are ranked apart: pooled as they are, this would look like agreement.
    shifted = [(a + 100, b + 100) for a, b in pairs]
    (pooled,) = compare(sides(pairs) + sides(shifted, "other")).correlations
    assert pooled.value == pytest.approx(-1) and pooled.n == 10 and pooled.data == ("dsprites", "other")


def test_a_side_says_what_its_classical_columns_are() -> None:
    found = compare(sides([(1, 4), (2, 3)]))
    page = build_study(found)
    (networks,) = [section for section in page.sections if section.anchor == "networks"]
    assert "Disentanglement is that of DCI." in networks.lead
    assert any(term.short == "DCI disentanglement" for term in page.glossary)


def test_effects_are_kept_only_where_that_is_shown() -> None:
    untested = LinkCount(0, 0, 0)
    lost, invented = LinkCount(departs=1, tested=8, undecided=3), LinkCount(departs=2, tested=16, undecided=4)
    headline = Headline(GraphCount(24, 0, 0, 0), lost, invented, untested, untested, (), (), None, None)
    alignment = Alignment((), headline, (), (), Support(None, 0.0), (), None, None, "", "holm", 0.05, 0.1, 0, 0.0)
    found = {each.name: each.value for each in measures_of(replace(results(), alignment=alignment))}
    assert (
        found[MeasureName.EFFECTS_KEPT],
        found[MeasureName.EFFECTS_INVENTED],
        found[MeasureName.WORST_INTERCHANGE],
    ) == (0.5, 0.125, None)
    alignment = replace(alignment, headline=replace(headline, lost=untested, invented=untested))
    found = {each.name: each.value for each in measures_of(replace(results(), alignment=alignment))}
    assert (found[MeasureName.EFFECTS_KEPT], found[MeasureName.EFFECTS_INVENTED]) == (None, None)
