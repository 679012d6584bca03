"""What must run for the symmetry of latents."""

from __future__ import annotations

from causalvae.plan.draft import Draft
from causalvae.plan.owner import Owner


def plan_symmetry(draft: Draft, samples: int) -> None:
    """A cohort of untreated samples and the run of them; the engine measures their attributes."""
    draft.own_cohort(Owner.analysis("symmetry"), samples, draft.spec.data.seed)
