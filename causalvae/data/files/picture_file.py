"""Reads picture files: orientation, background, crop and scale."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import numpy.typing as npt

from causalvae.boundary import is_of_system
from causalvae.errors import CausalVAEError, first_line

if TYPE_CHECKING:
    from PIL.Image import Image

Pixels = npt.NDArray[np.float32]

FORMATS: Final = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
    ".gif": "GIF",
    ".webp": "WEBP",
}
# The limit of Pillow: a quarter of a GiB in RGB.
MOST_PIXELS: Final = 2**28 // 3
_WHITE_16: Final = 65535.0
_BACKGROUNDS: Final = {"white": 255, "black": 0}


@dataclass(frozen=True)
class PictureForm:
    """The conversion of pictures.

    Parameters
    ----------
    size : int
        Width and height in pixels; the central square is scaled.
    colour : bool
        Three channels, or one channel with the luminance.
    background : {"white", "black"}
        Background of transparent pixels.
    scale : (float, float) or None
        The values scaled to 0 and 1; None for black and white of the file's type.
    """

    size: int
    colour: bool = True
    background: Literal["white", "black"] = "white"
    scale: tuple[float, float] | None = None


@contextmanager
def open_picture(path: Path) -> Iterator[Image]:
    """Open a picture and read its header.

    Only the decoder for the suffix of the file is used. All errors of decoders are reported as faults of the file.

    Raises
    ------
    CausalVAEError
        CV235 if the file is not of the format of its suffix, is damaged, or has several pictures or more than
        `MOST_PIXELS` pixels.
    """
    from PIL import Image, UnidentifiedImageError

    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        known = ", ".join(FORMATS)
        raise _unreadable(path, f"the name does not end in {known}", "Rename or convert the file, or remove it.")
    try:
        # Pillow warns of damaged metadata, and of pictures that are an error below.
        with warnings.catch_warnings(action="ignore"), Image.open(path, formats=[kind]) as image:
            width, height = image.size
            if width * height > MOST_PIXELS:
                raise Image.DecompressionBombError(f"it has {width} x {height} pixels, more than {MOST_PIXELS:,}")
            # JPEG files of cameras may contain previews; in other formats several pictures are a film or a stack.
            frames = getattr(image, "n_frames", 1) if kind != "JPEG" else 1
            if frames > 1:
                raise _unreadable(
                    path, f"it holds {frames} pictures", "Save each picture in a separate file, or remove it."
                )
            yield image
    except CausalVAEError:
        raise
    except UnidentifiedImageError as error:
        raise _unreadable(path, f"it is not a {kind} file", "Give the file the suffix of its format.") from error
    except Image.DecompressionBombError as error:
        raise _unreadable(path, first_line(error), "Make it smaller, or remove it.") from error
    except Exception as error:
        if is_of_system(error):
            raise
        # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error, zlib.error and others.
        raise _unreadable(path, first_line(error), "Replace the file, or remove it.") from error


def read_picture(path: Path, form: PictureForm, sample: int) -> Pixels:
    """Read the central square of a picture, float32, (size, size, 3 or 1).

    Parameters
    ----------
    path : Path
    form : PictureForm
    sample : int
        Number of the sample, for error messages.

    Returns
    -------
    float32 array
        From 0, black, to 1, white, unless `form` has another scale. Black and white are 0 and 255 for 8 bits, 0 and
        65,535 for 16 bits and 32-bit integers, 0 and 1 for 32-bit floats. Only the upper 8 bits of colour pictures with
        16 bits per channel are read.

    Raises
    ------
    CausalVAEError
        CV235; see `open_picture`. Also for values that are not finite, or out of range without a scale.

    Notes
    -----
    The picture is rotated according to its EXIF data. Transparent pixels (alpha channel, or transparent colour) get the
    background.
    """
    from PIL import ImageOps

    with open_picture(path) as image:
        image.load()
        upright = ImageOps.exif_transpose(image)
        around, square = _around(upright)
        if upright.mode in _DEEP:
            _check_values(np.asarray(upright), upright.mode, path, form, sample)
            bands = _deep(around, form)
        else:
            bands = _flat(around, form)
        return np.stack([_cut(band, form.size, square) for band in bands], axis=-1)


# A picture of more than so many squares is a strip.
_STRIP: Final = 64
_DEEP: Final = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")


def _flat(image: Image, form: PictureForm) -> list[Image]:
    """Channels of a picture with at most 8 bits per channel."""
    from PIL import Image as Images

    if image.has_transparency_data:
        shade = _BACKGROUNDS[form.background]
        ground = Images.new("RGBA", image.size, (shade, shade, shade, 255))
        image = Images.alpha_composite(ground, image.convert("RGBA"))
    bands = image.convert("RGB" if form.colour else "L").split()
    if form.scale is None:
        return list(bands)
    low, high = form.scale
    return [
        Images.fromarray(((np.asarray(band, np.float64) - low) / (high - low)).astype(np.float32)) for band in bands
    ]


def _around(image: Image) -> tuple[Image, tuple[int, int, int, int]]:
    """A picture and its central square; of a strip, the part around the square.

    A damaged header may claim millions of pixels outside of the square, which would all be converted. Other pictures
    stay whole: how Pillow rounds depends on the shape of the whole.
    """
    width, height = image.size
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    if max(width, height) <= _STRIP * side:
        return image, (left, top, left + side, top + side)
    # Enlarging the square reads pixels next to it.
    x, y = max(left - side, 0), max(top - side, 0)
    part = image.crop((x, y, min(left + 2 * side, width), min(top + 2 * side, height)))
    return part, (left - x, top - y, left - x + side, top - y + side)


def _check_values(values: np.ndarray[Any, Any], mode: str, path: Path, form: PictureForm, sample: int) -> None:
    """Raise CV235 for a value of a grey picture with more than 8 bits that is not finite, or out of range."""
    white = _white(mode)
    odd = np.flatnonzero(~np.isfinite(values))
    if len(odd):
        row, column = (int(at) for at in np.unravel_index(odd[0], values.shape))
        raise _unreadable(
            path,
            f"sample {sample} is {values.flat[odd[0]]:g} in row {row}, column {column} (all counted from 0)",
            "Replace the value, or remove the file.",
        )
    if form.scale is None and (values.min() < 0 or values.max() > white):
        raise _unreadable(
            path,
            f"its values go from {values.min():g} to {values.max():g}, beyond 0 (black) and {white:g} (white)",
            "Write `scale: [LOW, HIGH]` in data: the values that become 0 and 1 in all files.",
        )


def _deep(image: Image, form: PictureForm) -> list[Image]:
    """Channels of a grey picture with more than 8 bits."""
    from PIL import Image as Images

    values = np.asarray(image).astype(np.float64)
    low, high = form.scale or (0.0, _white(image.mode))
    shades = (values - low) / (high - low)
    clear = image.info.get("transparency")
    if isinstance(clear, int):
        shades[values == clear] = _BACKGROUNDS[form.background] / 255
    return [Images.fromarray(shades.astype(np.float32))] * (3 if form.colour else 1)


def _white(mode: str) -> float:
    return 1.0 if mode == "F" else _WHITE_16


def _cut(band: Image, size: int, square: tuple[int, int, int, int]) -> Pixels:
    """The square of one channel, bytes or floats, scaled to `size`: float32, (size, size)."""
    from PIL import Image as Images

    side = square[2] - square[0]
    kind = Images.Resampling.BOX if size <= side else Images.Resampling.BILINEAR
    cut = np.asarray(band.resize((size, size), kind, square))
    return cut.astype(np.float32) / np.float32(255 if cut.dtype == np.uint8 else 1)


def _unreadable(path: Path, why: str, remedy: str) -> CausalVAEError:
    return CausalVAEError("CV235", f"{path.name} cannot be read as an image: {why}.", remedy, str(path))
