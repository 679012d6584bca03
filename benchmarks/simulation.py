"""A cluster of up to 1,000 workers, simulated from measured times: where the process that sends shards is the limit.

The model is that of `causalvae.engine.backends.ray`: one process, called the driver here, compiles the plan, sends
shards until two are under way for each worker, then takes the first finished one, writes its tables and sends the next.
A worker opens the network before its first shard. The driver does one thing at a time.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

# Shards that are under way for each worker, as in `causalvae.engine.backends.ray`.
AHEAD = 2
WORKERS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


@dataclass(frozen=True)
class DriverCosts:
    """What shards cost the driver, in seconds.

    Parameters
    ----------
    planning : float
        Before the first shard is sent.
    sending, receiving : float
        Of one shard; receiving includes writing its tables.
    """

    planning: float = 0.0
    sending: float = 0.0
    receiving: float = 0.0

    @property
    def each(self) -> float:
        """Of one shard."""
        return self.sending + self.receiving


@dataclass(frozen=True)
class Simulated:
    """One simulated run.

    Parameters
    ----------
    workers : int
    makespan : float
        Seconds from the beginning to the last table.
    driver, worker : float
        Share of that time in which the driver, and a worker on average, has something to do.
    """

    workers: int
    makespan: float
    driver: float
    worker: float


def simulate(shards: Sequence[float], workers: int, costs: DriverCosts, opening: float = 0.0) -> Simulated:
    """Run shards of known lengths on a cluster.

    Parameters
    ----------
    shards : sequence of float
        Seconds that each takes a worker, in the order in which they are sent.
    workers : int
    costs : DriverCosts
    opening : float
        Seconds that a worker needs before its first shard.
    """
    free = [(0.0, worker) for worker in range(workers)]
    opened: set[int] = set()
    finished: list[float] = []
    busy = 0.0
    now = costs.planning
    sent = 0
    for _ in shards:
        while sent < len(shards) and len(finished) < AHEAD * workers:
            now += costs.sending
            began, worker = heapq.heappop(free)
            spent = shards[sent] + (0.0 if worker in opened else opening)
            opened.add(worker)
            end = max(began, now) + spent
            heapq.heappush(free, (end, worker))
            heapq.heappush(finished, end)
            busy += spent
            sent += 1
        now = max(now, heapq.heappop(finished)) + costs.receiving
    driver = costs.planning + len(shards) * costs.each
    return Simulated(workers, now, driver / now if now else 0.0, busy / (workers * now) if now else 0.0)


@dataclass(frozen=True)
class Sweep:
    """What is run on the simulated cluster.

    Parameters
    ----------
    name : str
    pairs, arms : int
    clean, rows : float
        Seconds of a worker for one pair: its clean runs, and all other rows.
    costs : DriverCosts
        Of a shard of no rows.
    receiving : float
        Seconds of the driver for each row that a shard brings.
    opening : float
    """

    name: str
    pairs: int
    arms: int
    clean: float
    rows: float
    costs: DriverCosts
    receiving: float
    opening: float

    def shards(self, pairs: int) -> tuple[list[float], DriverCosts]:
        """Seconds of each shard of at most so many pairs, and what one costs the driver."""
        sizes = [min(pairs, self.pairs - first) for first in range(0, self.pairs, pairs)]
        received = self.costs.receiving + self.receiving * self.arms * self.pairs / len(sizes)
        costs = DriverCosts(self.costs.planning, self.costs.sending, received)
        return [size * (self.clean + self.rows) for size in sizes], costs

    def run(self, pairs: int, workers: Sequence[int] = WORKERS) -> list[Simulated]:
        """Simulate shards of at most so many pairs on clusters of several sizes."""
        shards, costs = self.shards(pairs)
        return [simulate(shards, count, costs, self.opening) for count in workers]

    def limit(self, pairs: int) -> float:
        """The number of workers that keep the driver busy all the time, however many shards there are."""
        shards, costs = self.shards(pairs)
        return sum(shards) / len(shards) / costs.each
