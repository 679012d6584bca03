"""Readouts of what an output holds: its mean, a column, a colour, a sound, the strokes of a digit, spins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from math import fsum

from torch import Tensor

from causalvae.errors import CausalVAEError
from causalvae.readouts import foreground, sound, strokes
from causalvae.readouts.features import WHOLE, Features, Part, Readout
from causalvae.readouts.spins import SPIN_READOUTS
from causalvae.readouts.sums import exact_sum
from causalvae.readouts.types import period_of
from causalvae.spec.columns import Columns
from causalvae.spec.entries import DataEntry
from causalvae.spec.schema import ReadoutSection

_COLOURS: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "brightness": (foreground.brightness, "share of white"),
    "hue": (foreground.hue, "turns"),
    "saturation": (foreground.saturation, "share of pure"),
}
_SOUNDS: dict[str, tuple[Callable[[Tensor, float], Tensor], str]] = {
    "pitch": (sound.pitch, "Hz"),
    "spectral_centroid": (sound.spectral_centroid, "Hz"),
    "loudness": (lambda wave, rate: sound.loudness(wave), "share of full scale"),
}
_STROKES: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "thickness": (strokes.thickness, "pixels"),
    "intensity": (strokes.intensity, "grey levels"),
}


@dataclass(frozen=True)
class OutputReadout(Readout):
    """An attribute that one formula reads from shared features."""

    formula: Callable[[Features], Tensor]

    def read(self, features: Features) -> Tensor:
        """Measure the attribute from shared features: float64, shape (n,)."""
        return self.formula(features)


@dataclass(frozen=True)
class ColumnReadout(Readout):
    """A column of a table, or the mean of several, in the table's own units.

    Parameters
    ----------
    indices : tuple of int
    columns : Columns or None
        How the columns were scaled; None where outputs are in their own units.
    """

    indices: tuple[int, ...]
    columns: Columns | None

    @property
    def affine(self) -> tuple[float, float]:
        """Offset and span: of several columns their mean offset and largest span."""
        known = self.columns
        if known is None or max(self.indices) >= len(known.names):
            return 0.0, 1.0
        offsets = [known.offset[index] for index in self.indices]
        return fsum(offsets) / len(offsets), max(known.span[index] for index in self.indices)

    def read(self, features: Features) -> Tensor:
        """Measure the attribute from shared features: float64, shape (n,)."""
        return column_of(features.images, self.indices, self.columns)


def build_output_readout(
    attribute: str, section: ReadoutSection, data: DataEntry | None, columns: Columns | None
) -> Readout:
    """The readout of anything but moments, probes and latents.

    Raises
    ------
    CausalVAEError
        CV229 for a column or a sampling rate that nobody tells.
    """
    if section.readout == "column":
        return _build_column(attribute, section, columns)
    if section.readout == "mean" and columns is not None and columns.is_scaled and Part.of(section) == WHOLE:
        every = tuple(range(len(columns.names)))
        return ColumnReadout(attribute, "mean", "mean of all columns", None, every, columns)
    name, unit, formula = _describe(attribute, section, data)
    return OutputReadout(attribute, name, unit, period_of(section), formula)


def _describe(
    attribute: str, section: ReadoutSection, data: DataEntry | None
) -> tuple[str, str, Callable[[Features], Tensor]]:
    readout, part = section.readout, Part.of(section)
    if readout == "mean":
        channel = section.channel
        label = "" if channel is None else f" of channel {channel}"
        return f"mean{label}{part.label}", "output", lambda features: mean_of(features.images, channel, part)
    if readout in _COLOURS:
        of_colour, unit = _COLOURS[readout]
        return readout + part.label, unit, lambda features: of_colour(features.colour(part))
    if readout in _STROKES:
        of_strokes, unit = _STROKES[readout]
        return readout, unit, lambda features: of_strokes(features.images)
    if readout in SPIN_READOUTS:
        of_spins, unit = SPIN_READOUTS[readout]
        return readout, unit, lambda features: of_spins(features.images)
    of_sound, unit = _SOUNDS[readout]
    rate = section.rate or (data.rate if data is not None else None)
    if rate is None and readout != "loudness":
        raise CausalVAEError(
            "CV229",
            f"Readout {readout} is measured in Hz, and the data does not tell its sampling rate.",
            "Add `rate:`, the samples a second.",
            f"graph.attributes.{attribute}",
        )
    return readout, unit, lambda features: of_sound(features.wave, rate or 1.0)


def _build_column(attribute: str, section: ReadoutSection, columns: Columns | None) -> ColumnReadout:
    names = columns.names if columns is not None else ()
    if section.column is None:
        index = section.index or 0
        name = names[index] if index < len(names) else str(index)
        chosen: tuple[int, ...] = (index,)
    else:
        name = section.column
        is_pattern = "*" in name and name not in names
        chosen = tuple(
            at for at, known in enumerate(names) if known == name or (is_pattern and fnmatchcase(known, name))
        )
    if not chosen:
        close = get_close_matches(name, names, 3) or names[:8]
        raise CausalVAEError(
            "CV229",
            f"The data has no column {name}.",
            f"Its columns are {', '.join(close)}{'' if len(close) == len(names) else ', ...'}."
            if names
            else "Give the column's index.",
            f"graph.attributes.{attribute}",
        )
    return ColumnReadout(attribute, f"column {name}", f"units of {name}", None, chosen, columns)


def column_of(outputs: Tensor, indices: tuple[int, ...], columns: Columns | None = None) -> Tensor:
    """One column of tables of shape (n, columns), or the mean of several, in their own units: float64, (n,).

    Parameters
    ----------
    outputs : Tensor, shape (n, columns)
    indices : tuple of int
    columns : Columns, optional
        How the columns were scaled, which is undone; outputs are in their own units where left out.

    Raises
    ------
    CausalVAEError
        CV229 where the outputs are no tables or lack the column.
    """
    if outputs.ndim != 2 or max(indices) >= outputs.shape[1]:
        raise CausalVAEError(
            "CV229",
            f"Outputs of shape {tuple(outputs.shape)} have no column {max(indices)}.",
            "Name a column of a table, or use another readout.",
        )
    scaled = columns if columns is not None and columns.is_scaled and max(indices) < len(columns.names) else None
    if len(indices) == 1:
        alone = outputs[:, indices[0]].double()
        return alone if scaled is None else scaled.offset[indices[0]] + scaled.span[indices[0]] * alone
    chosen = outputs[:, list(indices)]
    if scaled is None:
        return exact_sum(chosen) / len(indices)
    # An exact sum needs values of about 1: the largest span is taken out.
    unit = max(scaled.span[index] for index in indices)
    shares = chosen.double().new_tensor([scaled.span[index] / unit for index in indices])
    middle = fsum(scaled.offset[index] for index in indices) / len(indices)
    return middle + exact_sum(chosen * shares) * (unit / len(indices))


def mean_of(outputs: Tensor, channel: int | None, part: Part) -> Tensor:
    """Mean of outputs of shape (n, ...), or of one channel or a part of pictures: float64, (n,).

    Raises
    ------
    CausalVAEError
        CV229 where the outputs lack the channel, or are no pictures and a part is asked for.
    """
    if (channel is not None and (outputs.ndim < 3 or channel >= outputs.shape[1])) or (
        part != Part() and outputs.ndim != 4
    ):
        raise CausalVAEError(
            "CV229",
            f"Outputs of shape {tuple(outputs.shape)} have no {'part' if channel is None else f'channel {channel}'}"
            f"{part.label} to take the mean of.",
            "Take the mean of another part, or of all.",
        )
    chosen = outputs if channel is None else outputs[:, channel : channel + 1]
    if part != Part():
        chosen, _, _ = part.cut(chosen)
    return exact_sum(chosen) / max(chosen[0].numel() if len(chosen) else 1, 1)
