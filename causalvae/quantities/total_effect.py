"""How far a treatment moves an outcome."""

# ruff: noqa: RUF001  formulas are written with primes and minus signs

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from causalvae.spec.diagnostics import Finding, Path
from causalvae.spec.outcome_checks import IMAGE
from causalvae.spec.quantity import Quantity

if TYPE_CHECKING:
    from causalvae.effects.claims import ClaimData, RatioColumns
    from causalvae.spec.draft import Draft
    from causalvae.spec.hypothesis_section import Bound, Hypothesis


class TotalEffect(Quantity):
    """Mean total effect in standard deviations of the outcome."""

    kind: ClassVar[str] = "total_effect"
    always: ClassVar[bool] = True
    title: ClassVar[str] = "Total effect (TE)"
    short: ClassVar[str] = "total effect"
    symbol: ClassVar[str] = "TE"
    formula: ClassVar[str] = "TE = mean of Y(x′) − Y(x); as an expectation of a hypothesis, divided by sd(Y)"
    meaning: ClassVar[str] = (
        "The effect of a change of the factor in the input on the attribute of the decoded output, by all routes."
    )
    unit: ClassVar[str] = "sd"
    of_circuit: ClassVar[bool] = False

    @classmethod
    def findings(cls, draft: Draft, hypothesis: Hypothesis, bound: Bound, path: Path) -> list[Finding]:
        """A bound on the size of a change that cannot be met or be false, or one on an image."""
        return _check_size(draft, hypothesis, bound, path)

    @staticmethod
    def columns(data: ClaimData) -> RatioColumns | None:
        """The change of every pair in standard deviations; None where the outcome has none and it is not claimed."""
        from causalvae.effects.claims import total_effect_columns

        return total_effect_columns(data)

    @staticmethod
    def sentence(value: str, interval: str, asked: str, outcome: str) -> str:
        """What a verdict says."""
        return f"the treatment moves {outcome} by {value} on average{interval}, {asked}"


def _check_size(draft: Draft, section: Hypothesis, bound: Bound, where: Path) -> list[Finding]:
    outcome, said = section.outcome, (*where[:-2], "outcome")
    vector = (draft.vectors or {}).get(outcome)
    if outcome != IMAGE and vector is None:
        return []
    if outcome == IMAGE:
        return [
            Finding(
                "CV075",
                where,
                "a total effect is bounded in standard deviations of the outcome, and an image has none",
                "Delete this expectation, or name an attribute or a vector as the outcome.",
                related=(said,),
            )
        ]
    return _check_sign(outcome, bound, where, said)


def _check_sign(outcome: str, bound: Bound, where: Path, said: Path) -> list[Finding]:
    size = f"the total effect on the vector '{outcome}' is the mean size of a change, never below 0"
    if bound.at_most is not None and bound.at_most < 0:
        text = f"{size}: 'at_most: {bound.at_most:.6g}' cannot be met"
        return [Finding("CV075", (*where, "at_most"), text, "Write a number above 0.", related=(said,))]
    if bound.at_most is None and bound.at_least is not None and bound.at_least <= 0:
        text = f"{size}: 'at_least: {bound.at_least:.6g}' cannot be false"
        return [Finding("CV072", (*where, "at_least"), text, "Write a number above 0.", related=(said,))]
    return []
