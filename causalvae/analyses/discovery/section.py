"""The spec's `discoveries`: circuits that are to be found."""

from __future__ import annotations

from typing import Annotated, Final, Literal, get_args

from pydantic import Field

from causalvae.spec.section import ComponentRef, Level, Name, Section

CandidateKind = Literal["latents", "channels", "units"]
HeldAt = Literal["interchange", "mean", "resample"]
ScoreName = Literal["single", "removal", "attribution", "integrated_gradients", "relp"]
SCORES: Final[tuple[ScoreName, ...]] = get_args(ScoreName)

_Pairs = Annotated[int, Field(strict=True, ge=24, le=1_000_000)]
_Halves = Annotated[int, Field(strict=True, ge=0, le=1000)]


class DiscoverySection(Section):
    """A circuit that is to be found: the smallest that carries a treatment's effect on an outcome."""

    name: Name
    treatment: Name = Field(description="An input intervention.")
    outcome: Name = Field(description="An attribute, or image.")
    candidates: CandidateKind = Field(
        default="latents",
        description="What circuits are made of: latents; channels of the hidden layers that have positions; units, "
        "which are channels and the entries of hidden vectors.",
    )
    sites: tuple[ComponentRef, ...] = Field(
        default=(), description="Where candidates are taken from, instead of the latent or the hidden layers."
    )
    target: Level = Field(default=0.8, description="The share of the effect that the circuit is tested against.")
    scores: tuple[ScoreName, ...] = Field(
        default=SCORES,
        min_length=1,
        description="What orders candidates for the search; the smallest circuit of all orders is kept.",
    )
    hold: HeldAt = Field(
        default="interchange", description="What candidates outside a circuit are held at: their value in the pair's "
        "base run, their mean over base runs, or their value in the base run of another pair.",
    )  # fmt: skip
    pairs: _Pairs = Field(default=192, description="Pairs to search on, and as many others to test on.")
    halves: _Halves | None = Field(
        default=None,
        description="Random halves of the pairs on which the search is repeated, for the stability of each member; 50 "
        "by default, and 10 among more than 32 candidates.",
    )
