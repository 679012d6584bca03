"""Reads wav files: integers and floats of every depth as waves in [-1, 1], and their sampling rate."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from causalvae.boundary import is_of_system
from causalvae.data.files.own_files import has_suffix
from causalvae.errors import CausalVAEError, first_line

Wave = npt.NDArray[np.float64]

FORMATS: Final = (".wav",)
MOST_BYTES: Final = 1 << 30
# Samples a second. The filter that resamples has 20 taps for each of them.
SLOWEST, FASTEST = 100, 1_000_000
_HEADER: Final = 12
_ORDERS: Final[dict[bytes, str]] = {b"RIFF": "<u4", b"RIFX": ">u4"}
# Taps on each side of the filter of `scipy.signal.resample_poly`, in samples of the slower of the two rates.
_TAPS: Final = 10


def is_sound(path: Path) -> bool:
    """Whether a path is a file with the suffix of a sound."""
    return has_suffix(path, FORMATS)


def check_sound(path: Path) -> None:
    """Read the header of a sound.

    Raises
    ------
    CausalVAEError
        CV235 if the file is no wav file, is cut short or has more than `MOST_BYTES` bytes.
    """
    if path.suffix.lower() not in FORMATS:
        raise _unreadable(path, f"the name does not end in {FORMATS[0]}", "Convert the file, or leave it out.")
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(_HEADER)
    order = _ORDERS.get(head[:4])
    if order is None or head[8:] != b"WAVE":
        raise _unreadable(path, "it is not a wav file", "Convert the file, or leave it out.")
    if size > MOST_BYTES:
        raise _unreadable(
            path, f"it has {size:,} bytes, more than {MOST_BYTES:,}", "Cut it to pieces, or leave it out."
        )
    # The size in the header leaves out its own 8 bytes; a byte that pads the last chunk may be missing.
    told = int(np.frombuffer(head[4:8], order)[0]) + 8
    if size < told - 1:
        raise _unreadable(
            path, f"it has {size:,} bytes of {told:,}: it is cut short", "Replace the file, or leave it out."
        )


def read_sound(path: Path) -> tuple[Wave, int]:
    """Read a wav file: the mean of its channels, in [-1, 1], shape (n,), and its samples a second.

    Full scale is 2^(b - 1) for integers of b bits, and 1 for floats.

    Raises
    ------
    CausalVAEError
        CV235 if the file cannot be read, is empty or compressed, or has floats that are not finite or beyond full
        scale.
    """
    from scipy.io import wavfile

    check_sound(path)
    try:
        # Chunks with other things than sound, such as names and marks, are passed over.
        with warnings.catch_warnings(action="ignore", category=wavfile.WavFileWarning):
            rate, stored = wavfile.read(path)
    except Exception as error:
        if is_of_system(error):
            raise
        # Headers that lie raise ValueError, TypeError, struct.error, ZeroDivisionError, UnboundLocalError and others.
        raise _unreadable(path, first_line(error), "Save it as PCM or float, or leave it out.") from error
    if not stored.size:
        raise _unreadable(path, "it holds no sound", "Leave it out.")
    if not SLOWEST <= rate <= FASTEST:
        said = f"it has {rate:,} samples a second, and may have {SLOWEST} to {FASTEST:,}"
        raise _unreadable(path, said, "Replace the file, or leave it out.")
    if stored.dtype.kind == "f":
        wave = stored.astype(np.float64)
    else:
        # Unsigned bytes are silent at 128. 24 bits are read as the upper ones of 32.
        middle, full = (128, 128) if stored.dtype == np.uint8 else (0, 2 ** (8 * stored.dtype.itemsize - 1))
        wave = (stored.astype(np.float64) - middle) / full
    largest = float(np.abs(wave).max())
    if not largest <= 1:
        beyond = math.isfinite(largest)
        said = f"its samples go up to {largest:g}, beyond 1 (full scale)" if beyond else "not all samples are finite"
        raise _unreadable(path, said, "Divide its samples by the largest, or leave it out.")
    return (wave if wave.ndim == 1 else wave.mean(axis=1)), int(rate)


def fit_sound(wave: Wave, rate: int, wanted: int, length: int) -> npt.NDArray[np.float32]:
    """The beginning of a wave at another rate, as an input: float32, (length,), in [0, 1], silent at 1/2.

    Parameters
    ----------
    wave : float array, shape (n,)
        In [-1, 1].
    rate, wanted : int
        Its samples a second, and those of the input: it is resampled by a polyphase filter that removes what is above
        half of the lower rate.
    length : int
        Samples of the input; silence is added at the end of a wave that is shorter.
    """
    if rate != wanted:
        from scipy.signal import resample_poly

        common = math.gcd(rate, wanted)
        up, down = wanted // common, rate // common
        # What the filter reaches from the last sample that is kept.
        needed = math.ceil(length * down / up) + math.ceil(_TAPS * max(up, down) / up) + 1
        wave = resample_poly(wave[:needed], up, down)
    kept = wave[:length]
    found = np.full(length, 0.5, dtype=np.float32)
    # The filter may overshoot at full scale.
    found[: len(kept)] = np.clip(0.5 + 0.5 * kept, 0.0, 1.0)
    return found


def _unreadable(path: Path, why: str, remedy: str) -> CausalVAEError:
    """The error CV235: `path` is no sound that can be read."""
    return CausalVAEError("CV235", f"{path.name} cannot be read as a sound: {why}.", remedy, str(path))
