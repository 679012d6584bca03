"""Measures which latents of a trained network carry the effects of which factors."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from causalvae.data.dataset import Dataset, as_finite
from causalvae.data.factors import IntArray
from causalvae.data.pairs import draw_pairs
from causalvae.errors import CausalVAEError
from causalvae.models.card import Carries
from causalvae.models.vae import VAE
from causalvae.training.batches import is_chosen

_ROWS = 64
# Maximum number of pairs drawn from data without end to find held-out ones.
_MOST_DRAWN = 2**17
_DIGITS = 4


def measure_carries(
    vae: VAE, dataset: Dataset, *, pairs: int, seed: int, held_out: float = 0.0, device: torch.device | None = None
) -> tuple[Carries, ...]:
    """Measure the share of the effect of each factor carried by each latent, on pairs that differ in that factor.

    Parameters
    ----------
    vae : VAE
        Run in evaluation mode; its mode is restored.
    dataset : Dataset
        Factors are set by `Dataset.intervene`, with all others held.
    pairs : int
        Number of pairs for each factor; finite data may have fewer.
    seed : int
        Seed of the pairs.
    held_out : float
        The share of the data not used for training. Both samples of a pair are from this part; for data without end
        only the first, and the second is made from it by do(factor).
    device : torch.device, optional
        Device of the network.

    Returns
    -------
    tuple of Carries
        One per factor, in the order of the data, with shares rounded to 4 digits. Empty if no factor has pairs, such as
        for data without factors and incomplete tables.

    Notes
    -----
    Latents are patched at the input of the decoder, after a latent layer if any, like ``latent[i]`` in an analysis. For
    a latent map, latent i is channel i at all positions. A decoder that also reads the input gets that of the first
    sample in all patched runs, so effects around the latent are not included.
    """
    within = None
    finite = as_finite(dataset)
    if held_out and finite is not None:
        numbers = np.arange(finite.size or 0)
        within = numbers[is_chosen(finite.rows_at(numbers), held_out)]
    was_training = vae.training
    vae.eval()
    found = []
    for factor in dataset.space.names:
        base, counterfactual = _draw(dataset, factor, pairs, seed, held_out, within)
        explained, shares = measure_pairs(vae, base, counterfactual, device)
        found.append(Carries(factor, len(base), explained, shares))
    vae.train(was_training)
    return tuple(found) if any(each.pairs for each in found) else ()


@torch.no_grad()
def measure_pairs(
    vae: VAE, base: Tensor, counterfactual: Tensor, device: torch.device | None = None
) -> tuple[float | None, tuple[float, ...] | None]:
    """The share of the data's change that `vae` reproduces, and the share of its own change carried by each latent.

    Parameters
    ----------
    vae : VAE
        The network, in evaluation mode.
    base, counterfactual : Tensor, shape (n, *input_shape)
        Pairs of inputs.
    device : torch.device, optional
        Device of the network.

    Returns
    -------
    explained : float or None
    shares : tuple of float or None
        See `Carries`.
    """
    if not len(base):
        return None, None
    of_data = of_both = of_output = 0.0
    passed = [0.0] * vae.latent_dim
    for part, other_part in zip(base.split(_ROWS), counterfactual.split(_ROWS), strict=True):
        x, other = part.to(device), other_part.to(device)
        z, other_z = (vae.pass_on(vae.encode(each).mean) for each in (x, other))
        y = vae.decode(z, x)
        dx = vae.target(other) - vae.target(x)
        dy = vae.decode(other_z, other) - y
        of_data += _dot(dx, dx)
        of_both += _dot(dy, dx)
        of_output += _dot(dy, dy)
        for latent in range(vae.latent_dim):
            patched = z.clone()
            patched[:, latent] = other_z[:, latent]
            passed[latent] += _dot(vae.decode(patched, x) - y, dy)
    shares = [_ratio(each, of_output) for each in passed]
    known = tuple(share for share in shares if share is not None)
    return _ratio(of_both, of_data), known if len(known) == len(shares) else None


def _draw(
    dataset: Dataset, factor: str, pairs: int, seed: int, held_out: float, within: IntArray | None
) -> tuple[Tensor, Tensor]:
    """Both sides of the pairs of a factor; empty if the factor cannot be set."""
    endless = held_out > 0.0 and dataset.size is None
    # Twice the number needed on average.
    drawn = min(math.ceil(2 * pairs / held_out), _MOST_DRAWN) if endless else pairs
    try:
        found = draw_pairs(dataset, factor=factor, samples=drawn, seed=seed, within=within)
        base, counterfactual = found.base, found.counterfactual
        if endless:
            new = is_chosen(base, held_out)
            base, counterfactual = base[new], counterfactual[new]
        if len(base):
            return dataset.inputs(base[:pairs]), dataset.inputs(counterfactual[:pairs])
    except CausalVAEError:
        # A factor that cannot be set must not stop the training from storing its weights.
        pass
    none = torch.empty(0, *dataset.input_shape)
    return none, none


def _dot(left: Tensor, right: Tensor) -> float:
    return float((left.double() * right.double()).sum())


def _ratio(part: float, whole: float) -> float | None:
    ratio = part / whole if whole > 0.0 else math.nan
    return round(ratio, _DIGITS) if math.isfinite(ratio) else None
