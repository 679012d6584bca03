"""What a Half-AVAE's training changes from step to step, and one step of it."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from causalvae.models.vae import VAE
from causalvae.training.discriminator import Discriminator, discriminator_loss, total_correlation_of
from causalvae.training.losses import reconstruction_nll
from causalvae.training.state import seed_of
from causalvae_neighbours.half_avae.encoder_free import LatentTable
from causalvae_neighbours.half_avae.mixtures import MixturesDataset
from causalvae_neighbours.half_avae.prior import OscillatorPrior
from causalvae_neighbours.objectives.half_avae import HalfAvaeObjective

_LAYERS = 2
# Mixing and prior are shared by all samples and feel them all, so they go slower than each sample's own latents.
_SHARED_PACE = 0.5


class HalfState:
    """Latents, mixing, prior and adversary, each with its optimiser.

    Parameters
    ----------
    objective : HalfAvaeObjective
    vae : VAE
        An encoder-free one, of all samples of `dataset`.
    dataset : MixturesDataset
    seed : int
        Every step's noise is a function of (seed, step) alone.
    batch_size : int
        Samples of each kind that teach the adversary at a step.
    """

    def __init__(
        self, objective: HalfAvaeObjective, vae: VAE, dataset: MixturesDataset, seed: int, batch_size: int
    ) -> None:
        table, latents = vae.encoder, vae.latent_dim
        if not isinstance(table, LatentTable):
            raise TypeError("the network has an encoder")
        self._objective = objective
        self._dataset = dataset
        self._seed = seed
        self._batch_size = batch_size
        self._table = table
        self._x = dataset.inputs(dataset.all_rows)
        self.vae = vae
        self.prior = OscillatorPrior(latents)
        self._adversary = Discriminator(latents, objective.width, _LAYERS)
        shared = [*vae.decoder.parameters(), *self.prior.parameters()]
        if vae.sigma == "learned":
            shared.append(vae.raw_log_sigma)
        self._optimiser = torch.optim.Adam(
            [{"params": list(table.parameters()), "pace": 1.0}, {"params": shared, "pace": _SHARED_PACE}]
        )
        self._its_optimiser = torch.optim.Adam(self._adversary.parameters(), lr=objective.lr, betas=(0.5, 0.9))

    def step(self, step: int, lr: float) -> dict[str, float]:
        """Take one step on all samples.

        Parameters
        ----------
        step : int
        lr : float
            Of the latents.

        Returns
        -------
        dict
            Loss terms, in nats a sample.
        """
        for group in self._optimiser.param_groups:
            group["lr"] = lr * group["pace"]
        source = torch.Generator().manual_seed(seed_of(self._seed, step))
        # The table's rows are the samples in order, so it is what the encoder gives for all of them.
        posterior = self.vae.split(self._table.table)
        z = posterior.sample(torch.randn(posterior.mean.shape, generator=source))
        reconstruction = reconstruction_nll(self.vae, self.vae.decode_raw(z), self._x)
        over_time = z.unflatten(0, (self._dataset.recordings, self._dataset.length))
        entropy = 0.5 * (posterior.logvar + math.log(2 * math.pi) + 1.0).sum(1).mean()
        kl = self.prior.cross_entropy(over_time) - entropy
        terms = {"reconstruction": reconstruction, "kl": kl}
        loss = reconstruction + kl
        weight = self._objective.adversary * min(1.0, step / self._objective.warm_up)
        standard = (z - z.mean(0)) / z.std(0)
        if self._objective.adversary:
            seen = standard[torch.randint(len(z), (self._batch_size,), generator=source)]
            terms["total_correlation"] = total_correlation_of(self._adversary(seen))
            loss = loss + weight * terms["total_correlation"]
        terms["loss"] = loss
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self._optimiser.step()
        if self._objective.adversary:
            terms["discriminator"] = self._teach(standard.detach(), source)
        return {name: float(value.detach()) for name, value in terms.items()}

    def _teach(self, standard: Tensor, source: torch.Generator) -> Tensor:
        """One step of the adversary: latents as they come against latents each from a moment of its own."""
        joint = torch.randint(len(standard), (self._batch_size,), generator=source)
        apart = torch.randint(len(standard), (self._batch_size, standard.shape[1]), generator=source)
        loss = discriminator_loss(self._adversary(standard[joint]), self._adversary(standard.gather(0, apart)))
        self._its_optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self._its_optimiser.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """Everything that a resumed run needs."""
        return {name: part.state_dict() for name, part in self._parts.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        for name, part in self._parts.items():
            part.load_state_dict(state[name])

    @property
    def _parts(self) -> dict[str, Any]:
        return {
            "vae": self.vae,
            "prior": self.prior,
            "adversary": self._adversary,
            "optimiser": self._optimiser,
            "adversary_optimiser": self._its_optimiser,
        }
