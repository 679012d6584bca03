"""What is wrong with a bound on a share of the effect."""

from __future__ import annotations

from causalvae.spec.diagnostics import Finding, Path
from causalvae.spec.hypothesis_section import Bound


def check_share(bound: Bound, path: Path) -> list[Finding]:
    """A share of at least t means something for t in (0, 1); beyond, only where at_most says how much is too much."""
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
