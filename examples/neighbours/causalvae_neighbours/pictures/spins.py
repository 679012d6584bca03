"""Spins as arrows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from causalvae.pictures.numbers import NumbersPicture
from causalvae.spec.picture import LabelledDatum, OutputFacts

if TYPE_CHECKING:
    from markupsafe import Markup


class SpinsPicture(NumbersPicture):
    """A row of arrows for each configuration; the shade is how sure the network is of a spin."""

    kind: ClassVar[str] = "spins"

    @staticmethod
    def draw(shown: Sequence[LabelledDatum], facts: OutputFacts) -> Markup:
        """One row below the other: up where the probability of up is above 1/2."""
        from causalvae.pictures._cells import draw_cells

        return draw_cells(shown, 0.5, lambda up: "↑" if up > 0.5 else "↓" if up < 0.5 else "·")
