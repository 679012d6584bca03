"""What the shares of an effect have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from causalvae.spec.diagnostics import Finding, Path
from causalvae.spec.quantity import Quantity

if TYPE_CHECKING:
    from causalvae.spec.draft import Draft
    from causalvae.spec.hypothesis_section import Bound, Hypothesis


class Share(Quantity):
    """A share of the total effect, for which t in (0, 1) is a bound that can fail."""

    limits: ClassVar[tuple[float, ...]] = (0.0, 1.0)

    @classmethod
    def findings(cls, draft: Draft, hypothesis: Hypothesis, bound: Bound, path: Path) -> list[Finding]:
        """Whether a lower bound alone is met by a circuit that carries nothing, or by one that others cancel."""
        if bound.at_least is None or bound.at_most is not None or 0 < bound.at_least < 1:
            return []
        what = "nothing" if bound.at_least <= 0 else "more than the effect, which others cancel"
        return [
            Finding(
                "CV072" if bound.at_least <= 0 else "CV075",
                (*path, "at_least"),
                f"without an at_most, 'at_least: {bound.at_least:.6g}' is met by circuits that carry {what}",
                "Write a number between 0 and 1, such as 0.7, or add `at_most`.",
            )
        ]
