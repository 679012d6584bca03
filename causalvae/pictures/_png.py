"""Arrays as PNG in base64, made small."""

from __future__ import annotations

import base64
import io

import numpy as np
import numpy.typing as npt

from causalvae.spec.picture import Datum

# Larger pictures are reduced: a report shows them in about this size.
MOST_PIXELS = 96
# Of negative and of positive changes; zero is transparent, so that it is right on paper and on a dark screen.
_NEGATIVE, _POSITIVE = (37, 99, 199), (214, 96, 16)


def png_of(pixels: npt.NDArray[np.uint8]) -> str:
    """An image, (height, width) or (height, width, channels), as PNG in base64."""
    from PIL import Image

    picture = Image.fromarray(pixels)
    largest = max(picture.size)
    if largest > MOST_PIXELS:
        width, height = (max(1, round(side * MOST_PIXELS / largest)) for side in picture.size)
        picture = picture.resize((width, height), Image.Resampling.BOX)
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def change_of(change: npt.NDArray[np.float32]) -> Datum:
    """A signed image, (channels, height, width), as a picture.

    Of one channel, blue where it is below zero and orange where it is above; of several, each channel darker or
    brighter than grey.
    """
    known = np.nan_to_num(change[:3])
    scale = float(np.abs(known).max(initial=0.0))
    share = known / scale if scale else known
    if len(share) > 1:
        return Datum(png=png_of(np.moveaxis(np.round(127.5 + 127.5 * share).astype(np.uint8), 0, -1)), scale=scale)
    (share,) = share
    pixels = np.empty((*share.shape, 4), np.uint8)
    pixels[..., :3] = np.where((share < 0)[..., None], _NEGATIVE, _POSITIVE)
    pixels[..., 3] = np.round(255 * np.abs(share))
    pixels[pixels[..., 3] == 0] = 0
    return Datum(png=png_of(pixels), scale=scale)
