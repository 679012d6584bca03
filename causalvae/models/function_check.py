"""Checks that a network is a function of each input alone, before anything is captured or measured."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor, nn

from causalvae.errors import CausalVAEError, first_line
from causalvae.models.batch_rows import ROWS, check_rows
from causalvae.models.network import AnalysedNetwork
from causalvae.models.purity import check_purity, find_writing
from causalvae.models.quiet import quiet
from causalvae.models.vae import VAE

# A batch of the engine's usual size, as long as its inputs have at most `_NUMBERS` numbers.
_MANY, _NUMBERS = 96, 400_000


def check_function(network: AnalysedNetwork, inputs: Tensor) -> None:
    """Raise CV110 if a network is not a function of each input alone; find parts that modify their input in place.

    Parameters
    ----------
    network : AnalysedNetwork
        Preferably not run before. `writing` of its VAE is set.
    inputs : Tensor, shape (n, *input_shape)
        Samples of the data.

    Raises
    ------
    CausalVAEError
        CV110.
    """
    # Tensors of inference mode have no version counter.
    with quiet(), torch.inference_mode(False), torch.no_grad():
        try:
            _check(network, inputs)
        except CausalVAEError:
            raise
        except Exception as error:
            raise CausalVAEError(
                "CV110",
                f"the network cannot be run: {first_line(error).rstrip('.')}.",
                "Check that it takes a batch of any size in evaluation mode, with one row for each input on the first "
                "axis; recurrent and attention layers need batch_first=True for that.",
                "model",
            ) from error


def _check(network: AnalysedNetwork, inputs: Tensor) -> None:
    vae = network.vae
    x = inputs[: max(ROWS, min(_MANY, _NUMBERS // max(1, prod(inputs.shape[1:]))))].float().clone()
    if len(x) < 2:
        x = x.repeat(2, *[1] * (x.ndim - 1))
    generator = torch.Generator().manual_seed(2)
    noise = torch.randn((len(x), *vae.latent_shape), generator=generator)
    few = (x[:ROWS], noise[:ROWS])
    check_purity(network, few, network.outputs)
    vae.writing = find_writing(vae, few[0])
    check_rows(network, few, network.outputs, (x, noise))
    # Latents of samples may be nearly equal (untrained networks, collapsed posteriors); patched latents are not.
    latent = vae.pass_on(vae.encode(few[0]).mean)
    check_rows(_Decoding(vae), (latent, few[0]), ("output",), sizes=False)


class _Decoding(nn.Module):
    """The decoding part of a VAE as a module; the decoder keeps its path."""

    def __init__(self, vae: VAE) -> None:
        super().__init__()
        self.decoder = vae.decoder
        if vae.network is not None:
            self.network = vae.network
        if vae.beside is not None:
            self.beside = vae.beside
        # In a tuple, so that torch does not register the encoder as well.
        self._vae = (vae,)

    def forward(self, z: Tensor, x: Tensor) -> tuple[Tensor]:
        """The output, in a tuple."""
        return (self._vae[0].decode(z, x),)
