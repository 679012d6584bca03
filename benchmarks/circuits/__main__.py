"""``python -m benchmarks.circuits``: verdicts on networks whose circuits are known."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from benchmarks.circuits import claims, discovery, families, idle
from benchmarks.circuits.report import write_report
from benchmarks.circuits.store import Job, Key, Store

# A part gives its jobs for a number of seeds and pairs; what its rows say is told in `report`.
PARTS: Final[dict[str, Callable[[int, int], Iterator[Job]]]] = {
    "claims": claims.jobs,
    "families": families.jobs,
    "idle": idle.jobs,
    "discovery": discovery.jobs,
}


def main(arguments: list[str] | None = None) -> None:
    """Run the parts that are asked for, and write the report of all that was found so far."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.circuits", description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="draws of the data for each network")
    parser.add_argument("--pairs", type=int, default=192, help="pairs of each draw")
    parser.add_argument("--parts", nargs="*", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "results")
    asked = parser.parse_args(arguments)

    def tell(key: Key) -> None:
        sys.stderr.write(" ".join(map(str, key)) + "\n")

    store = Store(asked.out / "circuits.json")
    for part in asked.parts:
        store.run(PARTS[part](asked.seeds, asked.pairs), tell)
    for path in write_report(store.rows, asked.out):
        sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
