"""A run as a user sees it: libraries that warn, log or draw bars of their own do not reach the terminal."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.effects.tiny_networks import write_tiny

COMMAND = Path(sys.executable).parent / "causalvae"
REFUTERS = ["placebo", "random_common_cause", "subset", "bootstrap"]
# A progress line of ours in a log: "stage: how much in how long", or "stage ..." for one that lasts.
OURS = re.compile(r"[a-z ]+(: .* s(,.*)?| \.\.\.)")


@pytest.mark.slow
def test_nothing_of_third_parties_reaches_the_terminal(tmp_path: Path) -> None:
    estimation = {"observational": True, "bootstrap": 50, "refute": REFUTERS, "simulations": 5}
    path = write_tiny(tmp_path, "interacting", ("latent[1]",), estimation=estimation)
    done = subprocess.run(
        [str(COMMAND), "run", str(path), "--out", str(tmp_path / "runs"), "--allow-code"],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stderr.splitlines() if line.strip()]
    assert said
    assert [line for line in said if not OURS.fullmatch(line)] == []
    for stream in (done.stdout, done.stderr):
        assert not re.search(r"warn|deprecat|INFO|it/s|\d%\|", stream, re.IGNORECASE)

    (file,) = (tmp_path / "runs").rglob("results.json")
    results = json.loads(file.read_text())
    results = results.get("results", results)
    assert [refutation["refuter"] for refutation in results["refutations"]] == REFUTERS
    assert results["warnings"] == [] or not any("DoWhy" in warning for warning in results["warnings"])
    report = file.with_name("report.md").read_text()
    for refutation in results["refutations"]:
        assert "Passed when" in refutation["rule"]
    for words in ("Asks whether the estimator finds an effect where there is none", "drawn with replacement"):
        assert words in report
    for words in ("Derivative(Expectation(Y), [A])", "What each arrow carries", "Without patching", "12 of 12 values"):
        assert words in report
