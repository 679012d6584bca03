"""Readouts by name: what a spec's attributes are measured with, one by one or all in one pass over the outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from causalvae.errors import CausalVAEError
from causalvae.readouts import geometry
from causalvae.readouts.features import WHOLE, Features, Part, Readout
from causalvae.readouts.geometry import Moments
from causalvae.readouts.output import build_output_readout
from causalvae.readouts.probe import Probe, shipped_probe
from causalvae.readouts.types import period_of
from causalvae.spec.columns import Columns
from causalvae.spec.entries import DataEntry
from causalvae.spec.schema import ReadoutSection

__all__ = ["Features", "MomentReadout", "ProbeReadout", "Readout", "build_readouts", "measure", "read_all"]

_MOMENT_READOUTS: dict[tuple[str, str | None], tuple[Callable[[Moments], Tensor], str]] = {
    ("area", None): (geometry.area, "pixels"),
    ("centroid", "x"): (geometry.centroid_x, "pixels"),
    ("centroid", "y"): (geometry.centroid_y, "pixels"),
    ("orientation", None): (geometry.orientation, "radians"),
    ("extent", "major"): (geometry.extent_major, "pixels"),
    ("extent", "minor"): (geometry.extent_minor, "pixels"),
}


@dataclass(frozen=True)
class MomentReadout(Readout):
    """An attribute that follows from the moments of the light."""

    formula: Callable[[Moments], Tensor]
    part: Part = WHOLE

    def read(self, features: Features) -> Tensor:
        """Measure the attribute from shared features: float64, shape (n,)."""
        return self.formula(features.moments(self.part))


@dataclass(frozen=True)
class ProbeReadout(Readout):
    """The probability that a trained probe gives to one level of a factor."""

    probe: Probe = field(repr=False)
    label: str

    def read(self, features: Features) -> Tensor:
        """Measure the attribute from shared features: float64, shape (n,)."""
        return features.probabilities(self.probe)[:, self.probe.labels.index(self.label)]


def build_readouts(
    attributes: Mapping[str, ReadoutSection], data: DataEntry | None = None, columns: Columns | None = None
) -> dict[str, Readout]:
    """The readouts that a spec's attributes ask for, in the spec's order, without those that are latents.

    Parameters
    ----------
    attributes : mapping
    data : DataEntry, optional
        What is known of the data (`causalvae.spec.catalogue.known_data`): the names of a table's columns, and the
        sampling rate of sounds.
    columns : Columns, optional
        The columns of the opened data: their readouts undo their scaling. Those of `data`, unscaled, where left out.

    Raises
    ------
    CausalVAEError
        CV210 where an attribute lacks what its readout needs or gives what it does not know, CV214 or CV215 where
        there is no probe for the target or the probe knows no such label, CV229 for a column or a sampling rate that
        nobody tells.
    """
    if columns is None and data is not None and data.columns:
        columns = Columns.unscaled(data.columns)
    return {
        attribute: _build(attribute, section, data, columns)
        for attribute, section in attributes.items()
        if section.readout != "latent"
    }


def _build(attribute: str, section: ReadoutSection, data: DataEntry | None, columns: Columns | None) -> Readout:
    if section.readout == "probe":
        return _build_probe(attribute, section)
    if section.target is not None or section.label is not None:
        raise CausalVAEError(
            "CV210",
            f"Readout {section.readout} takes no target and no label.",
            "Leave them out, or use readout: probe.",
            f"graph.attributes.{attribute}",
        )
    found = _MOMENT_READOUTS.get((section.readout, section.axis))
    if found is not None:
        formula, unit = found
        name = f"{section.readout} {section.axis}" if section.axis else section.readout
        part = Part.of(section)
        return MomentReadout(attribute, name + part.label, unit, period_of(section), formula, part)
    axes = [axis for readout, axis in _MOMENT_READOUTS if readout == section.readout and axis is not None]
    if axes or section.axis is not None:
        raise CausalVAEError(
            "CV210",
            f"Readout {section.readout} does not go with axis {section.axis or '(none)'}.",
            f"Give axis: {' or '.join(axes)}." if axes else "Leave axis out.",
            f"graph.attributes.{attribute}",
        )
    return build_output_readout(attribute, section, data, columns)


def _build_probe(attribute: str, section: ReadoutSection) -> Readout:
    place = f"graph.attributes.{attribute}"
    if section.target is None or section.label is None or section.axis is not None:
        raise CausalVAEError(
            "CV210",
            "Readout probe takes a target and a label, and no axis.",
            "Write for instance {readout: probe, target: shape, label: heart}.",
            place,
        )
    probe = shipped_probe(section.target)
    if section.label not in probe.labels:
        raise CausalVAEError(
            "CV215",
            f"The {section.target} probe knows no level {section.label}.",
            f"Use one of {', '.join(probe.labels)}.",
            place,
        )
    name = f"probe {section.target} = {section.label}"
    return ProbeReadout(attribute, name, "probability", None, probe, section.label)


def measure(readouts: Mapping[str, Readout], images: Tensor) -> Tensor:
    """Measure every attribute in one pass over the outputs.

    Parameters
    ----------
    readouts : mapping
        Attribute -> readout, as `build_readouts` gives them.
    images : Tensor, shape (n, channels, height, width), (n, 1, length) or (n, columns)
        Outputs, in [0, 1] where they are pictures or sounds.

    Returns
    -------
    Tensor, shape (n, n_attributes)
        Float64, on the images' device; columns in the order of `readouts`. A row depends on its image alone: without
        a gradient the geometric attributes are equal bit for bit whatever else is in the batch.
    """
    return read_all(readouts, Features(images))


def read_all(readouts: Mapping[str, Readout], features: Features) -> Tensor:
    """`measure`, for a caller that has further use for the features."""
    columns = [readout.read(features) for readout in readouts.values()]
    if not columns:
        images = features.images
        return torch.empty((len(images), 0), dtype=torch.float64, device=images.device)
    return torch.stack(columns, dim=1)
