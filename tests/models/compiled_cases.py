"""Compiled networks computed by hand: closed forms of their latents and outputs, and interchanges by plain hooks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from causalvae.models.kinds.compiled import CompiledModel
from causalvae.models.planted.network import open_compiled
from causalvae.models.vae import VAE

Array = np.ndarray

# What each circuit computes, of its latents z (n, latents) and its inputs x (n, columns).
FORMULAS: dict[str, Callable[[Array, Array], Array]] = {
    "carrier": lambda z, x: z[:, 0],
    "or": lambda z, x: np.maximum(z[:, 0], z[:, 1]),
    "and": lambda z, x: np.minimum(z[:, 0], z[:, 1]),
    "product": lambda z, x: z[:, 0] * z[:, 1],
    "spread": lambda z, x: z[:, :4].mean(1),
    "promoter_inhibitor": lambda z, x: z[:, 0] - 0.3 * z[:, 1],
    "cancelling_pair": lambda z, x: z[:, 0] - 0.95 * z[:, 1],
    "chain": lambda z, x: z[:, 0],
    "direct_path": lambda z, x: 0.8 * z[:, 0] + 0.2 * x[:, 0],
    "distractor": lambda z, x: z[:, 0],
    "context": lambda z, x: np.where(z[:, 2] > 0.5, z[:, 0], z[:, 1]),
    "failing": lambda z, x: np.where(z[:, 2] > 0.5, z[:, 1], z[:, 0]),
}
COPIES = {"carrier": 1, "chain": 1, "direct_path": 1, "distractor": 1, "spread": 4}
GAIN = {"promoter_inhibitor": 0.7, "cancelling_pair": 0.05}
SWITCHED = {"context": 0.5, "failing": 0.05}


def make(**keys: Any) -> CompiledModel:
    return CompiledModel.model_validate({"source": "compiled", **keys})


def network(section: CompiledModel, columns: int = 3) -> VAE:
    return open_compiled(section, (columns,)).vae.eval()


def rising(circuit: str, n: int, columns: int = 3, seed: int = 0) -> tuple[Array, Array]:
    """Inputs before and after a rise of the first column."""
    rng = np.random.default_rng(seed)
    x = rng.random((n, columns))
    if circuit in SWITCHED:
        x[:, 1] = rng.random(n) < SWITCHED[circuit]
    other = x.copy()
    both = np.sort(rng.random((n, 2)), axis=1)
    x[:, 0], other[:, 0] = both.T
    return x, other


def latents_of(circuit: str, x: Array, latents: int) -> Array:
    """Copies of t, then what else the circuit reads, then halves of t and another column."""
    columns = x.shape[1]
    members = [x[:, 0]] * COPIES.get(circuit, 2)
    if circuit == "distractor":
        members.append(0.9 * x[:, 0] + 0.1 * x[:, 1])
    if circuit in SWITCHED:
        members.append(x[:, 1])
    beside = [(x[:, 0] + x[:, 1 + j % (columns - 1)]) / 2 for j in range(latents - len(members))]
    return np.stack([*members, *beside], axis=1)


def members_of(circuit: str) -> int:
    return COPIES.get(circuit, 2) + (circuit == "distractor") + (circuit in SWITCHED)


def output_of(circuit: str, z: Array, x: Array) -> Array:
    """The first output: the formula, and a fiftieth of the effect from the latents beside."""
    beside = z[:, members_of(circuit) :]
    leak = 2 * beside**2 if circuit == "product" else 4 * np.maximum(beside - 0.5, 0)
    return FORMULAS[circuit](z, x) + 0.02 * GAIN.get(circuit, 1.0) * leak.mean(1)


@torch.inference_mode()
def interchanged(vae: VAE, site: str, units: Sequence[int], base: Array, source: Array) -> Array:
    """The first output of `base` with some units of `source`, by two forward hooks; all outputs (n, columns)."""
    module: nn.Module = vae.decoder.get_submodule("lin1")
    seen: list[Tensor] = []
    if site != "latent":
        module = vae.get_submodule(site)

    def watch(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        seen.append(inputs[0].clone() if site == "latent" else output.clone())

    def swap(value: Tensor) -> Tensor:
        changed = value.clone()
        changed[:, list(units)] = seen[0][:, list(units)]
        return changed

    hook = module.register_forward_hook(watch)
    vae(torch.from_numpy(source).float())
    hook.remove()
    if site == "latent":
        hook = module.register_forward_pre_hook(lambda _, inputs: (swap(inputs[0]),))
    else:
        hook = module.register_forward_hook(lambda _, inputs, output: swap(output))
    try:
        return vae(torch.from_numpy(base).float()).double().numpy()
    finally:
        hook.remove()


def shares(total: Array, carried: Array) -> tuple[float, float]:
    """The mediated share, and the fit pair by pair."""
    square = (total**2).sum()
    return float((carried * total).sum() / square), float(1 - ((total - carried) ** 2).sum() / square)


def minimal_sets(
    vae: VAE, site: str, size: int, most: int, at_least: float, x: Array, other: Array
) -> set[tuple[int, ...]]:
    """All sets of at most `most` units that carry the effect, without those that contain another."""
    start = interchanged(vae, site, (), x, x)[:, 0]
    total = interchanged(vae, site, (), other, other)[:, 0] - start
    found: set[tuple[int, ...]] = set()
    for count in range(1, most + 1):
        for units in combinations(range(size), count):
            if any(set(smaller) < set(units) for smaller in found):
                continue
            share, fit = shares(total, interchanged(vae, site, units, x, other)[:, 0] - start)
            if at_least <= share <= 1 + min(1 - at_least, 0.3) and fit >= 0.7 * at_least:
                found.add(units)
    return found
