"""The table of a training run, one row a checkpoint, and the same numbers as TensorBoard's scalars."""

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
    """Writes the table of a run; use it as a context manager.

    The table is written whole at each checkpoint, after the checkpoint itself, which knows its rows: a process that is
    killed in between leaves the table before, and the next run writes the missing row. Columns are those of the first
    row.

    Parameters
    ----------
    folder : Path
        Takes ``log.csv``, and the folder ``tensorboard``.
    rows : sequence of dict
        Those of the checkpoint that the run resumes from; none where it starts anew.
    tensorboard : bool
        Whether to write TensorBoard's scalars as well.

    Raises
    ------
    CausalVAEError
        CV424 where TensorBoard is asked for and not installed.
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
        """The last row; None where there is none yet."""
        return self.rows[-1] if self.rows else None

    def append(self, row: Row) -> None:
        """Add a checkpoint's row."""
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
    """The rows of a training run's ``log.csv``, oldest first; none where there is no such file.

    Numbers come back as they were written, `step` as a whole one. A line that is no such row is left out.
    """
    path = folder / LOG
    if not path.exists():
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

    # What an earlier run wrote beyond its checkpoint is made again.
    scalars = make_folder(folder / _SCALARS, below=folder)
    return SummaryWriter(str(scalars), purge_step=resumed_at + 1 if resumed_at else None)
