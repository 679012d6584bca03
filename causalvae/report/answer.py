"""The question that a run was asked and its answer, each in a few sentences."""

from __future__ import annotations

import math
from collections import Counter
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
from causalvae.report.numbers import format_count, format_interval, format_number
from causalvae.report.sweep_words import summary_of, tallies_of
from causalvae.report.tables import unit_words
from causalvae.spec.schema import Spec

# More than this many units or effects are counted, not listed.
_MOST = 6
# Of more units than this only the kinds are counted.
_MANY = 24
# Carries less than this share of an effect: not worth a sentence.
_LEAST_SHARE = 0.05
# Effects shown to be larger than this many standard deviations are named, as where units are classified by default.
TOLERANCE = 0.1
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
        Of those of which `estimates` and `units` have the strongest components alone.
    """
    sentences = [_claims(verdicts)] if verdicts else explored_sentences(estimates, units, sweeps)
    if declared and alignment is not None:
        sentences.append(headline_words(alignment))
    return " ".join(filter(None, sentences)) or "No effect could be measured."


def explored_sentences(
    estimates: Sequence[Estimate], units: Sequence[UnitRole], sweeps: Sequence[SweepSummary] = ()
) -> list[str]:
    """What was found where nothing was claimed, a sentence for each intervention."""
    return [_sentence("; ".join(parts)) for parts in explored_parts(estimates, units, sweeps)]


def explored_parts(
    estimates: Sequence[Estimate], units: Sequence[UnitRole], sweeps: Sequence[SweepSummary] = ()
) -> list[list[str]]:
    """What carries each effect, and what each latent moves: for each intervention what a reader takes in at once."""
    found = [_carried(estimates), *_units(units, _moved(estimates), sweeps)]
    if not any(found):
        found = [_strengths(estimates, sweeps), *_effects(estimates)]
    return list(filter(None, found))


def _claims(verdicts: Sequence[Verdict]) -> str:
    parts = []
    for status in STATUSES:
        claims = [f"“{verdict.words}”" for verdict in verdicts if verdict.status == status]
        if claims:
            parts.append(f"{_listed(claims)} {'is' if len(claims) == 1 else 'are'} {status}")
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
        f"{found.component} carries {_percent(found)} of the effect of {treatment} on {outcome}"
        for (treatment, outcome), found in best.items()
        if found.value >= _LEAST_SHARE
    ]
    return _first(told)


def _percent(share: Estimate) -> str:
    if share.lower is None or share.upper is None:
        return f"{share.value * 100:.3g} %"
    return f"{format_interval(100 * share.value, 100 * share.lower, 100 * share.upper)} %"


def _first(told: list[str]) -> list[str]:
    """As many as a reader takes in, and how many more there are."""
    if len(told) <= _MOST:
        return told
    return [*told[: _MOST - 1], f"{told[_MOST - 1]} (and {len(told) - _MOST} further effects)"]


Moved = dict[tuple[Owner, str, Target], list[Estimate]]


def _moved(estimates: Sequence[Estimate]) -> Moved:
    """Component of an intervention -> the effects that it is shown to have, the largest first."""
    found: Moved = {}
    for estimate in estimates:
        is_shown = estimate.lower is not None and estimate.lower > TOLERANCE
        if is_shown and estimate.estimand == EFFECT and estimate.component:
            found.setdefault((estimate.owner, estimate.direction, estimate.component), []).append(estimate)
    return {key: sorted(effects, key=lambda effect: -effect.value) for key, effects in found.items()}


def _several(unit: UnitRole, moved: Moved) -> str:
    """What a unit moves that moves several things; empty where its effects are not known by name."""
    effects = moved.get((unit.owner, unit.direction, unit.component), [])
    if not effects:
        return ""
    if len(effects) == 1:
        size = format_number(effects[0].value, 2)
        return f"{unit.component.label} moves several {unit.over}, {effects[0].outcome} most ({size} sd)"
    named = [f"{effect.outcome} ({format_number(effect.value, 2)} sd)" for effect in effects[:_MOST]]
    more = f" and {len(effects) - _MOST} more" if len(effects) > _MOST else ""
    return f"{unit.component.label} moves {_listed(named)}{more}"


def _units(units: Sequence[UnitRole], moved: Moved, sweeps: Sequence[SweepSummary]) -> list[list[str]]:
    """What the perturbed latents move; components of a large sweep are counted."""
    found = []
    groups: dict[tuple[Owner, str], list[UnitRole]] = {}
    for unit in units:
        groups.setdefault((unit.owner, unit.direction), []).append(unit)
    for members in groups.values():
        if len(members) > _MANY or summary_of(sweeps, members[0].owner, members[0].direction) is not None:
            found.append(_counted(members, tallies_of(members, sweeps)))
            continue
        single: dict[str, list[str]] = {}
        for unit in members:
            if unit.role == "monosemantic":
                single.setdefault(unit.on, []).append(unit.component.label)
        mixed = [unit for unit in members if unit.role == "polysemantic"]
        named = [_several(unit, moved) for unit in mixed] if len(mixed) <= _MOST else []
        several = [unit.component.label for unit in mixed]
        undecided = [unit.component.label for unit in members if unit.role == "undecided"]
        undeclared = [unit for unit in members if unit.role == "undeclared"]
        other = [unit.component.label for unit in undeclared]
        inert = sum(unit.role == "inert" for unit in members)
        parts = [f"{_some(names)} {_move(names)} {on} alone" for on, names in single.items()]
        if all(named) and named:
            parts += named
        elif several:
            parts.append(f"{_some(several)} {_move(several)} several {members[0].over}")
        if undecided:
            parts.append(f"{_some(undecided)} {_move(undecided)} one or several {members[0].over} (undecided)")
        if other:
            amounts = [unit.output_share for unit in undeclared if unit.output_share is not None]
            by = f" (by {amount_words(amounts)} sd of the output)" if amounts else ""
            parts.append(f"{_some(other)} {_move(other)} what is not declared{by}")
        if inert:
            parts.append(f"{format_count(inert)} of {format_count(len(members))} units have no effect")
        found.append(parts)
    return found


def _counted(members: Sequence[UnitRole], tallies: Sequence[UnitTally]) -> list[str]:
    """How many of many units are of each kind, those too that are not listed, and the strongest."""
    counts: Counter[Role] = Counter()
    for tally in tallies:
        counts[tally.role] += tally.units
    over = members[0].over
    words: dict[Role, str] = {
        "monosemantic": f"move one of the {over}",
        "polysemantic": f"move several {over}",
        "undecided": f"move one or several {over} (undecided)",
        "undeclared": "move what is not declared",
        "inert": "have no effect",
    }
    told = [f"{format_count(counts[role])} {text}" for role, text in words.items() if counts[role]]
    best = max(members, key=lambda unit: unit.largest)
    name = ", ".join(filter(None, (members[0].owner.name, members[0].direction)))
    strongest = f"the strongest is {best.component.label} ({format_number(best.largest)} sd on {best.on})"
    return [f"{name}: of {format_count(counts.total())} units {', '.join(told)}; {strongest}"]


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
            sentences.append(f"{owner.name}: none of {total} units moves {outcome}")
            continue
        near = [estimate for estimate in ranked if estimate.value >= _NEAR * first.value]
        told = near[:_MOST]
        names = [f"{e.component} (by {format_number(e.value)} {unit_words(e.unit)})" for e in told]
        text = f"{owner.name}: {_listed(names)} {_move(names)} {outcome}"
        if len(near) > _MOST:
            text += f" most, of {total} units"
        elif count > len(near):
            text += f"; {format_count(count - len(near))} of {total} units move it less than a tenth as far"
        sentences.append(text)
    return sentences


def _effects(estimates: Sequence[Estimate]) -> list[list[str]]:
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
    none = [f"{treatment} does not move {_listed(list(dict.fromkeys(names)))}" for treatment, names in still.items()]
    return [_first(told), none]


def _move(names: Sequence[str]) -> str:
    return "moves" if len(names) == 1 else "move"


def _some(names: Sequence[str]) -> str:
    return _listed(names) if len(names) <= _MOST else f"{format_count(len(names))} units"


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)


def _sentence(text: str) -> str:
    """`text` with its stop; it starts as it is, since names of the spec and of the network keep their case."""
    return f"{text}." if text else ""
