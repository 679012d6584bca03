"""The log of a training run, one row per checkpoint, as a table and as TensorBoard scalars."""

from __future__ import annotations

import csv
import importlib.util
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from causalvae.errors import CausalVAEError
from causalvae.files import make_folder, write_file

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

LOG = "log.csv"
_SCALARS = "tensorboard"

Row = dict[str, float]


class TrainingLog:
    """Writes the log of a training run; a context manager.

    The table is rewritten after each checkpoint, which contains its rows, so that the next run can restore a missing
    row. Columns are those of the first row.

    Parameters
    ----------
    folder : Path
        Folder of ``log.csv`` and of the folder ``tensorboard``.
    rows : sequence of dict
        Rows of the checkpoint that the run is resumed from, if any.
    tensorboard : bool
        Whether to write TensorBoard scalars as well.

    Raises
    ------
    CausalVAEError
        CV424 if `tensorboard` is true and TensorBoard is not installed.
    """

    def __init__(self, folder: Path, rows: Sequence[Row] = (), tensorboard: bool = False) -> None:
        self._path = folder / LOG
        self.rows = list(rows)
        resumed_at = int(self.rows[-1]["step"]) if self.rows else 0
        self._scalars = _open_scalars(folder, resumed_at) if tensorboard else None
        if self.rows:
            self._write()
        else:
            self._path.unlink(missing_ok=True)

    def __enter__(self) -> TrainingLog:
        return self

    def __exit__(self, *error: object) -> None:
        if self._scalars is not None:
            self._scalars.close()

    @property
    def last(self) -> Row | None:
        """The last row, or None."""
        return self.rows[-1] if self.rows else None

    def append(self, row: Row) -> None:
        """Add the row of a checkpoint."""
        self.rows.append(row)
        self._write()
        if self._scalars is not None:
            for name, value in row.items():
                if name != "step":
                    self._scalars.add_scalar(name, value, int(row["step"]))
            self._scalars.flush()

    def _write(self) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, list(self.rows[0]), restval="", extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        write_file(self._path, text.getvalue())


def read_log(folder: Path) -> list[Row]:
    """Read the rows of the ``log.csv`` of a training run, oldest first; empty if there is no such file.

    Values are floats, `step` an int. Invalid lines are skipped.
    """
    path = folder / LOG
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        rows = [_numbers(cells) for cells in csv.DictReader(file, restkey="beyond")]
    return [row for row in rows if row is not None]


def _numbers(cells: Mapping[str, str | None]) -> Row | None:
    try:
        row: Row = {name: float(cell) for name, cell in cells.items() if cell is not None}
        row["step"] = int(row["step"])
    except (KeyError, TypeError, ValueError):
        return None
    return row if len(row) == len(cells) else None


def _open_scalars(folder: Path, resumed_at: int) -> SummaryWriter:
    if importlib.util.find_spec("tensorboard") is None:
        raise CausalVAEError(
            "CV424",
            "TensorBoard is not installed, and the spec asks for its scalars.",
            "Install it (pip install tensorboard), or delete log.tensorboard: log.csv holds the same numbers.",
            "log.tensorboard",
        )
    from torch.utils.tensorboard import SummaryWriter

    # Purges scalars that an earlier run wrote after its checkpoint.
    scalars = make_folder(folder / _SCALARS, below=folder)
    return SummaryWriter(str(scalars), purge_step=resumed_at + 1 if resumed_at else None)
