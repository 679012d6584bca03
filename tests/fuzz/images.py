"""Image files as cameras, microscopes and faults write them: each gives the right values or an error with a code.

``python -m tests.fuzz.images COUNT SEED`` prints the counts.
"""

from __future__ import annotations

import io
import random
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from PIL import Image

from tests.fuzz.damage import DAMAGES, cut
from tests.fuzz.data_case import DataCase, DataCounts, Right, read_cases

Pixels = np.ndarray

# From the stored picture to the upright one, by the value of EXIF's orientation.
_TURNS: Final[dict[int, Callable[[Pixels], Pixels]]] = {
    1: lambda stored: stored,
    2: np.fliplr,
    3: lambda stored: np.rot90(stored, 2),
    4: np.flipud,
    5: lambda stored: stored.swapaxes(0, 1),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: np.rot90(stored, 2).swapaxes(0, 1),
    8: np.rot90,
}
_ORIENTATION: Final = 0x0112
_SUFFIXES: Final = (".png", ".jpg", ".tif", ".bmp", ".gif", ".webp")


@dataclass(frozen=True)
class Written:
    """A file, and the picture that it shows: float array, shape (height, width, 1 or 3), from 0 to 1.

    `alpha` has shape (height, width, 1); `stored` says in which way the file holds it.
    """

    content: bytes
    suffix: str
    shades: Pixels
    alpha: Pixels | None = None
    tolerance: float = 2.1 / 255
    stored: str = ""


def fuzz_images(count: int, seed: int) -> dict[str, DataCounts]:
    """Read image files as the data source ``images`` reads them.

    Parameters
    ----------
    count : int
        Files; file i is the same whatever the count.
    seed : int

    Returns
    -------
    dict
        Kind -> counts. *whole* must give the right values; *several pictures*, *huge* and *wrong suffix* must be
        refused; *cut* must be refused or give the whole file's values, and *damaged* be refused or give values from 0
        to 1.
    """
    return read_cases(_cases(count, seed))


def _cases(count: int, seed: int) -> Iterator[DataCase]:
    for number in range(count):
        draw = random.Random(f"images/{seed}/{number}")
        yield _KINDS[number % len(_KINDS)](draw)


# -- right pictures ----------------------------------------------------------------------------------------------------


