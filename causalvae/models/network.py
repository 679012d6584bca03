"""A VAE as the function that the engine analyses: input and noise to posterior, latent and output."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from causalvae.errors import CausalVAEError
from causalvae.models.vae import VAE


class Mark(nn.Module):
    """Identity module: lets a forward hook read a value that no other module returns.

    It performs no operation, so a captured graph does not contain it.
    """

    def forward(self, value: Tensor) -> Tensor:
        """`value` itself."""
        return value


class LatentMarks(Mark):
    """Marks the latent; its children mark the posterior parameters, the input of a latent layer and groups of latents.

    Parameters
    ----------
    vae : VAE
    """

    def __init__(self, vae: VAE) -> None:
        super().__init__()
        self.mean = Mark()
        if not vae.is_point:
            self.logvar = Mark()
        if vae.latent_layer is not None:
            self.exogenous = Mark()
        for name in vae.groups:
            self.add_module(name, Mark())


class AnalysedNetwork(nn.Module):
    """Encoder, latent and decoder in one forward pass, with the latent's parts as outputs.

    Parameters
    ----------
    vae : VAE
        Put in evaluation mode; its parameters are shared, not copied.
    sample : bool
        Whether to decode mean + noise * sd (True) or the posterior mean (False).

    Attributes
    ----------
    outputs : tuple of str
        Names of the returned values: ``mean``; ``logvar``, unless the encoder is deterministic; ``exogenous``, the
        input of the latent layer, if there is one; ``latent``; ``latent.NAME`` for each group of latents; ``output``.

    Raises
    ------
    CausalVAEError
        CV122 if `sample` is True and the encoder is deterministic.
    """

    def __init__(self, vae: VAE, sample: bool) -> None:
        super().__init__()
        if sample and vae.is_point:
            raise CausalVAEError(
                "CV122",
                "the encoder gives a point, so there is nothing to sample.",
                "Write `latent: mean`, which passes the encoder's value on.",
                "model.latent",
            )
        self.encoder = vae.encoder
        if vae.latent_layer is not None:
            self.latent_layer = vae.latent_layer
        self.decoder = vae.decoder
        if vae.network is not None:
            self.network = vae.network
        if vae.beside is not None:
            self.beside = vae.beside
        self.latent = LatentMarks(vae)
        self.sample = sample
        self.outputs = (
            "mean",
            *(() if vae.is_point else ("logvar",)),
            *(() if vae.latent_layer is None else ("exogenous",)),
            "latent",
            *(f"latent.{name}" for name in vae.groups),
            "output",
        )
        # In a tuple, so that torch does not register the VAE again as a child under another path.
        self._vae = (vae,)
        self.eval()

    @property
    def vae(self) -> VAE:
        """The VAE that is analysed."""
        return self._vae[0]

    def forward(self, x: Tensor, noise: Tensor) -> tuple[Tensor, ...]:
        """The values that `outputs` names.

        Parameters
        ----------
        x : Tensor, shape (batch, *input_shape)
        noise : Tensor, shape (batch, *latent_shape)
            Standard normal; used only where `sample` is True.
        """
        vae = self.vae
        scaled = vae.scale_input(x)
        encoded = self.encoder(vae.feed("encoder", scaled))
        if vae.is_point:
            mean = self.latent.mean(encoded)
            found = [mean]
        else:
            posterior = vae.split(encoded)
            mean, logvar = self.latent.mean(posterior.mean), self.latent.logvar(posterior.logvar)
            found = [mean, logvar]
        # If the posterior mean is decoded, mean and latent are one value, marked once.
        z = mean + noise * (0.5 * logvar).exp() if self.sample else mean
        if vae.latent_layer is not None:
            z = self.latent.exogenous(z)
            found.append(z)
            z = self.latent(self.latent_layer(vae.feed("latent_layer", z)))
        elif self.sample:
            z = self.latent(z)
        found.append(z)
        if vae.groups:
            z, parts = self._regroup(z)
            found += parts
        z = vae.feed("decoder", z)
        raw = self.decoder(z, vae.feed("decoder", scaled)) if vae.decoder_reads_input else self.decoder(z)
        return (*found, vae.activate(raw))

    def _regroup(self, z: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The latent assembled from its marked groups, so that a patch of a group reaches the decoder."""
        named, pieces, reached = [], [], 0
        for name, (start, stop) in sorted(self.vae.groups.items(), key=lambda item: item[1]):
            if start > reached:
                pieces.append(z[:, reached:start])
            piece = getattr(self.latent, name)(z[:, start:stop])
            named.append((name, piece))
            pieces.append(piece)
            reached = stop
        if reached < z.shape[1]:
            pieces.append(z[:, reached:])
        found = dict(named)
        return torch.cat(pieces, dim=1), [found[name] for name in self.vae.groups]


def channel_means(value: Tensor) -> Tensor:
    """Latents as stored in tables, (batch, latent_dim); of a latent map, the mean of each channel."""
    return value.flatten(2).mean(2) if value.ndim > 2 else value


def channel_kl(mean: Tensor, logvar: Tensor) -> Tensor:
    """KL of a diagonal Gaussian to N(0, I) per latent, summed over positions, in nats: (batch, latent_dim)."""
    parts = 0.5 * (mean.square() + logvar.exp() - 1 - logvar)
    return parts.flatten(2).sum(2) if parts.ndim > 2 else parts
