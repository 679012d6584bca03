"""What is lost of the effect without a circuit."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from causalvae.quantities._shares import Share

if TYPE_CHECKING:
    from causalvae.effects.claims import ClaimData, RatioColumns


class Necessity(Share):
    """<TIE, TE> / <TE, TE> over pairs: what is lost when the circuit alone is held."""

    kind: ClassVar[str] = "necessity"
    always: ClassVar[bool] = True
    title: ClassVar[str] = "Necessity"
    short: ClassVar[str] = "necessity"
    formula: ClassVar[str] = "Σᵢ TIEᵢ·TEᵢ / Σᵢ TEᵢ², over pairs i"
    meaning: ClassVar[str] = (
        "The share of the total effect that is lost when only these components are held. 1 means all of it."
    )
    direction: ClassVar[str] = "noising"

    @staticmethod
    def columns(data: ClaimData) -> RatioColumns:
        """TIE TE and TE² of every pair."""
        from causalvae.effects.claims import share_columns

        return share_columns("necessity", data.effects, data.effects.removed, data.sd)

    @staticmethod
    def sentence(value: str, interval: str, asked: str, outcome: str) -> str:
        """What a verdict says."""
        return f"{value} of the effect is lost if the circuit is held at its base value{interval}, {asked}"
