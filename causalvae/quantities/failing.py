"""In how many pairs a circuit does not carry the effect."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from causalvae.spec.diagnostics import Finding, Path
from causalvae.spec.hypothesis_section import pairs_without_failure
from causalvae.spec.quantity import Quantity

if TYPE_CHECKING:
    from causalvae.effects.claims import ClaimData, RatioColumns
    from causalvae.spec.draft import Draft
    from causalvae.spec.hypothesis_section import Bound, Hypothesis

# Fewer than one in the most samples that a spec may ask for.
_LEAST_RATE = 1e-9


class Failing(Quantity):
    """Share of pairs in which the circuit alone misses more than 1 - t / 2 of the effect."""

    kind: ClassVar[str] = "failing"
    title: ClassVar[str] = "Failing pairs"
    short: ClassVar[str] = "failing pairs"
    formula: ClassVar[str] = "share of pairs i with |TEᵢ - NIEᵢ| > (1 - t/2) · max(|TEᵢ|, RMS(TE)/4)"
    meaning: ClassVar[str] = (
        "How often the circuit alone fails to give the effect; t is the claimed share (0.7 if none is claimed). A "
        "mean can hide such pairs. The limits are one-sided (Clopper-Pearson)."
    )
    direction: ClassVar[str] = "denoising"
    limits: ClassVar[tuple[float, ...]] = (0.0, 1.0)

    @classmethod
    def findings(cls, draft: Draft, hypothesis: Hypothesis, bound: Bound, path: Path) -> list[Finding]:
        """A rate of failures that cannot be false or cannot be shown, at all or on the pairs that are drawn."""
        most = bound.at_most
        if most is None or most >= 1:
            key, value = ("at_least", bound.at_least) if most is None else ("at_most", most)
            return [
                Finding(
                    "CV072",
                    (*path, key),
                    f"'{key}: {value:.6g}' of the pairs that fail does not say that the circuit carries anything",
                    "Write an `at_most` between 0 and 1, such as 0.05.",
                )
            ]
        if most < _LEAST_RATE:
            return [
                Finding(
                    "CV075",
                    (*path, "at_most"),
                    f"no number of pairs that can be drawn shows that at most {most:.6g} of all pairs fail",
                    "Write an `at_most` between 0 and 1, such as 0.05.",
                )
            ]
        family = len(draft.hypotheses or (hypothesis,))
        needed = pairs_without_failure(most, hypothesis.alpha, family)
        if draft.data is None or draft.data.samples >= needed:
            return []
        corrected = f" (corrected for {family} hypotheses)" if family > 1 else ""
        return [
            Finding(
                "CV069",
                (*path, "at_most"),
                f"to show that at most {most:.6g} of all pairs fail takes {needed:,} pairs without a failure at alpha "
                f"{hypothesis.alpha:.6g}{corrected}, and {draft.data.samples:,} are drawn",
                f"Write `samples: {needed}` or more (more still where some pairs fail), or a larger at_most.",
                related=(("data", "samples"),),
            )
        ]

    @staticmethod
    def columns(data: ClaimData) -> RatioColumns | None:
        """1 for each pair that fails, over 1."""
        from causalvae.effects.claims import failing_columns

        return failing_columns(data)

    @staticmethod
    def sentence(value: str, interval: str, asked: str, outcome: str) -> str:
        """What a verdict says."""
        return f"the circuit alone fails in {value} of the pairs{interval}, {asked}"
