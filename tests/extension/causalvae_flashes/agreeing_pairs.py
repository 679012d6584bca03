"""How often a circuit moves the outcome the way the treatment does."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from causalvae.spec.quantity import Quantity

if TYPE_CHECKING:
    from causalvae.effects.claims import ClaimData, RatioColumns


class AgreeingPairs(Quantity):
    """Share of pairs in which the circuit alone moves the outcome the way the treatment does."""

    kind: ClassVar[str] = "agreeing_pairs"
    title: ClassVar[str] = "Agreeing pairs"
    short: ClassVar[str] = "agreeing pairs"
    formula: ClassVar[str] = "share of pairs i with NIE_i TE_i > 0"
    meaning: ClassVar[str] = "How often the circuit alone has the direction of the total effect."
    direction: ClassVar[str] = "denoising"
    limits: ClassVar[tuple[float, ...]] = (0.0, 1.0)

    @staticmethod
    def columns(data: ClaimData) -> RatioColumns:
        """1 for each pair that agrees, over 1."""
        import numpy as np

        from causalvae.effects.claims import RatioColumns

        agrees = (data.effects.indirect * data.effects.total > 0).astype(float)
        return RatioColumns("agreeing_pairs", agrees, np.ones_like(agrees), "share")

    @staticmethod
    def sentence(value: str, interval: str, asked: str, outcome: str) -> str:
        """What a verdict says."""
        return f"{value} of the pairs agree on {outcome}{interval}, {asked}"
