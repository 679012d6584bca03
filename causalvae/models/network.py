"""A VAE as the function that the engine analyses: input and noise to posterior, latent and output."""

from __future__ import annotations

from torch import Tensor, nn

from causalvae.models.vae import VAE

OUTPUTS = ("mean", "logvar", "latent", "output")


class Mark(nn.Module):
    """Gives its input back: a place where a forward hook meets a value that no module computes.

    No operation belongs to it, so a captured graph is the same with it and without.
    """

    def forward(self, value: Tensor) -> Tensor:
        """`value` itself."""
        return value


class LatentMarks(Mark):
    """Marks the latent; its children mark the posterior's parts."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = Mark()
        self.logvar = Mark()


class AnalysedNetwork(nn.Module):
    """Encoder, latent and decoder in one forward pass, with the latent's parts as outputs.

    Parameters
    ----------
    vae : VAE
        Put in evaluation mode; its parameters are shared, not copied.
    sample : bool
        Whether the decoder receives mean + noise * sd (True) or the posterior mean (False).
    """

    def __init__(self, vae: VAE, sample: bool) -> None:
        super().__init__()
        self.encoder = vae.encoder
        self.decoder = vae.decoder
        self.latent = LatentMarks()
        self.sample = sample
        # In a tuple, so that torch does not register the VAE again as a child under another path.
        self._vae = (vae,)
        self.eval()

    @property
    def vae(self) -> VAE:
        """The VAE that is analysed."""
        return self._vae[0]

    def forward(self, x: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Posterior mean and log-variance, latent, output.

        Parameters
        ----------
        x : Tensor, shape (batch, *input_shape)
        noise : Tensor, shape (batch, latent_dim)
            Standard normal; used only where `sample` is True.
        """
        posterior = self.vae.split(self.encoder(self.vae.scale_input(x)))
        mean, logvar = self.latent.mean(posterior.mean), self.latent.logvar(posterior.logvar)
        # A posterior mean that is passed on is the latent: one value, marked once.
        z = self.latent(mean + noise * (0.5 * logvar).exp()) if self.sample else mean
        return mean, logvar, z, self.vae.activate(self.decoder(z))
