"""Runs shards on this machine: one thread per CPU core or GPU."""

from __future__ import annotations

import queue
from functools import partial

import torch

from causalvae.engine.backends.backend import Work
from causalvae.engine.runner import PlanRunner, ShardFiles
from causalvae.engine.workers import run_tasks


class LocalBackend:
    """Runs shards in threads of this process.

    Each CPU core runs whole shards with single-threaded kernels. Each GPU has its own thread and copy of the network.
    """

    def run(self, work: Work) -> None:
        """Run all shards and deliver their tables; the first exception stops the run and is raised."""
        if work.runner.device.type == "cuda":
            runners = [work.runner, *(work.runner.on(device) for device in _other_gpus(work.runner.device))]
        else:
            # A runner on a CPU has no state between shards, so threads may share it.
            runners = [work.runner] * work.cores
        free: queue.SimpleQueue[PlanRunner] = queue.SimpleQueue()
        for runner in runners:
            free.put(runner)
        run_tasks([partial(_run_shard, work, shard, free) for shard in work.shards], len(runners))


def _run_shard(work: Work, shard: ShardFiles, free: queue.SimpleQueue[PlanRunner]) -> None:
    runner = free.get()
    try:
        statistics = {name: facts.to(runner.device) for name, facts in work.statistics[shard.cohort].items()}
        tables = runner.tables(shard, work.arms[shard.cohort], statistics, work.on_rows)
    finally:
        free.put(runner)
    work.deliver(shard, tables)


def _other_gpus(first: torch.device) -> list[torch.device]:
    own = torch.cuda.current_device() if first.index is None else first.index
    return [torch.device("cuda", index) for index in range(torch.cuda.device_count()) if index != own]
