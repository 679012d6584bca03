"""Motifs of outcomes that are written down."""

from __future__ import annotations

import numpy as np
import pytest

from causalvae.analyses.discoveries.circuit_effects import CircuitEffects
from causalvae.analyses.discoveries.motifs import OUTCOME, MemberEffects, Motifs, couples_of, find_motifs
from causalvae.effects.bootstrap import paired_bootstrap
from tests.analyses.discoveries import functions
from tests.analyses.discoveries.functions import Function

BOOTSTRAP = paired_bootstrap(192, 300, 0.95, 0)


def kinds(found: Motifs) -> set[tuple[str, tuple[int, ...]]]:
    return {(motif.kind, motif.members) for motif in found.found}


def test_a_redundant_pair() -> None:
    found = find_motifs(Function(functions.either, 6, 2).members([0, 1]), 0.8, BOOTSTRAP)
    assert ("redundant", (0, 1)) in kinds(found)
    assert found.pairs[0].interaction.value == pytest.approx(-1.0, abs=0.15)


def test_a_synergistic_pair() -> None:
    found = find_motifs(Function(functions.both, 6, 2).members([0, 1]), 0.8, BOOTSTRAP)
    assert ("synergistic", (0, 1)) in kinds(found)


def test_an_inhibitory_member() -> None:
    found = find_motifs(Function(functions.inhibitor, 6, 2).members([0, 1]), 0.8, BOOTSTRAP)
    (motif,) = [motif for motif in found.found if motif.kind == "inhibitory"]
    assert motif.members == (1,)
    assert motif.shown.value == pytest.approx(0.6, abs=0.05)
    assert motif.shown.lower <= motif.shown.value <= motif.shown.upper


def test_additive_members_are_no_pair() -> None:
    found = find_motifs(Function(functions.spread, 6, 4).members([0, 1, 2, 3]), 0.8, BOOTSTRAP)
    assert kinds(found) == {("convergence", (0, 1, 2, 3, OUTCOME))}


def wired(shares: dict[tuple[int, int], float], members: int) -> MemberEffects:
    """Members whose edges carry given shares of an effect of 1, and nothing else of interest."""
    total = np.ones(192)

    def rows(values: list[float]) -> CircuitEffects:
        done = np.array(values)[:, None] * total
        return CircuitEffects(done, done**2, total)

    couples = couples_of(members)
    return MemberEffects(
        rows([1.0] * members), couples, rows([1.0] * len(couples)), rows([1.0]), rows([0.0] * members),
        tuple(shares), rows(list(shares.values())),
    )  # fmt: skip


def test_a_chain_is_no_redundant_pair() -> None:
    found = find_motifs(
        wired({(0, 1): 0.9, (0, 2): 0.0, (1, 2): 0.9, (0, -1): 0, (1, -1): 0, (2, -1): 0.9}, 3), 0.8, BOOTSTRAP
    )
    assert kinds(found) == {("chain", (0, 1, 2, OUTCOME))}


def test_broadcast_convergence_and_hub() -> None:
    edges = {(0, 2): 0.5, (1, 2): 0.5, (2, 3): 0.5, (2, 4): 0.4, (0, 3): 0.0, (3, -1): 0.5, (4, -1): 0.5}
    found = find_motifs(wired(edges, 5), 0.8, BOOTSTRAP)
    assert kinds(found) >= {
        ("broadcast", (2, 3, 4)),
        ("convergence", (0, 1, 2)),
        ("convergence", (3, 4, OUTCOME)),
        ("hub", (2,)),
    }
    hub = next(motif for motif in found.found if motif.kind == "hub")
    assert hub.shown.value == pytest.approx(0.4)


def test_pure_noise_shows_no_interaction() -> None:
    false = 0
    for seed in range(20):
        members = Function(lambda z: z[:, 0] + z[:, 4] + z[:, 5], 6, 1, seed=seed).members([0, 4, 5])
        found = find_motifs(members, 0.8, BOOTSTRAP)
        false += any(motif.kind in ("redundant", "synergistic", "inhibitory") for motif in found.found)
    assert false <= 1
