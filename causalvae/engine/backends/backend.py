"""The interface of backends."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from causalvae.engine.effort import Extents, OnRows
from causalvae.engine.runner import PlanRunner, ShardFiles, ShardTables
from causalvae.engine.values import Statistics
from causalvae.plan.types import Arm


@dataclass(frozen=True)
class Work:
    """The shards of a plan that remain to be run.

    Parameters
    ----------
    runner : PlanRunner
        Runs shards in this process.
    shards : sequence of ShardFiles
    arms : mapping
        Cohort -> its arms.
    statistics : mapping
        Cohort -> site name -> statistics that the cohort's sources need.
    deliver : callable
        Stores the tables of a shard; called once for each, in any order, possibly from several threads.
    on_rows : callable
        Called with the number of finished rows and their cost; possibly from several threads.
    extents : Extents
        Numbers of rows and their costs.
    cores : int
        Number of threads that this process may use.
    """

    runner: PlanRunner
    shards: Sequence[ShardFiles]
    arms: Mapping[str, list[Arm]]
    statistics: Mapping[str, Mapping[str, Statistics]]
    deliver: Callable[[ShardFiles, ShardTables], None]
    on_rows: OnRows
    extents: Extents
    cores: int


class Backend(Protocol):
    """Runs shards; the tables of a shard do not depend on the backend."""

    def run(self, work: Work) -> None:
        """Run all shards and deliver their tables; the first exception stops the run and is raised."""
