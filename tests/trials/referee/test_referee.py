"""The trial at a small size."""

from __future__ import annotations

from tests.trials.referee import conditional
from tests.trials.referee.trial import run


def test_true_nulls_and_effects_on_their_bounds_are_seldom_decided() -> None:
    rows = run(0.01)
    assert sum(row["tried"] for row in rows) >= 7
    assert [row for row in rows if row["failed"]] == []


def test_claims_on_a_conditional_network_are_judged_as_plain_passes_say() -> None:
    found = list(conditional.judged(0, 96, 1))
    assert {said for _, said in found} >= {"supported", "refuted"}
    assert not {(False, "supported"), (True, "refuted")} & set(found)
