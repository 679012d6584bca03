"""Labels of factors for supervised latents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from causalvae.data.dataset import Dataset
from causalvae.data.factors import Rows
from causalvae.errors import CausalVAEError
from causalvae.models.vae import Posterior
from causalvae.spec.training import Supervision
from causalvae.training.batches import is_chosen

if TYPE_CHECKING:
    from torch import Tensor

_SAMPLES = 10_000
_SALT = 1


class Labels:
    """Labels of the samples of a data set, standardised over the data.

    Parameters
    ----------
    supervision : Supervision
    dataset : Dataset
    latent_dim : int
    held_out : float
        Share of the samples that are omitted of all batches.

    Raises
    ------
    CausalVAEError
        CV440 if the data have no such factor, or its values have no order or are constant; CV441 if there is no such
        latent, or one latent has two factors.
    """

    def __init__(self, supervision: Supervision, dataset: Dataset, latent_dim: int, held_out: float = 0.0) -> None:
        names = dataset.space.names
        for name in supervision.latents:
            kind = dataset.space.factors[names.index(name)].kind if name in names else None
            if kind in (None, "categorical", "cyclic"):
                ordered = [factor.name for factor in dataset.space.factors if factor.kind in ("ordinal", "continuous")]
                raise CausalVAEError(
                    "CV440",
                    f"{name} is not a factor of the data."
                    if kind is None
                    else f"{name} is {kind}: its values have no order.",
                    f"Name one of: {', '.join(ordered)}."
                    if ordered
                    else "Delete the section: these data have no labels.",
                    f"supervision.latents.{name}",
                )
        latents = tuple(supervision.latents.values())
        if len(set(latents)) < len(latents) or max(latents) >= latent_dim:
            raise CausalVAEError(
                "CV441",
                f"the supervised latents are {', '.join(map(str, latents))}, of {latent_dim}.",
                f"Name different latents from 0 to {latent_dim - 1}.",
                "supervision.latents",
            )
        self._dataset = dataset
        self.paired = supervision.paired
        self._held_out = held_out
        self._share = supervision.share
        self._factors = tuple(supervision.latents)
        self._columns = [names.index(name) for name in supervision.latents]
        known = self._values(dataset.draw(_SAMPLES, np.random.default_rng(0)))
        self._mean, self._sd = known.mean(axis=0), known.std(axis=0)
        for name, sd in zip(self._factors, self._sd, strict=True):
            if not sd > 0.0:
                raise CausalVAEError(
                    "CV440",
                    f"{name} has the same value in {len(known):,} samples, or none.",
                    "Name factors that vary.",
                    f"supervision.latents.{name}",
                )

    def of(self, rows: Rows) -> Tensor:
        """Labels of samples, float32, (n, n_factors); a row of nan if a sample has none."""
        import torch

        labels = (self._values(rows) - self._mean) / self._sd
        if self._share < 1.0:
            labels[~is_chosen(rows, self._share, _SALT)] = np.nan
        return torch.from_numpy(labels).to(torch.float32)

    def pair(self, rows: Rows) -> Rows:
        """Pairs of samples that differ only in the supervised factors, (n, width).

        Row i of the second half is replaced by row i of the first half under do(supervised factors = their values in
        the replaced row), with other factors held; or by row i of the first half if that sample is held out.

        Parameters
        ----------
        rows : array, shape (n, width)
            n must be even.
        """
        half = len(rows) // 2
        first, second = rows[:half], rows[half:]
        values = self._values(second)
        other = first
        for column, factor in enumerate(self._factors):
            other = self._dataset.intervene(other, factor, values[:, column], "hold")
        if self._held_out:
            held_out = is_chosen(other, self._held_out)
            other = np.where(held_out[:, None], first, other)
        return np.concatenate([first, other])

    def _values(self, rows: Rows) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        return np.array(self._dataset.values(rows)[:, self._columns], dtype=np.float64)


def tie(posterior: Posterior, told: Sequence[int]) -> Posterior:
    """Give both samples of each pair the same posterior in the latents without supervision.

    Means and variances are averaged within pairs, as in the group VAE (Hosoya 2019, arXiv 1809.02383; Locatello et al.
    2020, arXiv 2002.02886, section 4), so these latents contain no information on the supervised factors.

    Parameters
    ----------
    posterior : Posterior, shapes (2 n, latent_dim)
        Sample i is paired with sample n + i.
    told : sequence of int
        The latents whose posteriors are not averaged.
    """
    import torch

    own = torch.zeros(posterior.mean.shape[1], dtype=torch.bool, device=posterior.mean.device)
    own[list(told)] = True

    def averaged(values: Tensor) -> Tensor:
        first, second = values.chunk(2)
        return ((first + second) / 2).repeat(2, 1)

    variance = averaged(posterior.logvar.exp())
    return Posterior(
        torch.where(own, posterior.mean, averaged(posterior.mean)),
        torch.where(own, posterior.logvar, variance.log()),
    )


def label_nll(z: Tensor, labels: Tensor, sd: float) -> Tensor:
    """-log N(label; z, sd^2) without its constant, summed over factors, averaged over labelled samples.

    It uses samples of the posterior: with means, the posterior could remain wide, and the decoder would use other
    latents for the factor.

    Parameters
    ----------
    z : Tensor, shape (batch, n_factors)
        Samples of the supervised latents.
    labels : Tensor, shape (batch, n_factors)
        A row of nan if a sample has none.
    sd : float

    Returns
    -------
    Tensor
        A scalar in nats; 0 if no sample has labels.

    Examples
    --------
    >>> import torch
    >>> float(label_nll(torch.tensor([[1.0], [5.0]]), torch.tensor([[0.0], [float("nan")]]), sd=0.5))
    2.0
    """
    known = ~labels.isnan().any(dim=1)
    squares = (z[known] - labels[known]).square().sum()
    return squares / (2.0 * sd**2 * max(1, int(known.sum())))
