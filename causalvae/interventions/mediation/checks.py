"""Checks of mediations that do not need the model: treatment, outcomes, paths and edges, the learned subspace."""

from __future__ import annotations

from causalvae.interventions.mediation.route import INPUT, OUTPUT, Route, route_of
from causalvae.interventions.mediation.section import MediationIntervention
from causalvae.spec.diagnostics import Finding, Path, list_choices, nearest, show_text
from causalvae.spec.digraph import find_cycles
from causalvae.spec.draft import Draft
from causalvae.spec.outcome_checks import IMAGE, check_image, check_outcome, is_known, is_reached
from causalvae.spec.treatment_checks import check_treatment, reached_words, treated_factor

_ORDER = {"encoder": 0, "latent": 1, "latent_layer": 1, "code": 1, "decoder": 2}


def check_mediation(draft: Draft, section: MediationIntervention, path: Path) -> list[Finding]:
    """Findings on the section at `path`."""
    findings = check_treatment(draft, section.treatment, (*path, "treatment")) + _check_route(section, path)
    for index, outcome in enumerate(section.outcomes):
        findings += check_outcome(draft, outcome, (*path, "outcomes", index))
    factor = treated_factor(draft, section.treatment)
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
                f"The effects are expected to be zero; '{factor}' reaches {reached_words(draft, factor)}.",
                severity="warning",
                related=((*path, "treatment"),),
            )
        )
    return findings + _check_subspace(draft, section, path)


def _check_route(section: MediationIntervention, path: Path) -> list[Finding]:
    """Findings on the path or the edges of a mediation; none if it names mediators."""
    findings = _check_edges(section, path) if section.path is None else _check_ends(section, path)
    route = route_of(section)
    return findings or ([] if route is None else _check_order(section, route, path))


def _check_ends(section: MediationIntervention, path: Path) -> list[Finding]:
    return [
        Finding(
            "CV091",
            (*path, "path", place),
            f"a path always leads from the input to the output; {stage} cannot be a stage of it",
            "Name components only: those that the change passes, in their order.",
        )
        for place, stage in enumerate(section.path or ())
        if stage in (INPUT, OUTPUT)
    ]


def _check_edges(section: MediationIntervention, path: Path) -> list[Finding]:
    """Each edge must be on a path from the input to the output."""
    route = route_of(section)
    if route is None:
        return []
    findings = []
    for place, (parent, child) in enumerate(route.edges):
        where: Path = (*path, "edges", place)
        others = [name for name in route.parents.get(child, ()) if name != INPUT]
        if child == INPUT or parent == OUTPUT:
            fault = f"{show_text(f'{parent} -> {child}')} leads into the input or out of the output"
            findings.append(Finding("CV091", where, fault, f"Write `{child} -> {parent}`."))
        elif (parent, child) in route.edges[:place]:
            findings.append(
                Finding("CV091", where, f"the edge {show_text(f'{parent} -> {child}')} is given twice", "Delete one.")
            )
        elif parent == INPUT and child == OUTPUT:
            fault = "an edge from the input to the output is all that passes no component"
            advice = "Delete it: name the components, and `effect around the path` is what passes none of them."
            findings.append(Finding("CV091", where, fault, advice))
        elif parent == INPUT and others:
            fault = f"{show_text(child)} takes its value from the other input as a whole, so nothing can come "
            fault += f"from {show_text(others[0])}"
            findings.append(Finding("CV091", where, fault, f"Keep `{parent} -> {child}`, or the others."))
    if findings:
        return findings
    cycles = find_cycles(route.edges)
    if cycles:
        shown = " -> ".join(cycles[0])
        advice = "Delete or reverse one of these edges: a change is only sent forward."
        return [Finding("CV091", (*path, "edges"), f"the edges form a cycle: {shown}", advice)]
    return _check_ways(route, path)


def _check_ways(route: Route, path: Path) -> list[Finding]:
    """Each node must have a parent and a child."""
    findings = []
    for name in route.nodes:
        place = next(place for place, edge in enumerate(route.edges) if name in edge)
        where: Path = (*path, "edges", place)
        if not route.parents[name]:
            fault = f"no edge leads to {show_text(name)}, so it has no change to send on"
            findings.append(Finding("CV091", where, fault, f"Add an edge, such as `input -> {name}`."))
        if all(parent != name for parent, _ in route.edges):
            fault = f"no edge leads on from {show_text(name)}, so its change is never seen"
            findings.append(Finding("CV091", where, fault, f"Add an edge, such as `{name} -> output`."))
    return findings


def _check_order(section: MediationIntervention, route: Route, path: Path) -> list[Finding]:
    """Each edge must lead forward: from encoder to latent to decoder, and to other components."""
    findings = []
    for place, (parent, child) in enumerate(route.edges):
        if parent == INPUT or child == OUTPUT:
            continue
        # Edge number k of a path leads into its stage number k.
        where: Path = (*path, "edges", place) if section.path is None else (*path, "path", place)
        before, after = route.nodes[parent], route.nodes[child]
        again = [name for name in after if name in before]
        if again:
            fault = f"the change has already passed {show_text(again[0])}"
            findings.append(Finding("CV092", where, fault, "Name it once."))
            continue
        places = [(_place_of(first), _place_of(second), first, second) for first in before for second in after]
        backward = [pair for pair in places if pair[0] is not None and pair[1] is not None and pair[0] > pair[1]]
        if backward:
            _, _, first, second = backward[0]
            fault = f"{show_text(second)} comes before {show_text(first)} in the network, so no change reaches it"
            findings.append(Finding("CV092", where, fault, "Swap the two."))
    return findings


def _place_of(reference: str) -> int | None:
    """Position of a reference: encoder (0), latent (1) or decoder (2); None if unknown."""
    return _ORDER.get(reference.split("[")[0].split(".")[0].split("#")[0].split("@")[0])


def _check_subspace(draft: Draft, section: MediationIntervention, path: Path) -> list[Finding]:
    """Findings on the `subspace` of a mediation at `path`, if any."""
    if section.subspace is None:
        return []
    where: Path = (*path, "subspace")
    findings = _check_objective(draft, section.subspace.objective, (*where, "objective"))
    if section.control is not None:
        findings.append(
            Finding(
                "CV094",
                (*path, "control"),
                "mediators are held at one value as a whole, but here they are patched through learned directions",
                "Delete `control`, or give the controlled direct effect in a separate mediation without `subspace`.",
                related=(where,),
            )
        )
    return findings


def _check_objective(draft: Draft, name: str, path: Path) -> list[Finding]:
    attributes = draft.attributes
    if attributes is None or name in attributes:
        return []
    if name == IMAGE:
        return check_image(draft, path, f"`objective: {next(iter(attributes), '')}`", " to learn by", "CV093")
    kinds = ((draft.factors, "a factor, not an attribute"), (draft.vectors, "a vector, and learning is by one number"))
    reason = next((words for known, words in kinds if name in (known or ())), "no attribute")
    return [
        Finding(
            "CV093",
            path,
            f"the objective {show_text(name)} is {reason}",
            f"Directions are learned by {list_choices((*attributes, IMAGE))}.",
            nearest(name, (*attributes, IMAGE)),
        )
    ]
