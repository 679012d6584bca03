"""Every effect of a run as Parquet, written while the effects are found.

The columns of ``effects.parquet`` are the fields of `causalvae.effects.types.Estimate`, and ``site``: the sites of the
component, joined by `` + ``. Those of ``units.parquet`` are the fields of `causalvae.effects.types.UnitRole`, and
``site``. ``screened.parquet``, where a sweep was screened, has those of `causalvae.effects.types.ScreenedComponent`,
what they have in common, and ``site``. Owners and components are written as in every table, notes as sentences; null is
a value that there is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from causalvae.effects.bootstrap import Ends
from causalvae.effects.sweep_types import ROLE_NAMES, ComponentEffects, UnitColumns, site_of
from causalvae.effects.types import Estimate, ScreenSummary, UnitRole
from causalvae.files import UNSEALED, stream_file
from causalvae.report.notes import notes_words

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

EFFECTS_FILE, UNITS_FILE, SCREENED_FILE = "effects.parquet", "units.parquet", "screened.parquet"
# Rows that are held before they are written.
_ROWS = 65_536

EFFECT_COLUMNS: Final[dict[str, str]] = {
    "estimand": "string", "value": "double", "unit": "string", "n": "int64", "outcome": "string", "owner": "string",
    "lower": "double", "upper": "double", "confidence": "double", "p_value": "double", "treatment": "string",
    "component": "string", "granularity": "string", "source": "string", "direction": "string", "estimator": "string",
    "seed": "int64", "notes": "string", "interval": "string", "site": "string",
}  # fmt: skip
UNIT_COLUMNS: Final[dict[str, str]] = {
    "owner": "string", "treatment": "string", "source": "string", "direction": "string", "component": "string",
    "granularity": "string", "role": "string", "breadth": "double", "lower": "double", "upper": "double",
    "confidence": "double", "largest": "double", "on": "string", "p_value": "double", "over": "string",
    "outcomes": "int64", "n": "int64", "output": "double", "output_share": "double", "site": "string",
}  # fmt: skip
SCREENED_COLUMNS: Final[dict[str, str]] = {
    "owner": "string", "treatment": "string", "direction": "string", "source": "string", "outcome": "string",
    "unit": "string", "component": "string", "granularity": "string", "attribution": "double", "selected": "string",
    "exact": "double", "site": "string",
}  # fmt: skip


@contextmanager
def open_record(folder: Path) -> Iterator[EffectFiles]:
    """Files in `folder` that take every effect and unit of a run; they are there whole at the end, or not at all."""
    with ExitStack() as stack:
        effects = stack.enter_context(_open(folder / EFFECTS_FILE, EFFECT_COLUMNS))
        units = stack.enter_context(_open(folder / UNITS_FILE, UNIT_COLUMNS))
        yield EffectFiles(effects, units, folder)


class EffectFiles:
    """A `causalvae.effects.sweep_types.Record` on disk."""

    def __init__(self, effects: _Rows, units: _Rows, folder: Path) -> None:
        self._effects, self._units, self._folder = effects, units, folder
        self._names: tuple[Any, list[str], list[str]] = (None, [], [])

    def estimates(self, found: Sequence[Estimate]) -> None:
        """Take estimates."""
        columns = _fields(found, EFFECT_COLUMNS)
        columns["notes"] = list(map(notes_words, columns["notes"]))
        self._effects.add(columns, len(found))

    def effects(self, found: ComponentEffects) -> None:
        """Take the estimates of many components."""
        rows = np.flatnonzero(found.known)
        if not rows.size:
            return
        labels, sites = self._labels(found.arms, [arm.component for arm in found.arms])
        interval, counts = found.interval, found.n[rows]
        ended = np.isfinite(interval.lower + interval.upper)[rows]
        lower, upper = (np.where(ended, ends[rows], np.nan) for ends in (interval.lower, interval.upper))
        kinds = np.where(ended, interval.kinds[rows], "")
        notes = np.empty(len(rows), object)
        # Few components differ in what is to be known of them.
        long = lower < upper
        keys, places = np.unique(
            np.stack([counts, np.unique(kinds, return_inverse=True)[1], long]), axis=1, return_inverse=True
        )
        for position in range(keys.shape[1]):
            mine = np.flatnonzero(places.reshape(-1) == position)
            k = mine[0]
            ends = Ends(float(lower[k]), float(upper[k]), str(kinds[k])) if ended[k] else None
            notes[mine] = notes_words(found.notes_of(int(counts[k]), ends))
        ablation = found.ablation
        self._effects.add(
            {
                "estimand": found.estimand, "value": interval.value[rows], "unit": found.unit, "n": counts,
                "outcome": found.outcome, "owner": str(ablation.owner), "lower": lower, "upper": upper,
                "confidence": np.where(ended, ablation.confidence or np.nan, np.nan),
                "p_value": None if found.p_values is None else found.p_values[rows], "treatment": ablation.treatment,
                "component": [labels[row] for row in rows],
                "granularity": [found.arms[row].granularity for row in rows.tolist()],
                "source": [found.arms[row].source for row in rows.tolist()], "direction": found.direction,
                "estimator": "exact", "seed": ablation.seed, "notes": notes, "interval": kinds,
                "site": [sites[row] for row in rows],
            },
            len(rows),
        )  # fmt: skip

    def units(self, found: UnitColumns) -> None:
        """Take what many units are."""
        labels, sites = self._labels(found.components, found.components)
        first = found.first
        self._units.add(
            {
                "owner": str(first.owner), "treatment": first.treatment, "source": first.source,
                "direction": first.direction, "component": labels, "granularity": list(found.granularities),
                "role": np.asarray(ROLE_NAMES)[found.roles], "breadth": found.breadth, "lower": found.lower,
                "upper": found.upper, "confidence": first.confidence, "largest": found.largest,
                "on": np.asarray(found.outcomes)[found.on], "p_value": found.p_value, "over": first.over,
                "outcomes": first.outcomes, "n": first.n, "output": found.output,
                "output_share": found.output_share, "site": sites,
            },
            len(labels),
        )  # fmt: skip

    def roles(self, found: Sequence[UnitRole]) -> None:
        """Take what units are."""
        self._units.add(_fields(found, UNIT_COLUMNS), len(found))

    def screened(self, found: Sequence[ScreenSummary]) -> None:
        """Take the candidates of screens."""
        if not found:
            return
        with _open(self._folder / SCREENED_FILE, SCREENED_COLUMNS) as rows:
            for screen in found:
                columns = _fields(screen.components, SCREENED_COLUMNS)
                common = ("treatment", "direction", "source", "outcome", "unit")
                columns |= {name: getattr(screen, name) for name in common} | {"owner": str(screen.owner)}
                rows.add(columns, len(screen.components))

    def _labels(self, key: Any, components: Sequence[Any]) -> tuple[list[str], list[str]]:
        """Labels and sites of components; several effects in turn are of the same."""
        if self._names[0] is not key:
            self._names = key, [each.label for each in components], [site_of(each) for each in components]
        return self._names[1], self._names[2]


def _fields(found: Sequence[Any], names: Iterable[str]) -> dict[str, Any]:
    """The fields of records as columns; owners and components as text, with the components' sites."""
    columns: dict[str, Any] = {name: [getattr(each, name, None) for each in found] for name in names}
    return columns | {
        "owner": list(map(str, columns["owner"])),
        "component": list(map(str, columns["component"])),
        "site": list(map(site_of, columns["component"])),
    }


