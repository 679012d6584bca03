"""The question that a run was asked and its answer, each in a few sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence

from causalvae.alignment.types import Alignment
from causalvae.circuits.types import STATUSES, Verdict
from causalvae.effects.sweep_types import SweepSummary, UnitTally
from causalvae.effects.types import Estimate, Role, UnitRole
from causalvae.plan.owner import Owner
from causalvae.plan.targets import Target
from causalvae.report.alignment_words import headline_words
from causalvae.report.effect_grids import EFFECT
from causalvae.report.metric_tables import amount_words
from causalvae.report.numbers import format_count, format_number
from causalvae.report.sweep_words import summary_of, tallies_of
from causalvae.report.tables import unit_words
from causalvae.spec.schema import Spec

# More than this many units or effects are counted, not listed.
_MOST = 6
# Carries less than this share of an effect: not worth a sentence.
_LEAST_SHARE = 0.05
# Units that move the output less than this share of what the strongest one does are counted, not listed.
_NEAR = 0.1


def question_words(spec: Spec) -> str:
    """What was asked, in one sentence."""
    if spec.description:
        return " ".join(spec.description.split())
    if len(spec.hypotheses) == 1:
        return f"Does the hypothesis {spec.hypotheses[0].name} hold?"
    if spec.hypotheses:
        return f"Do the {len(spec.hypotheses)} hypotheses of {spec.name} hold?"
    return f"What do the interventions of {spec.name} do?"


def answer_words(
    verdicts: Sequence[Verdict],
    alignment: Alignment | None,
    estimates: Sequence[Estimate],
    units: Sequence[UnitRole],
    declared: bool,
    sweeps: Sequence[SweepSummary] = (),
) -> str:
    """What was found.

    Parameters
    ----------
    verdicts : sequence of Verdict
        Where there are none, the effects that were found are the answer.
    alignment : Alignment or None
    estimates : sequence of Estimate
    units : sequence of UnitRole
    declared : bool
        Whether the graph declares any edge: else there is nothing that it could agree with.
    sweeps : sequence of SweepSummary
        Of those of which `units` and `estimates` have the strongest components alone.
    """
    sentences = [_claims(verdicts)] if verdicts else [*_carried(estimates), *_units(units, sweeps)]
    if not any(sentences):
        sentences = [*_strengths(estimates, sweeps), *_effects(estimates)]
    if declared and alignment is not None:
        sentences.append(headline_words(alignment))
    return " ".join(filter(None, sentences)) or "No effect could be measured."


def _claims(verdicts: Sequence[Verdict]) -> str:
    parts = []
    for status in STATUSES:
        names = [f"“{verdict.hypothesis}”" for verdict in verdicts if verdict.status == status]
        if names:
            parts.append(f"{_listed(names)} {'is' if len(names) == 1 else 'are'} {status}")
    return _sentence("; ".join(parts))


def _carried(estimates: Sequence[Estimate]) -> list[str]:
    """For each effect that mediations split, the mediator that carries most of it."""
    best: dict[tuple[str, str], Estimate] = {}
    for estimate in estimates:
        if estimate.estimand == "mediated_share" and estimate.estimator == "exact" and estimate.component:
            key = estimate.treatment, estimate.outcome
            if key not in best or estimate.value > best[key].value:
                best[key] = estimate
    told = [
        f"{found.component} carries {found.value * 100:.3g} % of the effect of {treatment} on {outcome}"
        for (treatment, outcome), found in best.items()
        if found.value >= _LEAST_SHARE
    ]
    more = f" (and {len(told) - _MOST} further effects)" if len(told) > _MOST else ""
    return [_sentence("; ".join(told[:_MOST]) + more)] if told else []


def _units(units: Sequence[UnitRole], sweeps: Sequence[SweepSummary]) -> list[str]:
    """What the perturbed latents move; swept components are counted."""
    sentences = []
    groups: dict[tuple[Owner, str], list[UnitRole]] = {}
    for unit in units:
        groups.setdefault((unit.owner, unit.direction), []).append(unit)
    for members in groups.values():
        tallies = tallies_of(members, sweeps)
        told = []
        for role in _ORDER:
            for tally in (tally for tally in tallies if tally.role == role):
                names = [unit.component.label for unit in members if unit.role == role and tally.on in ("", unit.on)]
                what = {
                    "monosemantic": f"{tally.on} alone",
                    "polysemantic": f"several {members[0].over}",
                    "undecided": f"one or several {members[0].over} (undecided)",
                    "undeclared": f"what is not declared{_by(tally)}",
                }[role]
                told.append(f"{_some(names, tally.units)} {_move(tally.units)} {what}")
        inert = sum(tally.units for tally in tallies if tally.role == "inert")
        if inert:
            total = sum(tally.units for tally in tallies)
            told.append(f"{format_count(inert)} of {format_count(total)} units have no effect")
        sentences.append(_sentence("; ".join(told)))
    return sentences


_ORDER: tuple[Role, ...] = ("monosemantic", "polysemantic", "undecided", "undeclared")


def _by(tally: UnitTally) -> str:
    amounts = [end for end in (tally.least, tally.most) if end is not None]
    return f" (by {amount_words(amounts)} sd of the output)" if amounts else ""


def _strengths(estimates: Sequence[Estimate], sweeps: Sequence[SweepSummary]) -> list[str]:
    """The perturbed units that move the output most, where too little is declared to tell what they carry."""
    groups: dict[tuple[Owner, str, str], dict[Target, Estimate]] = {}
    for estimate in estimates:
        if estimate.estimand == "causal_effect_strength":
            key = estimate.owner, estimate.direction, estimate.outcome
            groups.setdefault(key, {}).setdefault(estimate.component, estimate)
    sentences = []
    for (owner, direction, outcome), held in groups.items():
        ranked = sorted(held.values(), key=lambda estimate: -estimate.value)
        swept = summary_of(sweeps, owner, direction)
        count = len(ranked) if swept is None else swept.components
        first, total = ranked[0], format_count(count)
        if not first.value > 0:
            sentences.append(f"{owner.name}: none of {total} units moves {outcome}.")
            continue
        near = [estimate for estimate in ranked if estimate.value >= _NEAR * first.value]
        told = near[:_MOST]
        names = [f"{e.component} (by {format_number(e.value)} {unit_words(e.unit)})" for e in told]
        text = f"{owner.name}: {_listed(names)} {_move(len(names))} {outcome}"
        if len(near) > _MOST:
            text += f" most, of {total} units"
        elif count > len(near):
            text += f"; {format_count(count - len(near))} of {total} units move it less than a tenth as far"
        sentences.append(f"{text}.")
    return sentences


def _effects(estimates: Sequence[Estimate]) -> list[str]:
    """The total effects, where nothing says what carries them."""
    exact = [estimate for estimate in estimates if estimate.estimator == "exact" and not estimate.component]
    sizes = {(e.treatment, e.outcome): e.value for e in exact if e.estimand == EFFECT}
    told: list[str] = []
    still: dict[str, list[str]] = {}
    for effect in (estimate for estimate in exact if estimate.estimand == "total_effect"):
        size = sizes.get((effect.treatment, effect.outcome), math.nan)
        if effect.value == 0 and not size > 0:
            still.setdefault(effect.treatment, []).append(effect.outcome)
            continue
        if effect.lower is None or effect.upper is None or not effect.lower <= 0 <= effect.upper:
            told.append(
                f"{effect.treatment} moves {effect.outcome} by {format_number(effect.value)} {unit_words(effect.unit)}"
            )
        elif size > 0:
            # A mean of changes in both directions says nothing about how large they are.
            told.append(f"{effect.treatment} moves {effect.outcome} by {format_number(size)} sd in both directions")
        else:
            told.append(f"{effect.treatment} is not shown to move {effect.outcome} on average")
    told = list(dict.fromkeys(told))
    more = f" (and {len(told) - _MOST} further effects)" if len(told) > _MOST else ""
    none = [f"{treatment} does not move {_listed(list(dict.fromkeys(names)))}" for treatment, names in still.items()]
    return [_sentence("; ".join(told[:_MOST]) + more), _sentence("; ".join(none))]


def _move(count: int) -> str:
    return "moves" if count == 1 else "move"


def _some(names: Sequence[str], count: int) -> str:
    """The names where they are few, and all that there are; else how many."""
    return _listed(names) if len(names) == count <= _MOST else f"{format_count(count)} units"


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)


def _sentence(text: str) -> str:
    """`text` with its stop; it starts as it is, since names of the spec and of the network keep their case."""
    return f"{text}." if text else ""
