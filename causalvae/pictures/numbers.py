"""Outputs of any other shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from causalvae.spec.picture import Datum, LabelledDatum, OutputFacts, Picture

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from markupsafe import Markup


class NumbersPicture(Picture):
    """A row of cells for each input and output, shaded by value."""

    kind: ClassVar[str] = "numbers"
    number_bytes: ClassVar[int] = 120
    keeps_numbers: ClassVar[bool] = True

    @staticmethod
    def keep(values: npt.NDArray[np.float32], facts: OutputFacts) -> Datum:
        """The numbers in order."""
        from causalvae.pictures._numbers import kept

        return kept(values, facts)

    @staticmethod
    def keep_change(change: npt.NDArray[np.float32], facts: OutputFacts) -> Datum:
        """The differences in order."""
        from causalvae.pictures._numbers import kept

        return kept(change, facts, with_offset=False)

    @staticmethod
    def draw(shown: Sequence[LabelledDatum], facts: OutputFacts) -> Markup:
        """One row below the other."""
        from causalvae.pictures._cells import draw_cells

        return draw_cells(shown)
