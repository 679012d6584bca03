"""Null circuits: as large as the hypothesised one and at the same sites, but chosen at random."""

from __future__ import annotations

from dataclasses import replace
from math import comb, prod

import numpy as np

from causalvae.errors import CausalVAEError
from causalvae.models.components import ComponentMap
from causalvae.plan.types import Patch, Subspace


def draw_null_circuits(
    patches: tuple[Patch, ...], components: ComponentMap, samples: int, seed: int, place: str
) -> tuple[str, tuple[tuple[Patch, ...], ...]]:
    """Draw null circuits matched to `patches` in size and site.

    Where the sites have at least `samples` other choices of as many units, the nulls are distinct random unit sets.
    Else they are random subspaces of as many dimensions, uniform over directions: with ten latents there are only nine
    other single ones, too few for any p-value below 0.1, but a continuum of directions. A site that the circuit takes
    whole has no other choice of as many units or dimensions: it stays whole in every null.

    Parameters
    ----------
    patches : tuple of Patch
        The hypothesised circuit, one patch a site.
    components : ComponentMap
    samples : int
        Number of null circuits.
    seed : int
    place : str
        Whose circuit it is, for the error.

    Returns
    -------
    kind : {"unit", "subspace"}
    circuits : tuple of tuple of Patch

    Raises
    ------
    CausalVAEError
        CV311 where the circuit takes every one of its sites whole, so that it is its own only match.
    """
    sizes = [components.site(patch.site).units for patch in patches]
    counts = [size if patch.units is None else len(patch.units) for patch, size in zip(patches, sizes, strict=True)]
    if counts == sizes:
        raise CausalVAEError(
            "CV311",
            f"the circuit is the whole of {', '.join(patch.site for patch in patches)}, so no other has its size.",
            "Set `null: {circuits: none}`, or name some of the units.",
            place,
        )
    rng = np.random.default_rng(seed)
    if prod(comb(size, count) for size, count in zip(sizes, counts, strict=True)) - 1 >= samples:
        return "unit", _draw_units(patches, sizes, counts, samples, rng)
    seeds = rng.integers(0, 2**31, size=(samples, len(patches)))
    circuits = tuple(
        tuple(
            patch
            if count == size
            else replace(patch, units=None, subspace=Subspace(count, int(seeds[sample, position])))
            for position, (patch, count, size) in enumerate(zip(patches, counts, sizes, strict=True))
        )
        for sample in range(samples)
    )
    return "subspace", circuits


def _draw_units(
    patches: tuple[Patch, ...], sizes: list[int], counts: list[int], samples: int, rng: np.random.Generator
) -> tuple[tuple[Patch, ...], ...]:
    seen = {tuple(patch.units for patch in patches)}
    circuits: list[tuple[Patch, ...]] = []
    while len(circuits) < samples:
        chosen = tuple(
            tuple(sorted(int(unit) for unit in rng.choice(size, count, replace=False)))
            for size, count in zip(sizes, counts, strict=True)
        )
        if chosen not in seen:
            seen.add(chosen)
            circuits.append(tuple(replace(patch, units=units) for patch, units in zip(patches, chosen, strict=True)))
    return tuple(circuits)
