"""Peak memory of the engine on one network, in a process of its own, against the budget that the spec declares.

``python -m benchmarks.real.memory NUMBER`` runs the sweep of one case and prints a JSON object.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.memory import high_water, reset_high_water
from benchmarks.timing import one_thread


@dataclass(frozen=True)
class Memory:
    """Peak memory of a sweep.

    Parameters
    ----------
    budget : float
        ``execution.memory``, MB.
    before, after : float
        Resident set with network and inputs loaded, and its high-water mark during the sweep, MB.
    batch_rows, shard_pairs : int
        What the budget gave.
    """

    budget: float
    before: float
    after: float
    batch_rows: int
    shard_pairs: int

    @property
    def extra(self) -> float:
        """What the sweep took on top of what was loaded, MB."""
        return self.after - self.before


def measure_memory(number: int) -> Memory:
    """The sweep of case `number` in a new process."""
    answer = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "benchmarks.real.memory", str(number)],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        cwd=Path(__file__).resolve().parents[2],
    )
    return Memory(**json.loads(answer.stdout.splitlines()[-1]))


def _return_memory() -> None:
    """Give what is free back to the system, so that its use later is seen."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _measure(number: int) -> Memory:
    from benchmarks.engine import EngineArm, all_passes
    from benchmarks.real.cases import CASES

    case = CASES[number]
    workload = case.workload()
    spec = workload.spec(memory=case.budget)
    arm = EngineArm(workload, all_passes(), spec=spec)
    gc.collect()
    _return_memory()
    before = reset_high_water()
    for site in workload.sites:
        arm.run(site, range(site.units))
    budget = (spec.execution.memory_bytes or 0) / 2**20
    return Memory(budget, before, high_water(), arm.plan.batch_rows, arm.plan.shard_pairs)


if __name__ == "__main__":
    with one_thread():
        print(json.dumps(asdict(_measure(int(sys.argv[1])))))
