"""Changes of values relative to the clean run: everywhere, inside a window, or in a few units.

All rows of a batch have a change of the same shape and are computed together; the changed units may differ by row.
Only image-shaped values, (channels, height, width), have windows.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

Window = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Whole:
    """A value at every position, (rows, *shape)."""

    value: Tensor


@dataclass(frozen=True)
class Box:
    """A value that equals the clean one outside a window; `value` has shape (rows, channels, *window sizes)."""

    window: Window
    value: Tensor


@dataclass(frozen=True)
class Few:
    """A value that equals the clean one except in a few units of each row, inside a window.

    Parameters
    ----------
    units : Tensor, int, shape (rows, k)
    window : Window
        Half-open ranges along the axes after that of the units; empty for a vector.
    value : Tensor, shape (rows, k, *window sizes)
    """

    units: Tensor
    window: Window
    value: Tensor


Change = Whole | Box | Few


def gather(clean: Tensor, pairs: Tensor) -> Tensor:
    """Rows `pairs` of a clean value, in its memory layout."""
    if clean.ndim != 4 or clean.stride(1) != 1:
        return clean.index_select(0, pairs)
    return clean.permute(0, 2, 3, 1).index_select(0, pairs).permute(0, 3, 1, 2)


def gather_window(clean: Tensor, window: Window, pairs: Tensor) -> Tensor:
    """Rows `pairs` of a clean value inside a window."""
    return gather(clean[(slice(None), slice(None), *slices(window))], pairs)


def gather_units(clean: Tensor, change: Few, pairs: Tensor) -> Tensor:
    """The clean value at the positions of `change`, (rows, k, *window sizes)."""
    inside = clean[(slice(None), slice(None), *slices(change.window))]
    return inside[pairs[:, None], change.units]


def slices(window: Window) -> tuple[slice, ...]:
    """A window as slices."""
    return tuple(slice(start, stop) for start, stop in window)


def make_whole(change: Change, clean: Tensor, pairs: Tensor) -> Tensor:
    """The value at every position, (rows, *shape)."""
    if isinstance(change, Whole):
        return change.value
    value = gather(clean, pairs)
    if isinstance(change, Box):
        value[(slice(None), slice(None), *slices(change.window))] = change.value
        return value
    rows = torch.arange(len(pairs), device=value.device)[:, None]
    value[(slice(None), slice(None), *slices(change.window))][rows, change.units] = change.value
    return value


def make_box(change: Few, clean: Tensor, pairs: Tensor) -> Box:
    """The change as a box: all channels inside its window."""
    value = gather_window(clean, change.window, pairs)
    rows = torch.arange(len(pairs), device=value.device)[:, None]
    value[rows, change.units] = change.value
    return Box(change.window, value)


def crop(change: Change, window: Window, clean: Tensor, pairs: Tensor) -> Tensor:
    """The value inside `window`, which contains the change: (rows, channels, *window sizes)."""
    if isinstance(change, Whole):
        return change.value[(slice(None), slice(None), *slices(window))]
    if isinstance(change, Few):
        change = make_box(change, clean, pairs)
    if change.window == window:
        return change.value
    value = gather_window(clean, window, pairs)
    inner = tuple(
        (start - outer, stop - outer) for (start, stop), (outer, _) in zip(change.window, window, strict=True)
    )
    value[(slice(None), slice(None), *slices(inner))] = change.value
    return value


def covering(windows: list[Window]) -> Window:
    """The smallest window that contains all of `windows`."""
    return tuple(
        (min(start for start, _ in axis), max(stop for _, stop in axis)) for axis in zip(*windows, strict=True)
    )
