"""Base class of the attributes of specs; each kind of readout is a module of `causalvae.readouts.kinds`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal

from pydantic import Field

from causalvae.spec.columns import Columns
from causalvae.spec.diagnostics import Finding, Path
from causalvae.spec.entries import DataEntry
from causalvae.spec.markers import Tagged
from causalvae.spec.registry import Kind, Registry
from causalvae.spec.section import Fraction, Section

if TYPE_CHECKING:
    from causalvae.readouts.features import Readout

# Keys that every attribute had in the first version of digests, null if unused.
_ONCE_SHARED: Final = ("axis", "target", "label", "index", "column", "channel", "rows", "columns", "rate")
Measured = Literal["picture", "colour", "sound", "table", "output"]
Rate = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]


class ReadoutSection(Kind, Section):
    """The measurement of an attribute on the decoded output, or on the latent that the decoder receives.

    Attributes
    ----------
    of : {"picture", "colour", "sound", "table", "output"}
        Kind of data: pictures with one channel or RGB, RGB pictures, sounds, tables, or any.
    period : float or None
        Period of a cyclic attribute.
    short_key : str
        The key of VALUE in the short form ``readout: {NAME: VALUE}``; empty if there is none.
    least_r2 : float
        Minimum R^2 with the truth to trust the readout.
    """

    must_define: ClassVar[tuple[str, ...]] = ("build",)
    of: ClassVar[Measured] = "output"
    period: ClassVar[float | None] = None
    short_key: ClassVar[str] = ""
    least_r2: ClassVar[float] = 0.98

    readout: str

    @property
    def record(self) -> dict[str, Any]:
        """The section as used in digests, stable across versions."""
        return dict.fromkeys(_ONCE_SHARED) | self.model_dump(mode="json")

    @property
    def latent_index(self) -> int | None:
        """Index of the latent that is the attribute; None if it is measured on outputs."""
        return None

    def findings(self, name: str, path: Path, source: DataEntry | None) -> list[Finding]:
        """Findings on combinations of keys, or on keys and data.

        Parameters
        ----------
        name : str
            The attribute.
        path : tuple
            Path of the attribute in the spec.
        source : DataEntry or None
            Known properties of the data before it is opened.
        """
        return []

    def build(self, attribute: str, data: DataEntry | None, columns: Columns | None) -> Readout | None:
        """The readout of outputs; None for an attribute that is a latent.

        Parameters
        ----------
        attribute : str
        data : DataEntry or None
            Known properties of the data, such as the sampling rate of sounds.
        columns : Columns or None
            Names and scaling of the columns of a table.

        Raises
        ------
        CausalVAEError
            If the data lack something that the readout needs.
        """
        raise NotImplementedError


class PartSection(ReadoutSection):
    """A readout of pictures that may be limited to a part of them."""

    rows: tuple[Fraction, Fraction] | None = Field(
        default=None, description="Measure a part of the picture: from and to, as shares of its height from the top."
    )
    columns: tuple[Fraction, Fraction] | None = Field(
        default=None, description="Measure a part of the picture: from and to, as shares of its width from the left."
    )

    def findings(self, name: str, path: Path, source: DataEntry | None) -> list[Finding]:
        """A finding for each range without extent."""
        return [
            Finding(
                "CV038",
                (*path, key),
                f"'{name}' has nothing to measure in {key} {part[0]:g} to {part[1]:g}",
                "Write the lower share first.",
            )
            for key, part in (("rows", self.rows), ("columns", self.columns))
            if part is not None and part[0] >= part[1]
        ]


class RateSection(ReadoutSection):
    """A readout of sounds in Hz."""

    of: ClassVar[Measured] = "sound"

    rate: Rate | None = Field(default=None, description="Samples per second; by default those of the data.")

    def findings(self, name: str, path: Path, source: DataEntry | None) -> list[Finding]:
        """A finding if neither the spec nor the data give the rate."""
        if self.rate is not None or source is None or source.rate is not None or source.input_shape[-2:-1] != (1,):
            return []
        return [
            Finding(
                "CV038",
                (*path, "rate"),
                f"the readout '{self.readout}' of '{name}' needs rate: the data do not contain it",
                "Add `rate: ...`, the samples a second.",
            )
        ]


class _ReadoutTag(Tagged):
    def long_form(self, value: Mapping[str, Any]) -> Mapping[str, Any]:
        """Expand ``readout: {column: NAME}`` to ``readout: column, column: NAME``."""
        short = value.get("readout")
        if not isinstance(short, dict) or len(short) != 1:
            return value
        [(name, given)] = short.items()
        kind = READOUTS.find(name)
        if kind is None or not kind.short_key or kind.short_key in value:
            return value
        return {**value, "readout": name, kind.short_key: given}


READOUTS: Final = Registry(ReadoutSection, "causalvae.readouts.kinds", "causalvae.readouts", "readout")
READOUT_TAG: Final = _ReadoutTag(READOUTS, "readout")
AnyReadout = Annotated[ReadoutSection, READOUT_TAG]
