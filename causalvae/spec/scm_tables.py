"""Tables of a structural model: levels of a variable, and their probabilities in each row."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from causalvae.spec.diagnostics import Finding, Path, list_choices, nearest, show_text
from causalvae.spec.scm_section import VariableSection

_SUM_SLACK = 1e-6


class TableFault(Exception):  # noqa: N818
    """An error in a table; see `finding`."""

    def __init__(self, path: Path, message: str, expected: str, code: str = "CV083", meant: str = "") -> None:
        super().__init__(message)
        self.finding = Finding(code, path, message, expected, meant, on_key=code == "CV084")


@dataclass(frozen=True)
class Levels:
    """The values of the levels of a variable, and their names, if any."""

    values: tuple[float, ...]
    labels: tuple[str, ...]

    @property
    def shown(self) -> tuple[str, ...]:
        """Each level as text."""
        return self.labels or tuple(f"{value:.12g}" for value in self.values)

    def spell(self, key: str) -> str:
        """The key of a mapping in the format of `shown`; unchanged if it names no level."""
        number = None if self.labels else _number(key)
        return key if number is None else f"{number:.12g}"


def levels_of(section: VariableSection) -> Levels | None:
    """The levels that a section declares; None for an equation."""
    if section.levels is None:
        return None
    names = list(section.levels)
    if isinstance(section.levels, dict):
        numbers = [_number(str(name)) for name in names]
        if all(number is not None for number in numbers):
            return Levels(tuple(number for number in numbers if number is not None), ())
    elif all(not isinstance(name, str) for name in names):
        return Levels(tuple(float(name) for name in names), ())
    return Levels(tuple(float(level) for level in range(len(names))), tuple(map(str, names)))


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def read_rows(
    name: str, table: Any, given: tuple[str, ...], known: Mapping[str, Levels], path: Path
) -> list[tuple[float, ...]]:
    """The cumulative rows of the table of `name`, the last of the `given` variables varying fastest.

    Parameters
    ----------
    name : str
    table : Any
        Nested mappings with the levels of each of `given` as keys, and rows as innermost values.
    given : tuple of str
    known : mapping
        Variable -> its levels.
    path : Path
        Path of the table in the spec.

    Raises
    ------
    TableFault
    """
    if not given:
        return [cumulate(name, table, known[name], path)]
    parent = known[given[0]]
    if not isinstance(table, dict):
        first = parent.shown[0]
        raise TableFault(
            path, f"the table of '{name}' needs a row for each level of '{given[0]}'", f"Write `{first}: [...]`."
        )
    found = _by_level(given[0], table, parent, path)
    missing = [label for label in parent.shown if label not in found]
    if missing:
        raise TableFault(
            path,
            f"the table of '{name}' has no row for {list_choices(missing, 'and')}",
            f"Write `{missing[0]}: [...]`, the probabilities of {list_choices(known[name].shown, 'and')}.",
        )
    rows = []
    for label in parent.shown:
        key, inside = found[label]
        rows += read_rows(name, inside, given[1:], known, (*path, key))
    return rows


def _by_level(owner: str, mapping: Mapping[Any, Any], levels: Levels, path: Path) -> dict[str, tuple[str, Any]]:
    """Level -> (key, value); a `TableFault` if a key is not a level."""
    found = {levels.spell(str(key)): (str(key), value) for key, value in mapping.items()}
    for label, (key, _) in found.items():
        if label not in levels.shown:
            raise TableFault(
                (*path, key),
                f"'{owner}' has no level {show_text(key)}",
                f"Its levels are {list_choices(levels.shown, 'and')}.",
                "CV084",
                nearest(key, levels.shown),
            )
    return found


def cumulate(name: str, row: Any, levels: Levels, path: Path) -> tuple[float, ...]:
    """Cumulative probabilities of all levels but the last, from a list or a mapping by level."""
    if isinstance(row, dict):
        found = _by_level(name, row, levels, path)
        row = [found[label][1] if label in found else 0.0 for label in levels.shown]
    shares = list(row) if isinstance(row, list | tuple) else []
    sound = all(isinstance(share, int | float) and not isinstance(share, bool) and 0 <= share <= 1 for share in shares)
    if len(shares) != len(levels.shown) or not sound:
        raise TableFault(
            path,
            f"'{name}' needs {len(levels.shown)} probabilities here, of {list_choices(levels.shown, 'and')}",
            "Write numbers between 0 and 1 that sum to 1.",
        )
    total = math.fsum(shares)
    if abs(total - 1) > _SUM_SLACK:
        raise TableFault(path, f"the probabilities of '{name}' sum to {total:.6g} here", "Let them sum to 1.")
    return tuple(math.fsum(shares[:stop]) / total for stop in range(1, len(shares)))
