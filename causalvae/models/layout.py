"""The memory layout of convolution weights, and graphs that do not depend on it."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from causalvae.models.operators import OperatorGraph
from causalvae.models.subpixel import channels_last

_VIEWS = frozenset((torch.ops.aten.view.default, torch.ops.aten._unsafe_view.default))


def lay_out(network: nn.Module, example: tuple[Tensor, ...]) -> bool:
    """Convert the network's kernels to channels-last, in place, if the network runs with them; else to contiguous.

    A network that views an image as a vector requires contiguous images, hence contiguous kernels. A network with group
    normalisation also stays contiguous: on channels-last images PyTorch's kernel has about fifteen times the rounding
    error, and an AutoencoderKL then deviated by 8e-4 of its largest value from its result in double precision.

    Returns
    -------
    bool
        Whether the kernels are channels-last.
    """
    if any(isinstance(module, nn.GroupNorm) for module in network.modules()):
        network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        return False
    channels_last(network)
    try:
        with torch.no_grad():
            network(*(value.clone() for value in example))
    except RuntimeError:
        # If the layout was not the reason, capturing the network raises the same error and reports it.
        network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        return False
    return True


def allow_any_layout(graph: OperatorGraph) -> OperatorGraph:
    """The graph with each view replaced by a reshape, so that results of kernels may have any memory layout."""
    operations = [
        replace(operation, function=torch.ops.aten.reshape.default) if operation.function in _VIEWS else operation
        for operation in graph.operations
    ]
    return graph.rewritten(operations, graph.parameters)
