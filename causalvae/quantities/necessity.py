"""What is lost of the effect without a circuit."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from causalvae.quantities._shares import check_share
from causalvae.spec.diagnostics import Finding, Path
from causalvae.spec.quantity import Quantity

if TYPE_CHECKING:
    from causalvae.effects.claims import ClaimData, RatioColumns
    from causalvae.spec.draft import Draft
    from causalvae.spec.hypothesis_section import Bound, Hypothesis


class Necessity(Quantity):
    """<TIE, TE> / <TE, TE> over pairs: what is lost when the circuit alone is held."""

    kind: ClassVar[str] = "necessity"
    title: ClassVar[str] = "Necessity"
    short: ClassVar[str] = "necessity"
    formula: ClassVar[str] = "Σᵢ TIEᵢ·TEᵢ / Σᵢ TEᵢ², over pairs i"
    meaning: ClassVar[str] = (
        "The share of the total effect that is lost when only these components are held. 1 means all of it."
    )
    direction: ClassVar[str] = "noising"
    limits: ClassVar[tuple[float, ...]] = (0.0, 1.0)

    @classmethod
    def findings(cls, draft: Draft, hypothesis: Hypothesis, bound: Bound, path: Path) -> list[Finding]:
        """What is wrong with a bound on it."""
        return check_share(bound, path)

    @staticmethod
    def columns(data: ClaimData) -> RatioColumns:
        """TIE TE and TE² of every pair."""
        from causalvae.effects.claims import share_columns

        return share_columns("necessity", data.effects, data.effects.total_indirect, data.sd)

    @staticmethod
    def sentence(value: str, interval: str, asked: str, outcome: str) -> str:
        """What a verdict says."""
        return f"holding the circuit still removes {value} of the effect{interval}, {asked}"
