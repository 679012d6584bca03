"""The key `grid`: paths with several values each, every combination of which is a run."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Final

from causalvae.spec.diagnostics import Diagnostic, printable, show_text
from causalvae.spec.placing import fault_at
from causalvae.spec.settings import GRID, SettingError, set_at
from causalvae.spec.yaml_tree import Node

KEY: Final = GRID
MOST_POINTS: Final = 200


@dataclass(frozen=True)
class Point:
    """One combination of a grid's values.

    Parameters
    ----------
    label : str
        Such as ``samples=64, alpha=0.01``.
    root : Node
        The spec with these values.
    """

    label: str
    root: Node


def open_grid(root: Node, grid: Node | None) -> tuple[tuple[Point, ...], list[Diagnostic]]:
    """The points of a grid, the last key varying fastest, and the faults of the section.

    Parameters
    ----------
    root : Node
        The spec without its grid.
    grid : Node or None
    """
    if grid is None or (grid.kind == "scalar" and grid.value is None):
        return (), []
    if grid.kind != "mapping":
        return (), [fault_at(grid, "CV022", "`grid` is a mapping of paths to lists", "Write `grid: {PATH: [VALUES]}`.")]
    faults = [
        fault_at(values, "CV046", f"'{path}' has no list of values", "Write `PATH: [VALUE, VALUE]`.")
        for path, (_, values) in grid.entries.items()
        if values.kind != "sequence" or not values.items
    ]
    sizes = prod(max(len(values.items), 1) for _, values in grid.entries.values())
    if not grid.entries or sizes > MOST_POINTS:
        said = f"the grid has {sizes:,} runs, more than {MOST_POINTS}" if grid.entries else "the grid is empty"
        faults.append(fault_at(grid, "CV046", said, "Write fewer values." if grid.entries else "Delete the key."))
    if faults:
        return (), faults
    axes = [(key, values.items) for key, values in grid.entries.values()]
    short = _short_names([key.text for key, _ in axes])
    points = []
    for chosen in product(*(range(len(values)) for _, values in axes)):
        made, label = root, []
        for (key, values), place, name in zip(axes, chosen, short, strict=True):
            value = values[place]
            try:
                made = set_at(made, key, value)
            except SettingError as error:
                return (), [error.fault]
            # What is no single value is named by its place.
            label.append(f"{name}={printable(value.text) if value.kind == 'scalar' else place}")
        points.append(Point(", ".join(label), made))
    labels = [point.label for point in points]
    if twice := next((label for label in labels if labels.count(label) > 1), ""):
        said = f"two points of the grid are {show_text(twice, 60)}"
        return (), [fault_at(grid, "CV046", said, "Write values that differ, and as text differ too.")]
    return tuple(points), []


def _short_names(paths: list[str]) -> list[str]:
    """The last key of each path; the whole path where two have the same."""
    last = [path.rpartition(".")[2] for path in paths]
    return last if len(set(last)) == len(last) else paths
