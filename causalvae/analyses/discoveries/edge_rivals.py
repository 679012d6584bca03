"""The circuits that a circuit of edges is compared with: the same wiring through other nodes.

Edges drawn one by one would mostly lead nowhere. So each rival has the edges of the circuit with its nodes exchanged
for others of their sites that an active edge joins.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations, product
from math import perm, prod

import numpy as np

from causalvae.analyses.discoveries.circuit_effects import BoolArray
from causalvae.analyses.discoveries.edges import Wiring
from causalvae.models.components import ComponentRef, EdgeRef
from causalvae.plan.claims.rivals import refuse_too_many
from causalvae.plan.owner import Owner
from causalvae.plan.types import NoRivals, RivalKind
from causalvae.spec.hypothesis_section import MOST_SETS

# Draws for each rival that is wanted; wirings with many symmetries give the same rival again.
_DRAWS = 20


def draw_edge_rivals(
    wiring: Wiring, circuit: BoolArray, active: BoolArray, wanted: int, seed: int, owner: Owner
) -> tuple[RivalKind, NoRivals, list[BoolArray]]:
    """The rivals of a circuit of edges: all of them where they can be run, else random ones.

    Parameters
    ----------
    wiring : Wiring
    circuit, active : bool array, shape (edges,)
        The circuit; the edges that do anything.
    wanted : int
        Random rivals.
    seed : int
    owner : Owner
        For messages.

    Raises
    ------
    CausalVAEError
        CV311 where more random rivals are wanted than are run.
    """
    edges = wiring.edges
    places = {edge: place for place, edge in enumerate(edges)}
    own = [edges[place] for place in np.flatnonzero(circuit)]
    mine = _by_site(_ends(own), wiring)
    # A node may do something in a rival though each edge to it, or from it, does nothing alone.
    useful = _by_site(_ends([edges[place] for place in np.flatnonzero(active)]), wiring)
    pools = [sorted({*useful.get(site, ()), *nodes}) for site, nodes in mine.items()]
    counts = [len(nodes) for nodes in mine.values()]
    if not mine:
        return "none", "whole_site", []
    ways = prod(perm(len(pool), count) for pool, count in zip(pools, counts, strict=True))
    kind: RivalKind = "same_size" if ways <= MOST_SETS else "random"
    if kind == "random":
        refuse_too_many(wanted, owner)
    chosen = _all(pools, counts) if kind == "same_size" else _random(pools, counts, wanted, seed)
    found: dict[bytes, BoolArray] = {}
    for nodes in chosen:
        exchanged: dict[ComponentRef | None, ComponentRef | None] = {None: None}
        for before, after in zip(mine.values(), nodes, strict=True):
            exchanged.update(zip(before, after, strict=True))
        rival = np.zeros_like(circuit)
        rival[[places[EdgeRef(exchanged[edge.source], exchanged[edge.target])] for edge in own]] = True
        if not (rival == circuit).all():
            found[rival.tobytes()] = rival
        if kind == "random" and len(found) == wanted:
            break
    return (kind, "", list(found.values())) if found else ("none", "no_other", [])


Choice = tuple[tuple[ComponentRef, ...], ...]


def _all(pools: Sequence[list[ComponentRef]], counts: Sequence[int]) -> Iterator[Choice]:
    return product(*(permutations(pool, count) for pool, count in zip(pools, counts, strict=True)))


def _random(pools: Sequence[list[ComponentRef]], counts: Sequence[int], wanted: int, seed: int) -> Iterator[Choice]:
    rng = np.random.default_rng(seed)
    for _ in range(_DRAWS * wanted):
        yield tuple(
            tuple(pool[place] for place in rng.choice(len(pool), count, replace=False))
            for pool, count in zip(pools, counts, strict=True)
        )


def _ends(edges: Sequence[EdgeRef]) -> list[ComponentRef]:
    ends = (end for edge in edges for end in (edge.source, edge.target) if end is not None)
    return list(dict.fromkeys(ends))


def _by_site(nodes: Sequence[ComponentRef], wiring: Wiring) -> dict[str, list[ComponentRef]]:
    """Nodes by site, in network order."""
    chosen = set(nodes)
    found: dict[str, list[ComponentRef]] = {}
    for node in wiring.nodes:
        if node in chosen:
            found.setdefault(node.site, []).append(node)
    return found
