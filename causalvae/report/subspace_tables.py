"""Learned subspaces as tables: what the directions carry next to the other parts, and how they were learned."""

# ruff: noqa: RUF001  formulas are written with primes and minus signs

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from causalvae.effects.types import Estimate
from causalvae.plan.owner import Owner
from causalvae.plan.targets import SubspacePart, Target
from causalvae.report.glossary import Term
from causalvae.report.notes import notes_words
from causalvae.report.numbers import ABSENT, format_count, format_interval, format_number
from causalvae.report.tables import Table, columns
from causalvae.results import Results

SUBSPACE: Final = "subspace"
LEARNING_LOSS, HELD_OUT_LOSS = "learning_loss", "held_out_loss"
ACCURACY, NULL_SPACE = "interchange_accuracy", "null_space_share"

TERMS: Final[dict[str, Term]] = {
    ACCURACY: Term(
        "Interchange accuracy",
        "right interchanges",
        "share of pairs i with |Y(xᵢ; a + R Rᵀ(sⱼ − a)) − Y(x′ᵢ)| ≤ tolerance · sd(Y)",
        "How often the outcome is that of x′ when only the directions R take their value sⱼ from another pair j that "
        "has the treated factor's counterfactual value. If the whole part is patched instead of R, the donor's other "
        "factors are patched too; random directions give the level of chance. Geiger et al. 2021 (arXiv 2106.02997).",
    ),
    LEARNING_LOSS: Term(
        "Unexplained, pairs learned on",
        "unexplained, learned on",
        "Σ |Y(interchange) − Y(x′)|² / Σ |Y(x′) − Y(x)|²",
        "The loss of the search, on the pairs that it used: 0 if interchanges with donors give the outcome of x′, 1 "
        "if they are as far from it as x is. Distributed alignment search, Geiger et al. 2023 (arXiv 2303.02536).",
    ),
    HELD_OUT_LOSS: Term(
        "Unexplained, fresh pairs",
        "unexplained, fresh pairs",
        "the same over the cohort's pairs",
        "The same loss on pairs that were not used to learn. If it is much larger, the directions overfit their pairs.",
    ),
    NULL_SPACE: Term(
        "Share in the null space",
        "null-space share",
        "‖N Nᵀ R‖² / ‖R‖², N the directions that nothing downstream reads",
        "The share of the directions that no later layer reads. A patch through it may cause a change that does not "
        "occur on the network's own inputs, so a correct outcome is not evidence. Makelov, Lange and Nanda 2023 "
        "(arXiv 2311.17030).",
    ),
}


def subspace_terms(results: Results) -> list[Term]:
    """The glossary's terms of learned subspaces that a report uses."""
    used = {estimate.estimand for estimate in results.estimates}
    return [term for name, term in TERMS.items() if name in used]


def in_subspace_table(estimate: Estimate) -> bool:
    """Whether a table of learned subspaces shows this estimate, and no other."""
    return estimate.estimand in TERMS


def subspace_owners(estimates: Sequence[Estimate]) -> list[Owner]:
    """The mediations through learned subspaces, in order."""
    return list(dict.fromkeys(e.owner for e in estimates if e.estimand == LEARNING_LOSS))


def parts_table(estimates: Sequence[Estimate], owner: Owner, with_necessity: bool = True) -> Table:
    """What each part carries: the learned directions, the whole, the other directions, random ones.

    Parameters
    ----------
    estimates : sequence of Estimate
    owner : Owner
    with_necessity : bool
        Whether there is room for what is lost without each part.
    """
    mine = [e for e in estimates if e.owner == owner and e.granularity == SUBSPACE and e.estimator == "exact"]
    known = {(e.estimand, e.component, e.outcome): e for e in mine}
    parts = list(dict.fromkeys(e.component for e in mine if e.component))
    shown = ("mediated_share", *(("necessity",) if with_necessity else ()), ACCURACY)
    rows = [
        (part_words(part), outcome, *(_cell(known.get((name, part, outcome))) for name in shown))
        for outcome in dict.fromkeys(e.outcome for e in mine if e.estimand in shown)
        for part in parts
    ]
    notes = dict.fromkeys(
        f"right interchanges: {notes_words(e.notes)}" for e in mine if e.estimand == ACCURACY and e.notes
    )
    treatment = next((e.treatment for e in mine if e.treatment), "the treatment")
    site = next((part.whole.label for part in parts if isinstance(part, SubspacePart)), "")
    return Table(
        f"{owner.name}: what directions of {site} carry of {treatment}",
        columns(
            "Through",
            "Outcome",
            "Mediated share#",
            *(("Necessity#",) if with_necessity else ()),
            "Right interchanges#",
        ),
        tuple(rows),
        tuple(notes),
    )


def learning_table(estimates: Sequence[Estimate], owner: Owner) -> Table:
    """How directions were learned, how they do on fresh pairs, and how much of them is dormant."""
    mine = [e for e in estimates if e.owner == owner and e.estimand in (LEARNING_LOSS, HELD_OUT_LOSS, NULL_SPACE)]
    objective = next((e.outcome for e in mine if e.estimand == LEARNING_LOSS), "")
    return Table(
        f"{owner.name}: how directions were learned, by {_objective(objective)}",
        columns("Quantity", "Through", "Share [interval]#", "Pairs#", "How"),
        tuple(
            (
                TERMS[e.estimand].short,
                part_words(e.component),
                _cell(e),
                format_count(e.n),
                notes_words(e.notes) or ABSENT,
            )
            for e in mine
        ),
    )


def learning_words(estimates: Sequence[Estimate], owner: Owner) -> str:
    """The same in a sentence or two, for a terminal."""
    mine = [e for e in estimates if e.owner == owner]
    learned = next((e for e in mine if e.estimand == LEARNING_LOSS), None)
    fresh = [e for e in mine if e.estimand == HELD_OUT_LOSS]
    if learned is None or not fresh:
        return ""
    others = "; ".join(f"{part_words(e.component)} {format_number(e.value)}" for e in fresh[1:])
    text = (
        f"learned by {_objective(learned.outcome)} on {format_count(learned.n)} pairs. Interchanges with donors leave "
        f"{format_number(learned.value)}of the squared effect unexplained there, {_cell(fresh[0])} on "
        f"{format_count(fresh[0].n)} fresh pairs ({others})."
    )
    right = next((notes_words(e.notes) for e in mine if e.estimand == ACCURACY), "")
    text += f" Right: {right}." if right else ""
    dormant = next((e for e in mine if e.estimand == NULL_SPACE), None)
    if dormant is None:
        return text
    return f"{text} Share of the directions that nothing downstream reads: {format_number(dormant.value, 2)}."


def part_words(component: Target) -> str:
    """A part without the site that it is of, which the caption names."""
    return component.part_label if isinstance(component, SubspacePart) else component.label


def _objective(outcome: str) -> str:
    return f"the {outcome}" if outcome in ("image", "whole sound", "whole output") else outcome


def _cell(estimate: Estimate | None) -> str:
    return ABSENT if estimate is None else format_interval(estimate.value, estimate.lower, estimate.upper)
