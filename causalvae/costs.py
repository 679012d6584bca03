"""What a run was expected to cost, and what it cost: the same table before and after."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from causalvae.engine.forecast import Forecast
from causalvae.engine.measurements import write_json
from causalvae.results import CostRow


@dataclass(frozen=True)
class Explained:
    """What ``causalvae plan --explain`` tells.

    Parameters
    ----------
    forecast : Forecast
    costs : tuple of CostRow
        Predicted, and measured where the plan has been run.
    seconds : float or None
        What was measured, of one core; None where nothing has been run.
    folder : Path
        The run's.
    """

    forecast: Forecast
    costs: tuple[CostRow, ...]
    seconds: float | None
    folder: Path

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "passes": {name: asdict(work) for name, work in self.forecast.passes.items()},
            "clean": asdict(self.forecast.clean),
            "costs": [asdict(row) for row in self.costs],
            "cores": self.forecast.cores,
            "memory": self.forecast.memory,
            "seconds_predicted": self.forecast.seconds,
            "core_seconds_measured": self.seconds,
        }


def explain_costs(forecast: Forecast, run_folder: Path, tables: Path) -> Explained:
    """A forecast beside what the run in `run_folder`, finished or not, whose tables are in `tables`, has cost."""
    measured = measured_rows(tables)
    seconds = sum(row.seconds or 0.0 for row in measured) if measured else None
    return Explained(forecast, side_by_side(predicted_rows(forecast), measured), seconds, run_folder)


CLEAN = "clean runs"
_FILE = "forecast.json"

_Key = tuple[str, str, str]


def predicted_rows(forecast: Forecast) -> tuple[CostRow, ...]:
    """A forecast as rows of the table, the most expensive first; clean runs last."""
    final = list(forecast.passes)[-1]
    groups = [
        CostRow(
            group.cohort,
            group.side,
            " + ".join(group.sites),
            group.arms,
            group.rows,
            predicted_live=group.live,
            predicted_seconds=group.work[final].seconds,
        )
        for group in forecast.groups
    ]
    clean = forecast.clean
    ordered = sorted(groups, key=lambda row: -(row.predicted_seconds or 0.0))
    whole = CostRow(
        "all", "both", CLEAN, 0, round(clean.rows), predicted_live=clean.rows, predicted_seconds=clean.seconds
    )
    return (*ordered, whole)


def keep_prediction(rows: Iterable[CostRow], tables: Path) -> None:
    """Write predicted rows beside a run's tables."""
    write_json({"rows": [asdict(row) for row in rows]}, tables / _FILE)


def kept_prediction(tables: Path) -> tuple[CostRow, ...] | None:
    """The predicted rows of a run; None where none were kept."""
    path = tables / _FILE
    if not path.exists():
        return None
    return tuple(CostRow(**row) for row in json.loads(path.read_text(encoding="utf-8"))["rows"])


def measured_rows(tables: Path) -> tuple[CostRow, ...]:
    """What the finished shards of a run cost, summed over shards; none where nothing has been run.

    Parameters
    ----------
    tables : Path
        The folder of the run's tables.
    """
    found: dict[_Key, CostRow] = {}
    for path in sorted((tables / "costs").glob("*.json")):
        cohort = path.name.rsplit(".", 2)[0]
        for cost in json.loads(path.read_text(encoding="utf-8"))["costs"]:
            key = ("all", "both", CLEAN) if cost["sites"] == CLEAN else (cohort, cost["side"], cost["sites"])
            row = found.get(key, CostRow(key[0], key[1], key[2], cost["arms"], 0, live=0, seconds=0.0))
            found[key] = replace(
                row,
                arms=max(row.arms, cost["arms"]),
                rows=row.rows + cost["rows"],
                live=(row.live or 0) + cost["live"],
                seconds=(row.seconds or 0.0) + cost["seconds"],
            )
    return tuple(found.values())


def side_by_side(predicted: Iterable[CostRow], measured: Iterable[CostRow]) -> tuple[CostRow, ...]:
    """Predicted and measured of the same groups in one row; the most expensive first, clean runs last."""
    rows = {(row.cohort, row.side, row.sites): row for row in predicted}
    for row in measured:
        key = (row.cohort, row.side, row.sites)
        known = rows.get(key, row)
        rows[key] = replace(known, arms=row.arms, rows=row.rows, live=row.live, seconds=row.seconds)
    return tuple(sorted(rows.values(), key=lambda row: (row.sites == CLEAN, -_seconds(row))))


def _seconds(row: CostRow) -> float:
    return row.seconds if row.seconds is not None else row.predicted_seconds or 0.0
