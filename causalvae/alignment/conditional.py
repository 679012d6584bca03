"""Conditional independence of mixed variables with non-linear relations: a generalised covariance measure.

X is independent of Y given Z exactly when no function of X and Z and no function of Y and Z have correlated residuals
after regression on Z. The generalised covariance measure (Shah and Peters 2020, Annals of Statistics 48:1514) tests
this for one function of each: it regresses both on Z by any method that learns well enough, and asks whether the mean
product of the residuals is zero. Here a variable is represented by a few bounded functions (`variables.encode`), both
sets are regressed on Z without using a row to predict itself (`Conditioner`), and all mean products are tested together
(`measure_covariance`). Only the rate of the regressions matters, not their form. Residuals of rows that a regression
was fitted on would be too small, which is what makes in-sample forests reject true independencies.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from causalvae.alignment.variables import FloatArray, Variable, as_numbers, encode
from causalvae.statistics.ranks import mean_ranks

DETERMINED = 1e-3
"""Share of a variable's variance below which what a regression leaves is its own error and not the variable's."""

_LANDMARKS = 250
_ROWS_PER_CELL = 10
_PENALTIES = np.logspace(-5, 3, 17)
# A kernel of one length is too smooth for jumps and waves, and what it leaves of them looks like a dependence.
_LENGTHS = (1.0, 0.25, 0.06)
_SMOOTH = (1.0,)
_LEAST_FREED = 1e-9
_EXACT = 1e-6
_ROUNDING = 1e-12
_REPEATED = 1e-6
_DISAGREEMENTS = 10


def _similarity(variable: Variable, rows: npt.NDArray[np.int64], lengths: tuple[float, ...] = _SMOOTH) -> FloatArray:
    """Kernel between all rows and the landmark `rows`, shape (n, landmarks).

    Of a number it is the mean of Gaussian kernels of several lengths, of its value and of its rank: ranks resolve where
    a skewed variable is dense, and values keep the size of what is far out.
    """
    if variable.kind == "categorical":
        return np.asarray(variable.values[:, None] == variable.values[None, rows], dtype=np.float64)
    # Rows of one value have one kernel: factors take few values.
    _, sample, value = np.unique(variable.values, return_index=True, return_inverse=True)
    columns, column = np.unique(sample[value[rows]], return_inverse=True)
    if variable.kind == "cyclic":
        angles = variable.angles()
        squares = [2 - 2 * np.cos(angles[sample, None] - angles[None, columns])]
    else:
        views = [variable.values] if lengths == _SMOOTH else [variable.values, mean_ranks(variable.values)]
        scaled = [(values - values.mean()) / values.std() for values in views]
        squares = [(values[sample, None] - values[None, columns]) ** 2 for values in scaled]
    kernels = [np.exp(-square / (2 * length**2)) for square in squares for length in lengths]
    return np.asarray(np.mean(kernels, axis=0)[value[:, None], column[None, :]])


class TooFewSamplesError(ValueError):
    """The samples are too few, or vary too little, for a test."""


@dataclass(frozen=True)
class Regression:
    """What is left of some functions after regression on the same variables.

    Parameters
    ----------
    residuals : float array, shape (n, functions)
        Each row's by a fit that does not see it.
    freedom : float
        Degrees of freedom that the fit spends, the largest over the functions.
    """

    residuals: FloatArray
    freedom: float


@dataclass(frozen=True)
class Remainder:
    """What regressions on the same variables leave of a variable.

    Parameters
    ----------
    functions : Regression
        Of `variables.encode`.
    numbers : float array, shape (n, numbers)
        Of `variables.as_numbers`.
    """

    functions: Regression
    numbers: FloatArray


@dataclass
class Conditioner:
    """Regresses on one set of variables.

    Where the variables take few enough joint values (ten rows a value on average) the regression is the table of means,
    which fits any function. Otherwise it is kernel ridge regression with the product over variables of (1 + kernel),
    which holds main effects and interactions of every order, smooth and abrupt, on Nystroem landmarks; the penalty of
    each function is chosen by its leave-one-out error. Both give leave-one-out residuals in closed form.

    Parameters
    ----------
    given : tuple of Variable
        What to regress on; constants do nothing.
    n : int
        Rows.
    seed : int
        For the choice of landmarks.
    """

    given: tuple[Variable, ...]
    n: int
    seed: int = 0
    _cells: npt.NDArray[np.int64] = field(init=False, repr=False)
    _remainders: dict[str, Remainder] = field(init=False, default_factory=dict, repr=False)
    _bases: dict[tuple[float, ...], tuple[FloatArray, FloatArray]] = field(init=False, default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.given = tuple(variable for variable in self.given if not variable.constant)
        if self.given:
            stacked = np.stack([variable.values for variable in self.given], axis=1)
            self._cells = np.unique(stacked, axis=0, return_inverse=True)[1].reshape(-1)
        else:
            self._cells = np.zeros(self.n, dtype=np.int64)

    @property
    def tabular(self) -> bool:
        """Whether the regression is a table of means."""
        return self.n >= _ROWS_PER_CELL * (int(self._cells.max()) + 1)

    def regress(self, functions: FloatArray) -> Regression:
        """Leave-one-out residuals of `functions`, shape (n, functions)."""
        return self._from_table(functions) if self.tabular else self._from_kernel(functions)

    def remainder(self, variable: Variable) -> Remainder:
        """What is left of a variable that varies, and is the only one of its name."""
        if variable.name not in self._remainders:
            functions = encode(variable)
            count = functions.shape[1]
            found = self.regress(np.concatenate([functions, as_numbers(variable)], axis=1))
            self._remainders[variable.name] = Remainder(
                Regression(found.residuals[:, :count], found.freedom), found.residuals[:, count:]
            )
        return self._remainders[variable.name]

    def determines(self, variable: Variable) -> bool:
        """Whether `variable` is a function of the given ones, exactly or to within what a regression can tell.

        Exactly: rows with equal given values have equal values (to a millionth of a standard deviation), where at
        least ten rows would be expected to differ were they unrelated. Nearly: the regression leaves less than
        `DETERMINED` of the variance of the variable's own values (of its indicators, or of sine and cosine, together).
        """
        if variable.constant:
            return True
        if not self.given:
            return False
        return self._fixes(variable) or self._predicts(variable)

    def _fixes(self, variable: Variable) -> bool:
        _, value = np.unique(np.round(variable.values / (_EXACT * variable.values.std())), return_inverse=True)
        order = np.lexsort((value, self._cells))
        together = np.diff(self._cells[order]) == 0
        differ = 1 - ((np.bincount(value) / self.n) ** 2).sum()
        if together.sum() * differ < _DISAGREEMENTS:
            return False
        return not bool((np.diff(value[order])[together] != 0).any())

    def _predicts(self, variable: Variable) -> bool:
        # Numbers have a variance of 1 in all.
        return bool((self.remainder(variable).numbers ** 2).sum() < DETERMINED * self.n)

    def _from_table(self, functions: FloatArray) -> Regression:
        counts = np.bincount(self._cells)
        sums = np.zeros((len(counts), functions.shape[1]))
        np.add.at(sums, self._cells, functions)
        others = counts[self._cells][:, None] - 1
        alone = others == 0
        elsewhere = (functions.sum(axis=0) - functions) / (self.n - 1)
        inside = (sums[self._cells] - functions) / np.where(alone, 1, others)
        return Regression(functions - np.where(alone, elsewhere, inside), float(len(counts)))

    def _from_kernel(self, functions: FloatArray) -> Regression:
        """By the smooth kernel, or for functions that it leaves more of, by the one of several lengths."""
        smooth, fine = (self._by_lengths(functions, lengths) for lengths in (_SMOOTH, _LENGTHS))
        better = (fine.residuals**2).sum(axis=0) < (smooth.residuals**2).sum(axis=0)
        freedom = max(fine.freedom if better.any() else 0.0, smooth.freedom if not better.all() else 0.0)
        return Regression(np.where(better, fine.residuals, smooth.residuals), freedom)

    def _by_lengths(self, functions: FloatArray, lengths: tuple[float, ...]) -> Regression:
        left, values = self._factor(lengths)
        rows, count = functions.shape
        centred = functions - functions.mean(axis=0)
        squares = values[:, None] ** 2
        shrink = squares / (squares + _PENALTIES)
        # One less the leverage, without a difference of numbers that are almost equal: short lengths give rows that are
        # far from all others nearly all of the leverage that there is.
        beyond = np.maximum(1 - 1 / self.n - (left**2).sum(axis=1, keepdims=True), 0.0)
        freed = np.maximum(beyond + left**2 @ (_PENALTIES / (squares + _PENALTIES)), _LEAST_FREED)
        fits = left @ (shrink[:, :, None] * (left.T @ centred)[:, None, :]).reshape(
            len(values), len(_PENALTIES) * count
        )
        trials = centred[:, None, :] - fits.reshape(rows, len(_PENALTIES), count)
        trials /= freed[:, :, None]
        best = np.einsum("ijk,ijk->jk", trials, trials).argmin(axis=0)
        freedom = float(shrink.sum(axis=0)[best].max(initial=0.0)) + 1
        return Regression(trials[:, best, np.arange(count)], freedom)

    def _factor(self, lengths: tuple[float, ...] = _SMOOTH) -> tuple[FloatArray, FloatArray]:
        """Left singular vectors and singular values of the centred Nystroem features."""
        if lengths not in self._bases:
            order = np.random.default_rng(self.seed).permutation(self.n)
            _, first = np.unique(self._cells[order], return_index=True)
            rows = order[np.sort(first)][:_LANDMARKS]
            kernel = np.ones((self.n, len(rows)))
            for variable in self.given:
                kernel *= 1 + _similarity(variable, rows, lengths)
            spectrum, vectors = np.linalg.eigh(kernel[rows])
            keep = spectrum > 1e-8 * spectrum[-1]
            features = kernel @ (vectors[:, keep] / np.sqrt(spectrum[keep]))
            features -= features.mean(axis=0)
            # By the Gram matrix, which is fast; what it cannot tell from zero the smallest penalty takes out as well.
            spectrum, vectors = np.linalg.eigh(features.T @ features)
            solid = spectrum > 1e-12 * spectrum[-1]
            values = np.sqrt(spectrum[solid])
            self._bases[lengths] = (features @ (vectors[:, solid] / values), values)
        return self._bases[lengths]


@dataclass(frozen=True)
class CovarianceTest:
    """Outcome of `measure_covariance`.

    Parameters
    ----------
    statistic : float
        Hotelling's T squared of the residual products.
    p_value : float
    effect : float
        Largest correlation, without its sign, between a residual of the one variable and one of the other.
    """

    statistic: float
    p_value: float
    effect: float


def measure_covariance(x: Regression, y: Regression) -> CovarianceTest:
    """Test that all residuals of X are uncorrelated with all residuals of Y.

    U_i holds the d products of row i and T^2 = n mean(U)' cov(U)^-1 mean(U): for one function of each it is the square
    of Shah and Peters' statistic. v / (n d) T^2 is compared with F(d, v), where v = n - d less the degrees of freedom
    that the regressions spent. Products that do not vary or repeat others are omitted.

    Raises
    ------
    TooFewSamplesError
        Where no product varies, or the degrees of freedom are spent.
    """
    from scipy.special import fdtrc

    n = len(x.residuals)
    products = (x.residuals[:, :, None] * y.residuals[:, None, :]).reshape(n, -1)
    scale = products.std(axis=0)
    varying = scale > _ROUNDING * scale.max(initial=0.0)
    if not varying.any():
        raise TooFewSamplesError("the residuals do not vary")
    products = products[:, varying] / scale[varying]
    spectrum, vectors = np.linalg.eigh(np.atleast_2d(np.cov(products, rowvar=False)))
    solid = spectrum > _REPEATED * spectrum[-1]
    along = vectors[:, solid].T @ products.mean(axis=0)
    statistic = float(n * (along**2 / spectrum[solid]).sum())
    d = int(solid.sum())
    freedom = n - d - max(x.freedom, y.freedom)
    if freedom < 1:
        raise TooFewSamplesError("there are too few samples for this number of given values")
    p_value = float(fdtrc(d, freedom, freedom / (n * d) * statistic))
    effect = float(np.abs(_standardise(x.residuals).T @ _standardise(y.residuals) / n).max())
    return CovarianceTest(statistic, p_value, effect)


def _standardise(residuals: FloatArray) -> FloatArray:
    size = np.sqrt((residuals**2).mean(axis=0))
    return np.asarray(residuals[:, size > 0] / size[size > 0])
