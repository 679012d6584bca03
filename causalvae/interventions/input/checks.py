"""Checks of the factor that an input intervention sets, and of what it is set to."""

from __future__ import annotations

import math

from causalvae.interventions.input.section import InputIntervention, ReleaseSection, SetTo
from causalvae.spec.diagnostics import Finding, Path, list_choices, nearest, show_text
from causalvae.spec.draft import Draft
from causalvae.spec.entries import FactorEntry


def check_input(draft: Draft, section: InputIntervention, path: Path) -> list[Finding]:
    """Findings on the section at `path`."""
    return [*_check_factor(draft, section, path), *_check_settable(draft, section, path)]


def _check_settable(draft: Draft, section: InputIntervention, path: Path) -> list[Finding]:
    known = draft.source.factor(section.factor) if section.factor and draft.source else None
    if known is None or known.settable:
        return []
    return [
        Finding(
            "CV087",
            (*path, "factor"),
            f"the data have no counterfactual samples under another '{known.name}'",
            "Write `set: swap` without a factor: it replaces each sample with another.",
        )
    ]


def _check_factor(draft: Draft, section: InputIntervention, path: Path) -> list[Finding]:
    if draft.factors is None or section.factor is None:
        return []
    if section.factor not in draft.factors:
        return [
            Finding(
                "CV063",
                (*path, "factor"),
                f"the graph declares no factor {show_text(section.factor)}",
                f"The declared factors are {list_choices(draft.factors).replace(' or ', ' and ')}."
                if draft.factors
                else "The graph declares none; write `set: swap` without a factor to swap whole samples.",
                nearest(section.factor, draft.factors),
            )
        ]
    findings = []
    known = draft.source.factor(section.factor) if draft.source is not None else None
    if known is not None and section.set == "resample" and known.low == known.high:
        findings.append(
            Finding(
                "CV087",
                (*path, "factor"),
                f"'{section.factor}' has one value in the data, so there is no other to set it to",
                "Let it vary, or name another factor.",
            )
        )
    if known is not None and isinstance(section.set, SetTo) and known.level_of(section.set.to) is None:
        findings.append(_no_level(known, section.set.to, (*path, "set", "to")))
    if known is not None and isinstance(section.set, SetTo) and section.set.start is not None:
        findings += _check_start(known, section, section.set, path)
    if known is not None and section.contrast == "increase" and known.kind not in ("ordinal", "continuous"):
        findings.append(
            Finding(
                "CV066",
                (*path, "contrast"),
                f"'{section.factor}' is {known.kind}: its levels have no first and last, so it cannot increase",
                "Write `contrast: as_drawn`, or delete the key.",
            )
        )
    elif (
        known is not None
        and section.contrast == "increase"
        and isinstance(section.set, SetTo)
        and known.kind == "continuous"
    ):
        findings.append(
            Finding(
                "CV066",
                (*path, "contrast"),
                f"'{section.factor}' is set to one value, below which not every sample is known to lie",
                "Write `contrast: as_drawn`, or `set: resample`.",
            )
        )
    elif (
        known is not None
        and section.contrast == "increase"
        and isinstance(section.set, SetTo)
        and known.level_of(section.set.to) == 0
    ):
        findings.append(
            Finding(
                "CV066",
                (*path, "contrast"),
                f"'{section.factor}' is set to its lowest level, to which it cannot increase",
                "Write `contrast: as_drawn`, or set a higher level.",
            )
        )
    structural = draft.source.structural if draft.source is not None else True
    below = [name for name in draft.factors if draft.edges_sound and name in draft.reach(section.factor)]
    if isinstance(section.others, ReleaseSection):
        findings += _check_release(draft, section.factor, section.others, (*path, "others", "release"))
    elif section.others == "propagate" and not structural and below:
        findings.append(
            Finding(
                "CV065",
                (*path, "others"),
                f"'{section.factor}' has descendants among the factors ({list_choices(below, most=3)}), and the data "
                "source has no structural model to recompute them with",
                "Write `others: hold`, or delete the edges between factors.",
            )
        )
    return findings


def _check_release(draft: Draft, factor: str, section: ReleaseSection, path: Path) -> list[Finding]:
    """Findings on the variables that are to follow the factor that is set."""
    if draft.source is None:
        return []
    if not draft.source.structural:
        return [
            Finding(
                "CV065",
                path,
                f"{list_choices(section.names, most=3)} cannot follow '{factor}': the data source has no structural "
                "model",
                "Write `others: hold`.",
            )
        ]
    names = [name for name in draft.source.names if name != factor]
    return [
        Finding(
            "CV063",
            path,
            f"{show_text(name)} is not a variable of the data that could follow '{factor}'",
            f"Those are: {list_choices(names).replace(' or ', ' and ') or 'none'}.",
            nearest(name, names),
        )
        for name in section.names
        if name not in names
    ]


def _check_start(known: FactorEntry, section: InputIntervention, chosen: SetTo, path: Path) -> list[Finding]:
    """Findings on the value that base inputs are set to."""
    if chosen.start is None:
        return []
    level = known.level_of(chosen.start)
    if level is None:
        return [_no_level(known, chosen.start, (*path, "set", "from"))]
    # Where only the files tell the levels' values, any two numbers may differ.
    told = known.kind != "continuous" and not (math.isnan(known.low) and not isinstance(chosen.start, str))
    if chosen.start == chosen.to or (told and level == known.level_of(chosen.to)):
        return [
            Finding(
                "CV064",
                (*path, "set", "from"),
                f"'{known.name}' is set from a value to the same value",
                "Give two different ones: the base inputs' and the counterfactual inputs'.",
                related=((*path, "set", "to"),),
            )
        ]
    if section.contrast == "increase":
        return [
            Finding(
                "CV066",
                (*path, "contrast"),
                f"'{known.name}' goes from the one value to the other in every pair: the pairs have no order",
                "Delete the key.",
            )
        ]
    return []


def _no_level(known: FactorEntry, value: float | str, path: Path) -> Finding:
    said = show_text(value) if isinstance(value, str) else f"{value:.6g}"
    if known.labels:
        advice = f"Its levels are {list_choices(known.labels).replace(' or ', ' and ')}."
        return Finding(
            "CV064",
            path,
            f"{said} is not a level of '{known.name}'",
            advice,
            nearest(value, known.labels) if isinstance(value, str) else "",
        )
    if known.kind == "continuous":
        advice = f"Its values go from {known.low:.6g} to {known.high:.6g}."
        return Finding("CV064", path, f"{said} is not a value of '{known.name}'", advice)
    spaced = "" if known.given else ", evenly spaced"
    advice = f"It has {known.levels} levels{spaced} from {known.low:.6g} to {known.high:.6g}."
    if isinstance(value, str):
        return Finding("CV064", path, f"{said} is not a level of '{known.name}', whose levels are numbers", advice)
    closest = min(known.values, key=lambda level: abs(level - value))
    return Finding("CV064", path, f"{said} is not a level of '{known.name}'", advice, f"{closest:.6g}")
