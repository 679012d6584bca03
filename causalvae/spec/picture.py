"""How a report shows one input or output of a network. Each kind is a module of `causalvae.pictures`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from causalvae.spec.columns import Columns
from causalvae.spec.registry import Kind, Registry

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from markupsafe import Markup

# Numbers of one input or output that are kept, where it is no picture and no sound.
MOST_NUMBERS: Final = 64


@dataclass(frozen=True)
class Datum:
    """One input or output, or a difference of two, as results keep it.

    Parameters
    ----------
    png : str
        A picture, base64; a sound's spectrogram.
    wav : str
        A sound, base64.
    numbers : tuple of float
        Of what is neither, in natural units.
    scale : float or None
        Of a picture of a difference: the change that has full colour.
    """

    png: str = ""
    wav: str = ""
    numbers: tuple[float, ...] = ()
    scale: float | None = None


@dataclass(frozen=True)
class OutputFacts:
    """What drawing an output needs to know.

    Parameters
    ----------
    kind : str
        Name of the kind of picture.
    shape : tuple of int
        Of one output.
    columns : Columns or None
        Of a table.
    rate : float or None
        Of sounds, in Hz.
    focus : tuple of int
        Positions of the numbers that are kept; empty where all are.
    """

    kind: str = ""
    shape: tuple[int, ...] = ()
    columns: Columns | None = None
    rate: float | None = None
    focus: tuple[int, ...] = ()

    @property
    def places(self) -> tuple[int, ...]:
        """Positions of the numbers that are kept."""
        size = 1
        for axis in self.shape:
            size *= axis
        return self.focus or tuple(range(size))


@dataclass(frozen=True)
class LabelledDatum:
    """A datum with the words below it, and the words that a screen reader has for it."""

    label: str
    words: str
    datum: Datum
    is_change: bool = False


class Picture(Kind):
    """How a kind of output is kept in results and drawn in reports.

    Attributes
    ----------
    number_bytes : int
        About how many bytes of a page a number takes.
    keeps_numbers : bool
        Whether it is kept as numbers, of which there may be too many.
    shows_steps : bool
        Whether the steps of a traversal are drawn, and not only its curves.

    Examples
    --------
    >>> from causalvae.spec.picture import PICTURES
    >>> PICTURES.get("image").kind
    'image'
    """

    must_define: ClassVar[tuple[str, ...]] = ("keep", "keep_change", "draw")

    number_bytes: ClassVar[int] = 24
    keeps_numbers: ClassVar[bool] = False
    shows_steps: ClassVar[bool] = True

    @staticmethod
    def keep(values: npt.NDArray[np.float32], facts: OutputFacts) -> Datum:
        """What results keep of one input or output.

        Parameters
        ----------
        values : float array, shape `facts.shape`
        facts : OutputFacts
        """
        raise NotImplementedError

    @staticmethod
    def keep_change(change: npt.NDArray[np.float32], facts: OutputFacts) -> Datum:
        """The same of a difference of two outputs."""
        raise NotImplementedError

    @staticmethod
    def change_words(facts: OutputFacts) -> str:
        """How to read a drawn difference; empty where that needs no words."""
        return ""

    @classmethod
    def size(cls, datum: Datum) -> int:
        """About how many bytes of a page a datum takes."""
        return len(datum.png) + len(datum.wav) + cls.number_bytes * len(datum.numbers)

    @staticmethod
    def draw(shown: Sequence[LabelledDatum], facts: OutputFacts) -> Markup:
        """Inputs, outputs and differences of one pair, or the steps of a traversal, as HTML."""
        raise NotImplementedError


def picture_name(shape: Sequence[int]) -> str:
    """The kind of picture of outputs of a shape, where the data name none."""
    if len(shape) == 3 and shape[0] in (1, 3, 4):
        return "image"
    if len(shape) == 2 and shape[0] == 1:
        return "sound"
    return "table" if len(shape) == 1 else "numbers"


def picture_of(facts: OutputFacts) -> type[Picture]:
    """The kind of picture of outputs; by their shape where the one that the data name is not installed."""
    return PICTURES.find(facts.kind) or PICTURES.get(picture_name(facts.shape))


PICTURES: Final = Registry(Picture, "causalvae.pictures", "causalvae.pictures", "kind of picture")
