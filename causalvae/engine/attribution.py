"""What every component of a sweep does to first order: gradients, one or a few passes for all of them.

Attribution patching (Nanda 2023, "Attribution patching: activation patching at industrial scale"; Kramar et al. 2024,
arXiv 2403.00745) takes, for pair i and component c with entries e,

    attribution_i(c) = sum over e in c of  dY/da_e * (source value of e - clean value of e),

the gradient of the outcome Y at the clean run of the patched side: one forward and one backward pass for all components
at once. ``integrated_gradients`` averages that gradient over points between the clean run and the run that the values
come from. Of the two lines in use, that of the site's own activation and that of the input, x + t (x' - x), this takes
the input's (EAP-IG, Hanna et al. 2024, arXiv 2403.17806): a point of it is one pass for all sites, while the other
needs a pass for every site and point. The points are the midpoints t = (k - 1/2) / steps, with which the rule is exact
wherever the gradient changes linearly along the line.

The score of a component is the mean over pairs of |attribution_i(c)|. It estimates the mean over pairs of
|Y(patched) - Y(clean)|.

The image is no number, and its squared change has gradient zero at the clean run, where it is least. To first order the
image changes by J d, with J its Jacobian and d the component's change, so the mean length ||J d|| is wanted (its square
is the Gauss-Newton form of the squared change). For a standard normal direction v of the image's size, E|<v, J d>| =
sqrt(2 / pi) ||J d||, and <v, J d> is the attribution of the number <v, image>: so each pair is given random directions,
the same for all components, and attribution_i(c) = sqrt(pi / 2) |<v, J d>|, averaged over them. There are at least 256
directions over all pairs, which leaves a relative error of sqrt((pi / 2 - 1) / 256) = 5 percent where pairs are alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from causalvae.engine.gradients import gradients_through
from causalvae.engine.memory import BatchSize
from causalvae.engine.outcomes import OutcomeMeter
from causalvae.engine.runner import PlanRunner
from causalvae.engine.shards import ShardInputs, run_padded
from causalvae.engine.values import CleanRuns, SiteRuns, Statistics, selection
from causalvae.models.hooked import HookedNetwork
from causalvae.models.program import Program
from causalvae.plan.types import Arm, Patch, Screen
from causalvae.spec.value_source import OTHER, ValueSource

FloatArray = npt.NDArray[np.float64]

IMAGE = "image"
# Directions that the image is projected on, over all pairs.
_DIRECTIONS = 256
# The length of a vector over the mean size of its projections on standard normal directions.
LENGTH = math.sqrt(math.pi / 2)


class Attribution:
    """The first-order effects of the candidates of one screen.

    Parameters
    ----------
    screen : Screen
    arms : sequence of Arm
        The candidates; all of one cohort, side and number of pairs, with one patch each.
    runner : PlanRunner
        Of the plan; gives inputs and clean values.
    graph : Program
        The captured network, in float32 and on the runner's device, its parameters usable outside inference mode.
    statistics : mapping
        Site name -> facts over the cohort, for sources that need them.
    """

    def __init__(
        self,
        screen: Screen,
        arms: Sequence[Arm],
        runner: PlanRunner,
        graph: Program,
        statistics: Mapping[str, Statistics],
    ) -> None:
        self._screen = screen
        self._arms = arms
        self._runner = runner
        self._graph = graph
        self._statistics = statistics
        self._entries = _entries(arms, runner)
        self.directions = count_directions(arms[0].pairs) if screen.outcome == IMAGE else 1

    @property
    def passes(self) -> int:
        """Forward and backward passes that a pair takes, the clean runs among them."""
        return 2 + self._screen.steps * (1 + self.directions)

    def of(self, inputs: ShardInputs) -> FloatArray:
        """|attribution| of every candidate for every pair of `inputs`, in units of the outcome: (candidates, pairs)."""
        size = BatchSize(max(1, inputs.rows))
        parts: list[FloatArray] = []
        first = 0
        while first < inputs.rows:
            rows = slice(first, first + size.rows)
            found = size.attempt(partial(self._of_rows, inputs, rows))
            if found is not None:
                parts.append(found)
                first = rows.stop
        return np.concatenate(parts, axis=1)

    def _of_rows(self, inputs: ShardInputs, rows: slice) -> FloatArray:
        nodes = list(self._entries)
        own, end = self._ends(inputs, rows)
        with torch.inference_mode():
            clean = self._clean(inputs, rows, [node.name for node in nodes])
            change = {node: self._change(node, clean) for node in nodes}
        # Copies, for what was made in inference mode takes no part in gradients.
        with torch.inference_mode(False):
            directions = self._draw(inputs.first + rows.start, len(own[0]))
            gradients = self._gradients(own, end, [node.name for node in nodes], directions)
        with torch.inference_mode():
            found = np.zeros((len(self._arms), len(own[0])))
            for node, gradient in zip(nodes, zip(*gradients, strict=True), strict=True):
                for along in gradient:
                    products = (along.double() * change[node]).flatten(1)
                    for positions, entries in self._entries[node]:
                        sums = products[:, entries.to(products.device)].sum(2).abs()
                        found[positions] += sums.T.cpu().numpy()
        scale = LENGTH / self.directions if self._screen.outcome == IMAGE else 1.0
        return found * scale

    def _ends(self, inputs: ShardInputs, rows: slice) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Both ends of the line that gradients are taken along: the patched run's arguments, and the values' own."""
        side, source = self._screen.side, self._arms[0].patches[0].source
        own = (inputs.sides[side][rows].float(), inputs.noise[rows].float())
        key = source.donor_key(side)
        if key is not None:
            x, noise = inputs.donors[key]
            return own, (x[rows].float(), noise[rows].float())
        if source.from_input:
            return own, (inputs.sides[OTHER[side]][rows].float(), own[1])
        return own, own

    def _clean(self, inputs: ShardInputs, rows: slice, nodes: Sequence[str]) -> CleanRuns:
        graph, noise = self._runner.graph, inputs.noise[rows]
        sides = {side: run_padded(graph, x[rows], noise, nodes) for side, x in inputs.sides.items()}
        donors = {}
        key = self._arms[0].patches[0].source.donor_key(self._screen.side)
        if key is not None:
            x, drawn = inputs.donors[key]
            donors[key] = run_padded(graph, x[rows], drawn[rows], nodes, to_end=False)
        return CleanRuns(sides, len(noise), donors, inputs.first + rows.start)

    def _change(self, node: _Node, clean: CleanRuns) -> Tensor:
        """By how much the source moves a whole value: float64, one row a pair."""
        side, facts = self._screen.side, self._statistics.get(node.site, Statistics())
        source = node.source.compute(SiteRuns(node.site, node.name, side, clean, facts))
        return source.double() - clean.sides[side][node.name].double()

    def _draw(self, first: int, rows: int) -> list[Tensor] | None:
        """Random directions of the image for the pairs from `first` on; None where the outcome is an attribute."""
        if self._screen.outcome != IMAGE:
            return None
        shape = self._graph.shape(self._graph.outputs["output"])
        return draw_directions(self._screen.seed, range(first, first + rows), self.directions, shape)

    def _gradients(
        self,
        own: tuple[Tensor, ...],
        end: tuple[Tensor, ...],
        nodes: Sequence[str],
        directions: list[Tensor] | None,
    ) -> list[list[Tensor]]:
        """Gradients of each direction's outcome at `nodes`, averaged along the line."""
        steps = self._screen.steps
        totals: list[list[Tensor]] = []
        with gradients_through(self._graph):
            for step in range(steps):
                place = 0.0 if self._screen.method == "attribution" else (step + 0.5) / steps
                point = [(a + place * (b - a)).detach().clone().requires_grad_() for a, b in zip(own, end, strict=True)]
                values, outputs = run_with_gradients(self._graph, point, nodes)
                found = [differentiate(outcome, values) for outcome in self._outcomes(outputs, directions)]
                if not totals:
                    totals = found
                else:
                    totals = [
                        [total + new for total, new in zip(*both, strict=True)]
                        for both in zip(totals, found, strict=True)
                    ]
        return [[total / steps for total in each] for each in totals]

    def _outcomes(self, outputs: Mapping[str, Tensor], directions: list[Tensor] | None) -> list[Tensor]:
        """What is differentiated: one number a row, for each direction."""
        if directions is not None:
            image = outputs["output"].float()
            return [(image * direction.to(image)).flatten(1).sum(1) for direction in directions]
        plan = self._runner.plan
        meter = OutcomeMeter(self._runner.measure, plan, outputs, None)
        return [meter.attributes(outputs)[:, plan.attributes.index(self._screen.outcome)]]


