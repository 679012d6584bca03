"""What the engine asks of a captured network, whatever way it was captured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn

How = Literal["export", "hooks"]


class Program(Protocol):
    """A network whose values have names: an `OperatorGraph`, or a `HookedNetwork` where there is no graph.

    Both are read by name alone, so whoever only runs a network and takes values from it need not know which it is.
    """

    @property
    def how(self) -> How:
        """What captured it."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the network's arguments, in their order."""

    @property
    def outputs(self) -> Mapping[str, str]:
        """Name of each output of the network -> name of the node that holds it."""

    def run(self, *values: Tensor, keep: Iterable[str] | None = None) -> dict[str, Any]:
        """A whole forward pass: the values of the nodes `keep` and of the outputs, by node; of all where omitted."""

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of a node's value without the batch axis; empty where it is not aligned."""

    def aligned(self, name: str) -> bool:
        """Whether row i of a node's value belongs to input i."""

    def batched(self, name: str) -> bool:
        """Whether a node's value depends on the inputs or on how many they are; parameters do not."""

    def to(self, device: torch.device, dtype: torch.dtype | None = None) -> Program:
        """The same network on `device`, its parameters of floating point in `dtype` where it is given."""

    def with_weights_of(self, network: nn.Module) -> Program:
        """The same program over the parameters and buffers of another network of the same make."""
