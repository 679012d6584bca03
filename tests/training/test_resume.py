"""Killed at any moment and resumed, a run makes the weights of one that never stopped: every objective and network."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from causalvae.errors import CausalVAEError
from causalvae.training import batches
from causalvae.training.log import read_log
from causalvae.training.loop import TrainResult, train
from tests.training.worlds import TABLE, table_spec

OBJECTIVES: list[dict[str, Any]] = [
    {"name": "beta_tcvae", "anneal_steps": 9},
    {"name": "annealed_capacity", "anneal_steps": 9},
    {"name": "factor_vae", "width": 8, "layers": 2},
    {"name": "dip_vae_ii"},
    {"name": "info_vae"},
]
VARIANTS: list[dict[str, Any]] = [
    {"model": {"architecture": "vq", "latent_dim": 3, "codes": 20}, "objective": {"name": "vq_vae", "least_count": 2}},
    {"model": {"architecture": "ladder", "latent_dim": 4, "levels": 2}},
    {"model": {"architecture": "mlp", "latent_dim": 3, "likelihood": "gaussian", "init": "kaiming"}},
    {
        "model": {"architecture": "conditional", "latent_dim": 3, "condition": 2},
        "data": {**TABLE, "condition": ["side"]},
    },
]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks that runs of a dozen steps cross."""
    monkeypatch.setattr(batches, "_MOST_BATCHES", 5)


def same(mine: TrainResult, theirs: TrainResult) -> bool:
    left, right = mine.vae.state_dict(), theirs.vae.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def told(folder: Path) -> list[dict[str, float]]:
    return [{name: value for name, value in row.items() if name != "seconds"} for row in read_log(folder)]


@pytest.mark.parametrize(
    "changes",
    [*({"objective": objective} for objective in OBJECTIVES), *VARIANTS],
    ids=lambda changes: (
        changes.get("model", changes.get("objective", {})).get("architecture") or changes["objective"]["name"]
    ),
)
def test_a_killed_run_resumes_to_the_same_weights(changes: dict[str, Any], tmp_path: Path) -> None:
    spec = table_spec(**changes)
    expected = train(spec, tmp_path / "whole")
    for stop in (3, 6, 8, 11):
        train(spec, tmp_path / "stopped", stop_after=stop)
    found = train(spec, tmp_path / "stopped")
    assert same(found, expected)
    assert (found.reconstruction, found.kl) == (expected.reconstruction, expected.kl)
    assert told(tmp_path / "stopped") == told(tmp_path / "whole")
    assert [row["step"] for row in told(tmp_path / "whole")] == [4, 8, 12]


_CHILD = """
import sys
from pathlib import Path
from causalvae.training.loop import train
from tests.training.worlds import table_spec
train(table_spec(steps=80, checkpoint_every=1), Path(sys.argv[1]), lambda step: print(step.step, flush=True))
"""


@pytest.mark.slow
def test_a_run_that_is_killed_by_the_system_resumes_to_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It saves a checkpoint after each step, so it is killed in the middle of saving as likely as not."""
    monkeypatch.undo()
    spec = table_spec(steps=80, checkpoint_every=1)
    expected = train(spec, tmp_path / "whole")
    folder = tmp_path / "killed"
    with subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    ) as child:
        assert child.stdout is not None
        assert any(int(line) >= 25 for line in child.stdout)
        os.kill(child.pid, signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    went_on: list[int] = []
    found = train(spec, folder, lambda step: went_on.append(step.step))
    assert 25 <= went_on[0] < 80
    assert same(found, expected)
    assert told(folder) == told(tmp_path / "whole")


def test_what_does_not_touch_the_weights_may_change_between_runs(tmp_path: Path) -> None:
    expected = train(table_spec(), tmp_path / "whole")
    train(table_spec(), tmp_path / "stopped", stop_after=8)
    found = train(table_spec(description="said later", execution={"device": "cpu"}), tmp_path / "stopped")
    assert same(found, expected)


def test_a_checkpoint_of_other_data_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import causalvae.training.loop as loop
    from tests.training.test_batches import Numbered

    spec = table_spec(steps=8, held_out=0)
    monkeypatch.setattr(loop, "open_dataset", lambda section, folder: Numbered(100))
    monkeypatch.setattr(loop, "measure_carries", lambda *arguments, **options: ())  # nobody can set these factors
    train(spec, tmp_path, stop_after=4)
    monkeypatch.setattr(loop, "open_dataset", lambda section, folder: Numbered(101))
    with pytest.raises(CausalVAEError) as caught:
        train(spec, tmp_path)
    assert caught.value.code == "CV425"
    assert "100 inputs" in caught.value.message
    assert "101 inputs" in caught.value.message
