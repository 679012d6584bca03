"""A run that is killed, or overtaken by another of the same plan, at any touch of its folder leaves the same bytes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from causalvae.files import read_json
from tests.engine.killed_run import KILLED

ROOT = Path(__file__).parents[2]
LEAST_MOMENTS = 5

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="runs are forked, which this system cannot do"),
]


def disturb(folder: Path, what: str, step: int) -> list[tuple[int, int]]:
    """Exit codes of the runs, disturbed at every `step`-th touch; the last one was not disturbed any more."""
    command = [sys.executable, "-m", "tests.engine.killed_run", str(folder), what, str(step)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    return [tuple(pair) for pair in json.loads((folder / "codes.json").read_text())]


def files(folder: Path) -> dict[str, bytes]:
    """All that a run leaves but for what differs from run to run: seconds, and what shards cost."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "manifest.json" and path.parent.name != "costs"
    }


def manifest(folder: Path) -> dict[str, object]:
    found = read_json(folder / "manifest.json")
    del found["seconds"]
    return dict(found)


# Steps that no pattern of touches repeats with: a shard takes nine of them.
@pytest.mark.parametrize(("what", "step", "first"), [("kill", 19, KILLED), ("overtake", 31, 1000)])
def test_the_same_bytes_are_left(what: str, step: int, first: int, tmp_path: Path) -> None:
    codes = disturb(tmp_path, what, step)
    assert len(codes) > LEAST_MOMENTS
    assert codes == [*[(first, 0)] * (len(codes) - 1), (0, 0)]
    folders = [tmp_path / f"{step * place:04d}" for place in range(len(codes))]
    expected, told = files(folders[-1]), manifest(folders[-1])
    assert sum(name.endswith(".parquet") for name in expected) > LEAST_MOMENTS
    assert not any(name.endswith(".partial") for name in expected)
    for folder in folders:
        assert files(folder) == expected, folder.name
        assert manifest(folder) == told
        assert shards_told(folder) == shards_told(folders[-1])


def shards_told(folder: Path) -> set[str]:
    """Which shards' costs are told; each session of a run notes its own besides."""
    return {path.name for path in (folder / "costs").iterdir() if not path.name.startswith("session.")}
