"""Own npz files: an array of inputs, one row per sample, and one array per factor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from causalvae.data.factors import IntArray
from causalvae.data.files.binary import map_member, members_of
from causalvae.data.files.labelled import Samples
from causalvae.data.files.own_factors import open_own, read_array, read_names
from causalvae.data.files.refusals import absent, misshapen, no_such
from causalvae.errors import CausalVAEError
from causalvae.spec.columns import Columns

if TYPE_CHECKING:
    from torch import Tensor

    from causalvae.data.kinds.npz import NpzData

_WHAT: Final = "an npz"
_REMEDY: Final = "Give data.path a file that numpy.savez wrote: numbers in the inputs, one sample a row."
_ROWS: Final = 4096
_CHANNELS: Final = (1, 3, 4)
_MOST_WAVES: Final = 2
_LEAST_LENGTH: Final = 64


class ArrayInputs:
    """Rows of an array as inputs, read on demand.

    Parameters
    ----------
    array : number array, shape (n, ...)
        Memory-mapped.
    channels_last : bool
        Whether the last axis of inputs is moved to the front.
    add_channel : bool
        Whether a first axis of length 1 is added to inputs.
    low, span : float
        An input is (array - low) / span.
    columns : Columns, optional
        Names and scaling if inputs are rows of a table.
    """

    def __init__(
        self,
        array: npt.NDArray[Any],
        channels_last: bool,
        add_channel: bool,
        low: float,
        span: float,
        columns: Columns | None = None,
    ) -> None:
        self._array, self._last, self._add = array, channels_last, add_channel
        self._low, self._span = low, span
        self.columns = columns

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input."""
        shape = tuple(self._array.shape[1:])
        if self._last:
            return (shape[-1], *shape[:-1])
        return (1, *shape) if self._add else shape

    def read(self, numbers: IntArray) -> Tensor:
        """Inputs with these numbers, float32, (n, *input_shape)."""
        import torch

        rows = np.asarray(self._array[numbers], dtype=np.float64)
        scaled = ((rows - self._low) / self._span).astype(np.float32)
        turned = np.moveaxis(scaled, -1, 1) if self._last else scaled
        # Always copied: a single channel would keep channels-last strides, with which `view(n, -1)` in networks fails.
        copied = torch.from_numpy(turned).clone(memory_format=torch.contiguous_format)
        return copied.reshape(len(numbers), *self.input_shape)


def open_npz(section: NpzData, path: Path) -> Samples:
    """Open own arrays; inputs are memory-mapped, and unpacked to a temporary file first if compressed.

    Raises
    ------
    CausalVAEError
        CV230 if there is no file, CV231 if it is not an npz or its arrays do not match, CV233 if there is no space to
        unpack it, CV234 for missing arrays, CV235 for inputs or factors that are not finite, CV236 for factors of
        another kind than declared.
    """
    if not path.is_file():
        raise absent(path, _WHAT, _REMEDY)
    present = members_of(path, _WHAT, _REMEDY)
    if section.inputs not in present:
        raise no_such(section.inputs, present, "data.inputs", path)
    array = map_member(path, section.inputs, _WHAT, _REMEDY)
    if array.dtype.kind not in "biuf" or array.ndim < 2 or not array.size:
        found = f"shape {array.shape} of {array.dtype}"
        raise misshapen(path, _WHAT, f"numbers in {section.inputs}, one sample a row", found, _REMEDY)
    columns = {}
    for factor in section.factors:
        name, field = section.column_of(factor), f"data.factors.{factor}"
        columns[factor] = read_array(factor, _entries(name, field, "a sample", len(array), present, path), path)
    images = array.ndim == 4 and array.shape[-1] in _CHANNELS and array.shape[1] not in _CHANNELS
    last = section.layout == "channels_last" or (section.layout == "auto" and images)
    if last and array.ndim < 3:
        raise misshapen(path, _WHAT, "inputs with channels in their last axis", f"shape {array.shape}", _REMEDY)
    low, high = _range_of(array, section, path)
    span = (high - low) or 1.0
    names = _names(section, array, present, path)
    table = Columns(names, (low,) * len(names), (span,) * len(names)) if array.ndim == 2 else None
    # One or two long rows are channels of a wave: no image is that flat.
    drawn = array.ndim == 3 and not (array.shape[1] <= _MOST_WAVES and array.shape[2] >= _LEAST_LENGTH)
    source = ArrayInputs(array, last, section.layout == "auto" and drawn, low, span, table)
    facts = {"origin": "the user's arrays", "file": path.name, "scale": f"[{low:g}, {high:g}] to [0, 1]"}
    return open_own("npz", columns, section.factors, source, len(array), facts, path)


