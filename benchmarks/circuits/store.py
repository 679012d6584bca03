"""What was found so far, on disk after each job: a benchmark that was stopped goes on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from causalvae.files import write_file

Key = tuple[str, str, str, int, int]


@dataclass(frozen=True)
class Row:
    """One result.

    Parameters
    ----------
    part, network, variant : str
        Part of the benchmark, circuit of the network, and what is changed about it.
    seed, pairs : int
    claim : str
        What was asked.
    found : str
        A verdict, or another answer.
    units : tuple of str
        The circuit that was claimed, or found.
    value : float, optional
        A number that was found.
    """

    part: str
    network: str
    variant: str
    seed: int
    pairs: int
    claim: str
    found: str
    units: tuple[str, ...] = ()
    value: float | None = None

    @property
    def key(self) -> Key:
        """The job that it is of."""
        return self.part, self.network, self.variant, self.seed, self.pairs


@dataclass(frozen=True)
class Job:
    """Part, network, variant, seed and pairs; and a function that gives all rows of it."""

    key: Key
    run: Callable[[], list[Row]]


class Store:
    """Rows in a JSON file: a list for each job, of its key and of what its rows say.

    Parameters
    ----------
    path : Path
        Read if it exists.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        jobs = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
        self.rows = [
            Row(part, network, variant, seed, pairs, claim, found, tuple(units), value)
            for part, network, variant, seed, pairs, rows in jobs
            for claim, found, units, value in rows
        ]

    def run(self, jobs: Iterable[Job], on_job: Callable[[Key], None]) -> None:
        """Run the jobs that no row is of, and write after each."""
        done = {row.key for row in self.rows}
        for job in jobs:
            if job.key not in done:
                self.rows += job.run()
                self.write()
                on_job(job.key)

    def write(self) -> None:
        """Put the file in place, a line for each job."""
        jobs: dict[Key, list[tuple[str, str, tuple[str, ...], float | None]]] = {}
        for row in self.rows:
            jobs.setdefault(row.key, []).append((row.claim, row.found, row.units, row.value))
        lines = [json.dumps([*key, rows], separators=(",", ":")) for key, rows in sorted(jobs.items())]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_file(self.path, "[\n" + ",\n".join(lines) + "\n]\n")
