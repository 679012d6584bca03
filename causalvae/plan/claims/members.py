"""The members of a circuit, and the circuit without some of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from causalvae.models.components import Component, ComponentRef
from causalvae.plan.types import Patch
from causalvae.spec.value_source import make_source

# Members that are taken away one at a time, and those of which every subset is run.
MOST_MEMBERS = 64
MOST_SUBSETS_OF = 8
# Units of the circuit's sites that are run alone.
MOST_SINGLES = 256

INTERCHANGE = make_source("interchange")


def members_of(found: Sequence[Component]) -> tuple[ComponentRef, ...]:
    """The members: each unit; the components as they are written where these are too many units.

    Fewer than two where there is nothing to take away, or more than `MOST_MEMBERS` to take.
    """
    by_unit = tuple(
        dict.fromkeys(
            ComponentRef(part.site.name, (unit,), part.window)
            for part in found
            for unit in (range(part.site.units) if part.units is None else part.units)
        )
    )
    if len(by_unit) <= MOST_MEMBERS:
        return by_unit
    written = tuple(dict.fromkeys(part.ref for part in found))
    return written if len(written) <= MOST_MEMBERS else ()


def patches_of(members: Sequence[ComponentRef], whole: Sequence[Patch]) -> tuple[Patch, ...]:
    """Patches of some members of the circuit `whole`, one a site, in its order."""
    patches = []
    for patch in whole:
        mine = [member for member in members if member.site == patch.site]
        if not mine:
            continue
        units = None
        if all(member.units is not None for member in mine):
            units = tuple(sorted({unit for member in mine for unit in member.units or ()}))
        patches.append(Patch(patch.site, units, patch.source, patch.window))
    return tuple(patches)


def parts_of(members: Sequence[ComponentRef]) -> Iterator[tuple[ComponentRef, ...]]:
    """The members without each one; and, of few members, every smaller set that is not empty."""
    total = len(members)
    least = 1 if total <= MOST_SUBSETS_OF else total - 1
    for size in range(total - 1, least - 1, -1):
        yield from combinations(members, size)


def singles_of(whole: Sequence[Patch], sizes: Sequence[int]) -> Iterator[Patch]:
    """Each unit of the circuit's sites alone; nothing where these are more than `MOST_SINGLES`."""
    if sum(sizes) <= MOST_SINGLES:
        for patch, size in zip(whole, sizes, strict=True):
            for unit in range(size):
                yield Patch(patch.site, (unit,), patch.source, patch.window)
