"""What is told about a claim's circuit in addition to its bounds: errors, other circuits, members, other methods."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from causalvae.circuits.types import CircuitScore, Failing, Manifold, Minimality, Multiverse, Rivals, Subsets, Verdict
from causalvae.report.charts import draw_rivals
from causalvae.report.claim_charts import draw_failing, draw_losses, draw_shapley
from causalvae.report.numbers import (
    ABSENT,
    format_count,
    format_fixed,
    format_interval,
    format_number,
    format_p,
    p_words,
)
from causalvae.report.selection_words import selection_words
from causalvae.report.tables import Table, columns
from causalvae.report.verdict_words import (
    name_circuit,
    tell_cancelling,
    tell_failing,
    tell_minimality,
    tell_rivals,
    tell_subsets,
)
from causalvae.selection import FoundLatents

_NOT_JUDGED = "reported, not part of the claim"


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Parameters
    ----------
    title, text : str
    brief : str
        The text in few words, for a terminal; empty where the verdict's reason says it.
    table : Table or None
        Where there are several numbers.
    drawing : Markup or None
    """

    title: str
    text: str
    brief: str
    table: Table | None = None
    drawing: Markup | None = None


def circuit_findings(verdict: Verdict) -> tuple[Finding, ...]:
    """Everything that was found about a verdict's circuit, whether the claim asked for it or not."""
    found = [
        _errors(verdict),
        _failing(verdict.failing, any(test.name == "failing" for test in verdict.tests)),
        _rivals(verdict.rivals),
        _members(verdict.minimality, verdict.status != "refuted" or verdict.broken in ("minimal", "unique")),
        _subsets(verdict.subsets),
        _against(verdict),
        *map(_manifold, verdict.manifolds),
        _methods(verdict.multiverse),
        *map(_selection, verdict.selections),
    ]
    return tuple(finding for finding in found if finding is not None)


def methods_words(found: Multiverse) -> str:
    """Under how many other methods of patching a claim holds."""
    total = len(found.variants)
    count = f"all {total}" if found.holding == total and total > 1 else f"{found.holding} of {total}"
    return f"The claim holds under {count} other patching methods ({format_count(found.pairs)} pairs)."


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _errors(verdict: Verdict) -> Finding | None:
    names = {"sufficiency": "the circuit alone", "necessity": "everything but the circuit"}
    if not verdict.errors:
        return None
    numbers = {
        error.measure: f"{error.value:.2f} [{error.lower:.2f}, {error.upper:.2f}]" for error in verdict.errors
    }  # fmt: skip
    brief = ", ".join(f"{numbers[measure]} of {names[measure]}" for measure in numbers)
    meaning = "0: the circuit gives the total effect in every pair; 1: it gives none of it"
    if len(numbers) > 1:
        meaning += "; for everything but the circuit, 0 means that nothing is left"
    return Finding(
        "Relative error", f"{_sentence(brief)} {_sentence(meaning)[:-1]} ({format_count(verdict.errors[0].n)} pairs).",
        f"{brief}.",
    )  # fmt: skip


def _failing(failing: Failing | None, judged: bool) -> Finding | None:
    if failing is None:
        return None
    words = _sentence(tell_failing(failing))
    rule = (
        f"A pair fails if the circuit alone misses more than {_share(failing.missed)} of max(|TE|, "
        f"{format_number(failing.floor)}), the claimed share being {_share(failing.share)} and "
        f"{format_number(failing.floor)} a quarter of the root mean square of TE."
    )
    return Finding(
        f"Failing pairs{'' if judged else f' ({_NOT_JUDGED})'}", f"{words} {rule}", "" if judged else words,
        failing_table(failing), draw_failing(failing),
    )  # fmt: skip


def failing_table(failing: Failing) -> Table | None:
    """The pairs in which a circuit fails by most."""
    if not failing.worst:
        return None
    return Table(
        f"The worst failing pairs ({failing.unit})",
        columns("Pair#", "TE#", "NIE#", "|TE - NIE|#"),
        tuple(
            (str(pair.pair), *(format_number(value) for value in (pair.total, pair.indirect, pair.distance)))
            for pair in failing.worst
        ),
        (
            "Pairs are counted from 0, in the order of the treatment's pairs. In the drawing TE is a bar and NIE a "
            "point.",
        ),
    )


def _share(value: float) -> str:
    return f"{100 * value:.3g}%"


def _rivals(rivals: Rivals | None) -> Finding | None:
    if rivals is None:
        return None
    words = _sentence(tell_rivals(rivals))
    if rivals.kind != "none" and rivals.own is not None:
        drawn = f", seed {rivals.seed}" if rivals.kind == "random" else ""
        test = f"{p_words(rivals.p_value)}, " if rivals.judged else ""
        words += f" A circuit does as well if its relative error is larger by at most {rivals.margin:g} ({test}"
        words += f"{format_count(rivals.pairs)} pairs{drawn})."
        if rivals.undefined:
            words += f" {format_count(rivals.undefined)} undefined on some pairs, counted as doing as well."
    judged = "" if rivals.judged or rivals.kind == "none" else f" ({_NOT_JUDGED})"
    brief = "" if rivals.judged or rivals.why_none == "not_asked" else _sentence(tell_rivals(rivals))
    return Finding(f"Other circuits{judged}", words, brief, rival_table(rivals), draw_rivals(rivals))


