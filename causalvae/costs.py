"""What a run was expected to cost, and what it cost: the same table before and after."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from causalvae.engine.forecast import Forecast
from causalvae.engine.screening import screen_label
from causalvae.engine.shards import CLEAN_RUNS, EXACT_CONTROLS, OVERHEADS, RANDOM_COPY
from causalvae.files import read_json
from causalvae.results import CostRow

# Interchanges, edges, readouts and pictures, which are run once first results are known.
FOLLOW_UPS = "follow-up runs"
# A run's manifest has their seconds under this name.
FOLLOW_UP_SECONDS = "seconds of follow-up runs"

# What belongs to no cohort comes last, in this order.
_COMMON = ("", EXACT_CONTROLS, RANDOM_COPY, FOLLOW_UPS, CLEAN_RUNS, OVERHEADS)

_Key = tuple[str, str, str]
_Row = TypeVar("_Row", bound=CostRow)


@dataclass(frozen=True)
class ForecastRow(CostRow):
    """What a group of arms costs, as predicted before the run and as measured.

    Parameters
    ----------
    predicted_live, predicted_seconds : float or None
        As `live` and `seconds`.
    predicted_error : float or None
        Standard error of `predicted_live`, which was counted on a few pairs.
    predicted_rows : int or None
        Rows that were expected: where a screen chooses arms, others than `rows`.
    """

    predicted_live: float | None = None
    predicted_seconds: float | None = None
    predicted_error: float | None = None
    predicted_rows: int | None = None


@dataclass(frozen=True)
class Explained:
    """What ``causalvae plan --explain`` tells.

    Parameters
    ----------
    forecast : Forecast
    costs : tuple of ForecastRow
        Predicted, and measured where the plan has been run.
    seconds : float or None
        What was measured, of one core; None where nothing has been run.
    folder : Path
        The run's.
    finished : bool
        Whether it has run to its end; else only the shards that are done were measured.
    """

    forecast: Forecast
    costs: tuple[ForecastRow, ...]
    seconds: float | None
    folder: Path
    finished: bool = False

    @property
    def groups(self) -> tuple[ForecastRow, ...]:
        """The rows of `costs` that are arms."""
        return tuple(row for row in self.costs if row.is_group)

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        forecast = self.forecast
        return {
            "passes": {name: asdict(work) for name, work in forecast.passes.items()},
            "clean": asdict(forecast.clean),
            "screens": [asdict(screen) for screen in forecast.screens],
            "groups": [
                {
                    "cohort": group.cohort,
                    "side": group.side,
                    "sites": list(group.sites),
                    "live_share": group.live / group.rows,
                    "live_share_error": group.live_error,
                    "timed": group.timed,
                    "passes": {name: asdict(work) for name, work in group.work.items()},
                }
                for group in forecast.groups
            ],
            "costs": [asdict(row) for row in self.costs],
            "cores": forecast.cores,
            "batch_rows": forecast.batch_rows,
            "shard_pairs": forecast.shard_pairs,
            "sampled_pairs": forecast.sampled_pairs,
            "memory": forecast.memory,
            "overhead_seconds_predicted": forecast.overheads,
            "core_seconds_predicted": forecast.total.seconds,
            "seconds_predicted": forecast.seconds,
            "core_seconds_measured": self.seconds,
            "finished": self.finished,
        }


def explain_costs(forecast: Forecast, run_folder: Path, tables: Path, copy_tables: Path | None = None) -> Explained:
    """A forecast with the measured cost of the run in `run_folder`, finished or not.

    Parameters
    ----------
    forecast : Forecast
    run_folder : Path
    tables, copy_tables : Path
        The folders of the tables of the run, and of its copy with random weights.
    """
    measured, finished = measured_rows(tables, copy_tables), (tables / "manifest.json").exists()
    manifest = run_folder / "manifest.json"
    followed = read_json(manifest).get(FOLLOW_UP_SECONDS) if measured and manifest.exists() else None
    if followed is not None:
        measured = (*measured, follow_up_row(followed))
    return Explained(
        forecast,
        side_by_side(predicted_rows(forecast), measured, finished),
        sum(row.seconds or 0.0 for row in measured) if measured else None,
        run_folder,
        finished,
    )


def predicted_rows(forecast: Forecast) -> tuple[ForecastRow, ...]:
    """A forecast as rows of the table, the most expensive first; what belongs to no cohort last."""
    final = list(forecast.passes)[-1]
    rows = [
        ForecastRow(
            group.cohort,
            group.side,
            " + ".join(group.sites),
            group.arms,
            group.rows,
            predicted_live=group.live,
            predicted_seconds=group.work[final].seconds,
            predicted_error=group.live_error * group.rows,
            predicted_rows=group.rows,
        )
        for group in forecast.groups
    ]
    for screen in forecast.screens:
        count, seconds = screen.work.rows, screen.work.seconds
        label = screen_label(screen.owner)
        rows.append(_predicted((screen.cohort, screen.side, label), count, seconds))
    for label, work in forecast.extras.items():
        rows.append(_predicted(_common(label), work.rows, work.seconds))
    rows.append(_predicted(_common(CLEAN_RUNS), forecast.clean.rows, forecast.clean.seconds))
    if forecast.overheads:
        rows.append(_predicted(_common(OVERHEADS), 0, forecast.overheads))
    return in_order(rows)


def _predicted(key: _Key, rows: float, seconds: float) -> ForecastRow:
    cohort, side, sites = key
    count = round(rows)
    return ForecastRow(
        cohort, side, sites, 0, count, predicted_live=rows, predicted_seconds=seconds, predicted_rows=count
    )


def _common(label: str) -> _Key:
    return "all", "both", label


def measured_rows(tables: Path, copy_tables: Path | None = None) -> tuple[CostRow, ...]:
    """What the finished shards of a run cost, summed over shards, the most expensive first.

    Parameters
    ----------
    tables : Path
        The folder of the run's tables.
    copy_tables : Path, optional
        That of its copy with random weights, which is one row.
    """
    found: dict[_Key, CostRow] = {}
    for path in sorted((tables / "costs").glob("*.json")):
        cohort = path.name.rsplit(".", 2)[0]
        for cost in read_json(path)["costs"]:
            key = _common(cost["sites"]) if cost["sites"] in _COMMON else (cohort, cost["side"], cost["sites"])
            found[key] = _joined(found.get(key), key, cost)
    copied = () if copy_tables is None else measured_rows(copy_tables)
    if copied:
        key = _common(RANDOM_COPY)
        for row in copied:
            found[key] = _joined(found.get(key), key, {**asdict(row), "arms": 0})
    return in_order(found.values())


def follow_up_row(seconds: float) -> CostRow:
    """What follow-up runs took, of one core."""
    return CostRow(*_common(FOLLOW_UPS), 0, 0, seconds=seconds)


def _joined(row: CostRow | None, key: _Key, cost: dict[str, Any]) -> CostRow:
    """A group's row with what a further shard of it cost."""
    cohort, side, sites = key
    if row is None:
        row = CostRow(cohort, side, sites, 0, 0, live=0, seconds=0.0, flops=0.0, bytes=0.0)
    return replace(
        row,
        arms=max(row.arms, cost["arms"]),
        rows=row.rows + cost["rows"],
        live=(row.live or 0) + (cost["live"] or 0),
        seconds=(row.seconds or 0.0) + (cost["seconds"] or 0.0),
        flops=_sum(row.flops, cost.get("flops")),
        bytes=_sum(row.bytes, cost.get("bytes")),
    )


