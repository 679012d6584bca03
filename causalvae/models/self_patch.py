"""Checks at load time that patching every site with its own value does not change the output."""

from __future__ import annotations

import torch
from torch import Tensor

from causalvae.errors import CausalVAEError
from causalvae.models.components import ComponentMap
from causalvae.models.hooked import HookedNetwork
from causalvae.models.operators import OperatorGraph, evaluate
from causalvae.models.program import Program

_ROWS = 2


@torch.inference_mode()
def check_sites(program: Program, components: ComponentMap, x: Tensor, latent_shape: tuple[int, ...]) -> int:
    """Patch every site with its own value; the output must stay equal bit for bit.

    In a captured graph, every operation is computed again from the values of a clean run. If each gives its clean
    value, a re-run from any site gives the clean output. A network with hooks is run once with every site replaced by a
    copy of its value.

    Parameters
    ----------
    program : Program
    components : ComponentMap
        Of the same network.
    x : Tensor, shape (n, *input_shape)
        Inputs of the data; two are used.
    latent_shape : tuple of int

    Returns
    -------
    int
        The number of sites.

    Raises
    ------
    CausalVAEError
        CV134 if a value changes, naming the first affected site; CV112 if a site is not computed.
    """
    x = x[:_ROWS].float()
    noise = torch.randn((len(x), *latent_shape), generator=torch.Generator().manual_seed(0))
    if isinstance(program, OperatorGraph):
        changed = _recompute(program, x, noise)
        if changed is not None:
            downstream = program.ancestors([changed])
            near = [site.name for site in components.sites if site.node in downstream or site.node == changed]
            raise _changed(near[-1] if near else changed)
    elif isinstance(program, HookedNetwork):
        clean = program.run(x, noise, keep=())[program.outputs["output"]]
        edits = {site.node: _keep for site in components.sites}
        again = program.rerun(edits, x, noise)["output"]
        if not torch.equal(again.nan_to_num(), clean.nan_to_num()):
            raise _changed("its modules")
    return len(components.sites)


def _keep(value: Tensor) -> Tensor:
    """Identity edit: a hook passes a copy of the value."""
    return value


def _recompute(graph: OperatorGraph, x: Tensor, noise: Tensor) -> str | None:
    """The first operation whose value differs when it is computed again from clean values."""
    values = graph.run(x, noise)
    # Copied, so that an operation that modifies its inputs in place is detected.
    clean = {name: value.clone() if isinstance(value, Tensor) else value for name, value in values.items()}
    for operation in graph.operations:
        if operation.name in graph.parameters or operation.name in graph.inputs:
            continue
        again = evaluate(operation, values, len(x))
        if isinstance(again, Tensor) and not torch.equal(again.nan_to_num(), clean[operation.name].nan_to_num()):
            return operation.name
    return None


def _changed(where: str) -> CausalVAEError:
    return CausalVAEError(
        "CV134",
        f"patching {where} with its own value changes the output.",
        "The network must compute the same from the same values: draw no noise in it, and write on no value that is "
        "read elsewhere.",
        "model",
    )
