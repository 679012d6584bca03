"""The inputs of one shard, its clean runs, and what its rows cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from causalvae.engine.forward import run_forward
from causalvae.engine.memory import BatchSize
from causalvae.engine.needed_values import Keep
from causalvae.engine.values import MIN_ROWS, CleanRuns, padding
from causalvae.models.operators import OperatorGraph
from causalvae.models.program import Program
from causalvae.plan.types import Side
from causalvae.spec.value_source import DonorKey


@dataclass(frozen=True)
class ShardInputs:
    """The inputs of one shard.

    Parameters
    ----------
    cohort : str
    first : int
        Index of the first pair in the cohort.
    sides : dict
        Side -> inputs, (rows, *input_shape); the observed cohort has only ``base``.
    noise : Tensor, shape (rows, *latent_shape)
        The same for all sides and arms (common random numbers).
    donors : dict
        `donor_key` of a source -> inputs and noise of the donor of each pair, from the whole cohort; only of as many
        pairs as arms with that source need.
    numbers : tuple of int
        The index of each pair in the cohort, where they are not one after the other.
    """

    cohort: str
    first: int
    sides: Mapping[Side, Tensor]
    noise: Tensor
    donors: Mapping[DonorKey, tuple[Tensor, Tensor]] = field(default_factory=dict)
    numbers: tuple[int, ...] = ()

    @property
    def rows(self) -> int:
        """Number of pairs."""
        return len(self.noise)


# Labels of costs: runs without patches, controls, and costs without rows.
CLEAN_RUNS = "clean runs"
EXACT_CONTROLS = "exact controls"
RANDOM_COPY = "random copy"
OVERHEADS = "inputs, statistics"


@dataclass(frozen=True)
class GroupCost:
    """Cost in one shard of a group of arms that re-run the same operations.

    Parameters
    ----------
    side : str
    sites : str
        Patched sites, joined by ``+``; first and last sites of inner runs; `CLEAN_RUNS` for runs without patches;
        `OVERHEADS` for costs without rows.
    arms, rows, live : int
        Number of arms, of their rows in this shard, and of rows that were run.
    seconds : float
        CPU time of the thread, or time of the GPU, including measurement of outcomes.
    flops, bytes : float
        Floating point operations, and bytes of activations read and written in float32, including padding rows.
    """

    side: str
    sites: str
    arms: int
    rows: int
    live: int
    seconds: float
    flops: float = 0.0
    bytes: float = 0.0


def shard_bounds(samples: int, shard_pairs: int) -> list[tuple[int, int]]:
    """Half-open ranges of pairs of the shards."""
    return [(first, min(first + shard_pairs, samples)) for first in range(0, samples, shard_pairs)]


def run_clean(
    graph: Program, inputs: ShardInputs, keep: Keep | None = None, size: BatchSize | None = None
) -> CleanRuns:
    """Compute the clean values for each side and each set of donors of a shard.

    Parameters
    ----------
    graph : Program
    inputs : ShardInputs
    keep : Keep, optional
        The values to keep; all if omitted.
    size : BatchSize, optional
        Number of rows run together; all if omitted.
    """
    size = BatchSize(max(1, inputs.rows)) if size is None else size
    # Together the sides need less padding.
    if len(inputs.sides) > 1 and inputs.rows % MIN_ROWS and keep is not None and inputs.rows < size.rows:
        sides = _run_together(graph, inputs, keep, size)
    else:
        sides = {
            side: run_rows(graph, x, inputs.noise, size, None if keep is None else keep.sides[side])
            for side, x in inputs.sides.items()
        }
    donors = {
        key: _filled(
            graph,
            run_rows(graph, x, noise, size, None if keep is None else keep.donors.get(key, ()), to_end=keep is None),
            inputs,
        )
        for key, (x, noise) in inputs.donors.items()
    }
    return CleanRuns(sides, inputs.rows, donors, inputs.first, numbers=inputs.numbers)


def _run_together(graph: Program, inputs: ShardInputs, keep: Keep, size: BatchSize) -> dict[Side, dict[str, Tensor]]:
    """The clean values of all sides from batches with rows of several sides."""
    wanted = {side: {*keep.sides[side], *graph.outputs.values()} for side in inputs.sides}
    x, noise = (
        torch.cat(list(inputs.sides.values())),
        inputs.noise.repeat(len(inputs.sides), *[1] * (inputs.noise.ndim - 1)),
    )
    found = run_rows(graph, x, noise, size, frozenset().union(*wanted.values()))
    values: dict[Side, dict[str, Tensor]] = {}
    for number, (side, names) in enumerate(wanted.items()):
        rows = slice(number * inputs.rows, (number + 1) * inputs.rows)
        # A copy, so that what one side alone needs is not kept for all.
        values[side] = {
            name: found[name][rows].clone() if graph.aligned(name) else found[name] for name in names & found.keys()
        }
    return values


def _filled(graph: Program, values: dict[str, Tensor], inputs: ShardInputs) -> dict[str, Tensor]:
    """Pad values of the first few rows of a shard by repeating the last row; the padding is never read."""
    places = torch.arange(inputs.rows, device=inputs.noise.device)
    return {
        name: value[places.clamp(max=len(value) - 1)] if graph.aligned(name) and len(value) < inputs.rows else value
        for name, value in values.items()
    }


def run_rows(
    graph: Program,
    x: Tensor,
    noise: Tensor,
    size: BatchSize,
    keep: Iterable[str] | None = None,
    to_end: bool = True,
) -> dict[str, Tensor]:
    """Forward passes in batches; parameters as for `run_padded`."""
    parts: list[dict[str, Tensor]] = []
    first = 0
    while first < len(x):
        rows = slice(first, first + size.rows)
        found = size.attempt(partial(run_padded, graph, x[rows], noise[rows], keep, to_end))
        if found is not None:
            parts.append(found)
            first = rows.stop
    if len(parts) == 1:
        return parts[0]
    # A value that is batched but not aligned with the inputs is valid only for its own batch, so it is dropped.
    shared = {name: value for name, value in parts[0].items() if not graph.batched(name)}
    aligned = [name for name in parts[0] if graph.batched(name) and graph.aligned(name)]
    return shared | {name: torch.cat([part.pop(name) for part in parts]) for name in aligned}


def run_padded(
    graph: Program, x: Tensor, noise: Tensor, keep: Iterable[str] | None = None, to_end: bool = True
) -> dict[str, Tensor]:
    """A forward pass, with small batches padded.

    Returns the values of the nodes in `keep`, all if omitted, and of the outputs, unless it need not run `to_end`.
    """
    rows = len(x)
    index = padding(rows).to(noise.device)
    given = (x, noise) if len(index) == rows else (x[index], noise[index])
    if isinstance(graph, OperatorGraph) and not torch.is_grad_enabled():
        values = run_forward(graph, given, rows, keep, to_end)
    else:
        values = graph.run(*given, keep=keep, to_end=to_end)
        if len(index) == rows:
            return values
    return {
        name: value[:rows] if graph.aligned(name) else value
        for name, value in values.items()
        if graph.aligned(name) or not graph.batched(name)
    }
