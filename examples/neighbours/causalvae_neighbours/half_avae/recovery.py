"""How well latents recover sources whose order, sign and scale cannot be determined."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from causalvae.data.factors import FloatArray


@dataclass(frozen=True)
class Recovery:
    """Latents held against the true sources.

    Parameters
    ----------
    correlations : tuple of float
        For each source, the absolute correlation with the latent that stands for it.
    latents : tuple of int
        For each source, that latent.
    rmse : float
        Root mean square error of the latents, scaled and signed by least squares, over all sources, in units of each
        source's standard deviation.
    """

    correlations: tuple[float, ...]
    latents: tuple[int, ...]
    rmse: float

    @property
    def mean(self) -> float:
        """The mean absolute correlation."""
        return float(np.mean(self.correlations))


def measure_recovery(latents: FloatArray, sources: FloatArray) -> Recovery:
    """Match latents to sources one to one such that the mean absolute correlation is greatest.

    Parameters
    ----------
    latents : float array, shape (n, latents)
    sources : float array, shape (n, sources)
        No more of them than latents; none constant.

    Notes
    -----
    The matching is by the Hungarian algorithm (Kuhn 1955). A latent that is constant correlates with nothing. With rho
    the correlation, what least squares leaves of a source of unit variance is 1 - rho^2.
    """
    from scipy.optimize import linear_sum_assignment

    z = latents - latents.mean(axis=0)
    s = (sources - sources.mean(axis=0)) / sources.std(axis=0)
    spread = z.std(axis=0)
    z = np.divide(z, spread, out=np.zeros_like(z), where=spread > 0)
    correlations = np.abs(s.T @ z) / len(z)
    of_source, chosen = linear_sum_assignment(-correlations)
    found = correlations[of_source, chosen]
    return Recovery(
        tuple(float(value) for value in found),
        tuple(int(latent) for latent in chosen),
        float(np.sqrt(np.mean(1.0 - np.minimum(found, 1.0) ** 2))),
    )