@dataclass(frozen=True)
class _Node:
    """A value that is patched from one kind of source."""

    site: str
    name: str
    source: ValueSource


# For each number of entries that components of a node have: their positions among the candidates, and their entries in
# the flattened value, (components, entries).
_Entries = dict[_Node, list[tuple[list[int], Tensor]]]


def _entries(arms: Sequence[Arm], runner: PlanRunner) -> _Entries:
    found: dict[_Node, dict[int, tuple[list[int], list[Tensor]]]] = {}
    for position, arm in enumerate(arms):
        (patch,) = arm.patches
        site = runner.components.site(patch.site)
        places = _places(patch, site.shape)
        sizes = found.setdefault(_Node(site.name, site.node, patch.source), {})
        positions, entries = sizes.setdefault(len(places), ([], []))
        positions.append(position)
        entries.append(places)
    return {
        node: [(positions, torch.stack(entries)) for positions, entries in sizes.values()]
        for node, sizes in found.items()
    }


def _places(patch: Patch, shape: tuple[int, ...]) -> Tensor:
    """The entries of a flattened value of `shape` that a patch replaces."""
    everything = torch.arange(math.prod(shape)).reshape(1, *shape)
    return everything[selection(patch, 1 + len(shape))].flatten()


def count_directions(pairs: int) -> int:
    """How many directions the image of each pair is projected on."""
    return math.ceil(_DIRECTIONS / pairs)