def _entries(name: str, field: str, each: str, count: int, present: Sequence[str], path: Path) -> npt.NDArray[Any]:
    """An array with one entry per sample or column, (count,); trailing axes of length 1 are removed."""
    if name not in present:
        raise no_such(name, present, field, path)
    array = map_member(path, name, _WHAT, _REMEDY)
    if array.shape[:1] != (count,) or array.size != count:
        expected = f"{count} entries in {name}, one {each}"
        remedy = f"Give {field} an array of shape ({count},)."
        raise misshapen(path, _WHAT, expected, f"shape {array.shape}", remedy)
    return np.asarray(array).reshape(count)


def _names(section: NpzData, array: npt.NDArray[Any], present: Sequence[str], path: Path) -> tuple[str, ...]:
    """Names of the columns of a table, from an array of the file or 0, 1, 2, ..."""
    if section.names is None:
        return tuple(map(str, range(array.shape[1])))
    if array.ndim != 2:
        found = f"shape {array.shape}"
        raise misshapen(path, _WHAT, "rows of a table where data.names is given", found, "Delete data.names.")
    found_names = _entries(section.names, "data.names", "a column", array.shape[1], present, path)
    names = read_names(found_names)
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise misshapen(path, _WHAT, f"different names in {section.names}", f"{twice!r} twice", "Rename one of them.")
    return names


def _range_of(array: npt.NDArray[Any], section: NpzData, path: Path) -> tuple[float, float]:
    """The values scaled to 0 and 1; CV235 for inputs that are not finite, or too large for single precision."""
    declared = section.scale if isinstance(section.scale, tuple) else (0.0, 1.0)
    if array.dtype.kind != "f" and section.scale != "found":
        return declared
    if array.dtype == np.uint8 and section.scale == "found":
        # Bytes are pictures, with a range of 0 to 255.
        return 0.0, 255.0
    low, high = np.inf, -np.inf
    for start in range(0, len(array), _ROWS):
        rows = np.asarray(array[start : start + _ROWS], dtype=np.float64)
        odd = np.flatnonzero(~np.isfinite(rows))
        if len(odd):
            raise _not_finite(section.inputs, start, rows.shape, int(odd[0]), f"{rows.flat[odd[0]]:g}", path)
        low, high = min(low, float(rows.min())), max(high, float(rows.max()))
        offset, span = (low, high - low) if section.scale == "found" else (declared[0], declared[1] - declared[0])
        largest = float(np.finfo(np.float32).max)
        if not np.isfinite(span) or max(abs(low - offset), abs(high - offset)) / (span or 1.0) > largest:
            worst = int(np.abs(rows - offset).argmax())
            found = f"{rows.flat[worst]:g}, too large for single precision"
            raise _not_finite(section.inputs, start, rows.shape, worst, found, path)
    return (low, high) if section.scale == "found" else declared


def _not_finite(name: str, start: int, shape: tuple[int, ...], at: int, found: str, path: Path) -> CausalVAEError:
    row, *position = (int(index) for index in np.unravel_index(at, shape))
    where = ", ".join(map(str, position))
    return CausalVAEError(
        "CV235",
        f"{name}[{start + row}, {where}] is {found}: the input of sample {start + row}, position ({where}), both "
        "counted from 0.",
        "Remove the sample, or fill in what is missing.",
        str(path),
    )
