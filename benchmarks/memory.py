"""Peak memory of one arm on one site, in a process of its own.

``python -m benchmarks.memory NETWORK ARM SITE UNITS`` prints one JSON object. The resident set's high-water mark counts
what torch allocates, which Python's own accounting does not see. On Linux it is read from /proc, where it can be reset
once the network is loaded (loading has a higher peak than many sweeps). ``ru_maxrss`` survives exec there and would
give the parent's peak; it is used on other systems.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.arm import BenchmarkArm
from benchmarks.engine import EngineArm, pass_sets
from benchmarks.peers import PEERS, installed_peers, make_peer
from benchmarks.sizes import FULL, Sizes
from benchmarks.timing import one_thread
from benchmarks.workload import burgess_workload


@dataclass(frozen=True)
class Peak:
    """Peak memory of one arm on one site.

    Parameters
    ----------
    arm, site : str
    before, after : float
        Resident set with network, inputs and library loaded, and its high-water mark during the sweep, MB.
    """

    arm: str
    site: str
    before: float
    after: float

    @property
    def extra(self) -> float:
        """What the sweep took beyond what was loaded, MB."""
        return self.after - self.before


def measure_peaks(network: str, peers: tuple[str, ...] | None = None, sizes: Sizes = FULL) -> list[Peak]:
    """Every arm on every site of `sizes.memory_sites`, one process a case."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    found = []
    for arm in [*installed_peers(peers)[0], "engine"]:
        for site in sizes.memory_sites:
            answer = subprocess.run(
                [
                    sys.executable,
                    "-W",
                    "ignore",
                    "-m",
                    "benchmarks.memory",
                    network,
                    arm,
                    site,
                    str(sizes.memory_units),
                ],
                check=True,
                capture_output=True,
                text=True,
                env=environment,
                cwd=Path(__file__).resolve().parents[1],
            )
            found.append(Peak(**json.loads(answer.stdout.splitlines()[-1])))
    return found


_STATUS = Path("/proc/self/status")


def reset_high_water() -> float:
    """Forget the high-water mark where the system can; the resident set by now, MB."""
    if _STATUS.exists():
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        return _status("VmRSS")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def high_water() -> float:
    """The high-water mark of the resident set, MB."""
    if _STATUS.exists():
        return _status("VmHWM")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _status(key: str) -> float:
    lines = _STATUS.read_text(encoding="ascii").splitlines()
    return next(float(line.split()[1]) / 1024 for line in lines if line.startswith(f"{key}:"))


def _measure(network: str, name: str, site_name: str, count: str) -> Peak:
    workload = burgess_workload(network)
    site = workload.site(site_name)
    units = range(min(int(count), site.units))
    arm: BenchmarkArm
    arm = make_peer(name, workload) if name in PEERS else EngineArm(workload, pass_sets(workload)[-1])
    # One row first, so that what libraries load at their first call counts as loaded.
    small = burgess_workload(network, 2)
    first: BenchmarkArm
    first = make_peer(name, small) if name in PEERS else EngineArm(small, pass_sets(small)[-1])
    first.prepare(site)
    first.run(site, [0])
    gc.collect()
    before = reset_high_water()
    arm.prepare(site)
    arm.run(site, units)
    return Peak(name, site_name, before, high_water())


if __name__ == "__main__":
    with one_thread():
        print(json.dumps(asdict(_measure(*sys.argv[1:5]))))
