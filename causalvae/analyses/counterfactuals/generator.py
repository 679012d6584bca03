"""A mapping as a generator of counterfactuals: encode, give components the values of another input's run, decode."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from causalvae.engine.lowering import lower
from causalvae.engine.memory import BatchSize
from causalvae.engine.needed_values import needed_values
from causalvae.engine.rerun import Group, Shortcuts
from causalvae.engine.shards import run_rows
from causalvae.engine.values import CleanRuns
from causalvae.models.loading import Model
from causalvae.models.program import Program
from causalvae.plan.types import OUTPUT, Arm, Patch
from causalvae.spec.value_source import make_source

_INTERCHANGE = make_source("interchange")
# All values that are interchanged differ, so there is nothing to omit.
_PLAIN = Shortcuts(dead_rows=False, low_rank=False, windows=False)


class Generator:
    """f(x, A := a): the run of x in which the components mapped to A have the values of a donor in which A = a.

    Parameters
    ----------
    model : Model
    device : torch.device
    rows : int
        Rows that are run at once; fewer where memory runs out.
    """

    def __init__(self, model: Model, device: torch.device, rows: int) -> None:
        self._graph: Program = lower(model.graph.to(device))
        self._components, self._vae = model.components, model.vae
        self._size = BatchSize(rows)

    def reconstruct(self, x: Tensor, noise: Tensor) -> Tensor:
        """f(x) without an intervention, as an input again.

        Parameters
        ----------
        x : Tensor, shape (n, *input_shape)
        noise : Tensor, shape (n, *latent_shape)
            Used where the decoder receives a sample of the posterior.

        Returns
        -------
        Tensor, shape (n, *input_shape)
        """
        node = self._graph.outputs[OUTPUT]
        return self._as_input(run_rows(self._graph, x, noise, self._size, (node,))[node], x)

    def donate(self, donors: Tensor, noise: Tensor, patches: tuple[Patch, ...]) -> Mapping[str, Tensor]:
        """The values of the patched components in the donors' own runs; see `intervene`."""
        nodes = tuple(self._components.site(patch.site).node for patch in patches)
        found = run_rows(self._graph, donors, noise, self._size, nodes, to_end=False)
        return {node: found[node] for node in nodes}

    def intervene(self, x: Tensor, noise: Tensor, patches: tuple[Patch, ...], donated: Mapping[str, Tensor]) -> Tensor:
        """f(x, A := a), as an input again.

        Parameters
        ----------
        x, noise
            As of `reconstruct`.
        patches : tuple of Patch
            The components that are mapped to A, one patch a site.
        donated : mapping
            What `donate` gave for these: row i is given to row i of `x`.

        Returns
        -------
        Tensor, shape (n, *input_shape)
        """
        patches = tuple(replace(patch, source=_INTERCHANGE) for patch in patches)
        arm = Arm("", "base", patches, len(x))
        keep = needed_values(self._graph, self._components, [arm], _PLAIN, (OUTPUT,)).sides["base"]
        own = run_rows(self._graph, x, noise, self._size, keep)
        clean = CleanRuns({"base": own, "counterfactual": donated}, len(x))
        group = Group(self._graph, self._components, [arm], clean, {}, [len(x)], _PLAIN)
        rows = torch.ones((1, len(x)), dtype=torch.bool, device=x.device)
        return self._as_input(torch.cat([batch.output for batch in group.batches(rows, self._size)]), x)

    def _as_input(self, output: Tensor, x: Tensor) -> Tensor:
        """An output with what inputs have in addition: conditions stay as they are."""
        known = self._vae.target(x).shape[1]
        return output if known == x.shape[1] else torch.cat([output, x[:, known:]], dim=1)