class _Rows:
    """Rows of a file, written many at a time."""

    def __init__(self, writer: pq.ParquetWriter, schema: pa.Schema) -> None:
        self._writer, self._schema = writer, schema
        self._held: list[pa.Table] = []

    def add(self, columns: dict[str, Any], rows: int) -> None:
        """Take rows; a column is an array, or one value that all have."""
        import pyarrow as pa

        if not rows:
            return
        arrays = []
        for field in self._schema:
            given = columns[field.name]
            if given is None or isinstance(given, str | int | float):
                arrays.append(pa.repeat(pa.scalar(given, field.type), rows))
            else:
                arrays.append(pa.array(given, field.type, from_pandas=True))
        self._held.append(pa.Table.from_arrays(arrays, schema=self._schema))
        if sum(len(table) for table in self._held) >= _ROWS:
            self.flush()

    def flush(self) -> None:
        """Write what is held."""
        import pyarrow as pa

        if self._held:
            self._writer.write_table(pa.concat_tables(self._held).combine_chunks())
            self._held = []


@contextmanager
def _open(path: Path, columns: dict[str, str]) -> Iterator[_Rows]:
    # Only runs write these: reading a report again must not load Arrow.
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([(name, pa.type_for_alias(kind)) for name, kind in columns.items()])
    with (
        stream_file(path) as file,
        pq.ParquetWriter(file, schema, compression="zstd", write_page_checksum=True) as writer,
    ):
        rows = _Rows(writer, schema)
        yield rows
        rows.flush()
        writer.add_key_value_metadata({"checksum": UNSEALED})
