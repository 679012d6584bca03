"""The engine's re-runs captured as CUDA graphs, to measure what they gain; the engine itself does not use them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Protocol
from unittest.mock import patch

import torch
from torch import Tensor

from causalvae.engine import rerun
from causalvae.engine.changes import Box, Change, Few, Whole
from causalvae.engine.suffix import Entry, Ledger, Suffix, take

Outputs = dict[str, Tensor]


class Capture(Protocol):
    """Records a computation on tensors that stay in place; gives a function that repeats it."""

    def __call__(self, run: Callable[[], Outputs]) -> Callable[[], Outputs]: ...


def cuda_capture(run: Callable[[], Outputs]) -> Callable[[], Outputs]:
    """A `Capture` on the current GPU. The outputs stay in place and are overwritten by the next call."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        outputs = run()

    def repeat() -> Outputs:
        graph.replay()
        return outputs

    return repeat


class GraphedSuffix(Suffix):
    """A suffix that captures a batch of a form which it meets for the second time, and repeats it from then on.

    Only changes of one value are captured: with several, one may depend on the re-run of another.
    """

    capture: Capture = staticmethod(cuda_capture)
    captured = 0

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self._seen: set[object] = set()
        self._graphs: dict[object, tuple[list[Tensor], Callable[[], Outputs]]] = {}

    def run(
        self,
        entries: Mapping[str, Entry],
        clean: Mapping[str, Tensor],
        pairs: Tensor,
        ledger: Ledger | None = None,
        rows: int | None = None,
    ) -> Outputs:
        """See `causalvae.engine.suffix.Suffix.run`; the clean values must be the same tensors in every call."""
        (node, enter), *others = entries.items()
        if others or node in self._names:
            return super().run(entries, clean, pairs, ledger, rows)
        change = enter(None, slice(0, len(pairs)))
        given = [pairs, *_tensors(change)]
        form = (type(change), getattr(change, "window", None), *(tuple(value.shape) for value in given))
        if form not in self._seen:
            self._seen.add(form)
            return super().run({node: lambda value, some: take(change, some)}, clean, pairs, ledger)
        if form not in self._graphs:
            fixed = [value.clone() for value in given]
            held = _with_tensors(change, fixed[1:])
            compute = super().run
            self._graphs[form] = (
                fixed,
                self.capture(lambda: compute({node: lambda value, some: take(held, some)}, clean, fixed[0])),
            )
            type(self).captured += 1
        fixed, repeat = self._graphs[form]
        for place, value in zip(fixed, given, strict=True):
            place.copy_(value)
        return {name: value.clone() for name, value in repeat().items()}


def _tensors(change: Change) -> list[Tensor]:
    return [change.units, change.value] if isinstance(change, Few) else [change.value]


def _with_tensors(change: Change, tensors: list[Tensor]) -> Change:
    match change:
        case Whole():
            return Whole(tensors[0])
        case Box():
            return replace(change, value=tensors[0])
        case Few():
            return replace(change, units=tensors[0], value=tensors[1])


@contextmanager
def graphed(capture: Capture = cuda_capture) -> Iterator[type[GraphedSuffix]]:
    """Within it, the engine's re-runs are captured; gives the class that counts the captures."""

    class Chosen(GraphedSuffix):
        pass

    Chosen.capture = staticmethod(capture)
    with patch.object(rerun, "Suffix", Chosen):
        yield Chosen