def draw_directions(seed: int, pairs: Iterable[int], count: int, shape: tuple[int, ...]) -> list[Tensor]:
    """Random directions of an image of `shape`, each (pairs, *shape).

    A pair's directions do not depend on how pairs are cut up.
    """
    drawn = [
        np.random.default_rng([seed, pair]).standard_normal((count, *shape), dtype=np.float32) for pair in pairs
    ]  # fmt: skip
    return list(torch.from_numpy(np.stack(drawn, axis=1)))


def run_with_gradients(
    graph: Program, arguments: Sequence[Tensor], nodes: Sequence[str]
) -> tuple[list[Tensor], dict[str, Tensor]]:
    """A forward pass within `gradients_through` that can be differentiated with respect to the values of `nodes`.

    Parameters
    ----------
    graph : Program
    arguments : sequence of Tensor
        The network's arguments; they require gradients.
    nodes : sequence of str

    Returns
    -------
    values : list of Tensor
        Of `nodes`.
    outputs : dict
        The network's outputs by name.
    """
    if isinstance(graph, HookedNetwork):
        # What a hook is given may be overwritten by the module after it, so the value and what goes on are two tensors.
        met: dict[str, Tensor] = {}

        def record(name: str, value: Tensor) -> Tensor:
            met[name] = value
            return value.clone()

        outputs = graph.rerun({name: partial(record, name) for name in nodes}, *arguments)
        return [met[name] for name in nodes], outputs
    found: dict[str, Any] = graph.run(*arguments, keep=nodes)
    return [found[name] for name in nodes], {name: found[node] for name, node in graph.outputs.items()}


def differentiate(outcome: Tensor, values: Sequence[Tensor]) -> list[Tensor]:
    """The gradient of each row's outcome at that row's `values`; zero where it does not depend on them."""
    moving = [value for value in values if value.requires_grad]
    if not outcome.requires_grad or not moving:
        return [torch.zeros_like(value) for value in values]
    gradients = iter(torch.autograd.grad(outcome.sum(), moving, retain_graph=True, allow_unused=True))
    found = [next(gradients) if value.requires_grad else None for value in values]
    return [torch.zeros_like(value) if g is None else g for value, g in zip(values, found, strict=True)]