def rival_table(rivals: Rivals) -> Table | None:
    """The claimed circuit and those that come nearest to it."""
    if rivals.own is None or not rivals.best:
        return None
    return Table(
        "The best rivals",
        columns("Circuit", "Share#", "Relative error#", "Necessity#", "Error without#", "p#"),
        tuple(_row(score, own=score is rivals.own) for score in (rivals.own, *rivals.best)),
        (
            f"The best of {format_count(rivals.count)} rivals. p: p-value of the hypothesis that the circuit is at "
            "least as good as the claimed one.",
        ),
    ).filled


def _row(score: CircuitScore, own: bool) -> tuple[str, ...]:
    note = " (claimed)" if own else " (a part of it)" if score.is_part else ""
    numbers = (score.share, score.error, score.necessity, score.error_removed)
    cells = (ABSENT if number is None else format_fixed(number, 2) for number in numbers)
    return (f"{name_circuit(score.circuit)}{note}", *cells, format_p(score.p_value))


def _members(minimality: Minimality | None, carries: bool) -> Finding | None:
    if minimality is None:
        return None
    judged = "" if minimality.judged else f" ({_NOT_JUDGED})"
    words = tell_minimality(minimality, carries)
    if not minimality.of("undecided") or minimality.of("useless"):
        words = f"the circuit is {'not ' if minimality.of('useless') else ''}minimal: {words}"
    brief = _sentence(words)
    return Finding(
        f"Members{judged}",
        f"{brief} A member is needed if the relative error grows by more than {minimality.margin:.2g} without it "
        f"({format_count(minimality.pairs)} pairs).",
        "" if minimality.judged else brief,
        member_table(minimality),
        draw_losses(minimality),
    )


def member_table(minimality: Minimality) -> Table:
    """What the circuit loses without each member."""
    return Table(
        "Without each member",
        columns("Without", "Growth of the relative error [interval]#", "Member", "p needed#", "p not needed#"),
        tuple(
            (
                loss.member.label,
                format_interval(loss.loss, loss.lower, loss.upper),
                {"needed": "needed", "useless": "not needed", "undecided": "undecided"}[loss.status],
                format_p(loss.p_needed),
                format_p(loss.p_useless),
            )
            for loss in minimality.members
        ),
    )


def _subsets(subsets: Subsets | None) -> Finding | None:
    if subsets is None:
        return None
    words = _sentence(tell_subsets(subsets))
    text = (
        f"{words} A set is certified if it is shown to meet the claim's bounds and every part of it is shown not to, "
    )
    text += f"at level {subsets.alpha:.2g} for all sets together ({format_count(subsets.pairs)} pairs"
    text += ")." if not subsets.possible else "; a complete list takes about 384)."
    if subsets.mean_overlap is not None:
        text += f" Mean overlap of the certified circuits (IoU): {format_fixed(subsets.mean_overlap, 2)}."
    return Finding(
        f"All sets of {subsets.units} units{'' if subsets.judged else f' ({_NOT_JUDGED})'}", text,
        "" if subsets.judged else words, shapley_table(subsets), draw_shapley(subsets),
    )  # fmt: skip


def shapley_table(subsets: Subsets) -> Table | None:
    """What each unit adds to the share of the effect, and in which certified circuits it is."""
    if not subsets.shapley:
        return None
    return Table(
        "Shapley values of the mediated share",
        columns("Unit", "Shapley value [interval]#", "In the claimed circuit", "Certified circuits with it#"),
        tuple(
            (
                value.unit.label,
                format_interval(value.value, value.lower, value.upper),
                "yes" if value.in_circuit else "no",
                format_count(sum(known.holds(value.unit) for known in subsets.certified)),
            )
            for value in subsets.shapley
        ),
        tuple(
            f"{name_circuit(known.circuit)}: share {format_fixed(known.share, 2)}, relative error "
            f"{format_fixed(known.error, 2)}, overlap with the claimed circuit (IoU) {format_fixed(known.overlap, 2)}."
            for known in subsets.certified
        ),
    )


def _against(verdict: Verdict) -> Finding | None:
    if not verdict.cancelling:
        return None
    words = _sentence(tell_cancelling(verdict.cancelling))
    return Finding("Working against the effect", words, words)


def _selection(found: FoundLatents) -> Finding:
    words = selection_words(found)
    return Finding("Choice of the latents", words, words)


def _manifold(found: Manifold) -> Finding:
    words = (
        f"{found.outside} of {found.n} patched activations at {found.site} are outside the range of clean activations "
        f"({_share(found.unpatched)} without a patch)"
    )
    rule = (
        f"Outside is a Mahalanobis distance above that of {_share(found.within)} of held-out clean activations "
        f"({found.dimension} numbers, {found.samples} clean samples)."
    )
    return Finding("On the manifold", f"{_sentence(words)} {rule}", _sentence(words) if found.is_off else "")


def _methods(found: Multiverse | None) -> Finding | None:
    if found is None:
        return None
    ways = "; ".join(
        f"{variant.source}, {variant.direction}: {format_interval(variant.value, variant.lower, variant.upper)}"
        + ("" if variant.holds else " (does not hold)")
        for variant in found.variants
    )
    return Finding("Other patching methods", f"{methods_words(found)} Share by each: {ways}.", methods_words(found))
