"""What some sources are fitted on: pairs of their own, drawn as the cohort's are and used for nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from causalvae.digest import digest
from causalvae.engine.changes import Change, Whole, gather
from causalvae.engine.gradients import gradients_through
from causalvae.engine.memory import BatchSize
from causalvae.engine.needed_values import needed_values
from causalvae.engine.rerun import Shortcuts
from causalvae.engine.shards import ShardInputs, run_clean, run_rows
from causalvae.engine.suffix import Suffix
from causalvae.engine.values import Statistics, selection
from causalvae.models.components import ComponentMap
from causalvae.models.hooked import HookedNetwork
from causalvae.models.operators import OperatorGraph
from causalvae.models.program import Program
from causalvae.plan.types import Arm, Cohort, Patch, Side
from causalvae.spec.value_source import ValueSource

# Pairs that a steering vector or a constant is fitted on.
SPLIT_PAIRS = 128
# Steps of the quasi-Newton search for a constant, each of one gradient or a few.
_STEPS = 25

_PLAIN = Shortcuts(suffix=True, dead_rows=False, low_rank=False, windows=False)


def split_of(cohort: Cohort, seed: int, pairs: int = SPLIT_PAIRS, purpose: str = "fit") -> Cohort:
    """A cohort drawn as `cohort` is, with a seed of its own, for fitting; each purpose has its own too."""
    own = int(digest([cohort.name, cohort.seed, purpose, seed]), 16) % 2**31
    return replace(cohort, samples=pairs, seed=own)


def fitted_arms(arms: Iterable[Arm]) -> dict[int, list[Arm]]:
    """Arms with a fitted source, by the seed of the pairs that it is fitted on."""
    found: dict[int, list[Arm]] = {}
    for arm in arms:
        seeds = {patch.source.seed or 0 for patch in arm.patches if patch.source.is_fitted}
        for seed in seeds:
            found.setdefault(seed, []).append(arm)
    return found


def fit_sources(
    graph: Program, components: ComponentMap, arms: Sequence[Arm], inputs: ShardInputs, requested: tuple[str, ...],
    rows: int, search: bool = True,
) -> dict[str, Statistics]:  # fmt: skip
    """Fit what the sources of `arms` need.

    Parameters
    ----------
    graph : Program
        The captured network in float32, its parameters usable outside inference mode.
    components : ComponentMap
    arms : sequence of Arm
    inputs : ShardInputs
        The pairs to fit on; made outside inference mode.
    requested : tuple of str
        Names of the network's outputs that a constant must change little.
    rows : int
        How many are run at once.
    search : bool
        Whether constants are searched for; else the means stand for them, and no gradient is taken.
    """
    pairs = FitPairs(graph, components, inputs, requested, rows, search)
    fitted: dict[str, dict[tuple[Side, ValueSource], Tensor]] = {}
    for arm in arms:
        for patch in arm.patches:
            if patch.source.is_fitted and (arm.side, patch.source) not in fitted.get(patch.site, {}):
                for settled, value in patch.source.fit(patch, arm, pairs):
                    fitted.setdefault(settled.site, {})[arm.side, settled.source] = value
    return {site: Statistics(fitted=known) for site, known in fitted.items()}


@dataclass(frozen=True)
class FitPairs:
    """The pairs that sources are fitted on, which serve nothing else; parameters as for `fit_sources`."""

    graph: Program
    components: ComponentMap
    inputs: ShardInputs
    requested: tuple[str, ...]
    rows: int
    search: bool = True

    def mean(self, site: str, side: Side) -> Tensor:
        """The mean of a site over one side, (1, *site_shape), accumulated in float64."""
        node = self.components.site(site).node
        with torch.no_grad():
            found = run_rows(
                self.graph, self.inputs.sides[side], self.inputs.noise, BatchSize(self.rows), [node], to_end=False
            )
        values = found[node]
        return values.double().mean(0, keepdim=True).to(values.dtype)

    def constants(self, arm: Arm) -> list[Tensor]:
        """The constants of the patches of `arm` that change the outputs least together; see `fit_constants`."""
        return fit_constants(self.graph, self.components, arm.side, arm.patches, self.inputs, self.requested, self.rows)


def fit_constants(
    graph: Program, components: ComponentMap, side: Side, patches: Sequence[Patch], inputs: ShardInputs,
    requested: tuple[str, ...], rows: int,
) -> list[Tensor]:  # fmt: skip
    """The constants that change the outputs least when they are put in place together.

    argmin over a of the mean over pairs of || f(x; c <- a) - f(x) ||^2: optimal ablation (Li & Janson 2024, arXiv
    2409.09951) with the squared change as loss. The search is quasi-Newton, in units of the standard deviations, from
    the best of the means, the quartiles and zero: the means alone would not do, for behind a ReLU they may lie where
    no gradient leads on. Where it finds nothing better, its start stands.

    Parameters
    ----------
    graph, components, inputs, requested, rows
        As for `fit_sources`.
    side : {"base", "counterfactual"}
        The side that is patched.
    patches : sequence of Patch
        What is patched together.

    Returns
    -------
    list of Tensor
        One a patch, (1, *site_shape): the constant at the patch's units and window, the mean elsewhere.
    """
    loss_of, starts, spreads = _prepare(graph, components, side, patches, inputs, requested, rows)
    with torch.no_grad():
        losses = [loss_of(constants, False)[0] for constants in starts]
    start = min(losses)
    origin = starts[losses.index(start)]
    if start == 0.0:
        return origin
    moves = [torch.zeros_like(constant) for constant in origin]

    def constants() -> list[Tensor]:
        placed = zip(origin, spreads, moves, strict=True)
        return [(constant + spread * move).detach().requires_grad_() for constant, spread, move in placed]

    with gradients_through(graph):
        search = torch.optim.LBFGS(
            moves, max_iter=_STEPS, tolerance_grad=1e-9, tolerance_change=1e-12, line_search_fn="strong_wolfe"
        )

        def closure() -> float:
            loss, gradients = loss_of(constants(), True)
            for move, spread, gradient in zip(moves, spreads, gradients, strict=True):
                # Relative to the start, so that tolerances mean the same for outputs of any size.
                move.grad = gradient * spread / start
            return loss / start

        search.step(closure)
        found = constants()
        better = loss_of(found, False)[0] <= start
    return [constant.detach() for constant in found] if better else origin


# From constants to the mean squared change, and to its gradient where that is wanted.
_Loss = Callable[[Sequence[Tensor], bool], tuple[float, list[Tensor]]]


def _prepare(
    graph: Program, components: ComponentMap, side: Side, patches: Sequence[Patch], inputs: ShardInputs,
    requested: tuple[str, ...], rows: int,
) -> tuple[_Loss, list[list[Tensor]], list[Tensor]]:  # fmt: skip
    """The loss of constants, where a search for them may start, and each site's standard deviation on `side`."""
    nodes = [components.site(patch.site).node for patch in patches]
    arm = Arm(inputs.cohort, side, tuple(patches), inputs.rows)
    keep = needed_values(graph, components, [arm], _PLAIN, requested)
    with torch.no_grad():
        clean = run_clean(graph, inputs, keep, BatchSize(rows)).sides[side]
    seen = [clean[node] for node in nodes]
    starts = [[value.mean(0, keepdim=True) for value in seen]]
    starts += [[value.quantile(level, 0, keepdim=True) for value in seen] for level in (0.25, 0.75)]
    starts.append([torch.zeros_like(value[:1]) for value in seen])
    spreads = [clean[node].std(0, keepdim=True) for node in nodes]
    # An entry that never varies has no scale of its own; its site's is the next best.
    spreads = [torch.where(spread > 0, spread, spread.mean()) for spread in spreads]
    wanted = {name: graph.outputs[name] for name in requested}

    def put(value: Tensor, patch: Patch, constant: Tensor) -> Tensor:
        index = selection(patch, value.ndim)
        patched = value.clone()
        patched[index] = constant[index].expand_as(patched[index])
        return patched

    def outputs_of(constants: Sequence[Tensor], pairs: Tensor) -> Mapping[str, Tensor]:
        placed = list(zip(nodes, patches, constants, strict=True))
        if isinstance(graph, HookedNetwork):
            edits = {node: partial(put, patch=patch, constant=constant) for node, patch, constant in placed}
            return graph.rerun(edits, *(gather(clean[name], pairs) for name in graph.inputs))
        if not isinstance(graph, OperatorGraph):
            raise TypeError(type(graph))

        def entry(node: str, patch: Patch, constant: Tensor, value: Tensor | None, some: slice) -> Change:
            return Whole(put(gather(clean[node], pairs[some]) if value is None else value, patch, constant))

        suffix = Suffix(graph, tuple(nodes), wanted, from_input=False, windows=False)
        entries = {node: partial(entry, node, patch, constant) for node, patch, constant in placed}
        return suffix.run(entries, clean, pairs)

    def loss_of(constants: Sequence[Tensor], with_gradient: bool) -> tuple[float, list[Tensor]]:
        total, gradients = 0.0, [torch.zeros_like(constant) for constant in constants]
        for pairs in torch.arange(inputs.rows, device=inputs.noise.device).split(rows):
            found = outputs_of(constants, pairs)
            moved = [
                (found[name] - gather(clean[node], pairs)).double().square().sum() for name, node in wanted.items()
            ]
            part = torch.stack(moved).sum() / inputs.rows
            total += float(part.detach())
            if with_gradient and part.requires_grad:
                # Not backward(), which would leave gradients in the network's own parameters.
                new = torch.autograd.grad(part, list(constants), allow_unused=True)
                gradients = [old if more is None else old + more for old, more in zip(gradients, new, strict=True)]
        return total, gradients

    return loss_of, starts, spreads
