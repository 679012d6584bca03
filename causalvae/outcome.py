"""A finished run: its results, its folder, and its findings as pandas tables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, is_dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from causalvae.alignment.types import PairCheck
from causalvae.circuits.types import ClaimTest, Verdict
from causalvae.effects.notes import Note
from causalvae.effects.types import Estimate, UnitRole
from causalvae.plan.owner import Owner
from causalvae.plan.targets import Target
from causalvae.report.effects_file import EFFECTS_FILE
from causalvae.report.glossary import status_words
from causalvae.report.json_report import FILE_NAME, load_results
from causalvae.report.notes import notes_words
from causalvae.report.verdict_words import reason
from causalvae.report.write import FILES
from causalvae.results import Results
from causalvae.text import html_table, visible

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class RunOutcome:
    """What `run` and `load_run` give.

    Parameters
    ----------
    results : Results
    folder : Path
        The run's folder.
    reports : dict
        Format -> path of the report.

    Examples
    --------
    >>> import causalvae
    >>> outcome = causalvae.run("specs/compiled_or.yaml")
    >>> outcome.estimates[["estimand", "outcome", "value"]].round(2).head(3)
           estimand      outcome  value
    0  total_effect            y   0.32
    1   effect_size            y   1.34
    2  total_effect  all columns   0.39
    """

    results: Results
    folder: Path
    reports: dict[str, Path]

    @property
    def estimates(self) -> pd.DataFrame:
        """One row for each listed estimate; the columns are the fields of `causalvae.effects.types.Estimate`."""
        return as_frame(self.results.estimates, Estimate)

    @property
    def effects(self) -> pd.DataFrame:
        """Every estimate, from ``effects.parquet``; `estimates` has the strongest components of large sweeps alone.

        Raises
        ------
        CausalVAEError
            CV406 where the file cannot be read.
        """
        from causalvae.engine.tables import read_table

        return read_table(self.folder / EFFECTS_FILE)

    @property
    def verdicts(self) -> pd.DataFrame:
        """One row for each hypothesis; the columns are the plain fields of `causalvae.circuits.types.Verdict`.

        ``reason`` says in a sentence why it came out so.
        """
        frame = as_frame(self.results.verdicts, Verdict)
        place = list(frame.columns).index("status") + 1
        frame.insert(place, "reason", [reason(each) for each in self.results.verdicts])
        return frame

    @property
    def tests(self) -> pd.DataFrame:
        """One row for each test of a hypothesis, which the first column names."""
        found = [(verdict.hypothesis, test) for verdict in self.results.verdicts for test in verdict.tests]
        frame = as_frame((test for _, test in found), ClaimTest)
        frame.insert(0, "hypothesis", [name for name, _ in found])
        return frame

    @property
    def edges(self) -> pd.DataFrame:
        """One row for each ordered pair of nodes that was tested: data, network and mapping in columns of their own."""
        alignment = self.results.alignment
        return as_frame(() if alignment is None else alignment.pairs, PairCheck)

    @property
    def units(self) -> pd.DataFrame:
        """One row for each perturbed or patched unit that the results list: what it moves, one factor or several."""
        return as_frame(self.results.units, UnitRole)

    def _repr_html_(self) -> str:
        """What a notebook shows: the answer, each hypothesis with its verdict and reason, and a link to the report."""
        results = self.results
        rows = [(each.hypothesis, status_words(each.status), reason(each)) for each in results.verdicts]
        page = self.reports.get("html")
        link = f'<p><a href="{escape(page.as_posix())}" target="_blank">{escape(str(page))}</a></p>' if page else ""
        table = html_table(f"Results of {results.name}", rows, ("Hypothesis", "Verdict", "Reason"))
        return f"<p>{escape(visible(results.answer))}</p>{table}{link}"

    def __repr__(self) -> str:
        return f"RunOutcome({self.results!r}, folder={str(self.folder)!r})"


def as_frame(rows: Iterable[Any], kind: type) -> pd.DataFrame:
    """Records of one dataclass as a table, one row each.

    Parameters
    ----------
    rows : iterable of `kind`
    kind : type
        A dataclass. Its fields are the columns. The fields of a record in a field are columns named ``field.inner``;
        fields that hold several records are omitted.
    """
    import pandas as pd

    held = [_flat(row) for row in rows]
    columns = dict.fromkeys(name for row in held for name in row) if held else [field.name for field in fields(kind)]
    return pd.DataFrame(held, columns=list(columns))


def _flat(record: Any, prefix: str = "") -> dict[str, Any]:
    row: dict[str, Any] = {}
    for field in fields(record):
        value = getattr(record, field.name)
        if isinstance(value, Owner | Target):
            row[prefix + field.name] = str(value)
        elif isinstance(value, tuple) and value and all(isinstance(item, Note) for item in value):
            row[prefix + field.name] = notes_words(value)
        elif is_dataclass(value):
            row |= _flat(value, f"{prefix}{field.name}.")
        elif _is_plain(value):
            row[prefix + field.name] = value
    return row


def _is_plain(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(isinstance(item, str) for item in value)
    return value is None or isinstance(value, bool | int | float | str)


def load_run(folder: str | Path) -> RunOutcome:
    """Read a finished run from its folder; nothing is run and no network is loaded.

    Parameters
    ----------
    folder : str or Path
        A run's folder, as `causalvae run` prints it, or the path of its ``results.json``.

    Raises
    ------
    CausalVAEError
        CV450 where there are no results, CV451 where they cannot be read.

    Examples
    --------
    >>> import causalvae
    >>> finished = causalvae.run("specs/compiled_or.yaml").folder
    >>> list(causalvae.load_run(finished).verdicts["status"])
    ['supported', 'unspecific', 'refuted', 'supported']
    """
    path = Path(folder)
    results = load_results(path)
    home = path.parent if path.name == FILE_NAME else path
    return RunOutcome(results, home, {name: home / file for name, file in FILES.items() if (home / file).is_file()})
