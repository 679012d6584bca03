"""Rows of a table, and other outputs that are one list of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from causalvae.spec.picture import Datum, LabelledDatum, OutputFacts, Picture

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from markupsafe import Markup


class TablePicture(Picture):
    """A line for every column, with a mark for each input and output."""

    kind: ClassVar[str] = "table"
    keeps_numbers: ClassVar[bool] = True
    shows_steps: ClassVar[bool] = False

    @staticmethod
    def keep(values: npt.NDArray[np.float32], facts: OutputFacts) -> Datum:
        """Values in the units of the table."""
        from causalvae.pictures._numbers import kept

        return kept(values, facts)

    @staticmethod
    def keep_change(change: npt.NDArray[np.float32], facts: OutputFacts) -> Datum:
        """Changes in the units of the table."""
        from causalvae.pictures._numbers import kept

        return kept(change, facts, with_offset=False)

    @staticmethod
    def draw(shown: Sequence[LabelledDatum], facts: OutputFacts) -> Markup:
        """The columns that change most, those that change least omitted."""
        from causalvae.pictures._profile import draw_profile

        return draw_profile(shown, facts)
