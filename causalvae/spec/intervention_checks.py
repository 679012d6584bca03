"""Faults of interventions and hypotheses: what they refer to, and what they could ever show."""

from __future__ import annotations

import math

from causalvae.spec.catalogue import RESERVED_INTERVENTIONS
from causalvae.spec.diagnostics import Finding, Path, list_choices, nearest, show_text
from causalvae.spec.draft import Draft, Named
from causalvae.spec.entries import FactorEntry
from causalvae.spec.intervention_section import ReleaseSection
from causalvae.spec.outcome_checks import check_outcome, is_known, is_reached
from causalvae.spec.route_checks import check_route
from causalvae.spec.schema import Bound, Hypothesis, InputIntervention, Intervention, MediationIntervention, SetTo
from causalvae.spec.screen_checks import check_screen
from causalvae.spec.subspace_checks import check_subspace


def check_interventions(draft: Draft) -> list[Finding]:
    """Findings on the interventions, and on a spec that asks for nothing."""
    if draft.interventions is None:
        return []
    findings = _check_names(draft.interventions, "interventions")
    findings += [
        Finding(
            "CV067",
            ("interventions", index, "name"),
            f"an intervention cannot be called '{name}': that is the cohort of untreated samples",
            "Give it another name.",
        )
        for index, name in dict.fromkeys((named.index, named.name) for named in draft.interventions)
        if name in RESERVED_INTERVENTIONS
    ]
    if not draft.interventions and draft.hypotheses == () and not draft.analyses:
        findings.append(
            Finding(
                "CV074",
                ("interventions",),
                "the spec has no interventions, no hypotheses and no analyses",
                "The run would only hold the declared graph against the network; add an intervention, such as "
                f"`- {{name: change, input: {{{_some_treatment(draft)}}}}}`.",
                severity="warning",
                # Of a spec with other faults nobody can say that it asks for nothing.
                related=((),),
            )
        )
    for named in draft.interventions:
        section, path = named.section, ("interventions", named.index)
        if not isinstance(section, Intervention):
            continue
        if section.input is not None:
            findings += _check_input(draft, section.input, (*path, "input"))
        if section.activation is not None:
            findings += _check_treatment(draft, section.activation.source, (*path, "activation", "from"))
            mode = section.activation.mode
            where = (*path, "activation", "mode", mode.name)
            findings += section.activation.kind.findings(draft, mode.settings, where)
            findings += check_screen(draft, section.activation, (*path, "activation"))
        if section.mediation is not None:
            findings += _check_mediation(draft, section.mediation, (*path, "mediation"))
            findings += check_subspace(draft, section.mediation, (*path, "mediation"))
    return findings


def check_hypotheses(draft: Draft) -> list[Finding]:
    """Findings on the hypotheses."""
    findings = _check_names(draft.hypotheses or (), "hypotheses")
    for named in draft.hypotheses or ():
        section, path = named.section, ("hypotheses", named.index)
        if not isinstance(section, Hypothesis):
            continue
        findings += _check_treatment(draft, section.treatment, (*path, "treatment"))
        findings += check_outcome(draft, section.outcome, (*path, "outcome"))
        factor = _treated_factor(draft, section.treatment)
        if (
            draft.edges_sound
            and factor in (draft.factors or ())
            and is_known(draft, section.outcome)
            and not is_reached(draft, factor or "", section.outcome)
        ):
            vector = (draft.vectors or {}).get(section.outcome)
            to = section.outcome if vector is None else vector.components[0]
            findings.append(
                Finding(
                    "CV071",
                    (*path, "outcome"),
                    f"in the declared graph no path leads from '{factor}', which '{section.treatment}' sets, to "
                    f"{'' if vector is None else 'any component of '}'{section.outcome}'",
                    f"Add an edge, such as `{factor} -> {to}`, or name another outcome: "
                    f"'{factor}' reaches {_reached(draft, factor or '')}.",
                    related=((*path, "treatment"),),
                )
            )
    return findings


