"""What all backends share: the work that is given to them."""

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
    """The shards of a plan that are still to be run.

    Parameters
    ----------
    runner : PlanRunner
        Runs a shard here.
    shards : sequence of ShardFiles
    arms : mapping
        Cohort -> its arms.
    statistics : mapping
        Cohort -> site name -> what the cohort's sources need to know.
    deliver : callable
        Takes each shard's tables once, in any order, and puts them in place; may be called from several threads.
    on_rows : callable
        Told of rows as they finish, and of their effort; may be called from several threads.
    extents : Extents
        What there is to do.
    cores : int
        Threads that this process may use.
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
    """Runs shards somewhere; the tables of a shard are the same wherever it was run."""

    def run(self, work: Work) -> None:
        """Run every shard and deliver its tables; an exception of any is raised, and the rest are then given up."""
