"""Whether a circuit alone equals the full model, within a margin in the outcome's own unit."""

# ruff: noqa: RUF001  formulas are written with primes and minus signs

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from causalvae.spec.diagnostics import Finding, Path
from causalvae.spec.quantity import Quantity

if TYPE_CHECKING:
    from causalvae.effects.claims import ClaimData, RatioColumns
    from causalvae.spec.draft import Draft
    from causalvae.spec.hypothesis_section import Bound, Hypothesis


class Equivalent(Quantity):
    """Mean difference between the circuit alone and the full model in the outcome's unit.

    Of an attribute with the sign of the effect; of an image or a vector the distance.
    """

    kind: ClassVar[str] = "equivalent"
    title: ClassVar[str] = "Difference from the full model (equivalence)"
    short: ClassVar[str] = "difference from the full model"
    formula: ClassVar[str] = (
        "mean of sign(TEᵢ) · (Y(x; c ← c(x′)) − Y(x′)) = mean of sign(TEᵢ) · (NIEᵢ − TEᵢ); for an image or a vector, "
        "mean of ‖NIEᵢ − TEᵢ‖"
    )
    meaning: ClassVar[str] = (
        "The difference between the outcome of the circuit alone and that of the full model: for an attribute, "
        "positive if the circuit does too much; for an image or a vector, the distance. Equivalence within a margin "
        "is shown by two one-sided tests (TOST; Lakens 2017), for a distance by one. It is a mean: see also the "
        "failing pairs."
    )
    unit: ClassVar[str] = "outcome"
    direction: ClassVar[str] = "denoising"

    @classmethod
    def findings(cls, draft: Draft, hypothesis: Hypothesis, bound: Bound, path: Path) -> list[Finding]:
        """What is wrong with a margin."""
        if bound.at_least is not None:
            return [
                Finding(
                    "CV075",
                    (*path, "at_least"),
                    "a margin of equivalence is symmetric around zero and has no lower bound",
                    "Write the margin alone, such as `equivalent: {at_most: 5}`.",
                )
            ]
        if bound.at_most is not None and bound.at_most <= 0:
            return [
                Finding(
                    "CV075",
                    (*path, "at_most"),
                    f"no number of pairs shows a difference of at most {bound.at_most:.6g}",
                    "Write a margin above 0, in the outcome's own unit.",
                )
            ]
        return []

    @staticmethod
    def columns(data: ClaimData) -> RatioColumns | None:
        """The difference of every pair, over 1."""
        from causalvae.effects.claims import equivalence_columns

        return equivalence_columns(data)

    @staticmethod
    def sentence(value: str, interval: str, asked: str, outcome: str) -> str:
        """What a verdict says."""
        return f"alone the circuit differs from the full model by {value} of {outcome}{interval}, {asked}"