def _bytes_of(picture: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def _noise(draw: random.Random, channels: int, levels: int = 256, dtype: type = np.uint8) -> Pixels:
    """A random picture whose shorter side is 8, 16 or 24 pixels."""
    side = draw.choice((8, 16, 24))
    shape = side, side + draw.choice((0, 0, 1, 6, 16))
    height, width = shape if draw.random() < 0.5 else shape[::-1]
    values = np.random.default_rng(draw.getrandbits(63)).integers(0, levels, (height, width, channels))
    return values.astype(dtype)


def _slope(draw: random.Random, channels: int) -> Pixels:
    """A picture that changes slowly, which lossy formats keep."""
    height, width = draw.choice(((16, 16), (16, 24), (24, 16)))
    rows, columns = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    weights = [(draw.random(), draw.random()) for _ in range(channels)]
    return np.stack([255 * (a * rows + b * columns) / (a + b) for a, b in weights], -1).round().astype(np.uint8)


def _image(values: Pixels) -> Image.Image:
    return Image.fromarray(values[..., 0] if values.shape[-1] == 1 else values)


def _bilevel(draw: random.Random) -> Written:
    values = _noise(draw, 1, 2)
    kind = draw.choice(("PNG", "TIFF", "BMP", "GIF"))
    options = {"compression": draw.choice(("raw", "group4", "packbits"))} if kind == "TIFF" else {}
    picture = Image.fromarray(values[..., 0] * 255).convert("1", dither=Image.Dither.NONE)
    return Written(_bytes_of(picture, kind, **options), _SUFFIX[kind], values.astype(float), stored="1 bit")


def _grey(draw: random.Random) -> Written:
    values, kind = _noise(draw, 1), draw.choice(("PNG", "TIFF", "BMP", "GIF", "WEBP"))
    options = _options(kind, draw)
    return Written(_bytes_of(_image(values), kind, **options), _SUFFIX[kind], values / 255, stored="grey")


def _colour(draw: random.Random) -> Written:
    values, kind = _noise(draw, 3), draw.choice(("PNG", "TIFF", "BMP", "WEBP"))
    options = _options(kind, draw)
    return Written(_bytes_of(_image(values), kind, **options), _SUFFIX[kind], values / 255, stored="colour")


def _transparent(draw: random.Random) -> Written:
    channels = draw.choice((2, 4))
    kind = "PNG" if channels == 2 else draw.choice(("PNG", "TIFF", "WEBP"))
    values = _noise(draw, channels)
    content = _bytes_of(_image(values), kind, **_options(kind, draw))
    return Written(content, _SUFFIX[kind], values[..., :-1] / 255, values[..., -1:] / 255, stored="alpha")


def _palette(draw: random.Random) -> Written:
    rng = np.random.default_rng(draw.getrandbits(63))
    colours = draw.choice((2, 4, 16, 256))
    table = rng.permutation(256)[:colours, None] * np.array([1, 3, 7]) % 256
    numbers = _noise(draw, 1, colours)
    picture = _image(numbers)
    picture.putpalette(table.astype(np.uint8).tobytes())
    kind = draw.choice(("PNG", "TIFF", "BMP", "GIF"))
    clear = draw.randrange(colours) if kind in ("PNG", "GIF") and draw.random() < 0.5 else None
    content = _bytes_of(picture, kind, **({} if clear is None else {"transparency": clear}))
    alpha = None if clear is None else (numbers != clear).astype(float)
    return Written(content, _SUFFIX[kind], table[numbers[..., 0]] / 255, alpha, stored="palette")


def _clear_colour(draw: random.Random) -> Written:
    """A png whose header names one colour as transparent."""
    channels = draw.choice((1, 3))
    values = _noise(draw, channels, 3)
    clear = values[0, 0]
    named = int(clear[0]) if channels == 1 else tuple(map(int, clear))
    alpha = (values != clear).any(-1, keepdims=True).astype(float)
    content = _bytes_of(_image(values), "PNG", transparency=named)
    return Written(content, ".png", values / 255, alpha, stored="transparent colour")


def _sixteen(draw: random.Random) -> Written:
    values, kind = _noise(draw, 1, 65_536, np.uint16), draw.choice(("PNG", "TIFF"))
    content = _bytes_of(Image.fromarray(values[..., 0]), kind, **_options(kind, draw))
    return Written(content, _SUFFIX[kind], values / 65_535, tolerance=2e-6, stored="16 bit")


def _sixteen_colour(draw: random.Random) -> Written:
    """A png with 16 bits a channel, which Pillow does not write."""
    channels = draw.choice((3, 4))
    values = _noise(draw, channels, 65_536, np.uint16)
    height, width, _ = values.shape
    lines = values.astype(">u2").reshape(height, -1)
    content = _png(width, height, 16, {3: 2, 4: 6}[channels], b"".join(b"\0" + line.tobytes() for line in lines))
    alpha = values[..., 3:] / 65_535 if channels == 4 else None
    return Written(content, ".png", values[..., :3] / 65_535, alpha, 4.1 / 255, "16 bit colour")


def _floats(draw: random.Random) -> Written:
    values = (_noise(draw, 1, 1 << 20, np.int64) / (1 << 20)).astype(np.float32)
    content = _bytes_of(Image.fromarray(values[..., 0]), "TIFF")
    return Written(content, ".tif", values.astype(float), tolerance=2e-6, stored="32-bit floats")


def _integers(draw: random.Random) -> Written:
    values = _noise(draw, 1, 65_536, np.int32)
    content = _bytes_of(Image.fromarray(values[..., 0]), "TIFF")
    return Written(content, ".tif", values / 65_535, tolerance=2e-6, stored="32-bit integers")


def _jpeg(draw: random.Random) -> Written:
    channels = draw.choice((1, 3))
    values = _slope(draw, channels)
    options = {"quality": draw.choice((90, 100)), "progressive": draw.random() < 0.5, "subsampling": 0}
    return Written(_bytes_of(_image(values), "JPEG", **options), ".jpg", values / 255, tolerance=0.08, stored="jpeg")


def _turned(draw: random.Random) -> Written:
    """A picture that EXIF data tells to turn."""
    kind = draw.choice(("PNG", "TIFF", "WEBP", "JPEG"))
    values = _slope(draw, 3) if kind == "JPEG" else _noise(draw, 3)
    exif, turn = Image.Exif(), draw.choice(sorted(_TURNS))
    exif[_ORIENTATION] = turn
    options = {"quality": 100, "subsampling": 0} if kind == "JPEG" else _options(kind, draw)
    content = _bytes_of(_image(values), kind, exif=exif, **options)
    tolerance = 0.08 if kind == "JPEG" else 2.1 / 255
    return Written(content, _SUFFIX[kind], _TURNS[turn](values) / 255, None, tolerance, f"turned {turn}")


def _plain(draw: random.Random) -> Written:
    """One colour all over, in a picture that is narrower than what it is scaled to."""
    height, width = draw.choice(((1, 1), (1, 40), (40, 1), (3, 5), (200, 7)))
    values = np.empty((height, width, 3), np.uint8)
    values[:] = [draw.randrange(256) for _ in range(3)]
    return Written(_bytes_of(_image(values), "PNG"), ".png", values / 255, stored="plain")


_SUFFIX: Final = {"PNG": ".png", "TIFF": ".tif", "BMP": ".bmp", "GIF": ".gif", "WEBP": ".webp", "JPEG": ".jpg"}
_WHOLE: Final = (
    _bilevel, _grey, _colour, _transparent, _palette, _clear_colour, _sixteen, _sixteen_colour, _floats, _integers,
    _jpeg, _turned, _plain,
)  # fmt: skip


def _options(kind: str, draw: random.Random) -> dict[str, Any]:
    if kind == "WEBP":
        return {"lossless": True, "exact": True}
    if kind == "TIFF":
        return {"compression": draw.choice(("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"))}
    return {"optimize": True} if kind == "PNG" and draw.random() < 0.3 else {}


def _png(width: int, height: int, depth: int, colour: int, lines: bytes) -> bytes:
    header = struct.pack(">2I5B", width, height, depth, colour, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


# -- what must become of them ------------------------------------------------------------------------------------------


def _shown(written: Written, size: int, colour: bool, background: str) -> Pixels:
    """What a network should be given, computed pixel by pixel: shape (3 or 1, size, size)."""
    shades = written.shades
    if written.alpha is not None:
        shades = written.alpha * shades + (1 - written.alpha) * (background == "white")
    if colour and shades.shape[-1] == 1:
        shades = shades.repeat(3, -1)
    elif not colour and shades.shape[-1] == 3:
        shades = shades @ np.array([[0.299], [0.587], [0.114]])
    height, width, channels = shades.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = shades[top : top + side, left : left + side]
    if side % size:
        # Only pictures of one colour are made smaller than what they are scaled to.
        return np.broadcast_to(square[0, 0, :, None, None], (channels, size, size))
    step = side // size
    return np.moveaxis(square.reshape(size, step, size, step, channels).mean((1, 3)), -1, 0)


def _reading(draw: random.Random) -> dict[str, Any]:
    return {"size": 8, "colour": draw.random() < 0.7, "background": draw.choice(("white", "black"))}


def _case(
    kind: str, what: str, content: bytes, suffix: str, reading: dict[str, Any], outcome: Any, right: Right
) -> DataCase:
    section = {"source": "images", "path": ".", **reading}
    return DataCase(kind, what, {f"0{suffix}": content}, section, outcome, right)


def _values_of(written: Written, reading: dict[str, Any]) -> Right:
    expected = _shown(written, reading["size"], reading["colour"], reading["background"])

    def check(inputs: np.ndarray, _: Any) -> str:
        off = float(np.abs(inputs[0] - expected).max()) if inputs[0].shape == expected.shape else np.inf
        return "" if off <= written.tolerance else f"values are off by {off:.4f}"

    return check


def _in_range(inputs: np.ndarray, _: Any) -> str:
    low, high = float(inputs.min()), float(inputs.max())
    return "" if low >= 0 and high <= 1 else f"values from {low} to {high}"


def _whole(draw: random.Random) -> DataCase:
    written, reading = draw.choice(_WHOLE)(draw), _reading(draw)
    what = f"{written.stored} {written.suffix} {reading}"
    return _case("whole", what, written.content, written.suffix, reading, "accepted", _values_of(written, reading))


def _cut(draw: random.Random) -> DataCase:
    written, reading = draw.choice(_WHOLE)(draw), _reading(draw)
    content = cut(written.content, draw)
    what = f"{written.stored} {written.suffix} {reading} cut to {len(content)} of {len(written.content)}"
    return _case("cut", what, content, written.suffix, reading, "either", _values_of(written, reading))


def _damaged(draw: random.Random) -> DataCase:
    written, damage = draw.choice(_WHOLE)(draw), draw.choice(DAMAGES[1:])
    what = f"{written.stored} {written.suffix} {damage.__name__}"
    content = damage(written.content, draw)
    return _case("damaged", what, content, written.suffix, _reading(draw), "either", _in_range)


def _wrong_suffix(draw: random.Random) -> DataCase:
    written = draw.choice(_WHOLE)(draw)
    suffix = draw.choice([other for other in _SUFFIXES if other != written.suffix])
    return _case(
        "wrong suffix", f"{written.suffix} as {suffix}", written.content, suffix, _reading(draw), "refused", _in_range
    )


def _several(draw: random.Random) -> DataCase:
    """An animation, or a stack of pages."""
    kind = draw.choice(("GIF", "WEBP", "PNG", "TIFF"))
    first = Image.new("RGB", (16, 16), (draw.randrange(256), 0, 0))
    others = [Image.new("RGB", (16, 16), (0, 100 + n, n)) for n in range(draw.choice((1, 2, 9)))]
    content = _bytes_of(first, kind, save_all=True, append_images=others)
    what = f"{1 + len(others)} pictures in {kind}"
    return _case("several pictures", what, content, _SUFFIX[kind], _reading(draw), "refused", _in_range)


def _huge(draw: random.Random) -> DataCase:
    """Few bytes that claim more pixels than are read."""
    wide, high = draw.choice(((20_000, 20_000), (60_000, 5_000), (2_000, 60_000)))
    lines = bytes(draw.choice((0, 1000)))
    suffix, content = draw.choice(
        (
            (".png", _png(wide, high, 8, 2, lines)),
            (
                ".bmp",
                b"BM" + struct.pack("<3I", 1000, 0, 54) + struct.pack("<I2i2H6I", 40, wide, high, 1, 24, *[0] * 6),
            ),
            (
                ".gif",
                b"GIF89a" + struct.pack("<2H3B", wide, high, 0, 0, 0) + b"," + struct.pack("<4HB", 0, 0, wide, high, 0),
            ),
            (".tif", _tiff(wide, high)),
        )
    )
    return _case("huge", f"{wide} x {high} in {suffix}", content, suffix, _reading(draw), "refused", _in_range)


def _tiff(wide: int, high: int) -> bytes:
    tags = ((256, wide), (257, high), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, high), (279, wide * high))
    entries = b"".join(struct.pack("<2H2I", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(tags)) + entries + bytes(4)


_KINDS: Final = (_whole, _whole, _whole, _cut, _damaged, _damaged, _damaged, _wrong_suffix, _several, _huge)

if __name__ == "__main__":
    for name, found in fuzz_images(int(sys.argv[1]), int(sys.argv[2])).items():
        sys.stdout.write(f"{name}: {found.tried} tried, {found.refused} refused, {found.accepted} accepted\n")
        sys.stdout.writelines(f"  {failure}\n" for failure in found.failures)
