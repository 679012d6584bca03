"""How much of an effect takes a circuit and the rest of the network together."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from causalvae.spec.diagnostics import Finding, Path
from causalvae.spec.quantity import Quantity

if TYPE_CHECKING:
    from causalvae.effects.claims import ClaimData, RatioColumns
    from causalvae.spec.draft import Draft
    from causalvae.spec.hypothesis_section import Bound, Hypothesis


class InteractionShare(Quantity):
    """<TIE - NIE, TE> / <TE, TE> over pairs: necessity minus mediated share."""

    kind: ClassVar[str] = "interaction_share"
    title: ClassVar[str] = "Interaction share"
    short: ClassVar[str] = "interaction share"
    formula: ClassVar[str] = "Σᵢ (TIEᵢ − NIEᵢ)·TEᵢ / Σᵢ TEᵢ² = necessity − mediated share, over pairs i"  # noqa: RUF001
    meaning: ClassVar[str] = (
        "The share of the total effect that neither the components nor the rest carry alone. 0 if their effects add "
        "up; above 0 if both are needed (AND, gates, products), 1 if each alone does nothing; below 0 if each can "
        "replace the other (OR), −1 if each alone has the whole effect."  # noqa: RUF001
    )

    @classmethod
    def findings(cls, draft: Draft, hypothesis: Hypothesis, bound: Bound, path: Path) -> list[Finding]:
        """Whether one end alone allows both circuits that add and circuits that do not."""
        least, most = bound.at_least, bound.at_most
        if least is None and most is not None and most >= 0:
            key, said, other = "at_most", most, "at_least"
        elif most is None and least is not None and least <= 0:
            key, said, other = "at_least", least, "at_most"
        else:
            return []
        return [
            Finding(
                "CV072",
                (*path, key),
                f"without an {other}, '{key}: {said:.6g}' is met by circuits that add to the rest and by circuits that "
                "do not",
                "To claim that they add, give both ends, such as `interaction_share: {at_least: -0.1, at_most: 0.1}`; "
                "that it takes both, `at_least: 0.3`; that each can stand in for the other, `at_most: -0.3`.",
            )
        ]

    @staticmethod
    def columns(data: ClaimData) -> RatioColumns:
        """(TIE - NIE) TE and TE² of every pair."""
        from causalvae.effects.claims import share_columns

        effects = data.effects
        return share_columns("interaction_share", effects, effects.removed - effects.carried, data.sd)

    @staticmethod
    def sentence(value: str, interval: str, asked: str, outcome: str) -> str:
        """What a verdict says."""
        return f"{value} of the effect on {outcome} is interaction of the circuit with the rest{interval}, {asked}"
