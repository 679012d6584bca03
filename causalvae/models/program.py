"""The interface of a captured network, independent of the method of capture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn

How = Literal["export", "hooks"]


class Program(Protocol):
    """A network whose values have names: an `OperatorGraph` or a `HookedNetwork`."""

    @property
    def how(self) -> How:
        """Method of capture."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the network's arguments, in order."""

    @property
    def outputs(self) -> Mapping[str, str]:
        """Name of each output of the network -> name of the node that holds it."""

    def run(self, *values: Tensor, keep: Iterable[str] | None = None, to_end: bool = True) -> dict[str, Any]:
        """Run a forward pass; returns the values of the nodes `keep` (all if omitted) and of the outputs.

        Without `to_end` it may stop before the outputs, which then have no values.
        """

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of a node's value without the batch axis; empty if it is not aligned."""

    def aligned(self, name: str) -> bool:
        """Whether row i of a node's value belongs to input i."""

    def batched(self, name: str) -> bool:
        """Whether a node's value depends on the inputs or the batch size."""

    def to(self, device: torch.device, dtype: torch.dtype | None = None) -> Program:
        """The network on `device`, with floating-point parameters cast to `dtype` if it is given."""

    def with_weights_of(self, network: nn.Module) -> Program:
        """The program with the parameters and buffers of another network of the same architecture."""
