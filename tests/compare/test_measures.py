"""What a run is summarised by."""

from __future__ import annotations

from dataclasses import replace

import pytest

from causalvae.alignment.types import Alignment, GraphCount, Headline, LinkCount, Support
from causalvae.comparison.summarise import measures_of
from causalvae.comparison.summarise import summarise as compare
from causalvae.disentanglement import ScoreReport, ScoreRow
from causalvae.effects.types import Estimate, MetricRow
from causalvae.report.comparison_document import build_comparison
from causalvae.results import GraphSummary, Results


def results(
    *estimates: Estimate,
    metrics: tuple[MetricRow, ...] = (),
    scores: ScoreReport | None = None,
    data: dict[str, object] | None = None,
) -> Results:
    graph = GraphSummary((), (), (), {})
    return Results(
        "run", "", "", "", (), estimates, (), None, graph, (), (), (), (), {}, data or {}, {}, {},
        metrics=metrics, scores=scores,
    )  # fmt: skip


def summarise(
    *estimates: Estimate, metrics: tuple[MetricRow, ...] = (), scores: ScoreReport | None = None
) -> dict[str, tuple[float | None, float | None, float | None]]:
    found = measures_of(results(*estimates, metrics=metrics, scores=scores))
    return {measure.name: (measure.value, measure.lower, measure.upper) for measure in found}


def whole(estimand: str, value: float, outcome: str, treatment: str = "") -> Estimate:
    return Estimate(estimand, value, "share", 64, outcome, value - 0.1, value + 0.1, 0.95, treatment=treatment)


def test_modularity_is_averaged_over_layers_and_a_share_keeps_its_interval() -> None:
    found = summarise(
        whole("modularity", 0.8, "decoder.lin1"),
        whole("modularity", 0.6, "decoder.lin2"),
        whole("polysemantic_share", 0.5, "factors"),
        whole("polysemantic_share", 0.1, "factors", treatment="resize"),
    )
    assert found["modularity"] == (pytest.approx(0.7), None, None)
    assert found["polysemantic share"] == pytest.approx((0.5, 0.4, 0.6))


def test_a_run_without_perturbed_latents_has_neither() -> None:
    found = summarise(whole("polysemantic_share", 0.1, "factors", treatment="resize"))
    assert found["modularity"] == found["polysemantic share"] == (None, None, None)


def row(metric: str, value: float, unit: str, owner: str = "intervention:sweep") -> MetricRow:
    return MetricRow(metric, owner, "quantile", unit, value, None, None, None, 3)


def test_strength_and_specificity_are_those_of_the_reports_metrics() -> None:
    found = summarise(
        *(
            Estimate("specificity_bounded", value, "share", 8, "attributes", component=f"latent[{k}]")
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
    assert found["mean specificity"][0] == 0.9
    assert found["specificity of all latents"][0] == pytest.approx(0.5)
    assert found["mean strength"][0] == 3.0


def test_classical_scores_are_named_apart_from_metrics_of_interventions() -> None:
    rows = (
        ScoreRow("DCI disentanglement", 0.3),
        ScoreRow("MIG", 0.2, 0.1, 0.25),
        ScoreRow("modularity", 0.8),
        ScoreRow("SAP", None, note="why"),
    )
    found = summarise(whole("modularity", 0.5, "decoder"), scores=ScoreReport(rows))
    assert found["disentanglement"] == (0.3, None, None)
    assert found["MIG"] == (0.2, 0.1, 0.25)
    assert (found["modularity"][0], found["code modularity"][0], found["SAP"][0]) == (0.5, 0.8, None)
    assert "disentanglement" not in summarise(whole("modularity", 0.5, "decoder"))


def sides(pairs: list[tuple[float, float]], source: str = "dsprites") -> list[tuple[str, str, Results, str]]:
    return [
        (
            f"{source} {number}",
            "",
            results(metrics=(row("causal_effect_strength", strength, "pixel L2"),),
                    scores=ScoreReport((ScoreRow("DCI disentanglement", score),)), data={"source": source, "seed": 1}),
            "",
        )
        for number, (strength, score) in enumerate(pairs)
    ]  # fmt: skip


def test_too_few_networks_are_not_correlated_and_that_is_said() -> None:
    few = compare("c", "", sides([(1, 4), (2, 3), (3, 2), (4, 1)]))
    assert few.correlations == ()
    assert "4 on one data set" in few.too_few and "0.083" in few.too_few
    # Two data sets of four networks each are no eight networks.
    both = compare("c", "", sides([(1, 4), (2, 3), (3, 2), (4, 1)]) + sides([(1, 4), (2, 3), (3, 2), (4, 1)], "other"))
    assert both.correlations == () and both.too_few


def test_enough_networks_are_ranked_within_their_data() -> None:
    pairs = [(1.0, 5.0), (2.0, 4.0), (3.0, 3.0), (4.0, 2.0), (6.0, 1.0)]
    found = compare("c", "", sides(pairs))
    (correlation,) = found.correlations
    assert (correlation.left, correlation.right) == ("mean strength", "disentanglement")
    assert correlation.value == pytest.approx(-1) and correlation.n == 5 and not found.too_few
    # 2 of 120 orders are as far, of which one is this one.
    assert correlation.p_value == pytest.approx(2 / 120, abs=0.008)
    # Data sets whose levels differ are ranked apart: pooled as they are, this would look like agreement.
    shifted = [(a + 100, b + 100) for a, b in pairs]
    (pooled,) = compare("c", "", sides(pairs) + sides(shifted, "other")).correlations
    assert pooled.value == pytest.approx(-1) and pooled.n == 10 and pooled.data == "2 data sets"


def test_a_side_says_what_its_classical_columns_are() -> None:
    found = compare("c", "", sides([(1, 4), (2, 3)]))
    page = build_comparison(found)
    (networks,) = [section for section in page.sections if section.anchor == "networks"]
    assert "Disentanglement is that of DCI." in networks.lead
    assert any(term.short == "DCI disentanglement" for term in page.glossary)


def test_effects_are_kept_only_where_that_is_shown() -> None:
    untested = LinkCount(0, 0, 0)
    lost, invented = LinkCount(departs=1, tested=8, undecided=3), LinkCount(departs=2, tested=16, undecided=4)
    headline = Headline(GraphCount(24, 0, 0, 0), lost, invented, untested, untested, (), (), None, None)
    alignment = Alignment((), headline, (), (), Support(None, 0.0), (), None, None, "", "holm", 0.05, 0.1, 0, 0.0)
    found = {each.name: each.value for each in measures_of(replace(results(), alignment=alignment))}
    assert (found["effects kept"], found["effects invented"], found["worst interchange"]) == (0.5, 0.125, None)
    alignment = replace(alignment, headline=replace(headline, lost=untested, invented=untested))
    found = {each.name: each.value for each in measures_of(replace(results(), alignment=alignment))}
    assert (found["effects kept"], found["effects invented"]) == (None, None)
