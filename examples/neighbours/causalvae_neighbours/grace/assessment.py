"""What a trained network has found of its world, in numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from causalvae.models.vae import VAE
from causalvae_neighbours.grace.causal_layer import pass_on
from causalvae_neighbours.grace.discrepancy import multi_kernel_mmd, squared_distances
from causalvae_neighbours.grace.network import causal_layer_of
from causalvae_neighbours.grace.recovery import EDGE, best_relabelling, match_latents, relabel, score_edges, standardise
from causalvae_neighbours.grace.screen import draw_test_cells
from causalvae_neighbours.grace.simulation import CONTROL, FloatArray, World

_CELLS = 2000
_SEED = 1_000_003


@dataclass(frozen=True)
class Assessment:
    """How much of a world a network has found, on cells that training did not see.

    Parameters
    ----------
    correlation : float
        Mean absolute correlation of programmes with the latents that they are matched to.
    targets : float
        Share of guides whose most probable node is the latent of their true target.
    shd, precision, recall, f1
        Of the causal layer's edges, nodes named by the matching of latents; see `recovery.score_edges`.
    best_shd : int
        Under the relabelling of nodes that suits the edges best.
    singles, doubles : float
        Mean squared maximum mean discrepancy of generated cells to true ones, of guides and of pairs of guides; pairs
        were not trained on.
    unmoved : float
        The same of control cells to true pairs.
    doubles_error, additive_error : float
        Root mean square error of the mean change of genes under pairs, of the network and of the sum of the two
        guides' own changes.
    """

    correlation: float
    targets: float
    shd: int
    precision: float
    recall: float
    f1: float
    best_shd: int
    singles: float
    doubles: float
    unmoved: float
    doubles_error: float
    additive_error: float


@torch.no_grad()
def assess(vae: VAE, world: World, temperature: float, seed: int = _SEED, cells: int = _CELLS) -> Assessment:
    """Hold a trained network against its world.

    Parameters
    ----------
    vae : VAE
        From `grace_vae`, in evaluation mode.
    world : World
    temperature : float
        Of the targets' softmax when training ended.
    seed : int
        Of the cells and of the network's noise.
    cells : int
        Of each perturbation.
    """
    layer = causal_layer_of(vae)
    control = draw_test_cells(world, seed, CONTROL, cells)
    x = _tensor(control.expression)
    z = vae.pass_on(vae.encode(x).mean)
    programme_of, correlation = match_latents(z.double().numpy(), control.z)
    effects = standardise(
        layer.adjacency().double().numpy(), pass_on(z, layer.mechanism).double().numpy(), z.double().numpy()
    )
    true = world.adjacency != 0.0
    found = np.abs(effects) > EDGE
    edges = score_edges(relabel(found, programme_of), true)
    nodes = layer.perturbations.targets(temperature).argmax(1).numpy()

    bandwidth = float(squared_distances(x[: cells // 2], x[cells // 2 :]).median())
    source = torch.Generator().manual_seed(seed)
    gaps: dict[int, float] = {}
    changes: dict[int, Tensor] = {}
    made: dict[int, Tensor] = {}
    for code in (*world.singles, *world.doubles):
        seen = _tensor(draw_test_cells(world, seed, code, cells).expression)
        guides = torch.from_numpy(world.carried[code]).to(torch.float32).expand(cells, -1)
        drawn = _generate(vae, x, guides, temperature, source)
        gaps[code] = float(multi_kernel_mmd(drawn, seen, bandwidth))
        changes[code], made[code] = seen.mean(0) - x.mean(0), drawn.mean(0) - x.mean(0)
        if code in world.doubles:
            gaps[-code] = float(multi_kernel_mmd(x, seen, bandwidth))
    additive = {
        code: torch.stack([changes[1 + guide] for guide in world.perturbations[code].guides]).sum(0)
        for code in world.doubles
    }
    return Assessment(
        correlation=float(correlation.mean()),
        targets=float((programme_of[nodes] == world.targets).mean()),
        shd=edges.shd,
        precision=edges.precision,
        recall=edges.recall,
        f1=edges.f1,
        best_shd=best_relabelling(found, true).shd,
        singles=_mean([gaps[code] for code in world.singles]),
        doubles=_mean([gaps[code] for code in world.doubles]),
        unmoved=_mean([gaps[-code] for code in world.doubles]),
        doubles_error=_rms([made[code] - changes[code] for code in world.doubles]),
        additive_error=_rms([additive[code] - changes[code] for code in world.doubles]),
    )


def _generate(vae: VAE, x: Tensor, guides: Tensor, temperature: float, source: torch.Generator) -> Tensor:
    """Cells as they would be under guides: the posterior's sample moved by the causal layer, with the genes' noise."""
    posterior = vae.encode(x)
    u = posterior.sample(torch.randn(posterior.mean.shape, generator=source))
    mean = vae.decode(causal_layer_of(vae).perturb(u, guides, temperature))
    return mean + vae.log_sigma.exp() * torch.randn(mean.shape, generator=source)


def _tensor(values: FloatArray) -> Tensor:
    return torch.from_numpy(values).to(torch.float32)


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else float("nan")


def _rms(errors: list[Tensor]) -> float:
    return float(torch.stack(errors).square().mean().sqrt()) if errors else float("nan")
