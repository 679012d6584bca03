"""Pitch, loudness and spectral centroid of sounds.

Sounds are waveforms of shape (n, 1, length) in [0, 1]; the wave is 2 x - 1 minus its mean.
"""

from __future__ import annotations

import torch
from torch import Tensor

from causalvae.errors import CausalVAEError
from causalvae.readouts.sums import exact_sum, safe_root

# The first peak with at least this share of the highest one is used (McLeod and Wyvill 2005).
_ALMOST_BEST = 0.9
# Root mean square below which a sound is silent.
_SILENCE = 1e-4
# Number of lags per sample, before interpolation by a parabola.
_STEPS = 4


def wave_of(sounds: Tensor) -> Tensor:
    """The wave minus its mean, float64, (n, length).

    Raises
    ------
    CausalVAEError
        CV228 if the outputs are not sounds.
    """
    if sounds.ndim != 3 or sounds.shape[1] != 1:
        raise CausalVAEError(
            "CV228",
            f"Sounds have one channel, shape (n, 1, length), and not {tuple(sounds.shape)}.",
            "Use readouts of pitch, loudness and spectral_centroid with sounds.",
        )
    wave = 2 * sounds[:, 0].to(torch.float64) - 1
    return wave - (exact_sum(wave) / wave.shape[1])[:, None]


def loudness(wave: Tensor) -> Tensor:
    """Root mean square as a share of full scale, (n,), of waves (n, length)."""
    return safe_root(exact_sum(wave * wave) / wave.shape[1])


def spectral_centroid(wave: Tensor, rate: float) -> Tensor:
    """Power-weighted mean frequency in Hz, 0 for silence, (n,), of waves (n, length).

    The power is that of the Fourier transform with a Hann window.

    Parameters
    ----------
    wave : Tensor, shape (n, length)
    rate : float
        Sampling rate in Hz.
    """
    if len(wave) == 0:
        return wave.new_zeros(0)
    length = wave.shape[1]
    window = torch.hann_window(length, periodic=True, dtype=torch.float64, device=wave.device)
    spectrum = torch.fft.rfft(wave * window)
    power = spectrum.real.square() + spectrum.imag.square()
    frequency = torch.fft.rfftfreq(length, 1 / rate, dtype=torch.float64, device=wave.device)
    total = power.sum(1)
    heard = loudness(wave) > _SILENCE
    return torch.where(heard, (power * frequency).sum(1) / torch.where(heard, total, 1.0), 0.0)


def pitch(wave: Tensor, rate: float) -> Tensor:
    """Fundamental frequency in Hz, 0 for silence, (n,), of waves (n, length).

    The period is the first lag at which the normalised square difference function n(lag) = 2 sum x_t x_(t+lag) /
    sum (x_t^2 + x_(t+lag)^2) has a peak of at least 0.9 of its highest after it first falls below 0 (McLeod and Wyvill
    2005, "A smarter way to find pitch"). It is then refined with the peaks near twice the lag, four times, and so on up
    to half the length, each interpolated by a parabola and twice as accurate as the one before.

    Parameters
    ----------
    wave : Tensor, shape (n, length)
    rate : float
        Sampling rate in Hz.
    """
    if len(wave) == 0:
        return wave.new_zeros(0)
    agreement = _agreement(wave)
    most = agreement.shape[1]
    inner = agreement[:, 1:-1]
    peaks = (inner >= agreement[:, :-2]) & (inner > agreement[:, 2:])
    fallen = (inner < 0).cumsum(1) > 0
    candidates = torch.where(peaks & fallen, inner, -1.0)
    best = candidates.amax(1, keepdim=True)
    first = (candidates >= _ALMOST_BEST * best).to(torch.int8).argmax(1) + 1
    lag = _refine(agreement, first)
    known = (best[:, 0] > 0) & (loudness(wave) > _SILENCE)
    lag = torch.where(known, lag, 1.0)
    times = 2
    while times * 2 <= most:
        centre = (lag.detach() * times).round().long()
        reach = (lag.detach() / 3).clamp_min(1)
        usable = centre + reach + 1 < most
        if not bool(usable.any()):
            break
        found = _peak_near(agreement, centre, reach)
        finer = _refine(agreement, found) / times
        lag = torch.where(usable & ((finer - lag).abs() * times <= reach), finer, lag)
        times *= 2
    return torch.where(known, rate * _STEPS / lag, 0.0)


def _agreement(wave: Tensor) -> Tensor:
    """The normalised square difference function at lags from 0 to half the length in steps of a quarter, (n, steps).

    Fractional lags are those of the band-limited wave, whose power spectrum is padded with zeros.
    """
    length = wave.shape[1]
    spectrum = torch.fft.rfft(wave, n=2 * length)
    power = spectrum.real.square() + spectrum.imag.square()
    steps = _STEPS * (length // 2)
    product = _STEPS * torch.fft.irfft(power, n=2 * length * _STEPS)[:, :steps]
    squares = (wave * wave).cumsum(1)
    lags = torch.arange(length // 2, device=wave.device)
    # Energy of all but the last `lag` samples, and of all but the first.
    early = squares[:, length - 1 - lags]
    late = squares[:, -1:] - torch.cat([squares.new_zeros(len(wave), 1), squares[:, : length // 2 - 1]], dim=1)
    energy = (early + late).repeat_interleave(_STEPS, dim=1)
    some = energy > 0
    return torch.where(some, 2 * product / torch.where(some, energy, 1.0), 0.0)


def _peak_near(agreement: Tensor, centre: Tensor, reach: Tensor) -> Tensor:
    """Index of the highest value within `reach` of `centre`, (n,)."""
    lags = torch.arange(agreement.shape[1], device=agreement.device)[None, :]
    near = (lags - centre[:, None]).abs() <= reach[:, None]
    return torch.where(near, agreement.detach(), -2.0).argmax(1)


def _refine(agreement: Tensor, peak: Tensor) -> Tensor:
    """Maximum of the parabola through a peak and its two neighbours, (n,)."""
    middle = peak.clamp(1, agreement.shape[1] - 2)
    left, here, right = (agreement.gather(1, (middle + step)[:, None])[:, 0] for step in (-1, 0, 1))
    bend = left - 2 * here + right
    curved = bend < 0
    return middle + torch.where(curved, (left - right) / (2 * torch.where(curved, bend, -1.0)), 0.0)
