"""``python -m benchmarks.alignment``: the alignment report where everything is known."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.alignment.judging import jobs
from benchmarks.alignment.report import write_report
from benchmarks.circuits.store import Key, Store


def main(arguments: list[str] | None = None) -> None:
    """Run what was not run before, and write the report of all that was found so far."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.alignment", description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="draws of the data for each world")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "results")
    asked = parser.parse_args(arguments)

    def tell(key: Key) -> None:
        sys.stderr.write(" ".join(map(str, key)) + "\n")

    store = Store(asked.out / "alignment.json")
    store.run(jobs(asked.seeds), tell)
    for path in write_report(store.rows, asked.out):
        sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
