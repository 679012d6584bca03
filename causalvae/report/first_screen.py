"""The first screen of a report: what was found, in the user's words and in natural units, and how certain it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from causalvae.circuits.types import STATUSES, Status, Verdict
from causalvae.report.alignment_findings import repair_sentences
from causalvae.report.alignment_words import headline_sentences
from causalvae.report.analysis_view import AnalysisView
from causalvae.report.answer import explored_parts
from causalvae.report.blocks import Answer, AnswerLine, Mark
from causalvae.report.charts import draw_interval
from causalvae.report.glossary import term_of
from causalvae.report.numbers import format_count, format_number
from causalvae.report.tables import unit_words
from causalvae.report.verdict_words import name_circuit, reason
from causalvae.results import Results

MARKS: dict[Status, Mark] = {"supported": "✓", "refuted": "✗", "unspecific": "?", "inconclusive": "?"}
_MOST_CLAIMS, _MOST_NAMED = 12, 4


def first_screen(results: Results, views: Sequence[AnalysisView]) -> Answer:
    """What was found, and how certain it is.

    Parameters
    ----------
    results : Results
    views : sequence of AnalysisView
        Of the analyses that the run was asked for.
    """
    verdicts = results.verdicts
    # What is wrong or open comes after what holds, in the order of the spec; what does not fit is counted.
    found = [_claim(results, position, verdict) for position, verdict in enumerate(verdicts[:_MOST_CLAIMS])]
    if verdicts[_MOST_CLAIMS:]:
        found.append(_further(verdicts[_MOST_CLAIMS:]))
    if not verdicts:
        explored = [
            text for parts in explored_parts(results.estimates, results.units, results.sweeps) for text in parts
        ]
        found += [AnswerLine("•", f"{text}.", anchor=_explored_anchor(results)) for text in explored[:_MOST_CLAIMS]]
        if explored[_MOST_CLAIMS:]:
            found.append(AnswerLine("•", f"{len(explored) - _MOST_CLAIMS} further findings.", anchor="metrics"))
    found += [
        AnswerLine(view.mark, view.answer, anchor=view.sections[0].anchor if view.sections else "")
        for view in views
        if view.answer
    ]
    if results.alignment is not None and results.graph.edges:
        lines = [AnswerLine(item.mark, item.text, anchor="alignment") for item in headline_sentences(results.alignment)]
        # The mapping comes last, with what would work in its place.
        found += lines[:-1] + [replace(line, details=repair_sentences(results.alignment)) for line in lines[-1:]]
    return Answer(tuple(found) or (AnswerLine("?", "No effect could be measured."),), _certain(results))


def verdict_anchor(position: int) -> str:
    """Where the card of a hypothesis is."""
    return f"claim-{position + 1}"


def _claim(results: Results, position: int, verdict: Verdict) -> AnswerLine:
    details = [reason(verdict, brief=True)]
    effect = effect_words(results, verdict)
    if effect:
        details.append(effect)
    judged = next((test for test in verdict.tests if test.name == verdict.broken), None)
    shown = judged or next(iter(verdict.tests), None)
    return AnswerLine(
        MARKS[verdict.status],
        f"{verdict.words}.",
        verdict.status,
        tuple(filter(None, details)),
        verdict_anchor(position),
        None if shown is None else draw_interval(shown, 240),
    )


def effect_words(results: Results, verdict: Verdict) -> str:
    """How far the treatment moves the outcome, in the outcome's own unit, and through what; empty if not known."""
    failing, outcome = verdict.failing, results.graph.outcome_words(verdict.outcome)
    if failing is not None:
        size, unit, n, kind = failing.effect, failing.unit, failing.n, "root mean square"
    else:
        known = next(
            (
                e
                for e in results.estimates
                if (e.treatment, e.outcome, e.estimand) == (verdict.treatment, verdict.outcome, "total_effect")
                and not e.component
                and e.estimator == "exact"
            ),
            None,
        )
        if known is None:
            return ""
        size, unit, n, kind = known.value, known.unit, known.n, "mean"
    amount = f"{format_number(size)} {unit_words(unit)}"
    return (
        f"{verdict.treatment} moves {outcome} by {amount} ({kind} of {format_count(n)} pairs); "
        f"circuit: {name_circuit(verdict.circuit) or 'none'}."
    )


