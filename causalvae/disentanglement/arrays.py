"""What every metric takes: codes and factors, one row a sample, checked once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from causalvae.errors import CausalVAEError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class LabelledCodes:
    """Codes and the factors that they stand for, checked.

    Parameters
    ----------
    codes : float array, shape (n, n_latents)
        The representation: posterior means, as a rule.
    factors : float array, shape (n, n_factors)
        The factors as they were given.
    levels : int array, shape (n, n_factors)
        Which of its distinct values each factor has, counted from 0 in rising order.
    sizes : tuple of int
        Number of distinct values of each factor.
    active : bool array, shape (n_latents,)
        Which latents the metric may use: those of the caller's mask.
    """

    codes: FloatArray
    factors: FloatArray
    levels: IntArray
    sizes: tuple[int, ...]
    active: BoolArray

    @property
    def varied(self) -> BoolArray:
        """Which factors have more than one value: bool array, shape (n_factors,)."""
        return np.asarray(self.sizes) > 1

    @property
    def moving(self) -> BoolArray:
        """Which latents are active and not constant: bool array, shape (n_latents,)."""
        return np.asarray(self.active & (np.ptp(self.codes, axis=0) > 0))

    def refuse_continuous(self) -> None:
        """Refuse factors that are no levels.

        Raises
        ------
        CausalVAEError
            CV513 where a factor has fewer than two samples a value on average.
        """
        for column, size in enumerate(self.sizes):
            if size > max(len(self.codes) / 2, 2):
                raise CausalVAEError(
                    "CV513",
                    f"Factor {column} has {size} different values in {len(self.codes)} samples, and needs levels here.",
                    "Bin continuous factors (`discretise`), or draw more samples.",
                    "factors",
                )

    def refuse_single(self, score: str) -> None:
        """Refuse a single factor.

        Raises
        ------
        CausalVAEError
            CV517 where fewer than two factors vary.
        """
        if self.varied.sum() < 2:
            raise CausalVAEError(
                "CV517",
                f"The {score} asks which of several factors was held, and only one varies.",
                "Give data with two factors that vary or more.",
                "factors",
            )


def label_codes(codes: npt.ArrayLike, factors: npt.ArrayLike, active: npt.ArrayLike | None = None) -> LabelledCodes:
    """Check one set of codes and factors.

    Parameters
    ----------
    codes : array, shape (n, n_latents)
    factors : array, shape (n, n_factors)
        Levels or physical values; equal numbers are one level.
    active : bool array, shape (n_latents,), optional
        Latents to use; all if omitted. `find_active` makes one from KL divergences.

    Raises
    ------
    CausalVAEError
        CV510 where the arrays do not fit together or have no samples, CV511 where a value is not finite, CV512 where no
        factor has two values.
    """
    return _label([(codes, factors)], active)[0]


def label_split(
    codes: npt.ArrayLike,
    factors: npt.ArrayLike,
    test_codes: npt.ArrayLike,
    test_factors: npt.ArrayLike,
    active: npt.ArrayLike | None = None,
) -> tuple[LabelledCodes, LabelledCodes]:
    """Check a training and a test set, whose levels are counted together; see `label_codes`.

    Raises
    ------
    CausalVAEError
        As `label_codes`; CV512 also where a factor that varies has one value in the training set.
    """
    train, test = _label([(codes, factors), (test_codes, test_factors)], active)
    for column in np.flatnonzero(train.varied):
        if np.ptp(train.levels[:, column]) == 0:
            raise CausalVAEError(
                "CV512",
                f"Factor {column} has one value in the training set and others in the test set.",
                "Draw both sets from the same distribution, or draw more samples.",
                "factors",
            )
    return train, test


def find_active(kl: npt.ArrayLike, threshold: float = 0.01) -> BoolArray:
    """Which latents carry information: those whose mean KL divergence from the prior is above `threshold`.

    Parameters
    ----------
    kl : array, shape (n, n_latents) or (n_latents,)
        KL divergence of each latent's posterior from its prior, in nats.
    threshold : float, default 0.01
        That of Duan et al. 2020 (arXiv 1905.12614).

    Returns
    -------
    bool array, shape (n_latents,)
    """
    divergence = np.atleast_2d(np.asarray(kl, dtype=np.float64))
    if not np.isfinite(divergence).all():
        raise CausalVAEError(
            "CV511", "A KL divergence is not finite.", "Check that the posterior is read as it was trained.", "kl"
        )
    return np.asarray(divergence.mean(axis=0) > threshold)


def _label(
    sets: Sequence[tuple[npt.ArrayLike, npt.ArrayLike]], active: npt.ArrayLike | None
) -> tuple[LabelledCodes, ...]:
    codes = [read_matrix(pair[0], "codes") for pair in sets]
    factors = [read_matrix(pair[1], "factors") for pair in sets]
    for code, factor in zip(codes, factors, strict=True):
        if len(code) != len(factor):
            raise _misfit(f"There are {len(code)} rows of codes and {len(factor)} rows of factors.")
        if code.shape[1] != codes[0].shape[1] or factor.shape[1] != factors[0].shape[1]:
            raise _misfit("Training and test sets differ in their latents or factors.")
    latents = codes[0].shape[1]
    mask = np.ones(latents, dtype=bool) if active is None else np.asarray(active, dtype=bool)
    if mask.shape != (latents,):
        raise _misfit(f"The mask of active latents has shape {mask.shape}, and there are {latents} latents.")

    every = np.concatenate(factors)
    levels = np.empty(every.shape, dtype=np.int64)
    sizes = []
    for column in range(every.shape[1]):
        distinct, levels[:, column] = np.unique(every[:, column], return_inverse=True)
        sizes.append(len(distinct))
    if max(sizes, default=0) < 2:
        raise CausalVAEError(
            "CV512",
            "No factor has two different values, so there is nothing to disentangle.",
            "Give samples in which at least one factor varies.",
            "factors",
        )
    parts = np.split(levels, np.cumsum([len(code) for code in codes])[:-1])
    return tuple(
        LabelledCodes(code, factor, part, tuple(sizes), mask)
        for code, factor, part in zip(codes, factors, parts, strict=True)
    )


def read_matrix(given: npt.ArrayLike, what: str) -> FloatArray:
    """`given` as rows and columns of floats; CV510 where it has another shape, CV511 where a value is not finite."""
    array = np.asarray(given, dtype=np.float64)
    if array.ndim != 2 or 0 in array.shape:
        raise _misfit(f"The {what} have shape {array.shape}; one row a sample is needed, and at least one column.")
    if not np.isfinite(array).all():
        raise CausalVAEError(
            "CV511",
            f"The {what} hold values that are not finite.",
            "Remove such samples, or check that the network is read as it was trained.",
            what,
        )
    return array


def _misfit(message: str) -> CausalVAEError:
    return CausalVAEError("CV510", message, "Give codes (n, n_latents) and factors (n, n_factors).", "codes, factors")
