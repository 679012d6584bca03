"""The state of a training run, and one step."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from causalvae.models.vae import VAE, Posterior
from causalvae.spec.objective_section import PenaltySection
from causalvae.spec.training import TrainSpec
from causalvae.training.discriminator import Discriminator, discriminator_loss, permute_dimensions
from causalvae.training.losses import Given, Terms, objective_terms, reconstruction_nll
from causalvae.training.supervision import label_nll, tie

# Adam changes a parameter by about the learning rate per step, and log sigma changes more than weights: from 0 to about
# -3 for pictures in [0, 1].
_SIGMA_PACE = 10.0


class TrainState:
    """A network and its optimiser, and a discriminator with its optimiser if the objective has one.

    Parameters
    ----------
    spec : TrainSpec
    vae : VAE
    dataset_size : int
        Size of the data set; see `causalvae.training.batches.size_for_estimates`.
    device : torch.device, optional
        Device of the network. Noise is always drawn on the CPU, so that it does not depend on the device.
    """

    def __init__(self, spec: TrainSpec, vae: VAE, dataset_size: int, device: torch.device | None = None) -> None:
        self._spec = spec
        self._dataset_size = dataset_size
        self._device = device or torch.device("cpu")
        self.vae = vae
        # Fused: for a perceptron with 2 million parameters, the default takes two thirds of the time of the gradients.
        self.optimiser = torch.optim.Adam(_parameter_groups(vae), lr=spec.optimiser.lr, fused=True)
        self._discriminator: Discriminator | None = None
        self._its_optimiser: torch.optim.Optimizer | None = None
        if not isinstance(spec.objective, PenaltySection):
            raise TypeError("the objective has its own trainer")
        self._objective = spec.objective
        beside = self._objective.discriminator(vae.latent_dim)
        if beside is not None:
            self._discriminator = beside[0].to(self._device)
            self._its_optimiser = torch.optim.Adam(self._discriminator.parameters(), lr=beside[1], betas=(0.5, 0.9))

    def step(self, x: Tensor, step: int, lr: float, labels: Tensor | None = None) -> dict[str, float]:
        """Take one step on a batch, with noise that is a function of (seed, step).

        Parameters
        ----------
        x : Tensor, shape (batch, *input_shape)
        step : int
        lr : float
            Learning rate of the network.
        labels : Tensor, shape (batch, n_factors), optional
            Labels of the supervised factors, in the order of the spec; a row of nan if a sample has none.

        Returns
        -------
        dict
            Terms of the loss, in nats per image.
        """
        for group in self.optimiser.param_groups:
            group["lr"] = lr * group["pace"]
        x = x.to(self._device)
        source = torch.Generator().manual_seed(seed_of(self._spec.seed, step))
        if self._discriminator is None:
            terms = self._take(x, step, source, labels)
        else:
            terms = self._take_with_discriminator(self._discriminator, x, step, source, labels)
        return {name: float(value.detach()) for name, value in terms.items()}

    def _take(self, x: Tensor, step: int, source: torch.Generator, labels: Tensor | None) -> Terms:
        posterior = self._tied(self.vae.encode(x))
        z = _sample(posterior, source)
        prior = torch.randn(z.shape, generator=source).to(self._device)
        latent = self.vae.pass_on(z)
        reconstruction = reconstruction_nll(self.vae, self.vae.decode_raw(latent, x), x)
        given = Given(posterior, z, step, self._dataset_size, prior, latent=latent)
        terms = objective_terms(self._objective, reconstruction, given)
        self._supervise(terms, z, labels)
        self._descend(terms["loss"])
        return terms | self._objective.after_step(self.vae, z, source)

    def _take_with_discriminator(
        self, discriminator: Discriminator, x: Tensor, step: int, source: torch.Generator, labels: Tensor | None
    ) -> Terms:
        half = len(x) // 2
        posterior = self.vae.encode(x[:half])
        z = _sample(posterior, source)
        terms = objective_terms(
            self._objective,
            reconstruction_nll(self.vae, self.vae.decode_raw(self.vae.pass_on(z), x[:half]), x[:half]),
            Given(posterior, z, step, self._dataset_size, joint_logits=discriminator(z)),
        )
        self._supervise(terms, z, None if labels is None else labels[:half])
        with torch.no_grad():
            product = permute_dimensions(_sample(self.vae.encode(x[half:]), source), source)
        self._descend(terms["loss"])
        loss = discriminator_loss(discriminator(z.detach()), discriminator(product))
        if self._its_optimiser is not None:
            self._its_optimiser.zero_grad(set_to_none=True)
            loss.backward()
            self._its_optimiser.step()
        terms["discriminator"] = loss
        return terms

    def _tied(self, posterior: Posterior) -> Posterior:
        supervision = self._spec.supervision
        if supervision is None or not supervision.paired:
            return posterior
        return tie(posterior, tuple(supervision.latents.values()))

    def _supervise(self, terms: Terms, z: Tensor, labels: Tensor | None) -> None:
        """Add the loss of supervised latents to the terms."""
        supervision = self._spec.supervision
        if supervision is None or labels is None:
            return
        told = z[:, list(supervision.latents.values())]
        terms["supervision"] = label_nll(told, labels.to(self._device), supervision.sd)
        terms["loss"] = terms["loss"] + terms["supervision"]

    def _descend(self, loss: Tensor) -> None:
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()

    def state_dict(self) -> dict[str, Any]:
        """The state needed to resume."""
        state: dict[str, Any] = {"model": self.vae.state_dict(), "optimiser": self.optimiser.state_dict()}
        if self._discriminator is not None and self._its_optimiser is not None:
            state["discriminator"] = self._discriminator.state_dict()
            state["discriminator_optimiser"] = self._its_optimiser.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load a state from `state_dict`."""
        self.vae.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        if self._discriminator is not None and self._its_optimiser is not None:
            self._discriminator.load_state_dict(state["discriminator"])
            self._its_optimiser.load_state_dict(state["discriminator_optimiser"])


def _parameter_groups(vae: VAE) -> list[dict[str, Any]]:
    """Parameter groups: all parameters, and a learned sigma with a higher learning rate."""
    sigma = [value for name, value in vae.named_parameters() if name == "raw_log_sigma"]
    rest = [value for name, value in vae.named_parameters() if name != "raw_log_sigma"]
    slow: dict[str, Any] = {"params": rest, "pace": 1.0}
    return [slow, {"params": sigma, "pace": _SIGMA_PACE}] if sigma else [slow]


def _sample(posterior: Posterior, source: torch.Generator) -> Tensor:
    return posterior.sample(torch.randn(posterior.mean.shape, generator=source).to(posterior.mean.device))


def seed_of(seed: int, step: int) -> int:
    """A seed for the noise of one step."""
    return int(np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0] >> np.uint64(1))