def check_refuters(draft: Draft) -> list[Finding]:
    """Findings on refuters that would not be run: they refute DoWhy's estimates of mediations."""
    section, path = draft.estimation, ("estimation", "refute")
    if section is None or not section.refute:
        return []
    if not section.dowhy:
        return [
            Finding(
                "CV077",
                path,
                "the refuters are DoWhy's, and 'estimation.dowhy' is false: none of them will be run",
                "Write `dowhy: true`, or delete `refute`.",
                severity="warning",
                related=(("estimation", "dowhy"),),
            )
        ]
    listed = draft.interventions
    if listed is None or any(not isinstance(named.section, Intervention) for named in listed):
        return []
    if any(isinstance(named.section, Intervention) and named.section.mediation is not None for named in listed):
        return []
    return [
        Finding(
            "CV077",
            path,
            "refuters are run on the effects of mediations, and the spec has no mediation",
            "Add one, such as `- {name: via, mediation: {treatment: NAME, mediators: ['latent[0]'], outcomes: "
            f"[{next(iter(draft.attributes or ()), 'image')}]}}}}`, or delete `refute`.",
            severity="warning",
            related=(("interventions",),),
        )
    ]


def _some_treatment(draft: Draft) -> str:
    """An input intervention that this spec could have."""
    factor = next(iter(draft.factors or ()), None)
    return "set: swap" if factor is None else f"factor: {factor}"


def _check_names(listed: tuple[Named, ...], key: str) -> list[Finding]:
    findings = []
    seen: dict[str, int] = {}
    for named in listed:
        if named.name is None or seen.get(named.name) == named.index:
            continue
        if named.name in seen:
            findings.append(
                Finding(
                    "CV060",
                    (key, named.index, "name"),
                    f"the name {show_text(named.name)} is already that of {key}[{seen[named.name]}]",
                    "Give each its own name: results are listed by it.",
                )
            )
        seen.setdefault(named.name, named.index)
    return findings


