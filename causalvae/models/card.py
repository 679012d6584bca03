"""The record of how a network uses its latents that `causalvae train` stores with weights, and how it is read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import FiniteFloat, NonNegativeInt, TypeAdapter, ValidationError

from causalvae.errors import CausalVAEError

# A latent whose KL to the prior exceeds this on average, in nats, is called active.
ACTIVE_NATS = 0.1
# Summaries name latents with at least this share, and the explained part where it is below `_MOST`.
NAMED_SHARE = 0.1
_MOST = 0.9


@dataclass(frozen=True)
class Carries:
    """How much of a factor's effect a network reproduces, and which latents carry it.

    dX is the change of the data from one sample of a pair to the other, dY the change of the reconstruction at the
    posterior mean, and dY_i its change where latent i alone takes its value of the other sample. Sums go over pairs.

    Parameters
    ----------
    factor : str
        The pairs differ in this factor alone.
    pairs : int
        Number of pairs; 0 if the data has none.
    explained : float or None
        sum <dY, dX> / sum ||dX||²: 1 if the reconstruction changes as the data does. None if dX is zero.
    shares : tuple of float or None
        For every latent sum <dY_i, dY> / sum ||dY||². They sum to 1 if the decoder is linear. None if dY is zero.
    """

    factor: str
    pairs: NonNegativeInt
    explained: FiniteFloat | None
    shares: tuple[FiniteFloat, ...] | None

    def in_words(self, latent: str = "latent[{}]") -> str:
        """Such as ``shape: latent[0] 0.60, latent[4] 0.20 (explained 0.71)``: the largest shares first.

        Parameters
        ----------
        latent : str
            Format string for the number of a latent.
        """
        if not self.pairs:
            return f"{self.factor}: no pairs"
        if self.explained is None:
            return f"{self.factor}: does not change the data"
        if self.shares is None:
            return f"{self.factor}: nothing"
        largest = sorted(enumerate(self.shares), key=lambda item: -item[1])
        named = [f"{latent.format(i)} {share:.2f}" for i, share in largest if share >= NAMED_SHARE]
        words = f"{self.factor}: {', '.join(named) or 'no latent alone'}"
        # Adding zero turns -0.0 into 0.0.
        return words if self.explained >= _MOST else f"{words} (explained {round(self.explained, 2) + 0.0:.2f})"


@dataclass(frozen=True)
class Card:
    """How a network uses its latents, as recorded with its weights.

    Parameters
    ----------
    kl : tuple of float
        Mean KL to the prior of each latent, in nats; empty if the encoder is deterministic or nothing is recorded.
    carries : tuple of Carries
        One per factor; empty if nothing is recorded.
    """

    kl: tuple[FiniteFloat, ...] = ()
    carries: tuple[Carries, ...] = ()

    @property
    def active(self) -> tuple[int, ...]:
        """Numbers of the latents with a KL above `ACTIVE_NATS`."""
        return active_latents(self.kl)

    def in_words(self, latent: str = "latent[{}]") -> str:
        """A summary of all factors; empty if nothing is recorded. See `Carries.in_words`."""
        return "; ".join(each.in_words(latent) for each in self.carries)


def active_latents(kl: Sequence[float]) -> tuple[int, ...]:
    """Numbers of the latents whose KL, in nats, is above `ACTIVE_NATS`."""
    return tuple(latent for latent, nats in enumerate(kl) if nats > ACTIVE_NATS)


_KL = TypeAdapter(tuple[FiniteFloat, ...])
_CARRIES = TypeAdapter(tuple[Carries, ...])


def write_card(card: Card) -> dict[str, str]:
    """A card as metadata entries ``kl_nats``, ``active_latents`` and ``carries``; empty parts are omitted."""
    entries = {}
    if card.kl:
        entries["kl_nats"] = json.dumps(card.kl)
        entries["active_latents"] = json.dumps({"kl_above_nats": ACTIVE_NATS, "latents": card.active})
    if card.carries:
        entries["carries"] = _CARRIES.dump_json(card.carries).decode()
    return entries


def read_card(metadata: Mapping[str, str], place: str) -> Card:
    """The card in the metadata of weights; an empty card if there is none.

    Parameters
    ----------
    metadata : mapping
        `causalvae.models.weights.Weights.metadata`.
    place : str
        Path of the weights, for errors.

    Raises
    ------
    CausalVAEError
        CV102 if an entry cannot be read.
    """
    try:
        return Card(
            _KL.validate_json(metadata.get("kl_nats", "[]")), _CARRIES.validate_json(metadata.get("carries", "[]"))
        )
    except ValidationError as error:
        raise CausalVAEError(
            "CV102",
            f"{place} holds metadata of its latents that cannot be read.",
            "Write the weights with `causalvae train`, or name them under `source: checkpoint`.",
            "model.weights",
        ) from error
