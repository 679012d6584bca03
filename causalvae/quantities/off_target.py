"""How much of what a circuit moves lies where the treatment should not reach."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from causalvae.spec.diagnostics import Finding, Path
from causalvae.spec.quantity import Quantity

if TYPE_CHECKING:
    from causalvae.effects.claims import ClaimData, RatioColumns
    from causalvae.spec.draft import Draft
    from causalvae.spec.hypothesis_section import Bound, Hypothesis


class OffTarget(Quantity):
    """Share of the circuit's squared standardised effect on attributes that the treatment's factor does not reach."""

    kind: ClassVar[str] = "off_target"
    title: ClassVar[str] = "Off-target effect"
    short: ClassVar[str] = "off-target effect"
    formula: ClassVar[str] = (
        "Σ over B outside reach of Σᵢ(NIE_B,i / sd(B))², divided by the same sum over all attributes B"
    )
    meaning: ClassVar[str] = (
        "The share of what the components move that falls on attributes which the factor should not reach by the "
        "declared graph. 0 means a clean circuit; in [0, 1]."
    )
    direction: ClassVar[str] = "denoising"
    limits: ClassVar[tuple[float, ...]] = (0.0, 1.0)

    @classmethod
    def findings(cls, draft: Draft, hypothesis: Hypothesis, bound: Bound, path: Path) -> list[Finding]:
        """What is wrong with a bound on it."""
        from causalvae.spec.intervention_checks import check_off_target

        return check_off_target(draft, hypothesis, bound, path)

    @staticmethod
    def columns(data: ClaimData) -> RatioColumns:
        """Squared effects outside reach, and everywhere, of every pair."""
        from causalvae.effects.claims import off_target_columns

        return off_target_columns(data.outcomes, data.arms, data.reached, data.sds, data.periods)

    @staticmethod
    def sentence(value: str, interval: str, asked: str, outcome: str) -> str:
        """What a verdict says."""
        return f"{value} of its effect falls off target{interval}, {asked}"