def _check_input(draft: Draft, section: InputIntervention, path: Path) -> list[Finding]:
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
                else "The graph declares none; write `set: swap` and no factor to swap whole samples.",
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
    names = [known.name for known in draft.source.factors if known.name != factor]
    return [
        Finding(
            "CV063",
            path,
            f"{show_text(name)} is no variable of the data that could follow '{factor}'",
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
                f"'{known.name}' goes from the one value to the other in every pair: there is nothing to order",
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
            f"{said} is no level of '{known.name}'",
            advice,
            nearest(value, known.labels) if isinstance(value, str) else "",
        )
    if known.kind == "continuous":
        advice = f"Its values go from {known.low:.6g} to {known.high:.6g}."
        return Finding("CV064", path, f"{said} is no value of '{known.name}'", advice)
    spaced = "" if known.given else ", evenly spaced"
    advice = f"It has {known.levels} levels{spaced} from {known.low:.6g} to {known.high:.6g}."
    if isinstance(value, str):
        return Finding("CV064", path, f"{said} is no level of '{known.name}', whose levels are numbers", advice)
    closest = min(known.values, key=lambda level: abs(level - value))
    return Finding("CV064", path, f"{said} is no level of '{known.name}'", advice, f"{closest:.6g}")


def _input_names(draft: Draft) -> list[str]:
    return [
        named.name
        for named in draft.interventions or ()
        if named.name is not None and isinstance(named.section, Intervention) and named.section.input is not None
    ]


def _swaps(draft: Draft, treatment: str) -> bool:
    return any(
        named.name == treatment
        and isinstance(named.section, Intervention)
        and named.section.input is not None
        and named.section.input.set == "swap"
        for named in draft.interventions or ()
    )


def _treated_factor(draft: Draft, treatment: str) -> str | None:
    for named in draft.interventions or ():
        if named.name == treatment and isinstance(named.section, Intervention) and named.section.input is not None:
            return named.section.input.factor
    return None


def _check_treatment(draft: Draft, name: str, path: Path) -> list[Finding]:
    if draft.interventions is None:
        return []
    inputs = _input_names(draft)
    advice = (
        f"The input interventions are {list_choices(inputs).replace(' or ', ' and ')}."
        if inputs
        else "The spec has no input intervention; add one, such as "
        f"`- {{name: change, input: {{{_some_treatment(draft)}}}}}`."
    )
    found = [named for named in draft.interventions if named.name == name]
    if not found:
        return [Finding("CV061", path, f"no intervention is called {show_text(name)}", advice, nearest(name, inputs))]
    section = found[0].section
    if isinstance(section, Intervention) and section.input is None:
        level = next(key for key in ("latent", "activation", "mediation") if getattr(section, key) is not None)
        return [
            Finding(
                "CV062",
                path,
                f"'{name}' is a {level} intervention, and a treatment changes the input",
                advice,
                related=(("interventions", found[0].index),),
            )
        ]
    return []


def _check_mediation(draft: Draft, section: MediationIntervention, path: Path) -> list[Finding]:
    findings = _check_treatment(draft, section.treatment, (*path, "treatment")) + check_route(section, path)
    for index, outcome in enumerate(section.outcomes):
        findings += check_outcome(draft, outcome, (*path, "outcomes", index))
    factor = _treated_factor(draft, section.treatment)
    known = [outcome for outcome in section.outcomes if is_known(draft, outcome)]
    if (
        draft.edges_sound
        and factor is not None
        and factor in (draft.factors or ())
        and len(known) == len(section.outcomes)
        and not any(is_reached(draft, factor, outcome) for outcome in known)
    ):
        findings.append(
            Finding(
                "CV071",
                (*path, "outcomes"),
                f"in the declared graph '{factor}', which '{section.treatment}' sets, reaches none of the outcomes",
                f"The effects are expected to be nil; '{factor}' reaches {_reached(draft, factor)}.",
                severity="warning",
                related=((*path, "treatment"),),
            )
        )
    return findings


def _reached(draft: Draft, factor: str) -> str:
    found = [name for name in draft.attributes or () if name in draft.reach(factor)]
    return list_choices(found, "and") if found else "no attribute"


def check_off_target(draft: Draft, section: Hypothesis, bound: Bound, where: Path) -> list[Finding]:
    """Findings on a bound of the off-target effect: one that cannot be met or be false, or that bounds nothing."""
    findings: list[Finding] = []
    path = where[:-2]
    if (bound.at_least is not None and bound.at_least > 1) or (bound.at_most is not None and bound.at_most < 0):
        key = "at_least" if bound.at_least is not None and bound.at_least > 1 else "at_most"
        findings.append(
            Finding(
                "CV075",
                (*where, key),
                f"off_target is a share between 0 and 1: '{key}: {getattr(bound, key):.6g}' cannot be met",
                "Write a number between 0 and 1.",
            )
        )
    elif _is_empty(bound):
        key = "at_most" if bound.at_most is not None else "at_least"
        findings.append(
            Finding(
                "CV072",
                (*where, key),
                f"off_target is a share between 0 and 1: '{key}: {getattr(bound, key):.6g}' cannot be false",
                "Write `at_most` below 1, such as `off_target: {at_most: 0.2}`.",
            )
        )
    factor = _treated_factor(draft, section.treatment)
    attributes = draft.attributes
    if not findings and factor is None and _swaps(draft, section.treatment):
        findings.append(
            Finding(
                "CV072",
                where,
                f"{show_text(section.treatment)} swaps whole samples, of which everything is on target: off_target is "
                "0 by definition",
                "Delete this expectation, or name an intervention that sets one factor.",
                related=((*path, "treatment"),),
            )
        )
    if (
        not findings
        and factor is not None
        and attributes
        and draft.edges_sound
        and all(name in draft.reach(factor) for name in attributes)
    ):
        findings.append(
            Finding(
                "CV072",
                where,
                f"'{factor}' reaches every attribute of the declared graph, so off_target is 0 by definition",
                f"Declare an attribute that '{factor}' should not move, or delete this expectation.",
                related=((*path, "treatment"), ("graph", "attributes")),
            )
        )
    return findings


def _is_empty(bound: Bound) -> bool:
    below = bound.at_least is None or bound.at_least <= 0
    above = bound.at_most is None or bound.at_most >= 1
    return below and above
