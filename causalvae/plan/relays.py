"""Runs within runs: what the relayed sources of arms read of other patched runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from causalvae.plan.types import Arm, Patch


@dataclass(frozen=True)
class InnerRun:
    """A run that is made for the values of some sites alone.

    Parameters
    ----------
    arm : Arm
        What is patched in it, on which side and on how many pairs.
    sites : tuple of str
        Whose values are read.
    depth : int
        1 where none of its own sources is relayed; else one more than the deepest that they read.
    """

    arm: Arm
    sites: tuple[str, ...]
    depth: int

    @property
    def label(self) -> str:
        """The sites that the change passes, for tables of what was run: ``encoder.conv1 to latent``."""
        return f"{_route(self.arm.patches)} to {' + '.join(self.sites)}"


def _route(patches: Iterable[Patch]) -> str:
    """The sites of some patches, each with those before it."""
    parts = [
        f"{_route(patch.source.upstream)} to {patch.site}" if patch.source.upstream else patch.site for patch in patches
    ]
    return " + ".join(dict.fromkeys(parts))


def inner_runs(arms: Iterable[Arm]) -> tuple[InnerRun, ...]:
    """The distinct inner runs of some arms, each on as many pairs as any arm needs, before those that read it."""
    found: dict[Arm, InnerRun] = {}

    def visit(arm: Arm) -> int:
        depth = 0
        for patch in arm.patches:
            if not patch.source.upstream:
                continue
            below = visit(replace(arm, patches=patch.source.upstream)) + 1
            # Without its pairs an inner run is the same for all that read it.
            key = replace(arm, patches=patch.source.upstream, pairs=0)
            known = found.get(key, InnerRun(key, (), below))
            sites = known.sites if patch.site in known.sites else (*known.sites, patch.site)
            found[key] = InnerRun(replace(key, pairs=max(known.arm.pairs, arm.pairs)), sites, below)
            depth = max(depth, below)
        return depth

    for arm in arms:
        visit(arm)
    return tuple(sorted(found.values(), key=lambda run: run.depth))


def with_inner(arms: Iterable[Arm]) -> list[Arm]:
    """Some arms and those of their inner runs: all whose patches' sources must be met."""
    listed = list(arms)
    return [*listed, *(run.arm for run in inner_runs(listed))]


def group_inner(runs: Sequence[InnerRun]) -> list[list[InnerRun]]:
    """Runs that re-run the same operations, in an order in which none comes before one that it reads."""
    groups: dict[tuple[object, ...], list[InnerRun]] = {}
    for run in runs:
        patched = tuple(patch.site for patch in run.arm.patches)
        groups.setdefault((run.arm.cohort, run.arm.side, patched, run.label), []).append(run)
    return sorted(groups.values(), key=lambda group: group[0].depth)


def is_relayed(patches: Iterable[Patch]) -> bool:
    """Whether any patch takes its value from another patched run."""
    return any(patch.source.upstream for patch in patches)
