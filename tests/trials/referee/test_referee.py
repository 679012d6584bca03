"""The trial at a small size."""

from __future__ import annotations

from tests.trials.referee.trial import run


def test_true_nulls_and_effects_on_their_bounds_are_seldom_decided() -> None:
    rows = run(0.01)
    assert sum(row["tried"] for row in rows) >= 7
    assert [row for row in rows if row["failed"]] == []
