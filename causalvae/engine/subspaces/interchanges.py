"""Interchanges through a subspace on training pairs, and the loss of their outcomes.

Interchange of pair i with donor j through the orthonormal directions R: the patched part a_i of the base run becomes
a_i + R R^T (s_j - a_i), with s_j the same part of the run of *another* pair's input, one whose treated factor has the
value of the counterfactual x'_i. The outcome should then be that of x'_i, which differs from x_i in that factor only
(Geiger et al. 2024, "Finding alignments between interpretable causal variables and distributed neural representations",
arXiv 2303.02536). With x'_i itself as the source, every subspace that contains the whole change of the activation would
have zero loss.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor

from causalvae.engine.attribution import IMAGE
from causalvae.engine.changes import Change, Whole, gather
from causalvae.engine.memory import BatchSize
from causalvae.engine.needed_values import needed_values
from causalvae.engine.outcomes import Measure, OutcomeMeter
from causalvae.engine.rerun import Shortcuts
from causalvae.engine.shards import ShardInputs, run_clean
from causalvae.engine.suffix import Suffix
from causalvae.engine.values import selection, through_subspace
from causalvae.errors import CausalVAEError
from causalvae.models.components import ComponentMap
from causalvae.models.hooked import HookedNetwork
from causalvae.models.operators import OperatorGraph
from causalvae.models.program import Program
from causalvae.plan.types import OUTPUT, Arm, Learning, Patch, Plan
from causalvae.spec.value_source import DonorKey, ValueSource, make_source

# Number of rows run together, independent of the plan, so that results do not depend on its batch size.
ROWS = 64
_PLAIN = Shortcuts(suffix=True, dead_rows=False, low_rank=False, windows=False)


def donor_source(learned: Learning) -> ValueSource:
    """The source of the interchanges for learning."""
    if learned.given is None:
        return make_source("interchange")
    return make_source("interchange", seed=learned.seed, given=learned.given)


def donor_keys(learned: Learning) -> tuple[DonorKey, ...]:
    """The donors that the training pairs need; none if each pair is its own donor."""
    key = donor_source(learned).donor_key("base")
    return () if key is None else (key,)


def named(learned: Learning) -> str:
    """The objective in words."""
    return "the whole output" if learned.objective == IMAGE else learned.objective


class Interchanges:
    """Clean runs of the training pairs of one subspace, and the loss of interchanges.

    Parameters
    ----------
    graph : Program
        The captured network in float32, made outside inference mode.
    components : ComponentMap
    patch : Patch
        The patch through the subspace to be learned.
    inputs : ShardInputs
        The pairs and the donors in `donor_keys`, made outside inference mode.
    plan : Plan
        For its attributes.
    measure : callable
        From outputs to attributes.

    Attributes
    ----------
    own, source, other : Tensor, shape (pairs, units, ...)
        The patched part in the base, donor and counterfactual runs.
    pairs : Tensor, int
        Indices of the pairs on which the objective is defined.

    Raises
    ------
    CausalVAEError
        CV435 if the treatment changes the objective in none of the pairs.
    """

    def __init__(
        self,
        graph: Program,
        components: ComponentMap,
        patch: Patch,
        inputs: ShardInputs,
        plan: Plan,
        measure: Measure,
    ) -> None:
        if patch.subspace is None or patch.subspace.learned is None:
            raise ValueError("nothing is to be learned for this patch")
        self.learned = patch.subspace.learned
        self.graph = graph
        self._plan, self._measure = plan, measure
        self._node = components.site(patch.site).node
        self._wanted = dict.fromkeys(plan.outputs if self.learned.objective != IMAGE else (OUTPUT,))
        source = donor_source(self.learned)
        arm = Arm(inputs.cohort, "base", (Patch(patch.site, patch.units, source, patch.window),), inputs.rows)
        keep = needed_values(graph, components, [arm], _PLAIN, tuple(dict.fromkeys((*plan.outputs, OUTPUT))))
        with torch.no_grad():
            runs = run_clean(graph, inputs, keep, BatchSize(ROWS))
            self.clean = runs.sides["base"]
            self._index = selection(patch, self.clean[self._node].ndim)
            self.own = self.clean[self._node][self._index]
            self.other = runs.sides["counterfactual"][self._node][self._index]
            keys = donor_keys(self.learned)
            self.source = runs.donors[keys[0]][self._node][self._index] if keys else self.other
            base, target = (
                self._outcome({name: values[node] for name, node in graph.outputs.items() if node in values})
                for values in (self.clean, runs.sides["counterfactual"])
            )
            total = self._squares(target, base)
            defined = torch.isfinite(total)
            self.pairs = defined.nonzero().flatten()
            self._target = target
            self._scale = float(total[defined].mean()) if len(self.pairs) else 0.0
        if not self._scale > 0.0:
            raise CausalVAEError(
                "CV435",
                f"the treatment moves {named(self.learned)} in none of the {inputs.rows} pairs that directions are "
                "learned on.",
                "Name another objective, or learn on more pairs (`learned_on`).",
                patch.site,
            )

    @property
    def units(self) -> int:
        """Number of units of the patched part."""
        return self.own.shape[1]

    def unexplained(self, basis: Tensor, pairs: Tensor) -> Tensor:
        """Unexplained share of the squared total effect: 0 if interchanges give the outcome of x', 1 if that of x.

        The mean over `pairs` of |Y(interchange) - Y(x')|^2, divided by the mean over all pairs of |Y(x') - Y(x)|^2.

        Parameters
        ----------
        basis : Tensor, float64, shape (units, dim)
            Orthonormal.
        pairs : Tensor, int, shape (rows,)
            Indices from `pairs`.

        Returns
        -------
        Tensor, float64, shape ()
        """
        moved = through_subspace(gather(self.own, pairs), gather(self.source, pairs), basis)
        found = self._outcome(self.outputs_with(moved, pairs))
        return self._squares(found, gather(self._target, pairs)).mean() / self._scale

    def unexplained_by_all(self, basis: Tensor) -> float:
        """`unexplained` over all pairs, without gradients."""
        with torch.no_grad():
            parts = [(self.unexplained(basis, pairs), len(pairs)) for pairs in self.pairs.split(ROWS)]
        return sum(float(part) * rows for part, rows in parts) / len(self.pairs)

    def outputs_with(self, part: Tensor, pairs: Tensor, names: tuple[str, ...] = ()) -> dict[str, Tensor]:
        """Outputs of the base runs `pairs` by name, with the patched part replaced by `part`."""

        def put(value: Tensor, some: slice = slice(None)) -> Tensor:
            patched = value.clone()
            patched[self._index] = part[some]
            return patched

        wanted = {name: self.graph.outputs[name] for name in names or self._wanted}
        if isinstance(self.graph, HookedNetwork):
            arguments = (gather(self.clean[name], pairs) for name in self.graph.inputs)
            found = self.graph.rerun({self._node: put}, *arguments)
            return {name: found[name] for name in wanted}
        if not isinstance(self.graph, OperatorGraph):
            raise TypeError(type(self.graph))
        suffix = Suffix(self.graph, (self._node,), wanted, from_input=False, windows=False)
        return suffix.run({self._node: partial(self._enter, put, pairs)}, self.clean, pairs)

    def _enter(
        self, put: Callable[[Tensor, slice], Tensor], pairs: Tensor, value: Tensor | None, some: slice
    ) -> Change:
        return Whole(put(gather(self.clean[self._node], pairs[some]) if value is None else value, some))

    def _outcome(self, outputs: Mapping[str, Tensor]) -> Tensor:
        """The flattened output, (rows, numbers), or the attribute, (rows, 1)."""
        if self.learned.objective == IMAGE:
            return outputs[OUTPUT].flatten(1)
        meter = OutcomeMeter(self._measure, self._plan, outputs, None)
        place = self._plan.attributes.index(self.learned.objective)
        return meter.attributes(outputs)[:, place : place + 1]

    def _squares(self, found: Tensor, target: Tensor) -> Tensor:
        """Squared distances, (rows,), float64; wrapped if the objective is cyclic."""
        away = found.double() - target.double()
        if self.learned.period is not None:
            away = away - self.learned.period * torch.ceil(away.detach() / self.learned.period - 0.5)
        return away.square().sum(1)
