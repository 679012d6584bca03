"""In how many pairs a circuit does not carry the effect."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from causalvae.spec.diagnostics import Finding, Path
from causalvae.spec.quantity import Quantity

if TYPE_CHECKING:
    from causalvae.effects.claims import ClaimData, RatioColumns
    from causalvae.spec.draft import Draft
    from causalvae.spec.hypothesis_section import Bound, Hypothesis


class Failing(Quantity):
    """Share of pairs in which the circuit alone misses more than 1 - t / 2 of the effect."""

    kind: ClassVar[str] = "failing"
    title: ClassVar[str] = "Failing pairs"
    short: ClassVar[str] = "failing pairs"
    formula: ClassVar[str] = "share of pairs i with |TEᵢ - NIEᵢ| > (1 - t/2) · max(|TEᵢ|, RMS(TE)/4)"
    meaning: ClassVar[str] = (
        "How often the circuit alone does not bring the effect, t being the claimed share (0.7 where none is claimed). "
        "A mean can hide such pairs. The limits are one-sided (Clopper-Pearson)."
    )
    direction: ClassVar[str] = "denoising"
    limits: ClassVar[tuple[float, ...]] = (0.0, 1.0)

    @classmethod
    def findings(cls, draft: Draft, hypothesis: Hypothesis, bound: Bound, path: Path) -> list[Finding]:
        """What is wrong with a bound on it."""
        from causalvae.spec.claim_checks import check_failing

        return check_failing(draft, hypothesis, bound, path)

    @staticmethod
    def columns(data: ClaimData) -> RatioColumns | None:
        """1 for each pair that fails, over 1."""
        from causalvae.effects.claims import failing_columns

        return failing_columns(data)

    @staticmethod
    def sentence(value: str, interval: str, asked: str, outcome: str) -> str:
        """What a verdict says."""
        return f"the circuit alone fails in {value} of the pairs{interval}, {asked}"
