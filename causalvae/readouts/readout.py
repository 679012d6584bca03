"""Readouts by name: what a spec's attributes are measured with, one by one or all in one pass over the outputs."""

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
        """A probe that the package ships.

        Raises
        ------
        CausalVAEError
            CV214 or CV215 where there is no probe for the target or the probe knows no such label.
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
        What is known of the data (`DataSection.facts`): the names of a table's columns, and the
        sampling rate of sounds.
    columns : Columns, optional
        The columns of the opened data: their readouts undo their scaling. Those of `data`, unscaled, where left out.

    Raises
    ------
    CausalVAEError
        CV214 or CV215 where there is no probe for the target or the probe knows no such label, CV229 for a column or a
        sampling rate that nobody tells.
    """
    if columns is None and data is not None and data.columns:
        columns = Columns.unscaled(data.columns)
    built = {name: section.build(name, data, columns) for name, section in attributes.items()}
    return {name: readout for name, readout in built.items() if readout is not None}


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
