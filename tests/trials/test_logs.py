"""The logs of the trials: every fault has a test that exists or a reason, and the page is made from them."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from tests.trials.__main__ import COUNTS, HOME, TRIALS, page, read_log

ROOT = HOME.parents[1]
NAMES = [name for name in TRIALS if (HOME / name / "faults.yaml").exists()]


@pytest.mark.parametrize("name", NAMES)
def test_every_fault_that_was_fixed_names_a_test_that_exists(name: str) -> None:
    for fault in read_log(name).faults:
        for reference in fault.test.replace(",", " ").split():
            path, _, test = reference.partition("::")
            tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
            names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
            assert not test or test.partition("[")[0] in names, reference


def test_the_page_is_made_from_the_logs() -> None:
    counts = json.loads(COUNTS.read_text(encoding="utf-8")) if COUNTS.exists() else {}
    logs = [read_log(name) for name in NAMES]
    assert (ROOT / "docs" / "quality.md").read_text(encoding="utf-8") == page(logs, counts)


def test_a_fault_without_test_or_reason_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "newuser").mkdir()
    fault = "{what: a, happened: b, right: c, round: 1, fixed: false}"
    (tmp_path / "newuser" / "faults.yaml").write_text(f"trial: newuser\ntried: []\nfaults: [{fault}]\n")
    monkeypatch.setattr("tests.trials.__main__.HOME", tmp_path)
    with pytest.raises(ValueError, match="has no reason"):
        read_log("newuser")
