"""The share of directions in the null space of their readers: the dormant part of a subspace.

Patching through a direction that is partly in the null space of its readers may activate a pathway that the network
does not use otherwise (Makelov, Lange & Nanda
2023, "Is this the subspace you are looking for?", arXiv 2311.17030).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from causalvae.engine.gradients import gradients_through
from causalvae.engine.products import LINEAR
from causalvae.engine.subspaces.interchanges import Interchanges
from causalvae.models.operators import Operation, OperatorGraph, Value
from causalvae.plan.types import OUTPUT, Patch

_ATEN = torch.ops.aten
# A direction counts as unread if its squared gain is below this share of the largest: for weights, rounding errors; for
# the Jacobian, a gain below a thousandth.
_ROUNDING = 1e-12
TOLERANCE = 1e-6
# Number of inputs for the Jacobian, and minimum number of random directions of the output at each.
_INPUTS, _PROBES = 32, 8


@dataclass(frozen=True)
class Unread:
    """The directions of a part that are not read downstream.

    Parameters
    ----------
    basis : Tensor, float64, shape (units, k)
        Orthonormal; k may be 0.
    how : str
        How it was found, in words.
    """

    basis: Tensor
    how: str

    def share(self, directions: Tensor) -> float:
        """The share of the squared norm of `directions`, (units, dim), within `basis`."""
        inside = self.basis.T @ directions.to(self.basis)
        return float(inside.square().sum() / directions.double().square().sum())


def find_unread(problem: Interchanges, node: str, patch: Patch) -> Unread:
    """The directions of a patched part that the network does not read.

    If one linear or convolutional layer is the only reader of the site, the null space of its weights. Else the null
    space of G, the sum of J^T J over training inputs, where J is the Jacobian of the output with respect to the part
    (each position separately): eigenvalues below `TOLERANCE` of the largest. G is estimated from products J^T u with
    random normal u.

    Parameters
    ----------
    problem : Interchanges
    node : str
        Node of the site.
    patch : Patch
    """
    weights = _sole_reader(problem, node, patch)
    if weights is not None:
        matrix, reader = weights
        return Unread(
            _null_space(matrix.T @ matrix, _ROUNDING), f"exact, from the weights of {reader}, its only reader"
        )
    gram, inputs = _gram(problem)
    how = (
        f"from the Jacobian of the output at {inputs} inputs, directions whose squared gain is below {TOLERANCE:g} of "
        "the largest"
    )
    return Unread(_null_space(gram, TOLERANCE), how)


def _null_space(gram: Tensor, tolerance: float) -> Tensor:
    values, vectors = torch.linalg.eigh(gram)
    basis: Tensor = vectors
    return basis[:, values <= tolerance * values[-1].clamp(min=0.0)]


def _sole_reader(problem: Interchanges, node: str, patch: Patch) -> tuple[Tensor, str] | None:
    """The weights of the only layer that reads a site, float64, (numbers, units), and its name; else None."""
    graph = problem.graph
    if not isinstance(graph, OperatorGraph):
        return None
    reading = graph.between([node], [graph.outputs[OUTPUT]])
    readers = [operation for operation in reading if node in operation.inputs]
    if len(readers) != 1 or node == graph.outputs[OUTPUT]:
        return None
    reader = readers[0]
    weight = _weight(graph, reader, node)
    if weight is None:
        return None
    chosen = weight if patch.units is None else weight[:, list(patch.units)]
    name = reader.calls[-1][0] if reader.calls else reader.name
    return chosen.movedim(1, -1).reshape(-1, chosen.shape[1]).double(), name


def _weight(graph: OperatorGraph, reader: Operation, node: str) -> Tensor | None:
    """The weight of a linear or convolutional layer with its input units as second axis; None for other operations."""
    arguments = reader.args
    if len(arguments) < 2 or not isinstance(arguments[0], Value) or arguments[0].name != node:
        return None
    weight = graph.parameters.get(arguments[1].name) if isinstance(arguments[1], Value) else None
    if weight is None:
        return None
    axes = len(graph.by_name[node].shape)
    if reader.function in LINEAR:
        return weight if axes == 1 else None
    is_conv = reader.function in (_ATEN.conv1d.default, _ATEN.conv2d.default)
    is_transposed = reader.function in (_ATEN.conv_transpose1d.default, _ATEN.conv_transpose2d.input)
    if not (is_conv or is_transposed) or axes != weight.ndim - 1 or _groups(reader) != 1:
        return None
    return weight if is_conv else weight.transpose(0, 1)


def _groups(operation: Operation) -> object:
    """Groups of a convolution, the seventh argument, also if transposed."""
    return operation.args[6] if len(operation.args) > 6 else operation.kwargs.get("groups", 1)


def _gram(problem: Interchanges) -> tuple[Tensor, int]:
    """G, (units, units), and the number of inputs for the Jacobian."""
    pairs = problem.pairs[:_INPUTS]
    probes = max(_PROBES, -(-2 * problem.units // len(pairs)))
    rng = np.random.default_rng([problem.learned.seed, len(pairs)])
    gram = torch.zeros(problem.units, problem.units, dtype=torch.float64, device=problem.own.device)
    for _ in range(probes):
        with gradients_through(problem.graph):
            part = problem.own[pairs].clone().requires_grad_()
            output = problem.outputs_with(part, pairs, (OUTPUT,))[OUTPUT]
            drawn = torch.from_numpy(rng.standard_normal(tuple(output.shape), dtype=np.float32)).to(output)
            if not output.requires_grad:
                break
            (gradient,) = torch.autograd.grad((output * drawn).sum(), part)
        rows = gradient.double().movedim(1, -1).reshape(-1, problem.units)
        gram += rows.T @ rows
    return gram, len(pairs)
