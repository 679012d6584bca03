"""The other circuits that a hypothesised one is compared with: of its size, at its sites.

Where every other set of at most as many units at each site can be run, all of them are. Smaller sets are among them
because a set with an idle unit in it is no larger in what it does: so the comparison is the same whether a network has
idle units or not. Where there are too many sets, only active units count (`causalvae.plan.active`); where there are
still too many, all sets of the circuit's own size; else random ones of its size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations, product
from math import comb, prod

import numpy as np

from causalvae.errors import CausalVAEError
from causalvae.plan.owner import Owner
from causalvae.plan.types import NoRivals, Patch, RivalKind
from causalvae.spec.hypothesis_section import MOST_RANDOM, MOST_SETS, NullSection

Circuit = tuple[Patch, ...]
Pools = list[tuple[int, ...]]


def draw_rivals(
    patches: Circuit,
    sizes: Sequence[int],
    null: NullSection,
    fewest: int,
    active: Callable[[Patch], tuple[int, ...]] | None,
    seed: int,
    place: str | Owner,
) -> tuple[RivalKind, NoRivals, tuple[Circuit, ...]]:
    """The circuits that `patches` is compared with; a site that it takes whole stays whole in all of them.

    Parameters
    ----------
    patches : tuple of Patch
        The hypothesised circuit, one patch a site.
    sizes : sequence of int
        Units of each patch's site.
    null : NullSection
        How many circuits the spec asks for.
    fewest : int
        Random circuits that the level of the tests needs.
    active : callable or None
        Gives the active units of a patch's site; None takes all units. Asked only where not every set can be run.
    seed : int
        Of random circuits.
    place : str or Owner
        Whose circuit it is, for the error.

    Returns
    -------
    kind : {"every", "same_size", "random", "none"}
    why_none : {"", "whole_site", "no_other"}
    circuits : tuple of tuple of Patch

    Raises
    ------
    CausalVAEError
        CV311 where the claim would need more than `MOST_RANDOM` random circuits.
    """
    free = [
        position
        for position, (patch, size) in enumerate(zip(patches, sizes, strict=True))
        if patch.units is not None and len(patch.units) < size
    ]
    if not free:
        return "none", "whole_site", ()
    own = [patches[position].units or () for position in free]
    counts = [len(units) for units in own]
    wanted = max(null.samples, fewest)
    limit = MOST_SETS if null.circuits == "auto" else min(MOST_SETS, wanted)
    pools: Pools = [tuple(range(sizes[position])) for position in free]
    if count_up_to(pools, counts) > limit and active is not None:
        pools = [tuple(sorted({*active(patches[position]), *units})) for position, units in zip(free, own, strict=True)]
    same = prod(comb(len(pool), count) for pool, count in zip(pools, counts, strict=True)) - 1
    kind: RivalKind = "random"
    chosen: Iterable[tuple[tuple[int, ...], ...]]
    if count_up_to(pools, counts) <= limit:
        kind, chosen = "every", _every(pools, [range(count + 1) for count in counts])
    elif same <= max(limit, wanted):
        kind, chosen = "same_size", _every(pools, [(count,) for count in counts])
    else:
        refuse_too_many(wanted, place)
        chosen = _random(pools, own, wanted, seed)
    # A site that stays whole makes a circuit even of no units at the others.
    alone = len(free) == len(patches)
    rivals = tuple(
        _with_units(patches, free, units) for units in chosen if list(units) != own and (any(units) or not alone)
    )
    return (kind, "", rivals) if rivals else ("none", "no_other", ())


def refuse_too_many(wanted: int, place: str | Owner) -> None:
    """Raise CV311 where more random circuits are wanted than are run."""
    if wanted > MOST_RANDOM:
        raise CausalVAEError(
            "CV311",
            f"the claim would be compared with {wanted} random circuits, and {MOST_RANDOM} are the most that are run.",
            f"Write `samples` of at most {MOST_RANDOM}, raise alpha, or state fewer hypotheses in one spec.",
            place,
        )


def count_up_to(pools: Sequence[Sequence[int]], counts: Sequence[int]) -> int:
    """How many sets there are of at most `counts` units of each pool, the empty one included."""
    return prod(
        sum(comb(len(pool), size) for size in range(count + 1)) for pool, count in zip(pools, counts, strict=True)
    )


def _every(pools: Pools, sizes: Sequence[Sequence[int]]) -> Iterator[tuple[tuple[int, ...], ...]]:
    return product(
        *(
            [units for size in allowed for units in combinations(pool, size)]
            for pool, allowed in zip(pools, sizes, strict=True)
        )
    )


def _random(pools: Pools, own: list[tuple[int, ...]], samples: int, seed: int) -> list[tuple[tuple[int, ...], ...]]:
    """Distinct sets of the circuit's own size; there are more than `samples` of them."""
    rng = np.random.default_rng(seed)
    found: dict[tuple[tuple[int, ...], ...], None] = {}
    while len(found) < samples:
        units = tuple(
            tuple(sorted(int(unit) for unit in rng.choice(pool, len(mine), replace=False)))
            for pool, mine in zip(pools, own, strict=True)
        )
        if list(units) != own:
            found[units] = None
    return list(found)


def _with_units(patches: Circuit, free: list[int], units: Sequence[tuple[int, ...]]) -> Circuit:
    """The circuit with other units at its free sites; a site without units is omitted."""
    changed = dict(zip(free, units, strict=True))
    return tuple(
        replace(patch, units=changed.get(position, patch.units))
        for position, patch in enumerate(patches)
        if changed.get(position, True)
    )
