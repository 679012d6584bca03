"""The full sweep, every arm in one process: sites in random order, arms by turns, CPU time of one thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median

import numpy as np

from benchmarks.arm import BenchmarkArm, Outcomes, compare, outcome_scale
from benchmarks.engine import EngineArm, pass_sets
from benchmarks.peers import installed_peers, make_peer
from benchmarks.timing import time_call
from benchmarks.workload import OUTCOMES, SweptSite, Workload

REFERENCE = "hook loop"
WIDER = 4


@dataclass(frozen=True)
class SweepSettings:
    """How much is measured.

    Parameters
    ----------
    units : int or None
        Units a site and round that peers run, drawn again each round; None for all. Engine arms that do not run whole
        sites take these and as many more as make `WIDER` times as many, since their clean runs are taken off.
    rounds : int
        How often every site is visited.
    peers : tuple of str or None
        Which peers run; all that are installed where None.
    seed : int
        Of the order and of the draws.
    """

    units: int | None = 8
    rounds: int = 3
    peers: tuple[str, ...] | None = None
    seed: int = 0


@dataclass
class ArmResult:
    """What was measured of one arm.

    Parameters
    ----------
    name : str
    seconds : dict
        Site -> CPU seconds for the whole site, one a round; scaled where only some units were run.
    setup : float
        CPU seconds paid once: for peers the sum over sites of what they prepare, for the engine its clean runs.
    difference : list of float
        Distance from the hook loop for each outcome; see `benchmarks.arm.compare`.
    units_run : int
    live : dict
        Site -> rows that were run, of the engine's arms that ran the whole site.
    """

    name: str
    seconds: dict[str, list[float]] = field(default_factory=dict)
    setup: float = 0.0
    difference: list[float] = field(default_factory=lambda: [0.0] * len(OUTCOMES))
    units_run: int = 0
    live: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> float:
        """CPU seconds of the full sweep: the median over rounds of each site, summed, and the setup."""
        return sum(median(values) for values in self.seconds.values()) + self.setup

    @property
    def spread(self) -> tuple[float, float]:
        """The least and the most that single rounds would have given."""
        rounds = zip(*self.seconds.values(), strict=True)
        totals = [sum(values) + self.setup for values in rounds]
        return min(totals), max(totals)


@dataclass
class SweepResult:
    """One workload's sweep.

    Parameters
    ----------
    workload : str
    units, pairs : int
    arms : dict
        Name -> what was measured, peers first, then the engine pass by pass.
    missing : list of str
        Peers that are not installed.
    costs : dict
        CPU seconds that the engine pays once a run: load and capture, compiling the plan, preparing the runner.
    """

    workload: str
    units: int
    pairs: int
    arms: dict[str, ArmResult]
    missing: list[str]
    costs: dict[str, float]


def run_sweep(
    workload: Workload, settings: SweepSettings, tell: Callable[[str], None] = lambda text: None
) -> SweepResult:
    """Measure every arm on one workload.

    A round visits the sites in a random order. At each site the arms take turns, the one that begins moving on by one
    from visit to visit. The hook loop's outcomes are kept, and every other arm's are held against them where both ran
    the same unit: arms that sample draw the same units in a round.
    """
    rng = np.random.default_rng(settings.seed)
    present, missing = installed_peers(settings.peers)
    engine = [EngineArm(workload, chosen) for chosen in pass_sets(workload)]
    arms: list[BenchmarkArm] = [*(make_peer(name, workload) for name in present), *engine]
    results = {arm.name: ArmResult(arm.name) for arm in arms}
    setups: dict[str, dict[str, list[float]]] = {arm.name: {} for arm in arms}
    # The first call of anything pays for what torch and the peers set up lazily.
    warm = workload.sites[-1]
    for arm in arms:
        arm.prepare(warm)
        arm.run(warm, range(min(2, warm.units)))
    visit = 0
    seen: dict[str, list[Outcomes]] = {arm.name: [] for arm in arms}
    for turn in range(settings.rounds):
        for position in rng.permutation(len(workload.sites)):
            site = workload.sites[position]
            sample = _draw(site, settings.units, rng)
            wide = sorted({*sample, *_draw(site, settings.units and WIDER * settings.units, rng)})
            found: dict[str, tuple[Sequence[int], Outcomes]] = {}
            for place in range(len(arms)):
                arm = arms[(place + visit) % len(arms)]
                _visit(arm, site, sample, wide, results[arm.name], setups[arm.name], found)
            visit += 1
            for name, (units, outcomes) in found.items():
                seen[name].append(outcomes[[list(units).index(unit) for unit in sample]])
        tell(f"{workload.name}: round {turn + 1} of {settings.rounds}")
    scale = outcome_scale(workload)
    for arm in arms:
        result = results[arm.name]
        result.difference = compare(seen[arm.name], seen[REFERENCE], scale)
        if isinstance(arm, EngineArm):
            clean = median(setups[arm.name]["clean"])
            result.setup = clean
            for name, values in result.seconds.items():
                # A timed call with share s stands for s sites, but its clean runs stand for none of them.
                shares = setups[arm.name][name]
                result.seconds[name] = [value - clean * share for value, share in zip(values, shares, strict=True)]
        else:
            result.setup = sum(median(values) for values in setups[arm.name].values())
    costs = {
        "load and capture": workload.capture_seconds,
        "compile the plan": engine[-1].compile_seconds,
        "prepare the runner": engine[-1].runner_seconds,
    }
    return SweepResult(workload.name, workload.units, workload.pairs, results, missing, costs)


def _draw(site: SweptSite, units: int | None, rng: np.random.Generator) -> list[int]:
    if units is None or units >= site.units:
        return list(range(site.units))
    return sorted(rng.choice(site.units, units, replace=False).tolist())


def _visit(
    arm: BenchmarkArm,
    site: SweptSite,
    sample: list[int],
    wide: list[int],
    result: ArmResult,
    setup: dict[str, list[float]],
    found: dict[str, tuple[Sequence[int], Outcomes]],
) -> None:
    units = sample
    if isinstance(arm, EngineArm):
        units = list(range(site.units)) if arm.whole_sites else wide
    prepared, _ = time_call(lambda: arm.prepare(site))
    seconds, raw = time_call(lambda: arm.run(site, units))
    share = arm.share(site, units)
    result.seconds.setdefault(site.name, []).append(seconds * share)
    result.units_run += len(units)
    found[arm.name] = (units, arm.read(raw, units))
    if isinstance(arm, EngineArm):
        setup.setdefault("clean", []).append(time_call(arm.run_clean)[0])
        setup.setdefault(site.name, []).append(share)
        if arm.whole_sites:
            result.live[site.name] = arm.count_live(raw)
    else:
        setup.setdefault(site.name, []).append(prepared)
