"""Readouts from a formula of moments, colours or waves, and readouts of columns and means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from math import fsum

from torch import Tensor

from causalvae.errors import CausalVAEError
from causalvae.readouts.features import Features, Part, Readout
from causalvae.readouts.geometry import Moments
from causalvae.readouts.sums import exact_sum
from causalvae.readouts.types import ReadoutCheck, Seen
from causalvae.spec.columns import Columns
from causalvae.spec.entries import DataEntry
from causalvae.spec.readout_section import PartSection, RateSection


@dataclass(frozen=True)
class OutputReadout(Readout):
    """An attribute computed by a formula from shared features."""

    formula: Callable[[Features], Tensor]

    def read(self, features: Features) -> Tensor:
        """Measure the attribute from shared features, float64, (n,)."""
        return self.formula(features)


@dataclass(frozen=True)
class ColumnOutput(Readout):
    """A column of a table, or the mean of several, in the units of the table.

    Parameters
    ----------
    indices : tuple of int
    columns : Columns or None
        Scaling of the columns; None if outputs are not scaled.
    """

    indices: tuple[int, ...]
    columns: Columns | None

    @classmethod
    def named(cls, attribute: str, column: str | None, index: int | None, columns: Columns | None) -> ColumnOutput:
        """The readout of a column by name, pattern or index.

        Raises
        ------
        CausalVAEError
            CV229 if the data lack the column.
        """
        names = columns.names if columns is not None else ()
        if column is None:
            at = index or 0
            name = names[at] if at < len(names) else str(at)
            chosen: tuple[int, ...] = (at,)
        else:
            name = column
            is_pattern = "*" in name and name not in names
            chosen = tuple(
                at for at, known in enumerate(names) if known == name or (is_pattern and fnmatchcase(known, name))
            )
        if not chosen:
            close = get_close_matches(name, names, 3) or names[:8]
            raise CausalVAEError(
                "CV229",
                f"The data have no column {name}.",
                f"Its columns are {', '.join(close)}{'' if len(close) == len(names) else ', ...'}."
                if names
                else "Give the column's index.",
                f"graph.attributes.{attribute}",
            )
        return cls(attribute, f"column {name}", f"units of {name}", None, chosen, columns)

    @property
    def affine(self) -> tuple[float, float]:
        """Offset and span; for several columns the mean offset and the largest span."""
        known = self.columns
        if known is None or max(self.indices) >= len(known.names):
            return 0.0, 1.0
        offsets = [known.offset[index] for index in self.indices]
        return fsum(offsets) / len(offsets), max(known.span[index] for index in self.indices)

    def read(self, features: Features) -> Tensor:
        """Measure the attribute from shared features, float64, (n,)."""
        return column_of(features.images, self.indices, self.columns)


def moment_readout(
    attribute: str,
    section: PartSection,
    name: str,
    unit: str,
    formula: Callable[[Moments], Tensor],
    judge: Callable[[Seen], ReadoutCheck],
) -> OutputReadout:
    """A readout computed from moments of the light; `judge` compares it with the truth of dSprites."""
    part = Part.of(section)
    return OutputReadout(
        attribute,
        name + part.label,
        unit,
        section.period,
        lambda features: formula(features.moments(part)),
        judge=judge,
    )


def colour_readout(
    attribute: str, section: PartSection, unit: str, formula: Callable[[Tensor], Tensor]
) -> OutputReadout:
    """A readout computed from the mean colour of the foreground, (n, 3)."""
    part = Part.of(section)
    return OutputReadout(
        attribute, section.readout + part.label, unit, section.period, lambda features: formula(features.colour(part))
    )


def sound_readout(
    attribute: str, section: RateSection, data: DataEntry | None, formula: Callable[[Tensor, float], Tensor]
) -> OutputReadout:
    """A readout in Hz computed from waves and their sampling rate.

    Raises
    ------
    CausalVAEError
        CV229 if the sampling rate is unknown.
    """
    rate = section.rate or (data.rate if data is not None else None)
    if rate is None:
        raise CausalVAEError(
            "CV229",
            f"Readout {section.readout} is measured in Hz, and the data do not contain the sampling rate.",
            "Add `rate:`, the samples a second.",
            f"graph.attributes.{attribute}",
        )
    return OutputReadout(
        attribute, section.readout, "Hz", section.period, lambda features: formula(features.wave, rate)
    )


def column_of(outputs: Tensor, indices: tuple[int, ...], columns: Columns | None = None) -> Tensor:
    """One column of a table, or the mean of several, in the units of the table: float64, (n,).

    Parameters
    ----------
    outputs : Tensor, shape (n, columns)
    indices : tuple of int
    columns : Columns, optional
        Scaling to undo; none if omitted.

    Raises
    ------
    CausalVAEError
        CV229 if the outputs are not tables or lack the column.
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
    # An exact sum needs values of about 1, so the largest span is factored out.
    unit = max(scaled.span[index] for index in indices)
    shares = chosen.double().new_tensor([scaled.span[index] / unit for index in indices])
    middle = fsum(scaled.offset[index] for index in indices) / len(indices)
    return middle + exact_sum(chosen * shares) * (unit / len(indices))


def mean_of(outputs: Tensor, channel: int | None, part: Part) -> Tensor:
    """Mean of outputs, (n, ...), or of one channel or a part of pictures: float64, (n,).

    Raises
    ------
    CausalVAEError
        CV229 if the outputs lack the channel, or a part is given and they are not pictures.
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
