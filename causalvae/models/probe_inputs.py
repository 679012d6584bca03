"""Samples of the data with which a network is probed and captured."""

from __future__ import annotations

import torch
from torch import Tensor

from causalvae.models.vae import VAE

# Rows used for tracing, and further rows on which the captured program is compared.
_EXAMPLE = 3
_OTHERS = 8
PROBES = _EXAMPLE + _OTHERS


def stand_in_inputs(input_shape: tuple[int, ...]) -> Tensor:
    """Uniform random inputs in [0, 1], for a network that is opened without data.

    A spec always names its data, so a run never uses them.
    """
    return torch.rand((PROBES, *input_shape), generator=torch.Generator().manual_seed(0))


def probe_arguments(vae: VAE, inputs: Tensor) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor] | tuple[()]]:
    """Arguments of an `AnalysedNetwork` for capture, and further ones for comparison.

    Parameters
    ----------
    vae : VAE
    inputs : Tensor, shape (n, *input_shape)
        Samples of the data. A single sample is repeated, since a batch of one row does not show the batch axis.

    Returns
    -------
    example, others : tuple of Tensor
        Inputs and standard normal noise. `others` is empty if the data has no further samples.
    """
    x = inputs[:PROBES].float()
    if len(x) < _EXAMPLE:
        x = x.repeat(_EXAMPLE, *(1 for _ in x.shape[1:]))[:_EXAMPLE]
    noise = torch.randn((len(x), *vae.latent_shape), generator=torch.Generator().manual_seed(0))
    example = (x[:_EXAMPLE].clone(), noise[:_EXAMPLE])
    return example, (x[_EXAMPLE:].clone(), noise[_EXAMPLE:]) if len(x) > _EXAMPLE else ()
