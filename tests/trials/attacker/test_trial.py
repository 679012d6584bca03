"""The part of the attacker's trial that is quick: hostile text in every output of one run."""

from __future__ import annotations

from pathlib import Path

from tests.fuzz.many_specs import check_specs, same_tree
from tests.fuzz.specs import _corpus, _plain
from tests.trials.attacker.trial import try_hostile_text


def test_hostile_text_is_shown_as_text() -> None:
    rows = try_hostile_text(compared=False)
    assert [(row["what"], row["note"]) for row in rows if row["failed"]] == []
    assert all(row["tried"] for row in rows if "CSV" not in row["what"])


def test_specs_are_valid_or_refused_with_a_reason(tmp_path: Path) -> None:
    record = tmp_path / "record.json"
    assert check_specs(100, seed=4, record=record)["specs"] == 100
    counts = check_specs(250, seed=4, record=record)
    assert counts["failures"] == []
    assert counts["valid"] + counts["refused"] == counts["specs"] == 250
    assert len(counts["codes"]) > 25


def test_trees_are_those_that_their_text_gives() -> None:
    trees = [tree for tree in map(_plain, _corpus()[:12]) if tree is not None]
    assert trees and all(map(same_tree, trees))
    assert same_tree({"a": [1, 2.5, "x: y", None, {"b": []}], "é": {"c": "\n\t"}, "d": 10**120})
