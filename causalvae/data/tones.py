"""Tones with harmonics and exponential decay, as waveforms in [0, 1].

Sample i is taken at time t = i / rate. The wave is

    s(t) = loudness G exp(-decay t) sum_k a_k sin(2 pi k pitch t + k phase),    a_k = timbre^(k - 1) / |a|

for the harmonics k = 1..6 below half the sampling rate, where |a| is the root of the sum of squares, so that timbre
does not change the power. G = 0.4 keeps all waves within [-1, 1] (six equal harmonics sum to at most sqrt(6) times
their root mean square). The input is (1 + s) / 2, so silence is 1/2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from causalvae.data.factors import FloatArray

HARMONICS: Final = 6
GAIN: Final = 0.4
_AT_ONCE: Final = 512


class TonesWorld:
    """Generates tones.

    Parameters
    ----------
    length : int
        Number of samples of a sound.
    rate : float
        Sampling rate in Hz.
    """

    name = "tones"

    def __init__(self, length: int, rate: float) -> None:
        self.length, self.rate = length, rate
        self.input_shape = (1, length)

    def render(self, values: Mapping[str, FloatArray]) -> npt.NDArray[np.float32]:
        """Generate tones.

        Parameters
        ----------
        values : mapping
            All variables of the tones world (`causalvae.spec.worlds.WORLDS`), each (n,).

        Returns
        -------
        float32 array, shape (n, 1, length)
            In [0, 1].
        """
        n = len(values["pitch"])
        time = np.arange(self.length) / self.rate
        sounds = np.empty((n, 1, self.length), dtype=np.float32)
        for start in range(0, n, _AT_ONCE):
            part = {name: column[start : start + _AT_ONCE] for name, column in values.items()}
            amplitudes = self.amplitudes(part)
            turn = 2 * np.pi * part["pitch"][:, None] * time[None, :] + part["phase"][:, None]
            wave = np.zeros(turn.shape)
            for harmonic in range(1, HARMONICS + 1):
                wave += amplitudes[:, harmonic - 1 : harmonic] * np.sin(harmonic * turn)
            fade = np.exp(-part["decay"][:, None] * time[None, :])
            sounds[start : start + _AT_ONCE, 0] = 0.5 + 0.5 * GAIN * part["loudness"][:, None] * fade * wave
        return sounds

    def amplitudes(self, values: Mapping[str, FloatArray]) -> FloatArray:
        """Amplitudes of harmonics, (n, HARMONICS), with squares that sum to 1; 0 from half the sampling rate on."""
        order = np.arange(1, HARMONICS + 1)[None, :]
        heard = order * values["pitch"][:, None] < self.rate / 2
        raw = np.where(heard, values["timbre"][:, None] ** (order - 1), 0.0)
        size = np.sqrt((raw**2).sum(axis=1, keepdims=True))
        return np.asarray(raw / np.where(size > 0, size, 1.0))

    def truth(self, values: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        """True values of readouts by name, each (n,).

        ``pitch`` in Hz; ``loudness``, the root mean square of the wave as a share of full scale: GAIN loudness / sqrt 2
        times the root of the mean of exp(-2 decay t); ``spectral_centroid``, the power-weighted mean frequency in Hz.
        The last two are exact for whole numbers of periods. Pitch and centroid are nan below a loudness of 0.05, and if
        there are fewer than four periods before the tone has faded to a tenth.
        """
        amplitudes = self.amplitudes(values)
        order = np.arange(1, HARMONICS + 1)
        seconds = self.length / self.rate
        fading = 2 * values["decay"] * seconds
        power = np.where(fading > 1e-9, -np.expm1(-fading) / np.where(fading > 1e-9, fading, 1.0), 1.0)
        lasts = np.minimum(seconds, np.log(10) / np.maximum(values["decay"], 1e-9))
        known = (values["loudness"] >= 0.05) & (lasts * values["pitch"] >= 4) & (values["pitch"] < self.rate / 2)
        centroid = values["pitch"] * (order[None, :] * amplitudes**2).sum(axis=1)
        return {
            "pitch": np.where(known, values["pitch"], np.nan),
            "loudness": GAIN * values["loudness"] / np.sqrt(2) * np.sqrt(power),
            "spectral_centroid": np.where(known, centroid, np.nan),
        }
