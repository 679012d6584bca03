"""Shards on this machine: each once, and each GPU's runner never for two shards at a time."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import torch

from causalvae.engine.backends.backend import Work
from causalvae.engine.backends.local import LocalBackend
from causalvae.engine.backends.opening import open_backend
from causalvae.engine.runner import ShardFiles, ShardTables
from causalvae.engine.values import Statistics
from causalvae.errors import CausalVAEError

NOWHERE = Path("nowhere")


class Runner:
    """Stands for a `PlanRunner` on a device that need not be there: tells who ran what."""

    def __init__(self, device: torch.device, log: list[tuple[torch.device, int]], together: threading.Barrier) -> None:
        self.device = device
        self._log = log
        self._together = together
        self._busy = threading.Lock()

    def on(self, device: torch.device) -> Runner:
        return Runner(device, self._log, self._together)

    def tables(
        self, shard: ShardFiles, arms: list[Any], statistics: dict[str, Statistics], on_rows: Any
    ) -> ShardTables:
        assert self._busy.acquire(blocking=False), "a runner was given two shards at once"
        try:
            # Passes only once as many shards are under way as there are devices.
            self._together.wait(timeout=30)
            self._log.append((self.device, shard.first))
            return ShardTables(pd.DataFrame({"pair": [shard.first]}), None, ())
        finally:
            self._busy.release()


def work(runner: Runner, shards: int, delivered: list[int]) -> Work:
    files = [ShardFiles("c", number, number + 1, NOWHERE, None, NOWHERE) for number in range(shards)]
    extents = SimpleNamespace(within=lambda *_: (1, 1.0))
    return Work(
        runner,  # type: ignore[arg-type]
        files,
        {"c": []},
        {"c": {}},
        lambda shard, tables: delivered.append(int(tables.outcomes["pair"][0])),
        lambda rows, effort: None,
        extents,  # type: ignore[arg-type]
        cores=1,
    )


@pytest.mark.parametrize("gpus", [1, 3])
def test_each_gpu_is_fed_by_one_thread(gpus: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    log: list[tuple[torch.device, int]] = []
    delivered: list[int] = []
    runner = Runner(torch.device("cuda"), log, threading.Barrier(gpus))
    LocalBackend().run(work(runner, 12, delivered))
    assert sorted(delivered) == sorted(first for _, first in log) == list(range(12))
    used = {str(device) for device, _ in log}
    assert used == {"cuda", *(f"cuda:{index}" for index in range(1, gpus))}


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_every_gpu_that_is_there_is_used() -> None:
    log: list[tuple[torch.device, int]] = []
    delivered: list[int] = []
    count = torch.cuda.device_count()
    LocalBackend().run(work(Runner(torch.device("cuda"), log, threading.Barrier(count)), 4 * count, delivered))
    assert len({device for device, _ in log}) == count


def test_statistics_are_put_where_they_are_read() -> None:
    facts = Statistics(mean=torch.zeros(1, 2), observed=None).to(torch.device("meta"))
    assert facts.mean is not None
    assert facts.mean.device.type == "meta"
    assert facts.observed is None


def test_ray_that_is_not_installed_is_told_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(CausalVAEError) as caught:
        open_backend("ray")
    assert caught.value.code == "CV407"
    assert "causalvae[ray]" in caught.value.remedy
