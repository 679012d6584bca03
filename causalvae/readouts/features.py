"""What the readouts of one batch share: where the light is, what stands out, which wave is heard."""

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
    """A part of a picture: shares of its height from the top, and of its width from the left; None is all of it.

    A pixel is in it where its centre is.
    """

    rows: tuple[float, float] | None = None
    columns: tuple[float, float] | None = None

    @classmethod
    def of(cls, section: PartSection) -> Part:
        """The part that an attribute is measured on."""
        return cls(section.rows, section.columns)

    @property
    def label(self) -> str:
        """How the name of a readout of it ends: empty for the whole."""
        found = (("rows", self.rows), ("columns", self.columns))
        return "".join(f" in {kind} {share[0]:g} to {share[1]:g}" for kind, share in found if share is not None)

    def cut(self, pictures: Tensor) -> tuple[Tensor, int, int]:
        """The part of pictures of shape (n, channels, height, width), and how far it is from the left and the top.

        Raises
        ------
        CausalVAEError
            CV229 where no pixel is in it.
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
    """What several readouts of one batch share, each computed when it is first asked for.

    Parameters
    ----------
    images : Tensor, shape (n, channels, height, width), (n, 1, length) or (n, columns)
        Outputs, in [0, 1] where they are pictures or sounds.
    """

    def __init__(self, images: Tensor) -> None:
        self.images = images
        self._moments: dict[Part, Moments] = {}
        self._colours: dict[Part, Tensor] = {}
        self._probabilities: dict[int, Tensor] = {}

    @cached_property
    def foreground(self) -> Foreground:
        """What stands out in RGB pictures."""
        return find_foreground(self.images)

    @cached_property
    def light(self) -> Tensor:
        """What moments are taken of: the picture itself where it has one channel, the foreground where it has three."""
        if self.images.ndim == 4 and self.images.shape[1] == 3:
            return self.foreground.coverage
        return self.images

    def moments(self, part: Part = WHOLE) -> Moments:
        """The moments of the light within a part of the pictures; positions are those in the whole."""
        if part not in self._moments:
            if part == WHOLE:
                self._moments[part] = moments_of(self.light)
            else:
                inside, left, top = part.cut(self.light)
                found = moments_of(inside)
                self._moments[part] = replace(found, x=found.x + left, y=found.y + top)
        return self._moments[part]

    def colour(self, part: Part = WHOLE) -> Tensor:
        """Mean colour of the foreground within a part of the pictures: float64, (n, 3)."""
        if part not in self._colours:
            pictures, _, _ = part.cut(self.images)
            weight, _, _ = part.cut(self.foreground.weight[:, None])
            self._colours[part] = colour_of(pictures, weight[:, 0])
        return self._colours[part]

    @cached_property
    def wave(self) -> Tensor:
        """The waves of sounds: float64, (n, length)."""
        return wave_of(self.images)

    def probabilities(self, probe: Probe) -> Tensor:
        """The probabilities that `probe` gives, (n, n_labels)."""
        if id(probe) not in self._probabilities:
            self._probabilities[id(probe)] = probe.to(self.images.device).probabilities(self.images)
        return self._probabilities[id(probe)]


@dataclass(frozen=True)
class Readout(ABC):
    """An attribute and how it is measured on outputs.

    Parameters
    ----------
    attribute : str
        The attribute's name in the spec.
    name : str
        The readout's name, such as ``centroid x``.
    unit : str
        Such as ``pixels``, ``radians``, ``Hz`` or ``probability``.
    period : float or None
        After how much the attribute means the same again. Differences of a periodic attribute must be wrapped; see
        `causalvae.readouts.types.wrap`.
    least_r2 : float
        R^2 against the truth that is enough to trust the readout.
    judge : callable, optional
        Holds it against the truth of drawn sprites, where that takes more than one R^2.

    Attributes
    ----------
    affine : (float, float)
        Offset and span of an attribute that is offset + span times numbers that the network puts out, whose rounding
        is that of those numbers.

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
        """Offset and span; 0 and 1 of an attribute in no other units than the network's."""
        return 0.0, 1.0

    @abstractmethod
    def read(self, features: Features) -> Tensor:
        """Measure the attribute from shared features: float64, shape (n,)."""

    def __call__(self, images: Tensor) -> Tensor:
        """Measure the attribute on outputs of shape (n, ...), one row each: float64, shape (n,)."""
        return self.read(Features(images))
