"""How much of what a circuit moves lies where the treatment should not reach."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from causalvae.spec.diagnostics import Finding, Path, show_text
from causalvae.spec.quantity import Quantity
from causalvae.spec.treatment_checks import swaps_samples, treated_factor

if TYPE_CHECKING:
    from causalvae.effects.claims import ClaimData, RatioColumns
    from causalvae.spec.draft import Draft
    from causalvae.spec.hypothesis_section import Bound, Hypothesis


class OffTarget(Quantity):
    """Share of the circuit's squared standardised effect on attributes that the treatment's factor does not reach."""

    kind: ClassVar[str] = "off_target"
    always: ClassVar[bool] = True
    title: ClassVar[str] = "Off-target effect"
    short: ClassVar[str] = "off-target effect"
    formula: ClassVar[str] = (
        "Σ over B outside reach of Σᵢ(NIE_B,i / sd(B))², divided by the same sum over all attributes B"
    )
    meaning: ClassVar[str] = (
        "The share of the components' effects that falls on attributes that the factor does not reach in the "
        "declared graph. Between 0 and 1; 0 means no off-target effect."
    )
    direction: ClassVar[str] = "denoising"
    limits: ClassVar[tuple[float, ...]] = (0.0, 1.0)

    @classmethod
    def findings(cls, draft: Draft, hypothesis: Hypothesis, bound: Bound, path: Path) -> list[Finding]:
        """A bound that cannot be met or be false, or that bounds nothing."""
        return _findings(draft, hypothesis, bound, path)

    @staticmethod
    def columns(data: ClaimData) -> RatioColumns:
        """Squared effects outside reach, and everywhere, of every pair."""
        from causalvae.effects.claims import off_target_columns

        return off_target_columns(data.outcomes, data.arms, data.reached, data.sds, data.periods)

    @staticmethod
    def sentence(value: str, interval: str, asked: str, outcome: str) -> str:
        """What a verdict says."""
        return f"{value} of its effect falls off target{interval}, {asked}"


def _findings(draft: Draft, section: Hypothesis, bound: Bound, where: Path) -> list[Finding]:
    findings: list[Finding] = []
    path = where[:-2]
    if (bound.at_least is not None and bound.at_least > 1) or (bound.at_most is not None and bound.at_most < 0):
        key = "at_least" if bound.at_least is not None and bound.at_least > 1 else "at_most"
        findings.append(
            Finding(
                "CV075",
                (*where, key),
                f"off_target is a share between 0 and 1: '{key}: {getattr(bound, key):.6g}' cannot be met",
                "Write a number between 0 and 1.",
            )
        )
    elif _is_empty(bound):
        key = "at_most" if bound.at_most is not None else "at_least"
        findings.append(
            Finding(
                "CV072",
                (*where, key),
                f"off_target is a share between 0 and 1: '{key}: {getattr(bound, key):.6g}' cannot be false",
                "Write `at_most` below 1, such as `off_target: {at_most: 0.2}`.",
            )
        )
    factor = treated_factor(draft, section.treatment)
    attributes = draft.attributes
    if not findings and factor is None and swaps_samples(draft, section.treatment):
        findings.append(
            Finding(
                "CV072",
                where,
                f"{show_text(section.treatment)} swaps whole samples, of which everything is on target: off_target is "
                "0 by definition",
                "Delete this expectation, or name an intervention that sets one factor.",
                related=((*path, "treatment"),),
            )
        )
    if (
        not findings
        and factor is not None
        and attributes
        and draft.edges_sound
        and all(name in draft.reach(factor) for name in attributes)
    ):
        findings.append(
            Finding(
                "CV072",
                where,
                f"'{factor}' reaches every attribute of the declared graph, so off_target is 0 by definition",
                f"Declare an attribute that '{factor}' should not move, or delete this expectation.",
                related=((*path, "treatment"), ("graph", "attributes")),
            )
        )
    return findings


def _is_empty(bound: Bound) -> bool:
    below = bound.at_least is None or bound.at_least <= 0
    above = bound.at_most is None or bound.at_most >= 1
    return below and above
