"""The search on outcomes whose smallest circuits are known."""

from __future__ import annotations

import numpy as np
import pytest

from causalvae.analyses.discoveries.circuit_effects import CircuitEffects, Remembered, one
from causalvae.analyses.discoveries.equivalents import find_equivalents
from causalvae.analyses.discoveries.search import Target, grow, rank, search, shrink
from causalvae.analyses.discoveries.stability import STABLE_FROM, find_stability
from tests.analyses.discoveries import functions
from tests.analyses.discoveries.functions import Function

SMALLEST = {
    "carrier": (functions.carrier, 1, [{0}]),
    "either": (functions.either, 2, [{0}, {1}]),
    "both": (functions.both, 2, [{0, 1}]),
    "spread": (functions.spread, 4, [{0, 1, 2, 3}]),
    "inhibitor": (functions.inhibitor, 2, [{0, 1}]),
    "cancelling": (functions.cancelling, 3, [{0}]),
}


@pytest.mark.parametrize("name", SMALLEST)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_smallest_circuit_is_found(name: str, seed: int) -> None:
    outcome, carriers, smallest = SMALLEST[name]
    function = Function(outcome, 10, carriers, seed=seed)
    found = search(function, function.scores(), Target(0.8))[0]
    assert set(np.flatnonzero(found.members)) in smallest


@pytest.mark.parametrize("name", SMALLEST)
def test_among_many_candidates_too(name: str) -> None:
    outcome, carriers, smallest = SMALLEST[name]
    function = Function(outcome, 300, carriers)
    remembered = Remembered(function, 300)
    found = search(remembered, function.scores(), Target(0.8))[0]
    assert set(np.flatnonzero(found.members)) in smallest
    # Far fewer than a run for each candidate and step.
    assert remembered.runs < 300


@pytest.mark.parametrize("name", SMALLEST)
def test_a_rough_search_on_fewer_pairs_is_refined(name: str) -> None:
    outcome, carriers, smallest = SMALLEST[name]
    function = Function(outcome, 300, carriers)

    def rough(circuits):  # type: ignore[no-untyped-def]
        return function(circuits).on(np.arange(40))

    found = search(Remembered(function, 300), function.scores(), Target(0.8), rough)
    assert set(np.flatnonzero(found[0].members)) in smallest
    assert len(found) == 2


def test_all_minimal_circuits_are_listed() -> None:
    function = Function(functions.either, 8, 2)
    found = find_equivalents(function, one_hot(8, 0), np.arange(8), Target(0.8))
    assert [set(np.flatnonzero(circuit)) for circuit in found.circuits] == [{0}, {1}]
    assert found.how == "all"
    assert found.of_size(1) == 2


def test_a_set_that_holds_a_smaller_circuit_is_not_minimal() -> None:
    function = Function(lambda z: np.maximum(z[:, 0], np.minimum(z[:, 1], z[:, 2])), 6, 3)
    found = find_equivalents(function, one_hot(6, 0), np.arange(6), Target(0.8))
    assert [set(np.flatnonzero(circuit)) for circuit in found.circuits] == [{0}, {1, 2}]


def test_swaps_find_an_equal_member_among_many_candidates() -> None:
    function = Function(functions.either, 40, 2)
    found = find_equivalents(function, one_hot(40, 0), rank(function.alone()), Target(0.8))
    assert [set(np.flatnonzero(circuit)) for circuit in found.circuits] == [{0}, {1}]
    assert found.how == "swaps"


def test_a_circuit_of_the_right_mean_alone_is_not_admitted() -> None:
    # Twice the effect in half of the pairs, none in the others: f = 1, D = 1.
    total = np.ones(100)
    done = np.tile([2.0, 0.0], 50)
    effects = CircuitEffects((done * total)[None], (done**2)[None], total**2)
    assert effects.share[0] == pytest.approx(1.0)
    assert effects.error[0] == pytest.approx(1.0)
    assert not Target(0.8).admits(effects)[0]


def test_the_band_has_two_ends() -> None:
    total = np.ones(50)
    shares = np.array([0.84, 0.86, 1.0, 1.14, 1.16])
    done = shares[:, None] * total
    effects = CircuitEffects(done * total, done**2, total**2)
    assert Target(0.8).admits(effects).tolist() == [False, True, True, True, False]
    # A claim of a half allows shares up to 1.3; the search stays clear of that.
    assert Target(0.5).admits(CircuitEffects(np.full((1, 50), 1.26), np.full((1, 50), 1.26**2), total)).tolist() == [
        False
    ]


def test_no_member_of_what_is_left_can_go() -> None:
    rng = np.random.default_rng(3)
    weights = rng.exponential(size=60)
    function = Function(lambda z: z @ weights / weights.sum(), 60, 60, seed=4)
    target = Target(0.8)
    order = rank(function.alone())
    members = shrink(function, grow(function, order, target), order, target)
    assert target.admits(function(one(members)))[0]
    for member in np.flatnonzero(members):
        without = members.copy()
        without[member] = False
        assert not target.admits(function(one(without)))[0]


def test_a_circuit_is_run_once() -> None:
    calls: list[int] = []
    function = Function(functions.carrier, 5, 1)

    def counted(circuits):  # type: ignore[no-untyped-def]
        calls.append(len(circuits))
        return function(circuits)

    remembered = Remembered(counted, 5)
    twice = np.eye(5, dtype=bool)[[0, 0, 1]]
    first = remembered(twice)
    second = remembered(twice)
    assert calls == [2]
    assert remembered.runs == 2
    np.testing.assert_array_equal(first.along, second.along)
    np.testing.assert_allclose(first.along, function(twice).along)


def test_what_carries_is_stable_and_one_of_many_alike_is_not() -> None:
    alone = Function(functions.carrier, 10, 1)
    assert stability_of(alone)[0] == 1.0
    # One of fifteen exchangeable candidates, each of which is enough: which one is found depends on the pairs.
    stable = sum(
        bool((stability_of(Function(lambda z: z[:, :15].max(axis=1), 15, 15, seed=seed)) >= STABLE_FROM).any())
        for seed in range(10)
    )
    assert stable <= 1


def stability_of(function: Function) -> np.ndarray:
    remembered = Remembered(function, function.candidates)
    everything = remembered(np.eye(function.candidates, dtype=bool))

    def scores(pairs: np.ndarray) -> dict[str, np.ndarray]:
        return {"single": everything.on(pairs).share}

    return find_stability(remembered.on, scores, Target(0.8), 192, 20, seed=0)[0]


def one_hot(candidates: int, member: int) -> np.ndarray:
    return np.eye(candidates, dtype=bool)[member]
