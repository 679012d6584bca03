"""What the analyses and the levels of interventions of a run show of their results, in every format."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from causalvae.report.blocks import Mark, Section
from causalvae.report.glossary import Term
from causalvae.report.tables import Table
from causalvae.results import Results, UnreadResult
from causalvae.spec.analysis import ANALYSES
from causalvae.spec.intervention_section import LEVELS


@dataclass(frozen=True)
class AnalysisView:
    """How the result of an analysis, or of the interventions of one level, is shown.

    Parameters
    ----------
    sections : tuple of Section
        Of the HTML and Markdown reports.
    answer : str
        A sentence for the answer at the top of the report; empty where there is none.
    terminal : tuple of (Table or str)
        What a terminal prints: tables, and lines of text.
    warnings : tuple of str
        What a reader must know before trusting the numbers.
    terms : tuple of Term
        What the report's glossary explains.
    mark : {"✓", "✗", "?", "•"}
        Before the answer: what was tested is right, wrong, or not decided; a dot where nothing could be wrong.
    """

    sections: tuple[Section, ...] = ()
    answer: str = ""
    terminal: tuple[Table | str, ...] = ()
    warnings: tuple[str, ...] = ()
    terms: tuple[Term, ...] = ()
    mark: Mark = "•"


def views_of(analyses: Mapping[str, Any]) -> tuple[AnalysisView, ...]:
    """The views of results, given by the names of their analyses."""
    return tuple(
        _unread(name, result) if isinstance(result, UnreadResult) else ANALYSES.get(name).view(result)
        for name, result in analyses.items()
    )


def views_in(results: Results) -> tuple[AnalysisView, ...]:
    """The views of all analyses of a run, in the order of their names."""
    fields = {name: ANALYSES.get(name).result_field for name in ANALYSES.own}
    held = {name: getattr(results, field) for name, field in fields.items() if field}
    found = {name: result for name, result in held.items() if result is not None}
    return views_of(dict(sorted({**found, **results.analyses}.items())))


def level_views(results: Results) -> tuple[AnalysisView, ...]:
    """The views of the levels of a run's interventions, from the input to the output."""
    # Results that were written before they had their levels have those of this package.
    kinds = {name: LEVELS.find(name) for name in (*LEVELS.own, *results.levels)}
    found = (kind.view(results) for kind in sorted(filter(None, kinds.values()), key=lambda kind: kind.order))
    return tuple(view for view in found if view is not None)


def left_out_words(asked: Iterable[str], analyses: Container[str]) -> Iterator[str]:
    """That analyses which the spec asks for have no result, as where the stages are called one by one."""
    missing = [name for name in asked if name not in analyses]
    if missing:
        yield f"Without a result, because causalvae.measure was not called before: {', '.join(missing)}."


def _unread(name: str, result: UnreadResult) -> AnalysisView:
    words = f"The result of this analysis is in results.json and cannot be shown: {result.why}."
    return AnalysisView((Section(name, name, words, ()),), terminal=(f"{name}: {words}",))
