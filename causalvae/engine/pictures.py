"""Outputs as picture files."""

from __future__ import annotations

import io

import numpy as np
from torch import Tensor


def to_png(image: Tensor) -> bytes:
    """An image, (channels, height, width) in [0, 1], as PNG."""
    from PIL import Image

    pixels = (image.clamp(0, 1) * 255).round().byte().cpu().numpy()
    picture = Image.fromarray(pixels[0] if len(pixels) == 1 else np.moveaxis(pixels, 0, -1))
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
