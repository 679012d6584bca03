"""The spec's attributes: how each is measured, and which keys each way of measuring has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import Field, model_validator

from causalvae.spec.section import Fraction, Index, Name, Section

Rate = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]


class ReadoutSection(Section):
    """How an attribute is measured: on the decoded output, or on the latent that the decoder receives."""

    readout: Literal[
        "area",
        "centroid",
        "orientation",
        "extent",
        "probe",
        "latent",
        "brightness",
        "hue",
        "saturation",
        "mean",
        "column",
        "pitch",
        "loudness",
        "spectral_centroid",
        "thickness",
        "intensity",
        "magnetisation",
        "order",
        "alignment",
        "energy",
    ] = Field(
        description=(
            "Pictures: area, centroid, orientation and extent of the light, or of what stands out from the background "
            "in RGB, and its brightness, hue and saturation; thickness and intensity of strokes. Sounds: pitch, "
            "loudness, spectral_centroid. Tables: column. Rows of spins: magnetisation, order, alignment, energy. Any "
            "output: mean. latent: a latent; probe: a trained probe."
        )
    )
    axis: Literal["x", "y", "major", "minor"] | None = Field(
        default=None, description="centroid: x or y; extent: major or minor."
    )
    target: Name | None = Field(default=None, description="probe: the factor that it was trained to read.")
    label: str | None = Field(default=None, description="probe: the level whose probability is the attribute.")
    index: Index | None = Field(
        default=None,
        description=(
            "latent: which latent (runs of attributes that are all latents stop there); column: which column, from 0."
        ),
    )
    column: str | None = Field(
        default=None,
        max_length=200,
        description="column: its name, in place of index; with *, as in P1_*, the mean of all whose names match.",
    )
    channel: Index | None = Field(default=None, description="mean: this channel alone, from 0.")
    rows: tuple[Fraction, Fraction] | None = Field(
        default=None, description="Measure a part of the picture: from and to, as shares of its height from the top."
    )
    columns: tuple[Fraction, Fraction] | None = Field(
        default=None, description="Measure a part of the picture: from and to, as shares of its width from the left."
    )
    rate: Rate | None = Field(default=None, description="Sounds: samples a second; the data's own if left out.")

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        """``readout: {column: NAME}`` says ``readout: column, column: NAME``."""
        short = value.get("readout") if isinstance(value, dict) else None
        if isinstance(short, dict) and set(short) == {"column"} and "column" not in value:
            return {**value, "readout": "column", "column": short["column"]}
        return value


@dataclass(frozen=True)
class ReadoutKeys:
    """The keys of one way of measuring, and what it measures.

    Parameters
    ----------
    needs, may : tuple of str
        Keys that must, and that may be given.
    of : {"picture", "colour", "sound", "table", "output"}
        What it is measured on: pictures of one channel or in RGB, pictures in RGB, sounds, tables, or anything.
    """

    needs: tuple[str, ...] = ()
    may: tuple[str, ...] = ()
    of: Literal["picture", "colour", "sound", "table", "output"] = "output"

    @property
    def all(self) -> tuple[str, ...]:
        """All keys."""
        return (*self.needs, *self.may)


_PART: Final = ("rows", "columns")
READOUT_KEYS: Final[dict[str, ReadoutKeys]] = {
    "area": ReadoutKeys(may=_PART, of="picture"),
    "centroid": ReadoutKeys(("axis",), _PART, "picture"),
    "orientation": ReadoutKeys(may=_PART, of="picture"),
    "extent": ReadoutKeys(("axis",), _PART, "picture"),
    "probe": ReadoutKeys(("target", "label")),
    "latent": ReadoutKeys(("index",)),
    "brightness": ReadoutKeys(may=_PART, of="colour"),
    "hue": ReadoutKeys(may=_PART, of="colour"),
    "saturation": ReadoutKeys(may=_PART, of="colour"),
    "mean": ReadoutKeys(may=("channel", *_PART)),
    "column": ReadoutKeys(may=("column", "index"), of="table"),
    "pitch": ReadoutKeys(may=("rate",), of="sound"),
    "loudness": ReadoutKeys(of="sound"),
    "spectral_centroid": ReadoutKeys(may=("rate",), of="sound"),
    "thickness": ReadoutKeys(of="picture"),
    "intensity": ReadoutKeys(of="picture"),
    "magnetisation": ReadoutKeys(of="table"),
    "order": ReadoutKeys(of="table"),
    "alignment": ReadoutKeys(of="table"),
    "energy": ReadoutKeys(of="table"),
}
READOUT_FIELDS: Final = ("axis", "target", "label", "index", "column", "channel", "rows", "columns", "rate")
READOUT_AXES: Final[dict[str, tuple[str, str]]] = {"centroid": ("x", "y"), "extent": ("major", "minor")}
