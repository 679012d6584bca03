"""A small run of the fuzzer of specs; a large one is ``python -m tests.fuzz.specs COUNT``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz import specs
from tests.fuzz.specs import MOST_STEPS, FuzzCounts, fuzz_specs


def test_mutated_specs_are_valid_or_refused_with_a_reason() -> None:
    counts = fuzz_specs(80, seed=1)
    assert [(failure.what, failure.text[:2000], failure.output[-2000:]) for failure in counts.failures] == []
    assert counts.specs == 80 == counts.valid + counts.refused
    assert counts.valid > 0 and counts.refused > 0 and len(counts.codes) > 10
    assert 0 < counts.most_steps < MOST_STEPS


@pytest.mark.parametrize(
    ("stands_for", "said"),
    [
        ("raise ValueError('x')", "exit code 3"),
        ("raise typer.Exit(2)", "refused without a reason"),
        ("while True: len('')", "more than 1,000,000 steps"),
    ],
)
def test_the_fuzzer_sees_what_it_looks_for(
    stands_for: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from causalvae.cli import validating

    monkeypatch.setattr(specs, "MOST_STEPS", 1_000_000)
    namespace = {"typer": validating.typer}
    exec(f"def check(*given):\n    {stands_for}", namespace)
    monkeypatch.setattr(validating, "_check", namespace["check"])
    counts = FuzzCounts()
    specs._check(tmp_path / "spec.yaml", "text", counts, as_json=False)
    (failure,) = counts.failures
    assert said in failure.what and failure.text == "text"
