"""RelP: attribution with the coefficients of layer-wise relevance propagation in place of gradients.

Relevance patching (Rezaei Jafari et al. 2025, arXiv 2508.21258) propagates from the outcome to a component as a
gradient does, but with rules that keep what is propagated: a linear map passes on its weights; an activation function a
passes on its slope from zero, (a(x) - a(0)) / x, and not its slope at x; and each factor of a product takes a half. For
networks of linear maps and ReLUs this is the gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from causalvae.models.operators import ACTIVATIONS, Operation, OperatorGraph, Value

# Closer to zero than this the slope from zero is taken from the derivative.
_NEAR_ZERO = 1e-4


def with_relevance(graph: OperatorGraph) -> OperatorGraph:
    """The same values, but such that derivatives through the graph are coefficients of relevance propagation."""
    return graph.rewritten([_rule(operation, graph) for operation in graph.operations], graph.parameters)


def _rule(operation: Operation, graph: OperatorGraph) -> Operation:
    if operation.function in ACTIVATIONS and operation.function is not None:
        return replace(operation, function=_secant(operation.function))
    if operation.function is torch.ops.aten.mul.Tensor and len(operation.args) == 2:
        factors = [item for item in operation.args if isinstance(item, Value) and graph.batched(item.name)]
        if len(factors) == 2:
            return replace(operation, function=_half)
    return operation


def _secant(function: Callable[..., Any]) -> Callable[..., Tensor]:
    """An activation function whose derivative is its slope from zero."""

    def apply(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        with torch.no_grad():
            value = function(x, *args, **kwargs)
            start = function(torch.zeros_like(x), *args, **kwargs)
            step = torch.where(x.abs() < _NEAR_ZERO, torch.full_like(x, _NEAR_ZERO), x)
            near = function(step, *args, **kwargs)
            slope = (near - start) / step
        # Adds nothing to the value, and the slope to the derivative.
        changed: Tensor = value + slope * (x - x.detach())
        return changed

    return apply


def _half(left: Tensor, right: Tensor) -> Tensor:
    """A product of which each factor takes half of the derivative."""
    return 0.5 * (left * right.detach() + left.detach() * right)
