"""Latents that were chosen for a factor, and how stable the choice is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Stability:
    """A choice made again on random halves of the pairs that it was made on.

    Parameters
    ----------
    redraws : int
    same : float
        In what share of the halves the same latents are chosen.
    frequencies : tuple of float
        In what share of them each chosen latent is among those chosen, in the order of the choice.
    share, lower, upper : float or None
        Of the effect, what the latents chosen on one half carry on the other: the median over redraws and the interval
        of the middle `confidence`. It includes the choice, unlike the intervals of a claim on the chosen ones. None
        where latents are chosen by movement.
    confidence : float
    """

    redraws: int
    same: float
    frequencies: tuple[float, ...]
    share: float | None = None
    lower: float | None = None
    upper: float | None = None
    confidence: float = 0.95


@dataclass(frozen=True)
class FoundLatents:
    """Where a factor was found.

    Parameters
    ----------
    factor : str
    latents : tuple of int
        The chosen latents, the best first.
    shares : tuple of float
        For every latent what it was chosen by. By effect: the mean of the shares of the total effect that it carries
        alone and that is lost without it. By movement: its share of the mean squared changes, each divided by the
        latent's variance in the aggregate posterior.
    pairs : int
        On how many pairs; those of finite data are made of the samples to select on.
    by : {"effect", "movement"}
    outcomes : tuple of str
        The attributes that the effect was measured on; empty for the whole output, or by movement.
    stability : Stability or None
    """

    factor: str
    latents: tuple[int, ...]
    shares: tuple[float, ...]
    pairs: int
    by: Literal["effect", "movement"] = "movement"
    outcomes: tuple[str, ...] = ()
    stability: Stability | None = None

    @property
    def components(self) -> tuple[str, ...]:
        """As addresses."""
        return tuple(f"latent[{latent}]" for latent in self.latents)
