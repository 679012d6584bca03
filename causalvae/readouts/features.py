"""Features shared by the readouts of one batch: moments, foreground, colours and waves."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

from torch import Tensor

from causalvae.errors import CausalVAEError
from causalvae.readouts.foreground import Foreground, colour_of, find_foreground
from causalvae.readouts.geometry import Moments, moments_of
from causalvae.readouts.probe import Probe
from causalvae.readouts.sound import wave_of
from causalvae.readouts.types import ReadoutCheck, Seen
from causalvae.spec.readout_section import PartSection


@dataclass(frozen=True)
class Part:
    """A part of pictures as shares of the height from the top and of the width from the left; None is all of it.

    Pixels are in the part if their centres are.
    """

    rows: tuple[float, float] | None = None
    columns: tuple[float, float] | None = None

    @classmethod
    def of(cls, section: PartSection) -> Part:
        """The part in which an attribute is measured."""
        return cls(section.rows, section.columns)

    @property
    def label(self) -> str:
        """Suffix for names of readouts; empty for the whole picture."""
        found = (("rows", self.rows), ("columns", self.columns))
        return "".join(f" in {kind} {share[0]:g} to {share[1]:g}" for kind, share in found if share is not None)

    def cut(self, pictures: Tensor) -> tuple[Tensor, int, int]:
        """Crop pictures, (n, channels, height, width); also returns the offsets from the left and the top.

        Raises
        ------
        CausalVAEError
            CV229 if the part has no pixels.
        """
        top, bottom = _pixels(self.rows, pictures.shape[2])
        left, right = _pixels(self.columns, pictures.shape[3])
        if top >= bottom or left >= right:
            raise CausalVAEError(
                "CV229",
                f"No pixel of a picture of {pictures.shape[3]} by {pictures.shape[2]} lies{self.label}.",
                "Measure a larger part of it.",
            )
        return pictures[:, :, top:bottom, left:right], left, top


WHOLE = Part()


def _pixels(share: tuple[float, float] | None, size: int) -> tuple[int, int]:
    if share is None:
        return 0, size
    inside = [at for at in range(size) if share[0] <= (at + 0.5) / size < share[1]]
    return (inside[0], inside[-1] + 1) if inside else (0, 0)


class Features:
    """Features shared by several readouts of one batch, computed on demand.

    Parameters
    ----------
    images : Tensor, shape (n, channels, height, width), (n, 1, length) or (n, columns)
        Outputs, in [0, 1] for pictures and sounds.
    """

    def __init__(self, images: Tensor) -> None:
        self.images = images
        self._moments: dict[Part, Moments] = {}
        self._colours: dict[Part, Tensor] = {}
        self._probabilities: dict[int, Tensor] = {}

    @cached_property
    def foreground(self) -> Foreground:
        """Foreground of RGB pictures."""
        return find_foreground(self.images)

    @cached_property
    def light(self) -> Tensor:
        """Images for moments: the picture if it has one channel, the foreground coverage if it has three."""
        if self.images.ndim == 4 and self.images.shape[1] == 3:
            return self.foreground.coverage
        return self.images

    def moments(self, part: Part = WHOLE) -> Moments:
        """Moments of the light in a part of the pictures, with positions in the whole picture."""
        if part not in self._moments:
            if part == WHOLE:
                self._moments[part] = moments_of(self.light)
            else:
                inside, left, top = part.cut(self.light)
                found = moments_of(inside)
                self._moments[part] = replace(found, x=found.x + left, y=found.y + top)
        return self._moments[part]

    def colour(self, part: Part = WHOLE) -> Tensor:
        """Mean colour of the foreground in a part of the pictures, float64, (n, 3)."""
        if part not in self._colours:
            pictures, _, _ = part.cut(self.images)
            weight, _, _ = part.cut(self.foreground.weight[:, None])
            self._colours[part] = colour_of(pictures, weight[:, 0])
        return self._colours[part]

    @cached_property
    def wave(self) -> Tensor:
        """The waves of sounds, float64, (n, length)."""
        return wave_of(self.images)

    def probabilities(self, probe: Probe) -> Tensor:
        """Probabilities from `probe`, (n, n_labels)."""
        if id(probe) not in self._probabilities:
            self._probabilities[id(probe)] = probe.to(self.images.device).probabilities(self.images)
        return self._probabilities[id(probe)]


@dataclass(frozen=True)
class Readout(ABC):
    """Measures an attribute on outputs.

    Parameters
    ----------
    attribute : str
        Name of the attribute in the spec.
    name : str
        Name of the readout, such as ``centroid x``.
    unit : str
        Unit, such as ``pixels``, ``radians``, ``Hz`` or ``probability``.
    period : float or None
        Period of a cyclic attribute, whose differences must be wrapped; see `causalvae.readouts.types.wrap`.
    least_r2 : float
        Minimum R^2 with the truth to trust the readout.
    judge : callable, optional
        Compares it with the truth of dSprites, if one R^2 is not sufficient.

    Attributes
    ----------
    affine : (float, float)
        Offset and span of an attribute that is offset + span * output, to derive its rounding errors.

    Examples
    --------
    >>> import torch
    >>> from causalvae.readouts import build_readouts
    >>> from causalvae.spec.readout_section import READOUT_TAG
    >>> readouts = build_readouts({"size": READOUT_TAG.read({"readout": "area"})})
    >>> readouts["size"](torch.ones(2, 1, 4, 4)).tolist()
    [16.0, 16.0]
    """

    attribute: str
    name: str
    unit: str
    period: float | None
    least_r2: float = field(default=0.98, kw_only=True)
    judge: Callable[[Seen], ReadoutCheck] | None = field(default=None, kw_only=True, repr=False, compare=False)

    @property
    def affine(self) -> tuple[float, float]:
        """Offset and span; 0 and 1 for an attribute in the units of the network."""
        return 0.0, 1.0

    @abstractmethod
    def read(self, features: Features) -> Tensor:
        """Measure the attribute from shared features, float64, (n,)."""

    def __call__(self, images: Tensor) -> Tensor:
        """Measure the attribute on outputs, (n, ...): float64, (n,)."""
        return self.read(Features(images))
