"""Checks of paths and edges of mediations that do not need the model."""

from __future__ import annotations

from causalvae.spec.diagnostics import Finding, Path, show_text
from causalvae.spec.digraph import find_cycles
from causalvae.spec.intervention_section import MediationIntervention
from causalvae.spec.route import INPUT, OUTPUT, Route, route_of

_ORDER = {"encoder": 0, "latent": 1, "latent_layer": 1, "code": 1, "decoder": 2}


def check_route(section: MediationIntervention, path: Path) -> list[Finding]:
    """Findings on the path or the edges of a mediation; none if it names mediators."""
    findings = _check_edges(section, path) if section.path is None else _check_ends(section, path)
    route = route_of(section)
    return findings or ([] if route is None else _check_order(section, route, path))


def _check_ends(section: MediationIntervention, path: Path) -> list[Finding]:
    return [
        Finding(
            "CV091",
            (*path, "path", place),
            f"a path leads from the input to the output by itself; {stage} is no stage of it",
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
            advice = "Leave it out: name the components, and `effect around the path` is what passes none of them."
            findings.append(Finding("CV091", where, fault, advice))
        elif parent == INPUT and others:
            fault = f"{show_text(child)} takes its value from the other input as a whole, so nothing is left to come "
            fault += f"from {show_text(others[0])}"
            findings.append(Finding("CV091", where, fault, f"Keep `{parent} -> {child}`, or the others."))
    if findings:
        return findings
    cycles = find_cycles(route.edges)
    if cycles:
        shown = " -> ".join(cycles[0])
        advice = "Delete or turn round one of these edges: a change is sent on, never back."
        return [Finding("CV091", (*path, "edges"), f"the edges lead round in a circle: {shown}", advice)]
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
            fault = f"the change has just been at {show_text(again[0])}"
            findings.append(Finding("CV092", where, fault, "Name it once."))
            continue
        places = [(_place_of(first), _place_of(second), first, second) for first in before for second in after]
        backward = [pair for pair in places if pair[0] is not None and pair[1] is not None and pair[0] > pair[1]]
        if backward:
            _, _, first, second = backward[0]
            fault = f"{show_text(second)} comes before {show_text(first)} in the network, so no change gets there"
            findings.append(Finding("CV092", where, fault, "Exchange the two."))
    return findings


def _place_of(reference: str) -> int | None:
    """Position of a reference: encoder (0), latent (1) or decoder (2); None if unknown."""
    return _ORDER.get(reference.split("[")[0].split(".")[0].split("#")[0].split("@")[0])
