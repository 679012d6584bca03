"""Resampling: another pair's value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from pydantic import Field

from causalvae.spec.diagnostics import Finding, Path, nearest, show_text
from causalvae.spec.section import Name, Section
from causalvae.spec.value_source import DonorKey, Side, ValueSource

if TYPE_CHECKING:
    from torch import Tensor

    from causalvae.engine.values import SiteRuns
    from causalvae.spec.draft import Draft


class SharedDonors(Section):
    """Resampling that keeps a factor."""

    given: Name = Field(description="The factor whose value donors share with the patched run.")


class Resample(ValueSource):
    """Its value for another base sample of the cohort, or for a pair that shares a factor's value.

    Donors are a permutation without fixed points, drawn with the seed. With `given`, they are other pairs in which that
    factor has the patched run's value.
    """

    kind = "resample"
    keys = ("mode", "values")
    settings = SharedDonors
    draws = True
    from_input = True
    is_drawn = True

    @classmethod
    def written(cls, settings: Any, seed: int) -> Self:
        """With the factor that donors share, if any."""
        return cls(seed=seed, given=None if settings is None else settings.given)

    @classmethod
    def findings(cls, draft: Draft, settings: Any, path: Path) -> list[Finding]:
        """Whether the data have the factor."""
        source = draft.source
        if settings is None or source is None or source.factor(settings.given) is not None:
            return []
        names = list(source.names)
        return [
            Finding(
                "CV063",
                (*path, "given"),
                f"donors are to share {show_text(settings.given)}, which is not a factor of the data",
                f"It has: {', '.join(names) or 'none'}.",
                nearest(settings.given, names),
            )
        ]

    def donor_key(self, side: Side) -> DonorKey:
        """Donors that share nothing are the same on both sides."""
        return DonorKey(self.seed or 0, self.given, "base" if self.given is None else side)

    def compute(self, runs: SiteRuns) -> Tensor:
        """The donor's value."""
        return runs.of_donors(self)
