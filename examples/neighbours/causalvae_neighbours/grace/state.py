"""What training changes from step to step, and one step of it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from causalvae.models.vae import VAE
from causalvae.training.losses import gaussian_kl, reconstruction_nll
from causalvae.training.state import seed_of
from causalvae_neighbours.grace.discrepancy import multi_kernel_mmd, squared_distances
from causalvae_neighbours.grace.network import causal_layer_of
from causalvae_neighbours.grace.screen import Screen
from causalvae_neighbours.grace.warm_start import measure_reach
from causalvae_neighbours.objectives.causal_discrepancy import CausalDiscrepancyObjective

_STARTING_LOG_SIGMA = -2.0
_STARTING_CERTAINTY = 5.0
_BANDWIDTH_CELLS = 40
_LARGEST_GRADIENT = 50.0


class GraceState:
    """A network, its optimiser and the screen that it learns from.

    Parameters
    ----------
    objective : CausalDiscrepancyObjective
    vae : VAE
        From `grace_vae`; its targets and noise are set to where training starts.
    screen : Screen
    seed, steps, batch_size : int
        Of the training spec; of every guide of a step, as of the controls, `batch_size` cells are drawn.
    lr : float
    """

    def __init__(
        self,
        objective: CausalDiscrepancyObjective,
        vae: VAE,
        screen: Screen,
        seed: int,
        steps: int,
        batch_size: int,
        lr: float,
    ) -> None:
        self._objective = objective
        self._screen = screen
        self._seed = seed
        self._steps = steps
        self._batch_size = batch_size
        self.vae = vae
        self.layer = causal_layer_of(vae)
        with torch.no_grad():
            vae.raw_log_sigma.fill_(_STARTING_LOG_SIGMA)
        if objective.targets == "reach":
            self._start_at_reach()
        self.optimiser = torch.optim.Adam(vae.parameters(), lr=lr)
        few = screen.perturbed[:, :_BANDWIDTH_CELLS].flatten(0, 1)
        self._bandwidth = float(squared_distances(few, screen.control[: len(few)]).median())

    def _start_at_reach(self) -> None:
        control, perturbed = self._screen.control.double().numpy(), self._screen.perturbed.double().numpy()
        groups = min(self.layer.size, len(perturbed))
        places = torch.from_numpy(measure_reach(control, perturbed, groups).places)
        with torch.no_grad():
            self.layer.perturbations.logits[torch.arange(len(places)), places] += _STARTING_CERTAINTY

    def temperature(self, step: int) -> float:
        """What the logits of targets are multiplied by at a step."""
        return 1.0 + (self._objective.temperature - 1.0) * step / self._steps

    def warmth(self, step: int) -> float:
        """The share of their weight that the KL and the sparsity have at a step."""
        over = self._objective.warm_up * self._steps
        return 1.0 if over == 0.0 else min(1.0, step / over)

    def step(self, step: int, lr: float) -> dict[str, float]:
        """Take one step; its cells and noise are functions of (seed, step) alone.

        Returns
        -------
        dict
            Loss terms: reconstruction and KL in nats a cell, the discrepancy, the sum of absolute weights.
        """
        for group in self.optimiser.param_groups:
            group["lr"] = lr
        terms = self._terms(step, torch.Generator().manual_seed(seed_of(self._seed, step)))
        self.optimiser.zero_grad(set_to_none=True)
        terms["loss"].backward()
        nn.utils.clip_grad_norm_(self.vae.parameters(), _LARGEST_GRADIENT)
        self.optimiser.step()
        return {name: float(value.detach()) for name, value in terms.items()}

    def _terms(self, step: int, source: torch.Generator) -> dict[str, Tensor]:
        vae, objective, n = self.vae, self._objective, self._batch_size
        control, guides, seen = self._draw(source)
        posterior = vae.encode(control)
        u = posterior.sample(torch.randn((n, vae.latent_dim), generator=source))
        reconstruction = reconstruction_nll(vae, vae.decode_raw(self.layer(u)), control)
        kl = gaussian_kl(posterior).sum()

        # The same control cells, each with fresh noise, under every guide of the step.
        noise = torch.randn((len(guides), n, vae.latent_dim), generator=source)
        moved = posterior.sample(noise).flatten(0, 1)
        carried = torch.eye(self.layer.guides)[guides].repeat_interleave(n, 0)
        made = vae.decode(self.layer.perturb(moved, carried, self.temperature(step)))
        made = made + vae.log_sigma.exp() * torch.randn(made.shape, generator=source)
        discrepancy = multi_kernel_mmd(made.unflatten(0, (len(guides), n)), seen, self._bandwidth).mean()

        weights = self.layer.adjacency().abs().sum()
        # The discrepancy counts from the first step: a latent whose sign disagrees with its guides does not turn later.
        penalties = self.warmth(step) * (objective.beta * kl + objective.sparsity * weights)
        return {
            "loss": reconstruction + objective.alpha * discrepancy + penalties,
            "reconstruction": reconstruction,
            "kl": kl,
            "discrepancy": discrepancy,
            "weights": weights,
        }

    def _draw(self, source: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Controls, (n, genes), some guides, (k,), and cells of each, (k, n, genes)."""
        screen, n = self._screen, self._batch_size
        control = screen.control[torch.randint(len(screen.control), (n,), generator=source)]
        guides = torch.randperm(len(screen.perturbed), generator=source)[: self._objective.guides_at_once]
        cells = torch.randint(screen.perturbed.shape[1], (len(guides), n), generator=source)
        return control, guides, screen.perturbed[guides[:, None], cells]

    def state_dict(self) -> dict[str, Any]:
        """Everything that a resumed run needs."""
        return {"model": self.vae.state_dict(), "optimiser": self.optimiser.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self.vae.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
