"""Runs every fuzzer and writes docs/robustness.md from what happened.

``python -m tests.fuzz --scale default --out docs/robustness.md``; `--count-specs N` and its like change one count, and
the exit code is 1 where anything failed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Final

from tests.fuzz.data_case import DataCounts
from tests.fuzz.data_files import fuzz_data_files
from tests.fuzz.images import fuzz_images
from tests.fuzz.kills import COMMANDS, COSTLY, kill_commands
from tests.fuzz.many_specs import check_specs
from tests.fuzz.specs import fuzz_specs
from tests.fuzz.tables import fuzz_tables, kill_runs, rerun_flipped, simultaneous
from tests.fuzz.weights import fuzz_weights


@dataclass
class Outcome:
    """What became of the cases of one fuzzer; `kinds` has a phrase for each kind of case."""

    tried: int
    refused: int
    accepted: int
    failures: Sequence[str]
    kinds: Sequence[str] = field(default=())
    seconds: float = 0.0


@dataclass(frozen=True)
class Part:
    """One fuzzer: how it is run, and the property that it checks."""

    title: str
    run: Callable[[int, int], Outcome]
    property: str
    small: int
    default: int
    large: int


def _specs(count: int, seed: int) -> Outcome:
    found = fuzz_specs(count, seed)
    failures = [f"{failure.what}\n{failure.text[:2000]}\n{failure.output[-1000:]}" for failure in found.failures]
    kinds = [f"{len(found.codes)} different codes", f"at most {found.most_steps:,} calls of functions for one spec"]
    return Outcome(found.specs, found.refused, found.valid, failures, kinds)


def _many(count: int, seed: int, record: Path | None = None) -> Outcome:
    found = check_specs(count, seed, record)
    failures = [f"{failure['number']}: {failure['what']}\n{failure['text']}" for failure in found["failures"]]
    kinds = [f"{len(found['codes'])} different codes"]
    kinds += [f"{kind}: {number:,}" for kind, number in sorted(found["kinds"].items())]
    return Outcome(found["specs"], found["refused"], found["valid"], failures, kinds, found["processor_seconds"])


def _reruns(count: int, seed: int) -> Outcome:
    counts = rerun_flipped(count, seed)
    failures = [f"{kind}: {found['different']} runs differ" for kind, found in counts.items() if found["different"]]
    kinds = [_phrase(kind, found["flips"], found["refused"], found["same"]) for kind, found in counts.items()]
    refused, same = (sum(found[what] for found in counts.values()) for what in ("refused", "same"))
    return Outcome(count, refused, same, failures, kinds)


def _stops(count: int, seed: int) -> Outcome:
    # The smallest scale is part of the tests, and leaves out what takes a second for each state.
    names = frozenset(command.name for command in COMMANDS) - (COSTLY if count == 1 else frozenset())
    counts = kill_commands(count, seed, names)
    failures = [f"{name}: {fault}" for name, found in counts.items() for fault in found["faults"]]
    kinds = [f"{name}: {found['tried']} of {found['states']} states" for name, found in counts.items()]
    tried, same = (sum(found[what] for found in counts.values()) for what in ("tried", "same"))
    return Outcome(tried, 0, same, failures, kinds)


def _data(counts: Mapping[str, DataCounts]) -> Outcome:
    return Outcome(
        sum(found.tried for found in counts.values()),
        sum(found.refused for found in counts.values()),
        sum(found.accepted for found in counts.values()),
        [f"{kind}: {failure}" for kind, found in counts.items() for failure in found.failures],
        [_phrase(kind, found.tried, found.refused, found.accepted) for kind, found in counts.items()],
    )


def _weights(count: int, seed: int) -> Outcome:
    counts = fuzz_weights(count, seed)
    failures = [f"{kind}: {crash}" for kind, found in counts.items() for crash in found["crashes"]]
    kinds = [_phrase(kind, found["tried"], found["refused"], found["opened"]) for kind, found in counts.items()]
    refused, opened = (sum(found[what] for found in counts.values()) for what in ("refused", "opened"))
    return Outcome(count, refused, opened, failures, kinds)


def _flips(count: int, seed: int) -> Outcome:
    counts = fuzz_tables(count, seed)
    failures = [
        f"{kind}: {found['missed']} flips were not noticed" for kind, found in counts.items() if found["missed"]
    ]
    kinds = [_phrase(kind, found["flips"], found["refused"], found["harmless"]) for kind, found in counts.items()]
    refused, harmless = (sum(found[what] for found in counts.values()) for what in ("refused", "harmless"))
    return Outcome(count, refused, harmless, failures, kinds)


def _kills(count: int, seed: int) -> Outcome:
    found = kill_runs(count, seed)
    failures = [f"{found['different']} runs differ after they were resumed"] if found["different"] else []
    return Outcome(count, 0, found["same"], failures, [f"{found['killed']} were killed before their end"])


def _simultaneous(count: int, _: int) -> Outcome:
    found = simultaneous(count)
    failures = [f"{found['processes'] - found['finished']} did not finish"] * (found["finished"] < found["processes"])
    failures += [f"{3 - found['same']} of 3 folders differ"] * (found["same"] < 3)
    return Outcome(found["processes"], 0, found["finished"], failures, [f"{count} at a time on each of 3 folders"])


def _phrase(kind: str, tried: int, refused: int, accepted: int) -> str:
    return f"{kind}: {tried:,} ({refused:,} refused, {accepted:,} accepted)"


PARTS: Final[Mapping[str, Part]] = {
    "specs": Part(
        "Specs",
        _specs,
        "The specs of the repository with keys deleted, renamed, repeated and nested, with hostile values (400-digit "
        "numbers, nesting, paths, formulas that never end) and with broken YAML, each given to `causalvae validate`. "
        "A spec is valid, or it is refused with at least one diagnostic that has a code and a message; the exit code "
        "is 0 or 2, and no spec takes more than 10 million calls of functions.",
        20,
        5000,
        30_000,
    ),
    "many": Part(
        "More specs",
        _many,
        "As above, without the command line and without counting calls: trees of keys and values, since reading their "
        "text takes four fifths of the time; with `include`, `variables`, `grid` and `--set` in some, and with "
        "sections that are drawn from the JSON Schema, at the least and greatest values that it allows. One in twenty "
        "of the resolved specs is read again and has the same digest. A spec that takes over 0.7 seconds is checked "
        "once more with its calls counted. The seconds are those of the processor.",
        200,
        30_000,
        1_000_000,
    ),
    "images": Part(
        "Images",
        lambda count, seed: _data(fuzz_images(count, seed)),
        "One file each through `source: images`: png, jpg, tif, bmp, gif and webp of 1, 8, 16 and 32 bits, with "
        "palettes, transparency and EXIF orientations. Whole files give the values that are computed pixel by pixel "
        "from what was written. A file that is cut off is refused or gives the values of the whole file; a damaged one "
        "is refused or gives values from 0 to 1. Files with several pictures, with another suffix than their format's "
        "or with too many pixels are refused.",
        40,
        10_000,
        60_000,
    ),
    "data": Part(
        "Tables and arrays on disk",
        lambda count, seed: _data(fuzz_data_files(count, seed)),
        "Files through `source: csv` and `source: npz`. Whole files give the numbers and the texts that were written, "
        "with every separator, decimal sign, kind of quote, index column, type and order of numbers. Entries that are "
        "no finite numbers are refused. A damaged npz is refused or gives the numbers of the whole file, because its "
        "checksums are verified; csv files have none, so a damaged one is refused or gives finite numbers.",
        36,
        10_000,
        60_000,
    ),
    "weights": Part(
        "Weights",
        _weights,
        "Damaged files and hostile contents (tensors without storage, sparse, complex, quantised or not finite, lying "
        "headers, archives with members missing or doubled, deep JSON) of every format that is opened. Each gives a "
        "network or an error with a code, a message and a remedy.",
        50,
        5000,
        30_000,
    ),
    "flips": Part(
        "Bit flips in stored files",
        _flips,
        "One bit is flipped anywhere in a file that a run, or a training run, wrote and that a later command reads. "
        "The command refuses the file and names it. Flips inside the name of a checksum that leave every number as it "
        "was count as accepted.",
        30,
        10_000,
        60_000,
    ),
    "reruns": Part(
        "Runs after a flipped bit",
        _reruns,
        "One bit is flipped in a file of a finished run with every analysis, and the same spec is run again. It is "
        "refused with a code, or gives the results of before and leaves every file whole.",
        1,
        66,
        200,
    ),
    "stops": Part(
        "Stopped commands",
        _stops,
        "Commands that write, stopped before things that they do to a file (what SIGKILL leaves is what the folder "
        "holds then), and started again. What a reader finds in between is whole, and the second start ends with the "
        "files of an undisturbed command and leaves no partial file.",
        1,
        12,
        200,
    ),
    "kills": Part(
        "Kills",
        _kills,
        "Analyses, training runs and studies, each killed with SIGKILL at a random moment and started again with the "
        "same command. The second start ends with the results, weights, losses and tables of a run that nothing "
        "disturbed, and leaves no partial file. The seed chooses the moments as a share of the run; where that is "
        "depends on the machine.",
        1,
        21,
        120,
    ),
    "simultaneous": Part(
        "Simultaneous runs",
        _simultaneous,
        "Processes started at the same time on one spec and one folder: an analysis, a training run and a study. All "
        "end with exit code 0, and the folder holds what one process alone gives, without a partial file.",
        1,
        4,
        12,
    ),
}


def _page(outcomes: Mapping[str, Outcome], command: str) -> str:
    lines = [
        "# Robustness",
        "",
        f"Made by `{command}`; `make fuzz` makes it again. The exit code is 1 if anything fails.",
        "",
        "`--record FOLDER` keeps each part as it is done, and a later call goes on with the rest: the parts below were "
        "run at different times.",
        "",
        f"{_machine()} The seconds are those of a machine that does other work as well.",
        "",
        "| what | cases | refused with a code | accepted | failures | seconds |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {PARTS[name].title} | {found.tried:,} | {found.refused:,} | {found.accepted:,} | {len(found.failures)} | "
        f"{found.seconds:,.0f} |"
        for name, found in outcomes.items()
    ]
    lines += [
        "",
        "A case fails where anything else happens than what is written below: another exception, an error without a "
        "code, message or remedy, other values, or, of specs, images, tables and arrays, no end within two minutes. "
        "The seed chooses the cases.",
    ]
    for name, found in outcomes.items():
        part = PARTS[name]
        lines += ["", f"**{part.title}.** {part.property} Counts: {'; '.join(found.kinds)}."]
    return "\n".join(lines) + "\n"


def _machine() -> str:
    libraries = ", ".join(f"{name} {version(name)}" for name in ("torch", "numpy", "pandas", "pillow", "pyarrow"))
    system = f"{platform.system()} on {platform.machine()} with {os.cpu_count()} cores"
    return f"{system}; Python {platform.python_version()}, {libraries}."


def main(arguments: Sequence[str]) -> int:
    """Run the fuzzers; 1 where anything failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__, allow_abbrev=False)
    parser.add_argument("--scale", choices=("small", "default", "large"), default="default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="the page; the table is printed where this is left out")
    parser.add_argument(
        "--record", type=Path, help="a folder that keeps each part as it is done, for a call that goes on with the rest"
    )
    for name, part in PARTS.items():
        parser.add_argument(f"--count-{name}", type=int, metavar="N", help=f"{part.title}: {part.default} by default")
    options = parser.parse_args(arguments)
    outcomes: dict[str, Outcome] = {}
    for name, part in PARTS.items():
        given = getattr(options, f"count_{name}")
        count = getattr(part, options.scale) if given is None else given
        if count < 1:
            continue
        kept = None if options.record is None else options.record / f"{name}.json"
        if kept is not None and kept.exists():
            outcomes[name] = Outcome(**json.loads(kept.read_text(encoding="utf-8")))
            continue
        sys.stdout.write(f"{part.title}: {count:,} ...\n")
        sys.stdout.flush()
        began = time.perf_counter()
        # A million specs take hours, so they are kept in parts.
        own = kept.with_suffix(".specs") if kept is not None and name == "many" else None
        found = part.run(count, options.seed) if own is None else _many(count, options.seed, own)
        found.seconds = found.seconds or time.perf_counter() - began
        outcomes[name] = found
        if kept is not None:
            kept.write_text(json.dumps(asdict(found)), encoding="utf-8")
        sys.stdout.write(
            f"  {found.refused:,} refused, {found.accepted:,} accepted, {len(found.failures)} failures, "
            f"{found.seconds:.0f} s\n"
        )
        sys.stdout.writelines(f"  FAILED {failure}\n" for failure in found.failures)
    page = _page(outcomes, " ".join(("python -m tests.fuzz", *_spelled(arguments))))
    if options.out is None:
        sys.stdout.write(page)
    else:
        options.out.write_text(page, encoding="utf-8")
    return int(any(found.failures for found in outcomes.values()))


_SHOWN: Final = {"--out": "docs", "--record": "build"}


def _spelled(arguments: Sequence[str]) -> list[str]:
    """The arguments, without the folders of the page and of the record."""
    return [
        f"{_SHOWN[before]}/{Path(argument).name}" if before in _SHOWN else argument
        for before, argument in zip(("", *arguments), arguments, strict=False)
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
