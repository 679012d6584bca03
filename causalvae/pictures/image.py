"""Images of one, three or four channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from causalvae.spec.picture import Datum, LabelledDatum, OutputFacts, Picture

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from markupsafe import Markup


class ImagePicture(Picture):
    """Pixels as they are; differences in colours for less and for more."""

    kind: ClassVar[str] = "image"

    @staticmethod
    def keep(values: npt.NDArray[np.float32], facts: OutputFacts) -> Datum:
        """Values in [0, 1], (channels, height, width), as PNG."""
        import numpy as np

        from causalvae.pictures._png import png_of

        pixels = np.round(np.nan_to_num(values).clip(0, 1) * 255).astype(np.uint8)
        return Datum(png=png_of(pixels[0] if len(pixels) == 1 else np.moveaxis(pixels, 0, -1)))

    @staticmethod
    def keep_change(change: npt.NDArray[np.float32], facts: OutputFacts) -> Datum:
        """Channel by channel."""
        from causalvae.pictures._png import change_of

        return change_of(change)

    @staticmethod
    def change_words(facts: OutputFacts) -> str:
        """What its colours mean."""
        if facts.shape[:1] == (1,):
            return "Orange is an increase, blue a decrease; the number below the picture is the change at full colour."
        return (
            "Grey means no change; brighter is an increase and darker a decrease in each colour channel; the number "
            "below the picture is the change at full colour."
        )

    @staticmethod
    def draw(shown: Sequence[LabelledDatum], facts: OutputFacts) -> Markup:
        """One image next to the other."""
        from causalvae.pictures._html import frame
        from causalvae.report.svg import element

        return element("div", *map(frame, shown), class_="frames")
