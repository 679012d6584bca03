"""What else the alignment found, a sentence each: what a reader may pass over who looks for the verdict alone."""

from __future__ import annotations

from collections.abc import Iterable

from causalvae.alignment.interchange import GOOD
from causalvae.alignment.types import Alignment, Edge, EdgeDiagnosis, HiddenCause, LearnedStructure, Repair
from causalvae.effects.dowhy.relabelling import Relabelling
from causalvae.report.numbers import format_count, format_interval, format_p

_LEVEL = 0.05


def finding_sentences(alignment: Alignment) -> tuple[str, ...]:
    """All of them, in the order of a report."""
    return (
        *repair_sentences(alignment),
        *map(_edge, alignment.edges),
        *map(_hidden, alignment.hidden),
        *_relabelled(alignment.relabelling),
        *_learned(alignment.learned),
    )


def repair_sentences(alignment: Alignment) -> tuple[str, ...]:
    """Which latents would carry the factors whose mapping does not."""
    return tuple(map(_repair, alignment.repairs))


def _repair(repair: Repair) -> str:
    accuracy, latents = repair.accuracy, ", ".join(repair.latents)
    told = format_interval(accuracy.value, accuracy.lower, accuracy.upper)
    chosen = f"interchange accuracy {told} on {format_count(accuracy.n)} pairs that did not choose it"
    if accuracy.lower >= GOOD:
        return f"{repair.factor}: this mapping works: {latents} ({chosen})."
    if accuracy.upper < GOOD:
        return (
            f"{repair.factor}: no mapping works (entangled). The best of at most three latents is {latents} ({chosen})."
        )
    return f"{repair.factor}: no mapping is shown to work. The best of at most three latents is {latents} ({chosen})."


def _edge(found: EdgeDiagnosis) -> str:
    words = (
        f"Leak of {found.source} into the components of {found.target}: with {found.source} set and {found.target} "
        f"held they change {found.leak_attribute} by {found.leak:.2f} sd."
    )
    if found.kept is not None:
        words += f" Kept: where {found.target} follows, they change {found.kept_attribute} by {found.kept:.2f} sd."
    return words


def _hidden(cause: HiddenCause) -> str:
    given = f" given {', '.join(cause.given)}" if cause.given else ""
    return (
        f"Hidden common cause of {cause.left} and {cause.right}: they depend on one another{given} "
        f"({format_interval(cause.size, cause.lower, cause.upper)} sd), and setting one does not change the other. An "
        "undeclared variable causes both, or the samples were selected by both."
    )


def _relabelled(found: Relabelling | None) -> tuple[str, ...]:
    if found is None:
        return ()
    told = (
        f"{found.violations} of {found.tests} local Markov conditions are rejected, and no larger share in "
        f"{found.as_good} of {found.permutations} relabellings (DoWhy, p {format_p(found.p_value)})"
    )
    if found.p_value <= _LEVEL:
        return (f"The graph is better than random relabellings of its nodes: {told}. This does not test single edges.",)
    return (f"The graph is not shown to be better than random relabellings of its nodes: {told}.",)


def _learned(learned: LearnedStructure | None) -> tuple[str, ...]:
    if learned is None:
        return ()
    found = _edges(learned.directed, learned.undirected)
    words = (
        f"Graph learned from observations alone (PC, alpha {learned.alpha:g}, {format_count(learned.samples)} "
        f"samples): {found}; structural Hamming distance to the declared equivalence class {learned.distance}."
    )
    if learned.overridden:
        pairs = ", ".join(f"{a} and {b}" for a, b in learned.overridden)
        final = _edges(learned.final_directed, learned.final_undirected)
        words += f" Interventions override it for {pairs}, which gives {final}."
    if learned.identification:
        shares = ", ".join(f"{name} {share:.2f}" for name, share in learned.identification)
        words += f" Adjustment identification distance of the declared graph: {shares}."
    return (words,)


def _edges(directed: Iterable[Edge], undirected: Iterable[Edge]) -> str:
    listed = [f"{parent} → {child}" for parent, child in directed] + [f"{a} - {b}" for a, b in undirected]
    return ", ".join(listed) or "no edge between factors"
