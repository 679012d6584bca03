"""The trial at a small size."""

from __future__ import annotations

from tests.trials.referee.trial import run


def test_nothing_wrong_is_said_of_a_trained_network() -> None:
    rows = run(0.01)
    assert sum(row["tried"] for row in rows) >= 8
    assert [row for row in rows if row["failed"]] == []
