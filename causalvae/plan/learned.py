"""Which subspaces of a plan are learned, and by what name what is learned of each is kept."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from causalvae.digest import digest
from causalvae.plan.types import Patch, Plan


@dataclass(frozen=True)
class LearnedPart:
    """Part of a site in which directions are learned, on pairs that are drawn as a cohort's are.

    Parameters
    ----------
    cohort : str
    patch : Patch
        One that goes through them; its source and whether it takes their complement do not matter.
    """

    cohort: str
    patch: Patch

    @property
    def id(self) -> str:
        """Content hash of all that decides the directions, but network and data."""
        subspace = self.patch.subspace
        if subspace is None or subspace.learned is None:
            raise ValueError("nothing is learned here")
        place = [self.cohort, self.patch.site, self.patch.units, self.patch.window]
        return digest([*place, subspace.dim, asdict(subspace.learned)])


def learned_parts(plan: Plan) -> tuple[LearnedPart, ...]:
    """Every part in which a plan's arms need learned directions, in order of appearance, each once."""
    found: dict[str, LearnedPart] = {}
    for arm in plan.arms:
        for patch in arm.patches:
            if patch.subspace is not None and patch.subspace.learned is not None:
                part = LearnedPart(arm.cohort, patch)
                found.setdefault(part.id, part)
    return tuple(found.values())
