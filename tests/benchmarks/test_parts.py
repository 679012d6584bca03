"""Every part of the benchmark runs, at its smallest size, as a user calls it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import PARTS
from benchmarks.workload import PUBLISHED, SHIPPED

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_every_part_runs_and_agrees(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "--small", "--peers", "--networks", "dsprites-disentangled"]
    done = subprocess.run([*command, "--out", str(tmp_path)], cwd=ROOT, capture_output=True, text=True)
    # The exit code is 1 where an arm's outcomes are not the hook loop's.
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    parts = {"sweep": "sweeps", "floor": "floors", "profile": "profiles", "memory": "peaks"}
    assert all(found[parts.get(part, part)] for part in PARTS)
    networks = {network["network"] for network in found["networks"]}
    assert networks == {"residual VAE", "diffusers AutoencoderKL"}


def test_the_page_names_networks_that_there_are() -> None:
    page = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    # What follows is of other benchmarks, with networks of their own.
    named = re.findall(r"--networks ([\w-]+)", page.partition("make bench-networks")[0])
    assert named and set(named) <= {*SHIPPED, *PUBLISHED}
