"""What a circuit alone carries of the effect."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from causalvae.quantities._shares import Share

if TYPE_CHECKING:
    from causalvae.effects.claims import ClaimData, RatioColumns


class MediatedShare(Share):
    """<NIE, TE> / <TE, TE> over pairs: what the circuit alone carries (sufficiency)."""

    kind: ClassVar[str] = "mediated_share"
    always: ClassVar[bool] = True
    title: ClassVar[str] = "Mediated share (sufficiency)"
    short: ClassVar[str] = "mediated share"
    formula: ClassVar[str] = "Σᵢ NIEᵢ·TEᵢ / Σᵢ TEᵢ², over pairs i"
    meaning: ClassVar[str] = (
        "The share of the total effect that the components reproduce alone. 1 means all of it; it can be below 0 or "
        "above 1."
    )
    direction: ClassVar[str] = "denoising"

    @staticmethod
    def columns(data: ClaimData) -> RatioColumns:
        """NIE TE and TE² of every pair."""
        from causalvae.effects.claims import share_columns

        return share_columns("mediated_share", data.effects, data.effects.carried, data.sd)

    @staticmethod
    def sentence(value: str, interval: str, asked: str, outcome: str) -> str:
        """What a verdict says."""
        return f"the circuit carries {value} of the effect{interval}, {asked}"
