"""How the intervals of a report were made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from causalvae.effects.types import Estimate
from causalvae.report.glossary import INTERVAL, Term
from causalvae.report.numbers import format_count

_METHODS = {
    "bootstrap-t": "studentised, bootstrap-t",
    "BCa": "bias-corrected and accelerated, BCa, if resamples have no variance",
    "BCa (asked)": "bias-corrected and accelerated, BCa, as the spec asks",
    "expanded percentile": "percentile at an expanded level, of means of ratios",
    "Clopper-Pearson, one-sided": "exact one-sided limits of a share of pairs, Clopper-Pearson",
    "percentile": "percentile, if neither of the others is defined",
}


def interval_term(estimates: Iterable[Estimate]) -> Term:
    """The glossary's word on intervals, with how many of the estimates' were made in which way."""
    counts = Counter(e.interval for e in estimates if e.interval and e.lower is not None)
    if not counts:
        return INTERVAL
    told = "; ".join(f"{format_count(number)} {_METHODS.get(kind, kind)}" for kind, number in counts.most_common())
    return replace(INTERVAL, meaning=f"{INTERVAL.meaning} In this report: {told}.")
