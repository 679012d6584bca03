"""Motifs: how the members of a circuit work together, each with the number that shows it and its interval.

- *redundant pair*: neither is computed from the other, and each alone is enough; I_ij = f{i, j} - f{i} - f{j} < 0.
- *synergistic pair*: they work only together: I_ij exceeds what each carries alone.
- *inhibitory member*: the share rises when it is taken away.
- *chain*: members each of which hands its change on to the next alone. *Broadcast*: one member feeds several.
  *Convergence*: several feed one. *Hub*: several in and several out. All from edge effects: what a change of one member
  brings about through the other alone.

Every motif is shown, not only estimated: the interval of its number clears a margin.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final, Literal

import numpy as np

from causalvae.analyses.discoveries.circuit_effects import CircuitEffects, FloatArray
from causalvae.circuits.minimality import loss_margin
from causalvae.effects.bootstrap import Interval, PairedBootstrap

MotifKind = Literal["chain", "broadcast", "convergence", "hub", "redundant", "synergistic", "inhibitory"]
# Stands for the outcome among the ends of edges.
OUTCOME: Final = -1


@dataclass(frozen=True)
class MemberEffects:
    """What was measured of a circuit's members, all on the same pairs.

    Parameters
    ----------
    singles : CircuitEffects
        Each member's change alone, in the base run.
    couples : tuple of (int, int)
        Members that were changed together.
    together : CircuitEffects
        Each couple's change, in the base run.
    whole : CircuitEffects
        The circuit, one row.
    without : CircuitEffects
        The circuit without each member.
    arrows : tuple of (int, int)
        Pairs of a member and another that is computed from it, or `OUTCOME`.
    sent : CircuitEffects
        The change of the first, on the outcome, as far as it goes through the second alone; to `OUTCOME`: as far as it
        goes through no other member.
    reached : frozenset of (int, int), optional
        Pairs of a member and another that is computed from it, over any number of steps; where omitted, by `arrows`.
    """

    singles: CircuitEffects
    couples: tuple[tuple[int, int], ...]
    together: CircuitEffects
    whole: CircuitEffects
    without: CircuitEffects
    arrows: tuple[tuple[int, int], ...]
    sent: CircuitEffects
    reached: frozenset[tuple[int, int]] | None = None

    @property
    def members(self) -> int:
        """Number of members."""
        return len(self.singles.along)


@dataclass(frozen=True)
class Measured:
    """A share of the effect, or a difference of shares, with its interval."""

    value: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Motif:
    """A pattern among members.

    Parameters
    ----------
    kind : str
    members : tuple of int
        In the order in which a change passes them; of a broadcast the source first, of a convergence the target last,
        of a hub the hub alone. `OUTCOME` stands for the outcome.
    shown : Measured
        The number that shows it: of a pair I_ij, of an inhibitory member f without it less f, else the weakest edge.
    """

    kind: MotifKind
    members: tuple[int, ...]
    shown: Measured


@dataclass(frozen=True)
class EdgeEffect:
    """An edge between two members, or from one to the outcome.

    Parameters
    ----------
    source, target : int
        Of edges that were found, places of nodes after those of the edges.
    share : Measured
        Of the total effect.
    is_shown : bool
        Whether its interval clears the margin.
    """

    source: int
    target: int
    share: Measured
    is_shown: bool


@dataclass(frozen=True)
class PairEffect:
    """The interaction of two members: I_ij = f{i, j} - f{i} - f{j}."""

    first: int
    second: int
    interaction: Measured


@dataclass(frozen=True)
class Motifs:
    """The motifs of a circuit, and the effects that they were read from.

    Parameters
    ----------
    margin, edge_margin : float
        What an interval must clear; of an edge a third of an equal part of the circuit's, where that is less.
    singles : tuple of Measured
        The share of each member alone.
    removals : tuple of Measured
        How much the share falls without each member.
    pairs : tuple of PairEffect
    edges : tuple of EdgeEffect
    found : tuple of Motif
    """

    margin: float
    edge_margin: float
    singles: tuple[Measured, ...]
    removals: tuple[Measured, ...]
    pairs: tuple[PairEffect, ...]
    edges: tuple[EdgeEffect, ...]
    found: tuple[Motif, ...]


def find_motifs(effects: MemberEffects, share: float, bootstrap: PairedBootstrap, size: int | None = None) -> Motifs:
    """The motifs among a circuit's members.

    Parameters
    ----------
    effects : MemberEffects
    share : float
        What counts as enough of the effect.
    bootstrap : PairedBootstrap
        Over the pairs.
    size : int, optional
        Members of the whole circuit, where not all were measured.
    """
    margin = loss_margin(max(1, effects.members))
    edge_margin = min(margin, 1 / (3 * max(1, size or effects.members)))
    total = effects.whole.total

    def shares(along: FloatArray) -> Interval:
        return bootstrap.ratio(along, np.broadcast_to(total, along.shape))

    singles = shares(effects.singles.along)
    removed = shares(effects.whole.along - effects.without.along)
    first, second = (np.array([couple[end] for couple in effects.couples], dtype=int) for end in (0, 1))
    joint = effects.together.along - effects.singles.along[first] - effects.singles.along[second]
    # Beyond what the stronger of the two carries alone.
    alone = np.maximum(
        np.abs(effects.singles.share[first]), np.abs(effects.singles.share[second])
    )  # fmt: skip
    interaction, sent = shares(joint), shares(effects.sent.along)
    edges = tuple(
        EdgeEffect(*arrow, _measured(sent, row), _clears(sent, row, edge_margin))
        for row, arrow in enumerate(effects.arrows)
    )
    reached = effects.reached
    if reached is None:
        reached = follow({arrow for arrow in effects.arrows if arrow[1] != OUTCOME})
    found: list[Motif] = []
    for row, (i, j) in enumerate(effects.couples):
        if (i, j) in reached or (j, i) in reached:
            continue
        if singles.lower[i] >= share and singles.lower[j] >= share and interaction.upper[row] < -margin:
            found.append(Motif("redundant", (i, j), _measured(interaction, row)))
        elif interaction.lower[row] > max(margin, alone[row]):
            found.append(Motif("synergistic", (i, j), _measured(interaction, row)))
    for member in range(effects.members):
        if removed.upper[member] < -margin:
            gain = _measured(removed, member)
            found.append(Motif("inhibitory", (member,), Measured(-gain.value, -gain.upper, -gain.lower)))
    found += _wiring([edge for edge in edges if edge.is_shown])
    return Motifs(
        margin,
        edge_margin,
        tuple(_measured(singles, member) for member in range(effects.members)),
        tuple(_measured(removed, member) for member in range(effects.members)),
        tuple(PairEffect(i, j, _measured(interaction, row)) for row, (i, j) in enumerate(effects.couples)),
        edges,
        tuple(found),
    )


def couples_of(members: int) -> tuple[tuple[int, int], ...]:
    """All pairs of this many members."""
    return tuple(combinations(range(members), 2))


def _measured(interval: Interval, row: int) -> Measured:
    return Measured(float(interval.value[row]), float(interval.lower[row]), float(interval.upper[row]))


def _clears(interval: Interval, row: int, margin: float) -> bool:
    return bool(interval.lower[row] > margin or interval.upper[row] < -margin)


def follow(arrows: set[tuple[int, int]]) -> frozenset[tuple[int, int]]:
    """Which member is computed from which, over any number of steps."""
    found = set(arrows)
    while fresh := {(a, d) for a, b in found for c, d in arrows if b == c} - found:
        found |= fresh
    return frozenset(found)


def _wiring(edges: Sequence[EdgeEffect]) -> list[Motif]:
    following: dict[int, dict[int, EdgeEffect]] = {}
    before: dict[int, dict[int, EdgeEffect]] = {}
    for edge in edges:
        following.setdefault(edge.source, {})[edge.target] = edge
        before.setdefault(edge.target, {})[edge.source] = edge
    found = _chains(following, before)
    for source, out in sorted(following.items()):
        if len(out) > 1:
            found.append(Motif("broadcast", (source, *out), _weakest(out)))
    for target, into in sorted(before.items()):
        if len(into) > 1:
            found.append(Motif("convergence", (*into, target), _weakest(into)))
        out = following.get(target, {})
        if len(into) > 1 and len(out) > 1:
            found.append(Motif("hub", (target,), _weakest({**into, **out})))
    return found


def _chains(
    following: Mapping[int, Mapping[int, EdgeEffect]], before: Mapping[int, Mapping[int, EdgeEffect]]
) -> list[Motif]:
    """Longest runs of two edges or more in which each node has one edge in and one out, the ends apart."""
    single = {
        source: next(iter(out.values()))
        for source, out in following.items()
        if len(out) == 1 and len(before[next(iter(out))]) == 1
    }
    found = []
    for start in sorted(single.keys() - {edge.target for edge in single.values()}):
        passed = [single[start]]
        while passed[-1].target in single:
            passed.append(single[passed[-1].target])
        if len(passed) > 1:
            found.append(Motif("chain", (start, *(edge.target for edge in passed)), _least(passed)))
    return found


def _weakest(edges: Mapping[int, EdgeEffect]) -> Measured:
    return _least(list(edges.values()))


def _least(edges: Sequence[EdgeEffect]) -> Measured:
    return min((edge.share for edge in edges), key=lambda share: abs(share.value))