def _further(verdicts: Sequence[Verdict]) -> AnswerLine:
    counts = {status: sum(verdict.status == status for verdict in verdicts) for status in STATUSES}
    told = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    mark: Mark = "✗" if counts["refuted"] else "?" if counts["unspecific"] or counts["inconclusive"] else "✓"
    return AnswerLine(mark, f"{format_count(len(verdicts))} further claims: {told}.", anchor="verdicts")


def _explored_anchor(results: Results) -> str:
    return "perturbations" if any(not unit.treatment for unit in results.units) else "effects"


def _certain(results: Results) -> tuple[AnswerLine, ...]:
    pairs = _pairs(results)
    return (*(() if pairs is None else (pairs,)), *checks_of(results))


def checks_of(results: Results) -> tuple[AnswerLine, ...]:
    """Whether controls, readouts, second computations and refuters passed."""
    return tuple(filter(None, (_controls(results), _readouts(results), _others(results))))


def _pairs(results: Results) -> AnswerLine | None:
    counts = sorted({test.n for verdict in results.verdicts for test in verdict.tests if test.n})
    counts = counts or sorted({use.used for use in results.samples.cohorts if use.paired})
    if not counts:
        return None
    ends = dict.fromkeys((format_count(counts[0]), format_count(counts[-1])))
    text = f"Effects are measured on {' to '.join(ends)} pairs."
    level = next((e.confidence for e in results.estimates if e.confidence is not None), None)
    if level is not None:
        text = (
            f"Effects are measured on {' to '.join(ends)} pairs; each interval holds at {100 * level:g} % confidence."
        )
    if results.verdicts:
        count, alphas = len(results.verdicts), dict.fromkeys(f"{verdict.alpha:g}" for verdict in results.verdicts)
        claims = f"{count} claims together (Holm)" if count > 1 else "the claim"
        text = f"{' to '.join(ends)} pairs for each claim, error level {', '.join(alphas)} for {claims}."
    short = [use for use in results.samples.cohorts if use.used < use.asked]
    if short:
        named = ", ".join(f"{use.cohort} ({format_count(use.used)} of {format_count(use.asked)})" for use in short)
        return AnswerLine("?", f"{text} There are fewer samples than the spec asks for: {named}.", anchor="samples")
    return AnswerLine("•", text)


def _counted(passed: int, total: int, names: Sequence[str], what: str, verb: str, anchor: str) -> AnswerLine:
    if passed == total:
        return AnswerLine("✓", f"{passed} of {total} {what} {verb}.", anchor=anchor)
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return AnswerLine(
        "✗", f"{total - passed} of {total} {what} failed: {', '.join(names[:_MOST_NAMED])}{more}.", anchor=anchor
    )


def _controls(results: Results) -> AnswerLine | None:
    if not results.controls:
        return AnswerLine("?", "No controls were run.")
    failed = [control.name for control in results.controls if not control.passed]
    total = len(results.controls)
    return _counted(total - len(failed), total, failed, "controls", "passed", "checks")


def _readouts(results: Results) -> AnswerLine | None:
    checks = results.readouts
    if not checks:
        return None
    failed = [check.attribute for check in checks if not check.passed]
    return _counted(
        len(checks) - len(failed), len(checks), failed, "readouts", "agree with the data's labels", "checks"
    )


def _others(results: Results) -> AnswerLine | None:
    """Effects that were computed another way, and refuters."""
    judged = [check for check in results.cross_checks if check.agrees is not None]
    outcomes = [(f"{term_of(check.estimand).short} by {check.method}", bool(check.agrees)) for check in judged]
    outcomes += [
        (f"{r.refuter.replace('_', ' ')} of {term_of(r.estimand).short}", r.passed) for r in results.refutations
    ]
    if not outcomes:
        return None
    failed = [name for name, passed in outcomes if not passed]
    total = len(outcomes)
    return _counted(total - len(failed), total, failed, "independent computations and refuters", "agree", "mediation")
