"""Damages, kills and overlaps small runs, and counts what was noticed and what was the same afterwards.

``python -m tests.fuzz.tables flips|kills|simultaneous COUNT SEED`` prints the counts as JSON.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import torch

from causalvae.engine.tables import read_table
from causalvae.errors import CausalVAEError
from causalvae.files import read_json
from causalvae.models.weights import read_weights
from causalvae.report import load_results
from causalvae.spec import load_spec, load_train_spec
from causalvae.study.running import run_study
from causalvae.training.checkpoints import describe_data, read_checkpoint
from causalvae.training.loop import open_dataset
from tests.fuzz.small_run import EVERYTHING, results_of, run, train, write_specs
from tests.processes import fork, wait


def fuzz_tables(count: int, seed: int) -> dict[str, dict[str, int]]:
    """Flip one bit at a time, anywhere in any file that a later command reads.

    Parameters
    ----------
    count : int
        Flips, spread evenly over the files of a small run and of a small training run.
    seed : int

    Returns
    -------
    dict
        Kind of file -> ``flips``, ``refused`` (a coded error that names the file) and ``missed``. For trained weights
        ``harmless`` counts the flips inside the name of the checksum that leave every number as it was.
    """
    draw, counts = random.Random(seed), {}
    with tempfile.TemporaryDirectory() as place:
        spec, training, _ = write_specs(Path(place))
        spec.write_text(EVERYTHING)
        folder = run(spec, Path(place, "runs"))
        train(training, Path(place, "trained"))
        readers = _readers(folder, training, Path(place, "trained"))
        for number in range(count):
            path, read = readers[number % len(readers)]
            kind = _kind_of(path)
            found = counts.setdefault(kind, Counter(flips=0, refused=0, missed=0, harmless=0))
            found["flips"] += 1
            found[_flip(path, read, draw)] += 1
    return {kind: dict(found) for kind, found in sorted(counts.items())}


def _readers(folder: Path, training: Path, trained: Path) -> list[tuple[Path, Callable[[Path], object]]]:
    """The files of a run and of a training run, each with the function that reads it."""
    runs = folder.parent
    readers: list[tuple[Path, Callable[[Path], object]]] = [(path, read_table) for path in runs.rglob("*.parquet")]
    readers += [(path, read_json) for path in runs.rglob("*.json") if path.name != "results.json"]
    readers += [(folder / "results.json", load_results), (folder / "spec.yaml", load_spec)]
    spec = load_train_spec(training)
    data = describe_data(spec, open_dataset(spec.data, training.parent))
    readers.append((trained / "checkpoint.pt", lambda path: read_checkpoint(path.parent, spec, data)))
    readers.append((trained / "small.safetensors", lambda path: _numbers(path)))
    return sorted(readers, key=lambda reader: str(reader[0]))


def _numbers(path: Path) -> object:
    weights = read_weights(str(path), path.parent)
    return {name: value.tolist() for name, value in weights.state.items()}


def _kind_of(path: Path) -> str:
    if path.parent.name in ("outcomes", "observations", "costs"):
        return path.parent.name
    if "analyses" in path.parts:
        return path.parts[path.parts.index("analyses") + 1]
    return "responses" if path.name.startswith("responses.") else path.name


def _flip(path: Path, read: Callable[[Path], object], draw: random.Random) -> str:
    whole = path.read_bytes()
    before = read(path) if path.suffix == ".safetensors" else None
    bit = draw.randrange(8 * len(whole))
    damaged = bytearray(whole)
    damaged[bit // 8] ^= 1 << bit % 8
    path.write_bytes(damaged)
    try:
        after = read(path)
    except CausalVAEError as error:
        return "refused" if path.name in str(error) or path.parent.name in str(error) else "missed"
    finally:
        path.write_bytes(whole)
    return "harmless" if before is not None and after == before else "missed"


def rerun_flipped(count: int, seed: int, only: frozenset[str] = frozenset()) -> dict[str, dict[str, int]]:
    """Flip one bit in a file of a finished run, and run the same spec again.

    Parameters
    ----------
    count : int
        Flips, of one kind of file after the other.
    seed : int
    only : frozenset of str
        The kinds; all where it is empty.

    Returns
    -------
    dict
        Kind of file -> ``flips``, ``refused`` (the run ends with an error that has a code), ``same`` (it ends with the
        results of before, and every file is whole) and ``different``.
    """
    torch.set_num_threads(1)
    draw, counts = random.Random(seed), {}
    with tempfile.TemporaryDirectory() as place:
        spec, _, _ = write_specs(Path(place))
        spec.write_text(EVERYTHING)
        runs = Path(place, "runs")
        folder = run(spec, runs)
        expected = results_of(folder)
        whole = {path: path.read_bytes() for path in runs.rglob("*") if path.is_file()}
        kinds: dict[str, list[Path]] = {}
        for path in sorted(whole):
            if not only or _kind_of(path) in only:
                kinds.setdefault(_kind_of(path), []).append(path)
        for number in range(count):
            kind = sorted(kinds)[number % len(kinds)]
            path = draw.choice(kinds[kind])
            damaged = bytearray(whole[path])
            bit = draw.randrange(8 * len(damaged))
            damaged[bit // 8] ^= 1 << bit % 8
            path.write_bytes(damaged)
            code = wait(fork(lambda: _run_again(spec, runs)))
            found = counts.setdefault(kind, Counter(flips=0, refused=0, same=0, different=0))
            found["flips"] += 1
            is_same = code == 0 and results_of(folder) == expected and not _damaged_files(folder)
            found["refused" if code == _REFUSED else "same" if is_same else "different"] += 1
            for file in [each for each in runs.rglob("*") if each.is_file() and each not in whole]:
                file.unlink()
            for file, content in whole.items():
                file.write_bytes(content)
    return {kind: dict(found) for kind, found in sorted(counts.items())}


# An exit code that no signal and no error of Python gives.
_REFUSED = 42


def _run_again(spec: Path, runs: Path) -> None:
    try:
        run(spec, runs)
    except CausalVAEError as error:
        os._exit(_REFUSED if error.code and error.message and error.remedy else 1)


def _damaged_files(folder: Path) -> list[Path]:
    """The files of a run that are not what was written."""
    damaged = []
    for path in [*folder.parent.rglob("*.parquet"), *folder.parent.rglob("*.json")]:
        try:
            read_table(path) if path.suffix == ".parquet" else read_json(path)
        except CausalVAEError:
            damaged.append(path)
    return damaged


def kill_runs(count: int, seed: int) -> dict[str, int]:
    """Kill runs, training runs and studies with SIGKILL at random moments, and resume them.

    Parameters
    ----------
    count : int
        Runs: analyses, training runs and studies in turn.
    seed : int

    Returns
    -------
    dict
        ``runs``, ``killed`` (before their end), ``same`` (after they were resumed once: equal results, equal weights
        and losses, or an equal table of the study, and no partial file left), ``different``.
    """
    torch.set_num_threads(1)
    draw, counts = random.Random(seed), Counter(runs=count, killed=0, same=0, different=0)
    with tempfile.TemporaryDirectory() as place:
        works = _works(Path(place))
        for number in range(count):
            work = works[number % len(works)]
            seconds = work.reference(Path(place))
            out = Path(place, str(number))
            process = fork(lambda work=work, out=out: work.start(out))  # type: ignore[misc]
            time.sleep(draw.uniform(0, 1.1 * seconds))
            os.kill(process, signal.SIGKILL)
            counts["killed"] += wait(process) != 0
            code = wait(fork(lambda work=work, out=out: work.start(out)))  # type: ignore[misc]
            counts["same" if code == 0 and work.is_same(out) else "different"] += 1
    return dict(counts)


def simultaneous(processes: int) -> dict[str, int]:
    """Start several processes on one spec in one folder at once: a run, a training run and a study.

    Returns
    -------
    dict
        ``processes``, ``finished`` (exit code 0), and ``same`` (of the three folders: those that hold what one process
        alone gives, and no partial file).
    """
    torch.set_num_threads(1)
    counts = Counter(processes=0, finished=0, same=0)
    with tempfile.TemporaryDirectory() as place:
        works = _works(Path(place))
        counts["processes"] = processes * len(works)
        for work in works:
            work.reference(Path(place))
            out = Path(place, f"shared {work.name}")
            started = [fork(lambda work=work, out=out: work.start(out)) for _ in range(processes)]  # type: ignore[misc]
            counts["finished"] += sum(wait(process) == 0 for process in started)
            counts["same"] += work.is_same(out)
    return dict(counts)


class _Work:
    """Something to do in a folder, and what it gives where nothing disturbs it."""

    name = ""

    def __init__(self, spec: Path) -> None:
        self.spec = spec
        self._expected: object = None
        self._seconds = 0.0

    def start(self, out: Path) -> None:
        raise NotImplementedError

    def found(self, out: Path) -> object:
        raise NotImplementedError

    def reference(self, place: Path) -> float:
        """Do it undisturbed, once; gives the seconds that it takes where everything is loaded."""
        if self._expected is None:
            self.start(place / f"first {self.name}")
            began = time.perf_counter()
            wait(fork(lambda: self.start(place / f"second {self.name}")))
            self._seconds = time.perf_counter() - began
            self._expected = self.found(place / f"first {self.name}")
        return self._seconds

    def is_same(self, out: Path) -> bool:
        return self.found(out) == self._expected and not list(out.rglob("*.partial"))


class _Run(_Work):
    name = "run"

    def start(self, out: Path) -> None:
        run(self.spec, out)

    def found(self, out: Path) -> object:
        (results,) = out.rglob("results.json")
        return json.dumps(results_of(results.parent), sort_keys=True)


class _Train(_Work):
    name = "train"

    def start(self, out: Path) -> None:
        train(self.spec, out)

    def found(self, out: Path) -> object:
        from causalvae.training.log import read_log

        weights = read_weights(str(out / "small.safetensors"), out)
        rows = [{name: value for name, value in row.items() if name != "seconds"} for row in read_log(out)]
        return weights.digest, rows


class _Study(_Work):
    name = "study"

    def start(self, out: Path) -> None:
        run_study(self.spec, out)

    def found(self, out: Path) -> object:
        return (out / "small" / "study.csv").read_text()


def _works(place: Path) -> tuple[_Work, ...]:
    return tuple(kind(spec) for kind, spec in zip((_Run, _Train, _Study), write_specs(place), strict=True))


if __name__ == "__main__":
    what, number, start = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    works = {"flips": fuzz_tables, "kills": kill_runs, "simultaneous": lambda processes, _: simultaneous(processes)}
    sys.stdout.write(json.dumps(works[what](number, start)) + "\n")  # type: ignore[operator]
