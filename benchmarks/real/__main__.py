"""``python -m benchmarks.real``: networks of real structure, engine against hooks, nnsight, pyvene and the floor."""

from __future__ import annotations

import argparse
import time
import warnings
from importlib.util import find_spec
from pathlib import Path

from benchmarks.floor import SpeedBook
from benchmarks.real.cases import CASES
from benchmarks.real.measure import ENGINE, REFERENCE, NetworkTimes, measure_network
from benchmarks.real.memory import measure_memory
from benchmarks.real.report import read_networks, write_networks
from benchmarks.timing import describe_machine, one_thread

# Rows of a batch that the floor looks at, and the bytes that a value of it may have at most.
_FLOOR_ROWS, _FLOOR_BYTES = (4, 16, 64, 256), 1.7e7


def main() -> int:
    """Measure and write; exit code 1 if the engine's outcomes are not the hook loop's."""
    options = _parse()
    warnings.filterwarnings("ignore")
    began = time.process_time()

    def tell(text: str) -> None:
        print(f"[{time.process_time() - began:5.0f} s] {text}", flush=True)

    rounds, sample = (3, 2) if options.full else (2, 1)
    if options.small:
        rounds = 1
    book = SpeedBook(_FLOOR_ROWS[:1] if options.small else _FLOOR_ROWS, _FLOOR_BYTES, 0.002 if options.small else 0.005)
    earlier = read_networks(options.out / "networks.json") if options.add else []
    found: list[NetworkTimes] = []
    settings = {"size": "full" if options.full else "small" if options.small else "default", "rounds": rounds}

    def write() -> list[Path]:
        """Write what exists, in the order of the cases."""
        known = {network.name: network for network in [*earlier, *found]}
        listed = [known[case.name] for case in CASES if case.name in known]
        return write_networks(listed, describe_machine(), settings, options.out)

    with one_thread():
        for number, case in enumerate(CASES):
            if options.networks and not any(text.lower() in case.name.lower() for text in options.networks):
                continue
            if case.package is not None and find_spec(case.package) is None:
                tell(f"{case.name}: {case.package} is not installed")
                continue
            workload = case.workload(2, 4, 2) if options.small else case.workload()
            times = measure_network(workload, case.structure, rounds, sample, book, tell)
            if not options.small:
                times.memory = measure_memory(number)
            found.append(times)
            # A stopped run keeps what was measured.
            write()
            engine = times.arms[ENGINE]
            tell(
                f"{case.name}: {times.arms[REFERENCE].total / engine.total:.2f} times as fast as the hook loop, "
                f"{engine.total / times.floor.total:.2f} times the floor"
            )
    for path in write():
        tell(f"wrote {path}")
    return 0 if all(network.agrees for network in found) else 1


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.real", description=__doc__)
    parser.add_argument("--networks", nargs="+", default=[], help="only networks whose names contain one of these")
    parser.add_argument("--add", action="store_true", help="keep the networks of networks.json that are not measured")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--full", action="store_true", help="three rounds, and two units a peer and visit")
    size.add_argument("--small", action="store_true", help="two units, sites and pairs: times mean nothing")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "results")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
