"""First-order effects of edges: edge attribution patching (EAP), with integrated gradients (EAP-IG), and by relevance.

The score of an edge from u to v is what u's change would do if v alone read it,

    attribution_i(u -> v) = <u(x') - u(x), (dv/du)^T dY/dv>,

with dv/du past all other nodes and dY/dv along all ways (Syed, Rager & Conmy 2023, arXiv 2310.10348; the points of
integrated gradients lie between the inputs: Hanna et al. 2024, arXiv 2403.17806). One forward pass does for all edges,
and one backward pass from each node to what it reads. For images see `causalvae.engine.attribution`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
import torch
from torch import Tensor

from causalvae.analyses.discoveries.circuit_effects import FloatArray
from causalvae.analyses.discoveries.edge_runs import EdgeRuns
from causalvae.analyses.discoveries.edges import Reading
from causalvae.analyses.discoveries.section import IMAGE
from causalvae.engine.attribution import LENGTH, count_directions, draw_directions
from causalvae.engine.gradients import gradients_through
from causalvae.engine.memory import BatchSize
from causalvae.engine.outcomes import OutcomeMeter
from causalvae.models.hooked import HookedNetwork
from causalvae.models.operators import OperatorGraph, evaluate
from causalvae.models.program import Program

# Stands for the input among sources.
_INPUT: Final = ""


@dataclass(frozen=True)
class _Pass:
    """One forward pass whose nodes are cut apart: gradients of one value lead to what it reads and no further.

    Parameters
    ----------
    cut : mapping
        Site, or the input -> its value as other values read it.
    computed : mapping
        Site -> its value as it was computed.
    outcomes : list of Tensor
        Each (rows,).
    """

    cut: Mapping[str, Tensor]
    computed: Mapping[str, Tensor]
    outcomes: list[Tensor]


def score_edges(runs: EdgeRuns, graph: Program, steps: int, is_line: bool) -> FloatArray:
    """The size of every edge's first-order effect on each pair: (edges, pairs).

    Parameters
    ----------
    runs : EdgeRuns
    graph : Program
        Its parameters usable outside inference mode.
    steps : int
        Points between the inputs, of which gradients are averaged.
    is_line : bool
        Whether there are such points; else gradients are taken at the base input.
    """
    size, parts, first = BatchSize(max(1, runs.pairs)), [], 0
    while first < runs.pairs:
        rows = slice(first, min(first + size.rows, runs.pairs))
        found = size.attempt(partial(_score_rows, runs, graph, steps, is_line, rows))
        if found is not None:
            parts.append(found)
            first = rows.stop
    return np.concatenate(parts, axis=1)


def _score_rows(runs: EdgeRuns, graph: Program, steps: int, is_line: bool, rows: slice) -> FloatArray:
    inputs = runs.inputs
    base, other = (inputs.sides[side][rows].float() for side in ("base", "counterfactual"))
    noise = inputs.noise[rows].float()
    change = {site: runs.change(site)[rows] for site in dict.fromkeys(node.site for node in runs.parts)}
    change[_INPUT] = other.double() - base.double()
    directions = None
    if runs.outcome == IMAGE:
        count, shape = count_directions(runs.pairs), graph.shape(graph.outputs["output"])
        directions = draw_directions(runs.runner.plan.seed, range(rows.start, rows.stop), count, shape)
    outcomes = 1 if directions is None else len(directions)
    totals = np.zeros((outcomes, len(runs.candidates), len(base)))
    with torch.inference_mode(False), gradients_through(graph):
        for step in range(steps):
            place = (step + 0.5) / steps if is_line else 0.0
            x = (base + place * (other - base)).clone().requires_grad_()
            run = _cut_pass(runs, graph, x, noise.clone(), directions)
            for row, outcome in enumerate(run.outcomes):
                totals[row] += _attribute(runs, run, outcome, change) / steps
    sizes: FloatArray = np.abs(totals).mean(axis=0)
    return sizes * LENGTH if directions is not None else sizes


def _cut_pass(runs: EdgeRuns, graph: Program, x: Tensor, noise: Tensor, directions: list[Tensor] | None) -> _Pass:
    components = runs.runner.model.components
    cut, computed = {_INPUT: x}, {}
    units: dict[str, list[int]] = {}
    for node in runs.parts:
        units.setdefault(node.site, []).extend(node.units or ())

    def part(site: str, value: Tensor) -> Tensor:
        computed[site] = value
        leaf = value.detach().clone().requires_grad_()
        cut[site] = leaf
        if len(units[site]) == value.shape[1]:
            return leaf
        read = torch.zeros(value.shape[1], dtype=torch.bool, device=value.device)
        read[units[site]] = True
        return torch.where(read.reshape(-1, *([1] * (value.ndim - 2))), leaf, value)

    edits = {components.site(site).node: partial(part, site) for site in units}
    outputs = _run_edited(graph, edits, (x, noise))
    if directions is not None:
        image = outputs["output"].float()
        found = [(image * direction.to(image)).flatten(1).sum(1) for direction in directions]
    else:
        plan = runs.runner.plan
        meter = OutcomeMeter(runs.runner.measure, plan, outputs, None)
        found = [meter.attributes(outputs)[:, plan.attributes.index(runs.outcome)]]
    return _Pass(cut, computed, found)


def _run_edited(
    graph: Program, edits: Mapping[str, Callable[[Tensor], Tensor]], arguments: tuple[Tensor, ...]
) -> dict[str, Tensor]:
    """A full forward pass in which values are replaced, that can be differentiated."""
    if isinstance(graph, HookedNetwork):
        return graph.rerun(edits, *arguments)
    if not isinstance(graph, OperatorGraph):
        raise TypeError("a network is an operator graph or is run by hooks")
    values = {**graph.parameters, **dict(zip(graph.inputs, arguments, strict=True))}
    for operation in graph.operations:
        if operation.name not in values:
            values[operation.name] = evaluate(operation, values, len(arguments[0]))
        if operation.name in edits:
            values[operation.name] = edits[operation.name](values[operation.name])
    return {name: values[node] for name, node in graph.outputs.items()}


def _attribute(runs: EdgeRuns, run: _Pass, outcome: Tensor, change: Mapping[str, Tensor]) -> FloatArray:
    """Signed first-order effects of one outcome, (edges, rows)."""
    found = np.zeros((len(runs.candidates), len(outcome)))
    # dY/dv along all ways.
    total = {site: torch.zeros_like(value) for site, value in run.computed.items()}
    last = len(runs.candidates)
    for reading in reversed(runs.wiring.readings):
        last -= reading.edges
        if reading.site is None:
            _send(runs, reading, run, outcome.sum(), None, change, total, found[last : last + reading.edges])
            continue
        each = len(reading.sources) + reading.from_input
        for place, node in enumerate(reading.nodes):
            along = torch.zeros_like(run.computed[reading.site])
            units = list(runs.parts[node].units or ())
            along[:, units] = total[reading.site][:, units]
            if along.any():
                first = last + place * each
                _send(
                    runs, reading, run, run.computed[reading.site], along, change, total, found[first : first + each]
                )  # fmt: skip
    return found


def _send(
    runs: EdgeRuns,
    reading: Reading,
    run: _Pass,
    value: Tensor,
    along: Tensor | None,
    change: Mapping[str, Tensor],
    total: dict[str, Tensor],
    found: FloatArray,
) -> None:
    """Write what each source of a value does through it, and add to the sources' gradients."""
    sites = [*([_INPUT] if reading.from_input else []), *dict.fromkeys(runs.parts[k].site for k in reading.sources)]
    read = [run.cut[site] for site in sites]
    if not value.requires_grad:
        return
    given = torch.autograd.grad(value, read, along, retain_graph=True, allow_unused=True)
    gradients = dict(zip(sites, given, strict=True))
    if reading.from_input and gradients[_INPUT] is not None:
        found[0] = (gradients[_INPUT].double() * change[_INPUT]).flatten(1).sum(1).cpu().numpy()
    for row, source in enumerate(reading.sources, start=int(reading.from_input)):
        part = runs.parts[source]
        gradient = gradients[part.site]
        if gradient is not None:
            units = list(part.units or ())
            product = gradient[:, units].double() * change[part.site][:, units]
            found[row] = product.flatten(1).sum(1).cpu().numpy()
    for site, gradient in gradients.items():
        if site != _INPUT and gradient is not None:
            total[site] += gradient
