"""What each latent does to a factor's attributes, or to the whole output, on a few pairs: by interchange, both ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from causalvae.data.dataset import Dataset
from causalvae.data.pairs import Pairs
from causalvae.models.loading import Model
from causalvae.readouts import Readout, measure
from causalvae.readouts.types import wrap

FloatArray = npt.NDArray[np.float64]
_ROWS = 256


@dataclass(frozen=True)
class PairProducts:
    """Products with the total effect, summed over outcomes, of each set of latents and each pair.

    Parameters
    ----------
    alone : float array, shape (sets, n)
        <NIE, TE>: what the set carries alone.
    lost : float array, shape (sets, n)
        <TIE, TE>: what is lost when the set is held.
    total : float array, shape (n,)
        <TE, TE>.
    """

    alone: FloatArray
    lost: FloatArray
    total: FloatArray

    @property
    def scores(self) -> FloatArray:
        """(<NIE, TE> + <TIE, TE>) / 2 of each set and pair, shape (sets, n).

        The mean of what a set adds to nothing and to all the others: its Shapley value in the game of it and the rest.
        So neither of two latents that are each enough, nor of two that are both needed, is passed over.
        """
        return np.asarray((self.alone + self.lost) / 2)


class LatentEffects:
    """Interchanges of latents between the inputs of pairs.

    Parameters
    ----------
    model : Model
    dataset : Dataset
    pairs : Pairs
    readouts : mapping
        Attribute -> readout of the attributes that effects are measured on, each divided by its standard deviation over
        the pairs' reconstructions; empty for the whole output.
    """

    def __init__(self, model: Model, dataset: Dataset, pairs: Pairs, readouts: Mapping[str, Readout]) -> None:
        self._vae, self._readouts = model.vae, readouts
        self._inputs = [dataset.inputs(rows) for rows in (pairs.base, pairs.counterfactual)]
        with torch.inference_mode():
            self._latents = [self._encode(inputs) for inputs in self._inputs]
        self._clean = [self._run(side, ()) for side in (0, 1)]
        self._total = self._difference(self._clean[1], self._clean[0])

    def products(self, sets: Sequence[tuple[int, ...]]) -> PairProducts:
        """The products of each set of latents, interchanged together."""
        alone, lost = (np.empty((len(sets), len(self._total))) for _ in range(2))
        for k, units in enumerate(sets):
            alone[k] = (self._difference(self._run(0, units), self._clean[0]) * self._total).sum(axis=1)
            lost[k] = (self._difference(self._clean[1], self._run(1, units)) * self._total).sum(axis=1)
        return PairProducts(alone, lost, np.asarray((self._total**2).sum(axis=1)))

    def _encode(self, inputs: Tensor) -> Tensor:
        return torch.cat([self._vae.encode(part).mean for part in inputs.split(_ROWS)])

    @torch.inference_mode()
    def _run(self, side: int, units: tuple[int, ...]) -> FloatArray:
        """Outcomes of one side with some latents of the other, shape (n, outcomes)."""
        latents = self._latents[side].clone()
        if units:
            latents[:, list(units)] = self._latents[1 - side][:, list(units)]
        outcomes = []
        for part, inputs in zip(latents.split(_ROWS), self._inputs[side].split(_ROWS), strict=True):
            output = self._vae.decode(self._vae.pass_on(part), inputs)
            found = measure(self._readouts, output) if self._readouts else output.flatten(1).double()
            outcomes.append(found.cpu().numpy())
        return np.concatenate(outcomes)

    def _difference(self, end: FloatArray, start: FloatArray) -> FloatArray:
        """Changes in standard deviations of the attributes; zero where one is undefined, plain of the whole output."""
        change = np.asarray(end - start)
        if not self._readouts:
            return change
        for k, readout in enumerate(self._readouts.values()):
            change[:, k] = wrap(change[:, k], readout.period)
        spread = np.nanstd(np.concatenate(self._clean), axis=0) if len(change) else np.zeros(change.shape[1])
        scaled = np.divide(change, spread, out=np.zeros_like(change), where=spread > 1e-12)
        return np.nan_to_num(scaled, nan=0.0, posinf=0.0, neginf=0.0)
