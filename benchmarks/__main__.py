"""One command for the whole benchmark: ``python -m benchmarks``."""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

from benchmarks.floor import SpeedBook, measure_floor
from benchmarks.latency import measure_latency
from benchmarks.memory import measure_peaks
from benchmarks.networks import further_networks
from benchmarks.profiling import profile_engine
from benchmarks.report import TOLERANCE, Results, agrees, best_peer, engine_of, write_results
from benchmarks.scaling import measure_scaling
from benchmarks.sizes import FULL, SMALL, Sizes
from benchmarks.sweep import SweepSettings, run_sweep
from benchmarks.timing import describe_machine, one_thread
from benchmarks.workload import PUBLISHED, SHIPPED, burgess_workload, is_here

PARTS = ("sweep", "floor", "profile", "scaling", "memory", "latency", "networks")


def main() -> int:
    """Measure, write, and tell whether all arms agree: exit code 1 where they do not."""
    options = _parse()
    warnings.filterwarnings("ignore")
    if options.small:
        options.units, options.rounds, options.pairs = 1, 1, 4
    sizes = SMALL if options.small else FULL
    settings = SweepSettings(
        units=None if options.all else options.units,
        rounds=options.rounds,
        peers=tuple(options.peers) if options.peers is not None else None,
    )
    began = time.process_time()

    def tell(text: str) -> None:
        print(f"[{time.process_time() - began:6.0f} s] {text}", flush=True)

    results = Results(describe_machine(), {**asdict(settings), "pairs": options.pairs})
    with one_thread():
        _measure(options, settings, sizes, results, tell)
    for path in write_results(results, options.out):
        tell(f"wrote {path}")
    differences = [value for network in results.networks for value in network.difference]
    fine = all(agrees(sweep) for sweep in results.sweeps) and max(differences, default=0.0) <= TOLERANCE
    return 0 if fine else 1


def _measure(
    options: argparse.Namespace, settings: SweepSettings, sizes: Sizes, results: Results, say: Callable[[str], None]
) -> None:
    book = SpeedBook(sizes.floor_rows)
    here = [name for name in options.networks if is_here(name)]
    results.skipped += [f"{name} (its weights are not here)" for name in options.networks if name not in here]
    for name in here:
        workload = burgess_workload(name, options.pairs)
        if sizes.swept is not None:
            workload = replace(workload, sites=tuple(workload.site(site) for site in sizes.swept))
        if "floor" in options.parts:
            results.floors[name] = measure_floor(workload, book)
            say(f"{name}: floor {results.floors[name].seconds:.1f} s")
        if "sweep" in options.parts:
            sweep = run_sweep(workload, settings, say)
            results.sweeps.append(sweep)
            peer, engine = best_peer(sweep), engine_of(sweep)
            say(
                f"{name}: {peer.name} {peer.total:.1f} s, engine {engine.total:.1f} s, {peer.total / engine.total:.1f}x"
            )
            for package in sweep.missing:
                _note(results, f"{package} (not installed)")
        if "profile" in options.parts and name == here[0]:
            results.profiles[name] = profile_engine(workload)
    if here and "scaling" in options.parts:
        results.scaling = measure_scaling(here[0], sizes)
        say("scaling done")
    if here and "memory" in options.parts:
        results.peaks = measure_peaks(here[0], settings.peers, sizes)
        say("memory done")
    if here and "latency" in options.parts:
        results.latency = measure_latency(here[0], settings.peers, sizes.latency_repeats)
        say("latency done")
    if "networks" in options.parts:
        results.networks, missing = further_networks(sizes.network_channels, sizes.network_pairs, sizes.network_rounds)
        for name in missing:
            _note(results, f"{name} (its package is not installed)")
        say("further networks done")


def _note(results: Results, text: str) -> None:
    if text not in results.skipped:
        results.skipped.append(text)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure the engine against its peers.")
    parser.add_argument("--networks", nargs="+", default=[*SHIPPED, *PUBLISHED], choices=[*SHIPPED, *PUBLISHED])
    parser.add_argument("--parts", nargs="+", default=PARTS, choices=PARTS)
    parser.add_argument("--peers", nargs="*", help="which peers; default: all that are installed")
    parser.add_argument("--units", type=int, default=8, help="units a site and round that peers run (default 8)")
    parser.add_argument("--all", action="store_true", help="peers run every unit")
    parser.add_argument("--rounds", type=int, default=3, help="visits of every site (default 3)")
    parser.add_argument("--pairs", type=int, default=64)
    parser.add_argument(
        "--small", action="store_true", help="the smallest size of every part: shows that it runs, times mean nothing"
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    if options.peers is not None and "hook loop" not in options.peers:
        options.peers.append("hook loop")
    return options


if __name__ == "__main__":
    raise SystemExit(main())
