"""Captures a network as an operator graph if `torch.export` can export it, else by forward hooks."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from causalvae.boundary import refuse_lack_of_memory
from causalvae.errors import CausalVAEError
from causalvae.models.capture import capture
from causalvae.models.components import ComponentMap
from causalvae.models.hook_capture import capture_by_hooks
from causalvae.models.hooked import HookedNetwork
from causalvae.models.hooked_sites import find_hooked_sites
from causalvae.models.operators import OperatorGraph
from causalvae.models.sites import find_sites

EXPORT = "torch.export"
HOOKS = "forward hooks: every intervention needs a whole forward pass"


@dataclass(frozen=True)
class Captured:
    """A network that the engine can run.

    Parameters
    ----------
    program : OperatorGraph or HookedNetwork
    said : str
        The method of capture, and why `torch.export` failed if hooks are used.
    """

    program: OperatorGraph | HookedNetwork
    said: str


def capture_network(
    network: nn.Module, example: tuple[Tensor, ...], outputs: tuple[str, ...], others: tuple[Tensor, ...] = ()
) -> Captured:
    """Capture `network` in evaluation mode, by `torch.export`, else by forward hooks.

    Parameters
    ----------
    network : nn.Module
        Returns a tuple of tensors.
    example : tuple of Tensor
        Arguments with a batch of at least two rows.
    outputs : tuple of str
        A name for each value that the network returns.
    others : tuple of Tensor
        Further arguments on which the captured program must reproduce the network; may be empty.

    Raises
    ------
    CausalVAEError
        CV110 where neither method reproduces the network.
    """
    try:
        return Captured(capture(network, example, outputs, others), EXPORT)
    except CausalVAEError as refused:
        refuse_lack_of_memory(refused)
        reason = refused.message.rstrip(".")
    return Captured(capture_by_hooks(network, example, outputs, others), f"{HOOKS} ({reason})")


def find_components(program: OperatorGraph | HookedNetwork, latent_dim: int, model_digest: str) -> ComponentMap:
    """The addressable components of a captured `AnalysedNetwork`."""
    if isinstance(program, HookedNetwork):
        return find_hooked_sites(program, latent_dim, model_digest)
    return find_sites(program, latent_dim, model_digest)
