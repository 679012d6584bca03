"""Sounds of one channel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from causalvae.spec.picture import Datum, LabelledDatum, OutputFacts, Picture

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from markupsafe import Markup

# Time steps of a sound that are kept.
_MOST_STEPS: Final = 4096
_WINDOW, _FRAMES = 128, 48
# What is this many decibels below the loudest is black.
_RANGE: Final = 60.0
_FULL_SCALE: Final = 32767


class SoundPicture(Picture):
    """A spectrogram, time from left to right and low tones at the bottom, and a player where the rate is known."""

    kind: ClassVar[str] = "sound"

    @staticmethod
    def keep(values: npt.NDArray[np.float32], facts: OutputFacts) -> Datum:
        """A wave in [0, 1], (1, length), silent at 1/2: its spectrogram, and its beginning as a sound."""
        wave = (2 * values[0] - 1).clip(-1, 1)
        return Datum(png=spectrogram(wave), wav=wav_of(wave[:_MOST_STEPS], facts.rate))

    @staticmethod
    def keep_change(change: npt.NDArray[np.float32], facts: OutputFacts) -> Datum:
        """The spectrogram of the difference."""
        return Datum(png=spectrogram(2 * change[0]))

    @staticmethod
    def draw(shown: Sequence[LabelledDatum], facts: OutputFacts) -> Markup:
        """One spectrogram with its player next to the other."""
        from causalvae.pictures._html import frame
        from causalvae.report.svg import element

        return element("div", *map(frame, shown), class_="frames is-sound")


def spectrogram(wave: npt.NDArray[np.float32]) -> str:
    """Levels between -60 and 0 dB, full scale being a sine of amplitude 1, as a grey PNG in base64."""
    import numpy as np

    from causalvae.pictures._png import png_of

    size = min(_WINDOW, len(wave))
    starts = np.linspace(0, len(wave) - size, min(_FRAMES, len(wave) - size + 1)).astype(int)
    window = np.hanning(size + 2)[1:-1]
    pieces = np.stack([wave[start : start + size] for start in starts]) * window
    levels = np.abs(np.fft.rfft(np.nan_to_num(pieces), axis=1)) / (window.sum() / 2)
    decibels = 20 * np.log10(np.maximum(levels, 1e-12))
    shades = (255 * (1 + decibels / _RANGE)).clip(0, 255).round().astype(np.uint8)
    return png_of(shades.T[::-1])


def wav_of(wave: npt.NDArray[np.float32], rate: float | None) -> str:
    """A wave in [-1, 1] as 16-bit WAV in base64; empty without a sampling rate."""
    if rate is None:
        return ""
    import base64
    import io
    import wave as wave_file

    import numpy as np

    buffer = io.BytesIO()
    with wave_file.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(round(rate))
        file.writeframes(np.round(np.nan_to_num(wave) * _FULL_SCALE).astype("<i2").tobytes())
    return base64.b64encode(buffer.getvalue()).decode("ascii")
