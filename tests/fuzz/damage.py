"""Ways to damage the bytes of a file."""

from __future__ import annotations

import random


def cut(content: bytes, draw: random.Random) -> bytes:
    """The beginning of the file."""
    return content[: draw.randrange(len(content))]


def flip_bits(content: bytes, draw: random.Random) -> bytes:
    """The file with one or more other bits."""
    damaged = bytearray(content)
    for _ in range(draw.choice((1, 3, 30))):
        damaged[draw.randrange(len(damaged))] ^= 1 << draw.randrange(8)
    return bytes(damaged)


def flip_near_the_ends(content: bytes, draw: random.Random) -> bytes:
    """The file with other bytes where most formats keep their headers."""
    damaged = bytearray(content)
    reach = min(400, len(damaged))
    for _ in range(draw.choice((1, 2, 8))):
        at = draw.randrange(reach)
        damaged[at if draw.random() < 0.5 else -1 - at] = draw.randrange(256)
    return bytes(damaged)


def repeat(content: bytes, draw: random.Random) -> bytes:
    """The file with a piece that is missing or there twice."""
    at = draw.randrange(len(content))
    return content[:at] + content[draw.randrange(len(content)) :] + content[at:]


def noise(content: bytes, draw: random.Random) -> bytes:
    """The first bytes of the file, then random ones."""
    return content[: draw.choice((0, 1, 4, 8, 64))] + draw.randbytes(draw.choice((0, 1, 7, 100, 5000)))


DAMAGES = (cut, flip_bits, flip_near_the_ends, repeat, noise)
