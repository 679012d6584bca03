"""How a value differs from its clean one: everywhere, inside a window, or in a few units.

A batch's rows share the shape of their change, so that it is computed at once; which units changed may differ by row.
Image-shaped values, (channels, height, width), change inside windows; vectors change as a whole or in a few units.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

Window = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Whole:
    """A value computed for every position: (rows, *shape)."""

    value: Tensor


@dataclass(frozen=True)
class Box:
    """A value that equals the clean one outside a window: inside, (rows, channels, *window sizes)."""

    window: Window
    value: Tensor


@dataclass(frozen=True)
class Few:
    """A value that equals the clean one but for a few units of each row, there inside a window.

    Parameters
    ----------
    units : Tensor, int, shape (rows, k)
    window : Window
        Half-open ranges along the axes after the units'; empty for a vector.
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
    """The same inside a window."""
    return gather(clean[(slice(None), slice(None), *slices(window))], pairs)


def gather_units(clean: Tensor, change: Few, pairs: Tensor) -> Tensor:
    """The clean value where `change` changes it: (rows, k, *window sizes)."""
    inside = clean[(slice(None), slice(None), *slices(change.window))]
    return inside[pairs[:, None], change.units]


def slices(window: Window) -> tuple[slice, ...]:
    """A window as an index."""
    return tuple(slice(start, stop) for start, stop in window)


def make_whole(change: Change, clean: Tensor, pairs: Tensor) -> Tensor:
    """The value at every position."""
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
    """All channels inside the window of a change of a few."""
    value = gather_window(clean, change.window, pairs)
    rows = torch.arange(len(pairs), device=value.device)[:, None]
    value[rows, change.units] = change.value
    return Box(change.window, value)


def crop(change: Change, window: Window, clean: Tensor, pairs: Tensor) -> Tensor:
    """The value of any change inside `window`, which holds all that it changes."""
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
    """The smallest window around all of `windows`."""
    return tuple(
        (min(start for start, _ in axis), max(stop for _, stop in axis)) for axis in zip(*windows, strict=True)
    )
