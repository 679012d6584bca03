"""The classical disentanglement scores, as tables and sentences."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from causalvae.analyses.disentanglement.glossary import DEAD, SCORES, score_term
from causalvae.disentanglement.report import ScoreReport
from causalvae.report.analysis_view import AnalysisView
from causalvae.report.blocks import Block, Folded, Prose, Section
from causalvae.report.numbers import ABSENT, format_count, format_fixed, format_interval
from causalvae.report.tables import Table, columns

_DECIMALS = 3


def view_scores(scores: ScoreReport) -> AnalysisView:
    """The scores of a run, or why it has none."""
    if scores.absent:
        brief: tuple[Table | str, ...] = (f"Classical disentanglement: no scores. {scores.absent}",)
    else:
        brief = (replace(score_table(scores).filled, notes=()), score_words(scores))
    named = {row.name for row in scores.rows}
    terms = [term for name, term in SCORES.items() if name in named]
    terms += [DEAD] if named and scores.dead else []
    return AnalysisView((_section(scores),), terminal=brief, terms=tuple(terms))


def _section(scores: ScoreReport) -> Section:
    lead = (
        "How well single latents represent the labelled factors of the data, by the scores of the literature. They "
        "use no interventions: they measure what the encoder's means contain about the factors. The column Factors "
        "has the score of the factors themselves, and the column Random the score of this network with random "
        "weights, all its latents counted. A score is informative only relative to these two."
    )
    if scores.absent:
        return Section("scores", "Classical disentanglement", f"There are no scores: {scores.absent}", ())
    blocks: list[Block] = [Prose(score_words(scores)), score_table(scores).filled]
    importance = importance_table(scores)
    if importance is not None:
        blocks.append(Folded(importance.caption, importance))
    return Section("scores", "Classical disentanglement", lead, tuple(blocks))


def score_table(scores: ScoreReport) -> Table:
    """Each score of the network next to what it is for the data's factors and for random weights."""
    notes: dict[str, list[str]] = {}
    for row in scores.rows:
        if row.note:
            notes.setdefault(row.note, []).append(score_term(row.name).short)
    return Table(
        "Classical scores, compared with the data's own factors and a network with random weights",
        columns("Score", "Network [interval]#", "Factors#", "Random#"),
        tuple(
            (
                score_term(row.name).short,
                _estimate(row.value, row.lower, row.upper),
                format_fixed(row.oracle, _DECIMALS),
                format_fixed(row.random, _DECIMALS),
            )
            for row in scores.rows
        ),
        tuple(f"{', '.join(names)}: {note}" for note, names in notes.items()),
    )


def _estimate(value: float | None, lower: float | None, upper: float | None) -> str:
    if value is None or lower is None or upper is None:
        return format_fixed(value, _DECIMALS)
    return format_interval(value, lower, upper)


def score_words(scores: ScoreReport) -> str:
    """What was scored, on what, and which latents were omitted."""
    words = f"Of {format_count(scores.latents)} latents {_dead_words(scores)}."
    words += f" Measured on {_distinct(scores.samples, scores.asked_samples)} of {scores.data}"
    if scores.test_samples:
        words += f", predictors tested on {_distinct(scores.test_samples, scores.asked_test_samples, 'other ')}"
    words += f", {format_count(scores.draws)} times over" if scores.draws > 1 else ""
    words += f" (seed {scores.seed})"
    words += f"; DCI by {scores.predictor}." if scores.predictor else "."
    left_out = [f"Not scored: {'; '.join(scores.left_out)}."] if scores.left_out else []
    return " ".join([words, *_bias_words(scores), *left_out, *_undefined_words(scores), *scores.notes])


def _distinct(samples: int, asked: int, other: str = "") -> str:
    """How many samples; how many were asked for where there are fewer."""
    short = f" (of {format_count(asked)} asked for)" if samples < asked else ""
    return f"{format_count(samples)} {other}distinct samples{short}"


def _undefined_words(scores: ScoreReport) -> Iterable[str]:
    """Which scores are not defined on these data, and why."""
    reasons: dict[str, list[str]] = {}
    for row in scores.rows:
        if row.value is None and row.note:
            reasons.setdefault(row.note, []).append(score_term(row.name).short)
    for note, names in reasons.items():
        yield f"Not defined: {', '.join(names)}. {note}"


def _bias_words(scores: ScoreReport) -> Iterable[str]:
    """Which scores lie outside their own intervals, and why that is no mistake."""
    outside = [
        score_term(row.name).short
        for row in scores.rows
        if row.value is not None and row.lower is not None and row.upper is not None
        if not row.lower <= row.value <= row.upper
    ]
    if outside:
        verb = "lies outside its interval" if len(outside) == 1 else "lie outside their intervals"
        yield (
            f"{' and '.join(outside)} {verb}, which allow{'s' if len(outside) == 1 else ''} for the bias that so few "
            "samples have: draw more."
        )


def _dead_words(scores: ScoreReport) -> str:
    if not scores.dead:
        return "none is excluded as dead"
    listed = ", ".join(f"latent[{latent}]" for latent in scores.dead)
    verb = "is" if len(scores.dead) == 1 else "are"
    return (
        f"{format_count(len(scores.dead))} {verb} dead and excluded (mean KL not above {scores.kl_threshold:g} nats): "
        f"{listed}"
    )


def importance_table(scores: ScoreReport) -> Table | None:
    """How much DCI's predictors of each factor use each latent; None where DCI was not measured."""
    if not scores.importance:
        return None
    rows = tuple(
        (f"latent[{latent}]", *(ABSENT if share is None else format_fixed(share, 2) for share in shares))
        for latent, shares in enumerate(scores.importance)
        if latent not in scores.dead
    )
    return Table(
        "Share of each factor's prediction that rests on each latent (DCI)",
        columns("Latent", *(f"{factor}#" for factor in scores.factors)),
        rows,
        ("A disentangled code has one large number a row, a complete one has one a column.",),
    )