def _sum(known: float | None, more: float | None) -> float | None:
    """The sum, of which nothing is known where a part is not."""
    return None if known is None or more is None else known + more


def side_by_side(
    predicted: Iterable[ForecastRow], measured: Iterable[CostRow], finished: bool = True
) -> tuple[ForecastRow, ...]:
    """Predicted and measured of the same groups in one row; the most expensive first, what is no group last.

    Parameters
    ----------
    predicted : iterable of ForecastRow
    measured : iterable of CostRow
    finished : bool
        Whether all was measured; else arms and rows stay those that were predicted.
    """
    rows = {(row.cohort, row.side, row.sites): row for row in predicted}
    for row in measured:
        key = (row.cohort, row.side, row.sites)
        known = rows.get(key) or ForecastRow(**asdict(row))
        rows[key] = replace(
            known,
            arms=row.arms if finished else known.arms,
            rows=row.rows if finished else known.rows,
            live=row.live,
            seconds=row.seconds,
            flops=row.flops,
            bytes=row.bytes,
        )
    return in_order(rows.values())


def in_order(rows: Iterable[_Row]) -> tuple[_Row, ...]:
    """The most expensive groups first, what belongs to no cohort last."""
    return tuple(
        sorted(rows, key=lambda row: (_COMMON.index(row.sites) if row.sites in _COMMON else 0, -_seconds(row)))
    )


def _seconds(row: CostRow) -> float:
    if row.seconds is None and isinstance(row, ForecastRow):
        return row.predicted_seconds or 0.0
    return row.seconds or 0.0
