"""One network's sweep by engine and peers, side by side, with the floor of each site."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

import numpy as np

from benchmarks.arm import BenchmarkArm, Outcomes, compare, outcome_scale
from benchmarks.engine import EngineArm, all_passes
from benchmarks.floor import Floor, SpeedBook, measure_floor
from benchmarks.peers import installed_peers, make_peer
from benchmarks.real.memory import Memory
from benchmarks.report import TOLERANCE
from benchmarks.timing import time_call
from benchmarks.workload import SweptSite, Workload

REFERENCE = "hook loop"
PEERS = (REFERENCE, "nnsight", "pyvene")
ENGINE = "engine"


@dataclass
class ArmTimes:
    """What one arm took.

    Parameters
    ----------
    name : str
    sites : dict
        Site -> CPU seconds of all its units, one a round; the engine's without its clean runs.
    clean : float
        CPU seconds of clean runs: a peer pays them once a site, the engine once.
    difference : float
        Largest distance from the hook loop; see `benchmarks.arm.compare`.
    exact : float or None
        Largest distance from the hook loop in float64, over the units of the first round.
    error : str
        Why it cannot run this network; empty where it can.
    """

    name: str
    sites: dict[str, list[float]] = field(default_factory=dict)
    clean: float = 0.0
    difference: float = 0.0
    exact: float | None = None
    error: str = ""

    def seconds(self, site: str) -> float:
        """CPU seconds of a site: the median over rounds."""
        return median(self.sites[site])

    @property
    def total(self) -> float:
        """CPU seconds of the sweep with clean runs; NaN if it cannot run."""
        return float("nan") if self.error else sum(self.seconds(site) for site in self.sites) + self.clean

    @property
    def best(self) -> float:
        """CPU seconds of the sweep with clean runs, of each site the shortest round; of an arm that can run."""
        return sum(min(rounds) for rounds in self.sites.values()) + self.clean


@dataclass
class NetworkTimes:
    """One network of the table.

    Parameters
    ----------
    name, structure : str
    parameters, pairs : int
    gigaflops : float
        Of a forward pass of one row.
    units : dict
        Site -> units swept.
    live : dict
        Site -> share of its rows that the engine ran.
    arms : dict
        Name -> times.
    floor : Floor
    missing : list of str
        Peers that are not installed.
    memory : Memory or None
    capture : float
        CPU seconds of capture.
    """

    name: str
    structure: str
    parameters: int
    pairs: int
    gigaflops: float
    units: dict[str, int]
    live: dict[str, float]
    arms: dict[str, ArmTimes]
    floor: Floor
    missing: list[str]
    capture: float
    memory: Memory | None = None

    def gain(self, site: str) -> float:
        """How many times the engine is faster than the hook loop at a site."""
        return self.arms[REFERENCE].seconds(site) / self.arms[ENGINE].seconds(site)

    @property
    def agrees(self) -> bool:
        """Whether the engine's outcomes are the hook loop's, in float32 or in float64, within `TOLERANCE`."""
        engine = self.arms[ENGINE]
        return engine.difference <= TOLERANCE or (engine.exact is not None and engine.exact <= TOLERANCE)

    def above_floor(self, site: str) -> float:
        """The engine's time at a site as a multiple of the floor."""
        return self.arms[ENGINE].seconds(site) / self.floor.sites[site]


def measure_network(
    workload: Workload,
    structure: str,
    rounds: int,
    sample: int,
    book: SpeedBook,
    tell: Callable[[str], None] = lambda text: None,
) -> NetworkTimes:
    """Measure engine and peers, at each site by turns.

    Parameters
    ----------
    workload : Workload
    structure : str
        For the report.
    rounds : int
        Visits of each site, in random order.
    sample : int
        Units that a peer runs at a visit, drawn anew; its time does not depend on which.
    book : SpeedBook
    tell : callable
    """
    present, missing = installed_peers(PEERS)
    engine = EngineArm(workload, all_passes())
    times = {name: ArmTimes(name) for name in (*present, ENGINE)}
    arms: dict[str, BenchmarkArm] = {ENGINE: engine}
    warm = workload.sites[-1]
    for name in present:
        try:
            arm = make_peer(name, workload)
            arm.prepare(warm)
            arm.run(warm, [0])
        except Exception as error:  # a peer may fail in any way on a network that it was not made for
            if name == REFERENCE:
                raise
            times[name].error = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            continue
        arms[name] = arm
    engine.run(warm, [0])
    rng = np.random.default_rng(0)
    found: dict[str, list[Outcomes]] = {name: [] for name in arms}
    clean: dict[str, list[float]] = {name: [] for name in arms}
    live: dict[str, float] = {}
    order = list(arms)
    double = make_peer(REFERENCE, _in_double(workload))
    truth: list[Outcomes] = []
    for turn in range(rounds):
        for visit, position in enumerate(rng.permutation(len(workload.sites))):
            site = workload.sites[position]
            chosen = sorted(rng.choice(site.units, min(sample, site.units), replace=False).tolist())
            for place in range(len(order)):
                name = order[(place + visit + turn) % len(order)]
                spent, before, outcomes = _visit(arms[name], site, chosen)
                times[name].sites.setdefault(site.name, []).append(spent)
                clean[name].append(before)
                found[name].append(outcomes[0])
                if name == ENGINE:
                    live[site.name] = outcomes[1] / (site.units * workload.pairs)
            if turn == 0:
                double.prepare(site)
                truth.append(double.read(double.run(site, chosen), chosen))
        tell(f"{workload.name}: round {turn + 1} of {rounds}")
    scale = outcome_scale(workload)
    for name, arm in arms.items():
        times[name].clean = median(clean[name]) * (1 if arm is engine else len(workload.sites))
        times[name].difference = max(compare(found[name], found[REFERENCE], scale))
        times[name].exact = max(compare(found[name][: len(truth)], truth, scale))
    return NetworkTimes(
        name=workload.name,
        structure=structure,
        parameters=sum(value.numel() for value in workload.plain.parameters()),
        pairs=workload.pairs,
        gigaflops=sum(operation.flops for operation in workload.model.components.operations) / 1e9,
        units={site.name: site.units for site in workload.sites},
        live=live,
        arms=times,
        floor=measure_floor(workload, book),
        missing=missing,
        capture=workload.capture_seconds,
    )


def _in_double(workload: Workload) -> Workload:
    return replace(
        workload,
        plain=copy.deepcopy(workload.plain).double(),
        base=workload.base.double(),
        counterfactual=workload.counterfactual.double(),
    )


def _visit(arm: BenchmarkArm, site: SweptSite, chosen: Sequence[int]) -> tuple[float, float, tuple[Outcomes, int]]:
    """CPU seconds of a site and of clean runs, the outcomes of the chosen units, and the rows that were run."""
    if isinstance(arm, EngineArm):
        units = list(range(site.units))
        before, _ = time_call(arm.run_clean)
        spent, table = time_call(lambda: arm.run(site, units))
        outcomes = arm.read(table, units)[list(chosen)]
        return spent - before, before, (outcomes, arm.count_live(table))
    before, _ = time_call(lambda: arm.prepare(site))
    spent, raw = time_call(lambda: arm.run(site, chosen))
    return spent * arm.share(site, chosen), before, (arm.read(raw, chosen), 0)
