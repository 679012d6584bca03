"""What was found so far, on disk after each job: a benchmark that was stopped goes on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
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
    """

    part: str
    network: str
    variant: str
    seed: int
    pairs: int
    claim: str
    found: str
    units: tuple[str, ...] = ()

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
    """Rows in a JSON file.

    Parameters
    ----------
    path : Path
        Read if it exists.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
        self.rows = [Row(**{**row, "units": tuple(row["units"])}) for row in known]

    def run(self, jobs: Iterable[Job], on_job: Callable[[Key], None]) -> None:
        """Run the jobs that no row is of, and write after each."""
        done = {row.key for row in self.rows}
        for job in jobs:
            if job.key not in done:
                self.rows += job.run()
                self.path.parent.mkdir(parents=True, exist_ok=True)
                write_file(self.path, json.dumps([asdict(row) for row in self.rows], indent=0))
                on_job(job.key)
