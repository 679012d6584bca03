"""The conditional independencies that a declared graph implies, tested in the data or in the network's outputs.

Dependent: the generalised covariance measure rejects. Independent: it does not, and the dependence is shown to be
smaller than the tolerance. Else neither is shown, and the samples are too few.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from causalvae.alignment.conditional import (
    Conditioner,
    CovarianceTest,
    TooFewSamplesError,
    measure_covariance,
)
from causalvae.alignment.dependence_size import DependenceSize, measure_size
from causalvae.alignment.types import IndependenceCheck, IndependenceResult, TestedOn
from causalvae.alignment.variables import Variable
from causalvae.graph import CausalGraph, Independence
from causalvae.statistics.multiplicity import Correction, adjust

TEST_NAME = "generalised covariance measure, leave-one-out kernel regression"


class IndependenceTester:
    """Tests of conditional independence on one table of samples; regressions are fitted once.

    Parameters
    ----------
    variables : mapping
        Name -> its values, all of the same length.
    seed : int
        For the regressions' landmarks.
    """

    def __init__(self, variables: Mapping[str, Variable], seed: int = 0) -> None:
        self.variables = variables
        self.samples = len(next(iter(variables.values())).values) if variables else 0
        self._seed = seed
        self._conditioners: dict[tuple[str, ...], Conditioner] = {}

    def untestable(self, left: str, right: str, given: Iterable[str]) -> str | None:
        """Why a test of `left` and `right` given `given` would mean nothing; None where it means something."""
        for name in (left, right):
            if self.variables[name].constant:
                return f"{name} does not vary"
        given = tuple(given)
        for name in (left, right):
            if self._condition(given).determines(self.variables[name]):
                return f"{name} is a function of {', '.join(given)} here and so independent of anything given these"
        return None

    def covariance(self, left: str, right: str, given: Iterable[str]) -> CovarianceTest:
        """The test; raises `TooFewSamplesError`."""
        found = self._condition(given)
        parts = [found.remainder(self.variables[name]).functions for name in (left, right)]
        return measure_covariance(*parts)

    def size(self, x: str, y: str, given: Iterable[str], bound: float, confidence: float) -> DependenceSize | None:
        """How far `y` depends on `x`; see `measure_size`."""
        return measure_size(self.variables[x], self.variables[y], self._condition(given), bound, confidence)

    def _condition(self, given: Iterable[str]) -> Conditioner:
        key = tuple(sorted(given))
        if key not in self._conditioners:
            held = tuple(self.variables[name] for name in key)
            self._conditioners[key] = Conditioner(held, self.samples, self._seed)
        return self._conditioners[key]


@dataclass(frozen=True)
class Rule:
    """How independencies are decided.

    Parameters
    ----------
    alpha : float
        Level of the family of tests, and of each equivalence.
    correction : {"holm", "bh", "none"}
        Of the tests that find a dependence. That all implied independencies hold is an intersection of equivalences,
        which needs no correction.
    tolerance : float
        Dependences below it count as none.
    confidence : float
        Of the interval.
    """

    alpha: float = 0.05
    correction: Correction = "holm"
    tolerance: float = 0.1
    confidence: float = 0.95


@dataclass(frozen=True)
class IndependenceChecks:
    """Independencies, tested.

    Parameters
    ----------
    checks : tuple of IndependenceCheck
        Those that can be tested.
    fisher_c, fisher_p : float or None
        -2 sum log p over `checks` and its chi-squared p-value with two degrees of freedom a check (Shipley 2000); None
        where there are none.
    untested : mapping
        Reason -> the independencies that cannot be tested for it.
    """

    checks: tuple[IndependenceCheck, ...]
    fisher_c: float | None
    fisher_p: float | None
    untested: Mapping[str, tuple[Independence, ...]]


def check_independencies(
    independencies: Sequence[Independence],
    tester: IndependenceTester,
    rule: Rule,
    of: TestedOn = "network",
    order: Sequence[str] = (),
    on_check: Callable[[int, int], None] | None = None,
) -> IndependenceChecks:
    """Test conditional independencies on measured variables.

    Parameters
    ----------
    independencies : sequence of Independence
        What the declared graph implies.
    tester : IndependenceTester
    rule : Rule
    of : {"data", "network"}
        Whose variables these are.
    order : sequence of str
        Variables, causes first: of two, the first is what is redrawn. In the order of each independence where omitted.
    on_check : callable, optional
        Called with (done, total) after each.

    Returns
    -------
    IndependenceChecks
        An independence of a constant, or of a variable that the given ones determine, holds for any other variable: a
        test of it would only weigh the regression's own error, so it is omitted.
    """
    found: list[IndependenceCheck] = []
    idle: dict[str, list[Independence]] = {}
    for position, claim in enumerate(independencies):
        reason = tester.untestable(claim.left, claim.right, claim.given)
        if reason is None:
            try:
                found.append(_check(claim, tester, rule, of, order))
            except TooFewSamplesError as fault:
                reason = str(fault)
        if reason is not None:
            idle.setdefault(reason, []).append(claim)
        if on_check is not None:
            on_check(position + 1, len(independencies))
    untested = {reason: tuple(claims) for reason, claims in idle.items()}
    if not found:
        return IndependenceChecks((), None, None, untested)
    adjusted = adjust([check.p_value for check in found], rule.correction)
    checks = tuple(_decide(check, float(p), rule.alpha) for check, p in zip(found, adjusted, strict=True))
    fisher_c, fisher_p = combine_p_values([check.p_value for check in found])
    return IndependenceChecks(checks, fisher_c, fisher_p, untested)


def _check(
    claim: Independence, tester: IndependenceTester, rule: Rule, of: TestedOn, order: Sequence[str]
) -> IndependenceCheck:
    test = tester.covariance(claim.left, claim.right, claim.given)
    x, y = claim.left, claim.right
    if x in order and y in order and order.index(x) > order.index(y):
        x, y = y, x
    size = tester.size(x, y, claim.given, rule.tolerance, rule.confidence)
    check = IndependenceCheck(
        claim.left,
        claim.right,
        tuple(claim.given),
        test.statistic,
        test.p_value,
        test.p_value,
        rejected=False,
        effect=test.effect,
        of=of,
        n=tester.samples,
    )
    if size is None:
        return check
    return replace(check, size=size.value, lower=size.lower, upper=size.upper, p_small=size.p_small, needed=size.needed)


def _decide(check: IndependenceCheck, p_adjusted: float, alpha: float) -> IndependenceCheck:
    result: IndependenceResult = "undecided"
    if p_adjusted <= alpha:
        result = "dependent"
    elif check.p_small <= alpha:
        result = "independent"
    return replace(check, p_adjusted=p_adjusted, rejected=result == "dependent", result=result)


def combine_p_values(p_values: Sequence[float]) -> tuple[float, float]:
    """Fisher's C = -2 sum log p, and its chi-squared p-value with 2 k degrees of freedom."""
    from scipy.special import chdtrc

    smallest = np.finfo(np.float64).tiny
    statistic = float(-2 * np.log(np.maximum(p_values, smallest)).sum())
    return statistic, float(chdtrc(2 * len(p_values), statistic))


def causes_first(graph: CausalGraph) -> tuple[str, ...]:
    """The graph's nodes, causes before effects, in the order of declaration where it leaves that open."""
    import networkx as nx

    return tuple(nx.lexicographical_topological_sort(graph.networkx, key=graph.nodes.index))
