"""Readouts by name: what a spec's attributes are measured with, one by one or all in one pass over the images."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from causalvae.errors import CausalVAEError
from causalvae.readouts import geometry
from causalvae.readouts.geometry import Moments, moments_of
from causalvae.readouts.probe import Probe, shipped_probe
from causalvae.readouts.types import period_of
from causalvae.spec.schema import ReadoutSection

_MOMENT_READOUTS: dict[tuple[str, str | None], tuple[Callable[[Moments], Tensor], str]] = {
    ("area", None): (geometry.area, "pixels"),
    ("centroid", "x"): (geometry.centroid_x, "pixels"),
    ("centroid", "y"): (geometry.centroid_y, "pixels"),
    ("orientation", None): (geometry.orientation, "radians"),
    ("extent", "major"): (geometry.extent_major, "pixels"),
    ("extent", "minor"): (geometry.extent_minor, "pixels"),
}


class Features:
    """What several readouts of one batch share, each computed when it is first asked for.

    Parameters
    ----------
    images : Tensor, shape (n, 1, height, width)
        Pixel values in [0, 1].
    """

    def __init__(self, images: Tensor) -> None:
        self.images = images
        self._moments: Moments | None = None
        self._probabilities: dict[int, Tensor] = {}

    @property
    def moments(self) -> Moments:
        """The images' moments."""
        if self._moments is None:
            self._moments = moments_of(self.images)
        return self._moments

    def probabilities(self, probe: Probe) -> Tensor:
        """The probabilities that `probe` gives, (n, n_labels)."""
        if id(probe) not in self._probabilities:
            self._probabilities[id(probe)] = probe.to(self.images.device).probabilities(self.images)
        return self._probabilities[id(probe)]


@dataclass(frozen=True)
class Readout(ABC):
    """An attribute and how it is measured on images.

    Parameters
    ----------
    attribute : str
        The attribute's name in the spec.
    name : str
        The readout's name, such as ``centroid x``.
    unit : str
        ``pixels``, ``radians`` or ``probability``.
    period : float or None
        After how much the attribute means the same again. Differences of a periodic attribute must be wrapped; see
        `causalvae.readouts.types.wrap`.

    Examples
    --------
    >>> import torch
    >>> from causalvae.spec.schema import ReadoutSection
    >>> readouts = build_readouts({"size": ReadoutSection(readout="area")})
    >>> readouts["size"](torch.ones(2, 1, 4, 4)).tolist()
    [16.0, 16.0]
    """

    attribute: str
    name: str
    unit: str
    period: float | None

    @abstractmethod
    def read(self, features: Features) -> Tensor:
        """Measure the attribute from shared features: float64, shape (n,)."""

    def __call__(self, images: Tensor) -> Tensor:
        """Measure the attribute on `images`, shape (n, 1, height, width), values in [0, 1]: float64, shape (n,)."""
        return self.read(Features(images))


@dataclass(frozen=True)
class MomentReadout(Readout):
    """An attribute that follows from the moments of the light."""

    formula: Callable[[Moments], Tensor]

    def read(self, features: Features) -> Tensor:
        """Measure the attribute from shared features: float64, shape (n,)."""
        return self.formula(features.moments)


@dataclass(frozen=True)
class ProbeReadout(Readout):
    """The probability that a trained probe gives to one level of a factor."""

    probe: Probe = field(repr=False)
    label: str

    def read(self, features: Features) -> Tensor:
        """Measure the attribute from shared features: float64, shape (n,)."""
        return features.probabilities(self.probe)[:, self.probe.labels.index(self.label)]


def build_readouts(attributes: Mapping[str, ReadoutSection]) -> dict[str, Readout]:
    """The readouts that a spec's attributes ask for, in the spec's order, without those that are latents.

    Raises
    ------
    CausalVAEError
        CV210 where an attribute lacks what its readout needs or gives what it does not know, CV214 or CV215 where
        there is no probe for the target or the probe knows no such label.
    """
    return {
        attribute: _build(attribute, section)
        for attribute, section in attributes.items()
        if section.readout != "latent"
    }


def _build(attribute: str, section: ReadoutSection) -> Readout:
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
    if found is None:
        axes = [axis for readout, axis in _MOMENT_READOUTS if readout == section.readout and axis is not None]
        raise CausalVAEError(
            "CV210",
            f"Readout {section.readout} does not go with axis {section.axis or '(none)'}.",
            f"Give axis: {' or '.join(axes)}." if axes else "Leave axis out.",
            f"graph.attributes.{attribute}",
        )
    formula, unit = found
    name = f"{section.readout} {section.axis}" if section.axis else section.readout
    return MomentReadout(attribute, name, unit, period_of(section), formula)


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
    """Measure every attribute in one pass over the images.

    Parameters
    ----------
    readouts : mapping
        Attribute -> readout, as `build_readouts` gives them.
    images : Tensor, shape (n, 1, height, width)
        Pixel values in [0, 1].

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
