"""Builds the readouts of a spec and measures all attributes in one pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from causalvae.errors import CausalVAEError
from causalvae.readouts.features import Features, Readout
from causalvae.readouts.probe import Probe, shipped_probe
from causalvae.spec.columns import Columns
from causalvae.spec.entries import DataEntry
from causalvae.spec.readout_section import ReadoutSection

__all__ = ["Features", "ProbeOutput", "Readout", "build_readouts", "measure", "read_all"]


@dataclass(frozen=True)
class ProbeOutput(Readout):
    """The probability that a trained probe gives to one level of a factor."""

    probe: Probe = field(repr=False)
    label: str

    @classmethod
    def shipped(cls, attribute: str, target: str, label: str) -> ProbeOutput:
        """The readout with a shipped probe.

        Raises
        ------
        CausalVAEError
            CV214 or CV215 if there is no probe for the target or it does not have the label.
        """
        probe = shipped_probe(target)
        if label not in probe.labels:
            raise CausalVAEError(
                "CV215",
                f"The {target} probe knows no level {label}.",
                f"Use one of {', '.join(probe.labels)}.",
                f"graph.attributes.{attribute}",
            )
        return cls(attribute, f"probe {target} = {label}", "probability", None, probe, label)

    def read(self, features: Features) -> Tensor:
        """Measure the attribute from shared features, float64, (n,)."""
        return features.probabilities(self.probe)[:, self.probe.labels.index(self.label)]


def build_readouts(
    attributes: Mapping[str, ReadoutSection], data: DataEntry | None = None, columns: Columns | None = None
) -> dict[str, Readout]:
    """The readouts of the attributes of a spec, in its order, without latents.

    Parameters
    ----------
    attributes : mapping
    data : DataEntry, optional
        Known properties of the data (`DataSection.facts`): names of columns of a table, sampling rate of sounds.
    columns : Columns, optional
        Columns of the opened data, whose scaling readouts undo; those of `data`, unscaled, if omitted.

    Raises
    ------
    CausalVAEError
        CV214 or CV215 if there is no probe for the target or it does not have the label, CV229 if a column or the
        sampling rate is unknown.
    """
    if columns is None and data is not None and data.columns:
        columns = Columns.unscaled(data.columns)
    built = {name: section.build(name, data, columns) for name, section in attributes.items()}
    return {name: readout for name, readout in built.items() if readout is not None}


def measure(readouts: Mapping[str, Readout], images: Tensor) -> Tensor:
    """Measure all attributes in one pass over the outputs.

    Parameters
    ----------
    readouts : mapping
        Attribute -> readout, from `build_readouts`.
    images : Tensor, shape (n, channels, height, width), (n, 1, length) or (n, columns)
        Outputs, in [0, 1] for pictures and sounds.

    Returns
    -------
    Tensor, shape (n, n_attributes)
        Float64, on the device of the images, with columns in the order of `readouts`. Without gradients, the geometric
        attributes of an image do not depend on the rest of the batch, bit for bit.
    """
    return read_all(readouts, Features(images))


def read_all(readouts: Mapping[str, Readout], features: Features) -> Tensor:
    """Measure all attributes from given features; see `measure`."""
    columns = [readout.read(features) for readout in readouts.values()]
    if not columns:
        images = features.images
        return torch.empty((len(images), 0), dtype=torch.float64, device=images.device)
    return torch.stack(columns, dim=1)
