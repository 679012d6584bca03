"""Runs the trials that a machine can run again, and writes docs/quality.md from all logs.

``python -m tests.trials --scale 1`` runs them in full (about an hour and a half); ``--only NAME`` runs one of them.
``--scale 0`` runs none and writes the page from the logs and the counts of the last runs. Each folder here is a trial:
``faults.yaml`` is its log, ``trial.py`` the part that can be run again. The exit code is 1 if anything failed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

HOME = Path(__file__).parent
COUNTS = HOME / "counts.json"
# In the order of the page: folder -> what its author was.
TRIALS = {
    "newuser": "A new user",
    "referee": "A referee",
    "attacker": "An attacker",
    "reader": "A reader",
    "maintainer": "A maintainer",
}


@dataclass(frozen=True)
class Fault:
    """One fault that a trial found; `test` or `reason` is empty."""

    what: str
    happened: str
    right: str
    round: int
    fixed: bool
    test: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Log:
    """What a trial tried, and what it found."""

    name: str
    tried: tuple[str, ...]
    faults: tuple[Fault, ...]


def read_log(name: str) -> Log:
    """The log of a trial; raises `ValueError` for a fault without a test or a reason."""
    log = yaml.safe_load((HOME / name / "faults.yaml").read_text(encoding="utf-8"))
    faults = tuple(
        Fault(**{key: value for key, value in fault.items() if value is not None}) for fault in log["faults"]
    )
    for fault in faults:
        if not (fault.reason or (fault.fixed and fault.test)):
            raise ValueError(f"{name}: {fault.what!r} has no {'test' if fault.fixed else 'reason'}")
    return Log(log["trial"], tuple(log["tried"]), faults)


def can_run(name: str) -> bool:
    """Whether a machine can run a trial again."""
    return find_spec(f"tests.trials.{name}.trial") is not None


def run_trial(name: str, scale: float) -> dict[str, Any]:
    """The rows of a trial, with the seconds that it took."""
    began = time.perf_counter()
    rows = import_module(f"tests.trials.{name}.trial").run(scale)
    return {"scale": scale, "seconds": round(time.perf_counter() - began), "rows": rows}


def page(logs: Sequence[Log], counts: dict[str, Any]) -> str:
    """docs/quality.md."""
    lines = [
        "# Trials by fresh eyes",
        "",
        "Authors test what they think of. Five people tried the package who had not written what they tried. Each",
        "wrote down what was tried and what happened, fixed what was wrong, and tried that again. `make trials` makes",
        "this page from the logs in `tests/trials/` and repeats the trials that can be automated.",
        "",
        "| trial | faults in round 1 | in round 2 | fixed | left |",
        "|---|---:|---:|---:|---:|",
    ]
    for log in logs:
        first, fixed = sum(fault.round == 1 for fault in log.faults), sum(fault.fixed for fault in log.faults)
        count = len(log.faults)
        lines.append(
            f"| [{TRIALS[log.name]}](#{TRIALS[log.name].lower().replace(' ', '-')}) | {first} | {count - first} | "
            f"{fixed} | {count - fixed} |"
        )
    for log in logs:
        lines += ["", f"## {TRIALS[log.name]}", "", *(f"- {item}" for item in log.tried)]
        found = counts.get(log.name)
        if found is not None:
            lines += [
                "",
                f"Run by `python -m tests.trials --only {log.name} --scale {found['scale']:g}` "
                f"in {found['seconds']:,} s:",
                "",
                "| what | tried | failed | |",
                "|---|---:|---:|---|",
                *(
                    f"| {row['what']} | {row['tried']:,} | {row['failed']:,} | {row.get('note', '')} |"
                    for row in found["rows"]
                ),
            ]
        for title, faults in (
            ("Left", [fault for fault in log.faults if not fault.fixed]),
            ("Fixed", [fault for fault in log.faults if fault.fixed]),
        ):
            if faults:
                lines += ["", f"**{title}:**", ""]
                lines += [_listed(fault) for fault in faults]
    return "\n".join(lines) + "\n"


def _listed(fault: Fault) -> str:
    found = f"- {fault.what} {fault.happened}"
    return found if fault.fixed else f"{found} *Why it is left:* {fault.reason}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run trials and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=0.05, help="1 is the full size; 0 runs nothing")
    parser.add_argument("--only", nargs="*", choices=TRIALS, default=list(TRIALS))
    parser.add_argument("--out", type=Path, default=Path("docs/quality.md"))
    options = parser.parse_args(arguments)
    logs = [read_log(name) for name in TRIALS if (HOME / name / "faults.yaml").exists()]
    counts: dict[str, Any] = json.loads(COUNTS.read_text(encoding="utf-8")) if COUNTS.exists() else {}
    failed = 0
    for log in logs if options.scale > 0 else ():
        if log.name in options.only and can_run(log.name):
            counts[log.name] = run_trial(log.name, options.scale)
            failed += sum(row["failed"] for row in counts[log.name]["rows"])
            COUNTS.write_text(json.dumps(counts, indent=1) + "\n", encoding="utf-8")
    options.out.write_text(page(logs, counts), encoding="utf-8")
    sys.stdout.write(f"{options.out}: {sum(len(log.faults) for log in logs)} faults, {failed} failures now\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
