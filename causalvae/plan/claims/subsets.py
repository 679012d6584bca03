"""Every set of a few units, each run as a circuit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from causalvae.errors import CausalVAEError
from causalvae.models.components import ComponentRef
from causalvae.plan.claims.members import patches_of
from causalvae.plan.owner import Owner
from causalvae.plan.types import ClaimDesign, Enumerated, Patch
from causalvae.spec.hypothesis_section import FEW_ENUMERATED, MOST_ENUMERATED
from causalvae.spec.schema import Hypothesis

# Pairs that the sets of many members are run on: there are up to 4,094 of them.
_MEMBER_PAIRS = 32


def choose_sets(
    hypothesis: Hypothesis, design: ClaimDesign, whole: Sequence[Patch], sizes: Sequence[int], place: Owner
) -> tuple[Enumerated, int, tuple[tuple[Patch, ...], ...]]:
    """Which sets are run in addition to rivals and parts, on how many pairs.

    Parameters
    ----------
    hypothesis : Hypothesis
    design : ClaimDesign
        With the members of the circuit.
    whole : sequence of Patch
        The circuit, one patch a site.
    sizes : sequence of int
        Units of each patch's site.
    place : Owner
        For the error.

    Returns
    -------
    enumerated : {"", "sites", "members"}
    pairs : int
    circuits : tuple of tuple of Patch

    Raises
    ------
    CausalVAEError
        CV325 where the sets of more than `MOST_ENUMERATED` units are asked for.
    """
    units = sum(sizes)
    if hypothesis.asks_for_subsets and units > MOST_ENUMERATED:
        raise CausalVAEError(
            "CV325",
            f"the sites of the circuit have {units} units, and every set of at most {MOST_ENUMERATED} can be run.",
            "Delete `unique` and `subsets`, or name a circuit at a smaller site, such as the latents.",
            place,
        )
    unasked = hypothesis.compares and units <= FEW_ENUMERATED
    if hypothesis.claims_sufficient and (hypothesis.asks_for_subsets or unasked):
        every = tuple(
            ComponentRef(patch.site, (unit,), patch.window)
            for patch, size in zip(whole, sizes, strict=True)
            for unit in range(size)
        )
        section = hypothesis.subsets
        asked = 384 if section is None and hypothesis.judges_unique else None
        pairs = section.pairs if section is not None else asked or hypothesis.null.pairs
        return "sites", pairs, tuple(patches_of(chosen, whole) for chosen in _sets(every, units))
    if not design.subsets and 1 < len(design.members) <= MOST_ENUMERATED and hypothesis.claims_to_carry:
        pairs = min(_MEMBER_PAIRS, hypothesis.null.pairs)
        members = [member for member in design.members if isinstance(member, ComponentRef)]
        return "members", pairs, tuple(patches_of(chosen, whole) for chosen in _sets(members, len(members) - 1))
    return "", 0, ()


def _sets(units: Sequence[ComponentRef], largest: int) -> Iterator[tuple[ComponentRef, ...]]:
    for size in range(1, largest + 1):
        yield from combinations(units, size)
