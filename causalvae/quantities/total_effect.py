"""How far a treatment moves an outcome."""

# ruff: noqa: RUF001  formulas are written with primes and minus signs

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from causalvae.spec.diagnostics import Finding, Path
from causalvae.spec.outcome_checks import check_size
from causalvae.spec.quantity import Quantity

if TYPE_CHECKING:
    from causalvae.effects.claims import ClaimData, RatioColumns
    from causalvae.spec.draft import Draft
    from causalvae.spec.hypothesis_section import Bound, Hypothesis


class TotalEffect(Quantity):
    """Mean total effect in standard deviations of the outcome."""

    kind: ClassVar[str] = "total_effect"
    title: ClassVar[str] = "Total effect (TE)"
    short: ClassVar[str] = "total effect"
    symbol: ClassVar[str] = "TE"
    formula: ClassVar[str] = "TE = mean of Y(x′) − Y(x); as an expectation of a hypothesis, divided by sd(Y)"
    meaning: ClassVar[str] = (
        "What changing the factor in the input does to the attribute of the decoded output, by every route."
    )
    unit: ClassVar[str] = "sd"
    of_circuit: ClassVar[bool] = False

    @classmethod
    def findings(cls, draft: Draft, hypothesis: Hypothesis, bound: Bound, path: Path) -> list[Finding]:
        """What is wrong with a bound on it."""
        return check_size(draft, hypothesis, bound, path)

    @staticmethod
    def columns(data: ClaimData) -> RatioColumns | None:
        """The change of every pair in standard deviations; None where the outcome has none and it is not claimed."""
        from causalvae.effects.claims import total_effect_columns

        return total_effect_columns(data)

    @staticmethod
    def sentence(value: str, interval: str, asked: str, outcome: str) -> str:
        """What a verdict says."""
        return f"the treatment moves {outcome} by {value} on average{interval}, {asked}"
