"""The only module that uses pgmpy: its conditional-independence interface, and Fisher's C.

pgmpy is imported inside the functions, since it takes a second, and its warnings and log lines are silenced here.

Which test. pgmpy 1.1.2 picks Pillai's trace for mixed data, with forests whose residuals are in-sample: it rejects
27 % of true independencies at a nominal 5 %. Its linear tests reject every true independence with a non-linear relation
behind it. Its generalised covariance measure (GCM) allows for non-linear regressions, but only of numeric variables and
again with in-sample residuals. `covariance_test` is that class with the residuals of `causalvae.alignment.conditional`,
so that categorical and cyclic variables take part and no row predicts itself. It goes wherever pgmpy takes a test,
structure learning included.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np

from causalvae.alignment.conditional import Conditioner, Regression, TooFewSamplesError, measure_covariance
from causalvae.alignment.types import IndependenceCheck
from causalvae.alignment.variables import Variable, encode
from causalvae.graph import Independence
from causalvae.statistics.multiplicity import Correction, adjust

TEST_NAME = "generalised covariance measure, leave-one-out kernel regression"


@dataclass(frozen=True)
class IndependenceChecks:
    """The implied independencies, tested.

    Parameters
    ----------
    checks : tuple of IndependenceCheck
        Those that can be tested.
    fisher_c, fisher_p : float or None
        -2 sum log p over `checks` and its chi-squared p-value with two degrees of freedom a check (Shipley 2000); None
        where there are none.
    notes : tuple of str
        Those that cannot be tested, and why.
    """

    checks: tuple[IndependenceCheck, ...]
    fisher_c: float | None
    fisher_p: float | None
    notes: tuple[str, ...]


def check_independencies(
    independencies: Sequence[Independence],
    variables: Mapping[str, Variable],
    alpha: float,
    correction: Correction,
    seed: int = 0,
    on_check: Callable[[int, int], None] | None = None,
) -> IndependenceChecks:
    """Test conditional independencies on measured variables.

    Parameters
    ----------
    independencies : sequence of Independence
        What the declared graph implies.
    variables : mapping
        Node -> its values, all of the same length.
    alpha : float
        Level of the family.
    correction : {"holm", "bh", "none"}
    seed : int
        For the regressions' landmarks.
    on_check : callable, optional
        Called with (done, total) after each.

    Returns
    -------
    IndependenceChecks
        An independence of a constant, or of a variable that the given ones determine, holds for any other variable: a
        test of it would only weigh the regression's own error, so it is left out with a note.
    """
    if not independencies:
        return IndependenceChecks((), None, None, ())
    test = covariance_test(variables, seed)
    found: list[IndependenceCheck] = []
    idle: dict[str, list[str]] = {}
    for position, claim in enumerate(independencies):
        reason = test.untestable(claim.left, claim.right, claim.given)
        if reason is None:
            try:
                statistic, p_value = test.run_test(claim.left, claim.right, list(claim.given))
            except TooFewSamplesError as fault:
                reason = str(fault)
        if reason is None:
            found.append(
                IndependenceCheck(
                    claim.left, claim.right, tuple(claim.given), statistic, p_value, p_value, False, test.effect_size_
                )
            )
        else:
            idle.setdefault(reason, []).append(describe(claim.left, claim.right, claim.given))
        if on_check is not None:
            on_check(position + 1, len(independencies))
    notes = tuple(f"Not tested, since {reason}: {'; '.join(claims)}." for reason, claims in idle.items())
    if not found:
        return IndependenceChecks((), None, None, notes)
    adjusted = adjust([check.p_value for check in found], correction)
    checks = tuple(
        replace(check, p_adjusted=float(p), rejected=bool(p <= alpha)) for check, p in zip(found, adjusted, strict=True)
    )
    fisher_c, fisher_p = combine_p_values([check.p_value for check in found])
    return IndependenceChecks(checks, fisher_c, fisher_p, notes)


def describe(left: str, right: str, given: Sequence[str]) -> str:
    """An independence as a reader would say it."""
    return f"{left} and {right}" + (f" given {', '.join(given)}" if given else "")


def combine_p_values(p_values: Sequence[float]) -> tuple[float, float]:
    """Fisher's C = -2 sum log p, and its chi-squared p-value with 2 k degrees of freedom.

    pgmpy's `FisherC` gives the same p-value where every independence can be tested, but it cannot leave one out, nor
    tell C.
    """
    from scipy.special import chdtrc

    smallest = np.finfo(np.float64).tiny
    statistic = float(-2 * np.log(np.maximum(p_values, smallest)).sum())
    return statistic, float(chdtrc(2 * len(p_values), statistic))


def covariance_test(variables: Mapping[str, Variable], seed: int = 0) -> Any:
    """A pgmpy test of conditional independence for mixed variables with non-linear relations.

    Parameters
    ----------
    variables : mapping
        Column name -> its values.
    seed : int
        For the regressions' landmarks.

    Returns
    -------
    pgmpy.ci_tests.GCM
        A subclass's instance: ``run_test(X, Y, Z)`` returns (statistic, p-value) and sets ``effect_size_``, the largest
        residual correlation; ``untestable(X, Y, Z)`` says why a test would mean nothing, or None. It is what
        ``ci_test=`` of pgmpy's metrics and structure learners takes.
    """
    with _quiet():
        return _test_class()(variables, seed)


@cache
def _test_class() -> type:
    from pgmpy.ci_tests import GCM

    class MixedGCM(GCM):  # type: ignore[misc]
        """pgmpy's generalised covariance measure over several functions of each variable."""

        _tags = {"name": "mixed_gcm", "data_types": ("discrete", "continuous", "mixed"), "default_for": None}  # noqa: RUF012

        def __init__(self, variables: Mapping[str, Variable], seed: int = 0, use_cache: bool = True) -> None:
            import pandas as pd

            self.variables = variables
            self.seed = seed
            self._conditioners: dict[tuple[str, ...], Conditioner] = {}
            self._regressions: dict[tuple[str, tuple[str, ...]], Regression] = {}
            frame = pd.DataFrame({name: variable.values for name, variable in variables.items()})
            super().__init__(data=frame, use_cache=use_cache)

        def untestable(self, X: str, Y: str, Z: Sequence[str]) -> str | None:
            for name in (X, Y):
                if self.variables[name].constant:
                    return f"{name} does not vary"
            for name in (X, Y):
                if self._condition(Z).determines(self.variables[name]):
                    return f"{name} is a function of {', '.join(Z)} here and so independent of anything given these"
            return None

        def _condition(self, Z: Sequence[str]) -> Conditioner:
            key = tuple(sorted(Z))
            if key not in self._conditioners:
                given = tuple(self.variables[name] for name in key)
                self._conditioners[key] = Conditioner(given, len(self.data), self.seed)
            return self._conditioners[key]

        def _regress(self, name: str, Z: Sequence[str]) -> Regression:
            key = (name, tuple(sorted(Z)))
            if key not in self._regressions:
                self._regressions[key] = self._condition(Z).regress(encode(self.variables[name]))
            return self._regressions[key]

        def _compute_result(self, X: str, Y: str, Z: Sequence[str]) -> SimpleNamespace:
            result = measure_covariance(self._regress(X, Z), self._regress(Y, Z))
            return SimpleNamespace(
                statistic=result.statistic, p_value=result.p_value, effect_size=result.effect, attributes={}
            )

    return MixedGCM


@contextmanager
def _quiet() -> Iterator[None]:
    """Without pgmpy's warnings and log lines."""
    log = logging.getLogger("pgmpy")
    level = log.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        log.setLevel(logging.ERROR)
        try:
            yield
        finally:
            log.setLevel(level)
