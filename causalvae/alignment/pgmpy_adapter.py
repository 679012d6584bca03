"""The only module that uses pgmpy: structure learning from observation, with this package's own test.

pgmpy is imported inside the functions, since it takes seconds, and its warnings and log lines are silenced here.

Which test. pgmpy 1.1.2 picks Pillai's trace for mixed data, with forests whose residuals are in-sample: it rejects
27 % of true independencies at a nominal 5 %. Its linear tests reject every true independence with a non-linear relation
behind it. Its generalised covariance measure (GCM) allows for non-linear regressions, but only of numeric variables and
again with in-sample residuals. `covariance_test` is that class with the test of `causalvae.alignment.independencies`,
so that categorical and cyclic variables take part and no row predicts itself.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from types import SimpleNamespace
from typing import Any

from causalvae.alignment.conditional import CovarianceTest, TooFewSamplesError
from causalvae.alignment.independencies import IndependenceTester
from causalvae.alignment.types import Edge


def covariance_test(tester: IndependenceTester) -> Any:
    """A pgmpy test of conditional independence for mixed variables with non-linear relations.

    Parameters
    ----------
    tester : IndependenceTester

    Returns
    -------
    pgmpy.ci_tests.GCM
        A subclass's instance: ``run_test(X, Y, Z)`` returns (statistic, p-value) and sets ``effect_size_``, the largest
        residual correlation. It is what ``ci_test=`` of pgmpy's metrics and structure learners takes.
    """
    with _quiet():
        return _test_class()(tester)


@cache
def _test_class() -> type:
    from pgmpy.ci_tests import GCM

    class MixedGCM(GCM):  # type: ignore[misc]
        """pgmpy's generalised covariance measure over several functions of each variable."""

        _tags = {"name": "mixed_gcm", "data_types": ("discrete", "continuous", "mixed"), "default_for": None}  # noqa: RUF012

        def __init__(self, tester: IndependenceTester, use_cache: bool = True) -> None:
            import pandas as pd

            self.tester = tester
            frame = pd.DataFrame({name: variable.values for name, variable in tester.variables.items()})
            super().__init__(data=frame, use_cache=use_cache)

        def _compute_result(self, X: str, Y: str, Z: Sequence[str]) -> SimpleNamespace:
            result = _covariance(self.tester, X, Y, Z)
            if result is None:
                return SimpleNamespace(statistic=0.0, p_value=1.0, effect_size=0.0, attributes={})
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


@dataclass(frozen=True)
class EquivalenceClass:
    """A completed partially directed graph: what all graphs with the same independencies share.

    Parameters
    ----------
    directed : frozenset of (parent, child)
    undirected : frozenset of frozenset
    """

    directed: frozenset[Edge]
    undirected: frozenset[frozenset[str]]

    def between(self, a: str, b: str) -> Edge | frozenset[str] | None:
        """The edge of two nodes: (parent, child), the two without a direction, or None."""
        for edge in ((a, b), (b, a)):
            if edge in self.directed:
                return edge
        pair = frozenset((a, b))
        return pair if pair in self.undirected else None

    def distance(self, other: EquivalenceClass, nodes: Sequence[str]) -> int:
        """Structural Hamming distance: pairs of nodes whose edges differ in presence or direction."""
        return sum(self.between(a, b) != other.between(a, b) for a, b in combinations(nodes, 2))


def learn_class(tester: IndependenceTester, nodes: Sequence[str], alpha: float) -> EquivalenceClass:
    """The equivalence class that the PC algorithm (Spirtes and Glymour 1991) learns from observation.

    Parameters
    ----------
    tester : IndependenceTester
    nodes : sequence of str
        At least two of its variables, none of them constant.
    alpha : float
        Level of each test.
    """
    if all(_independent(tester, a, b, alpha) for a, b in combinations(nodes, 2)):
        # The first step of the algorithm takes out every edge; pgmpy takes seconds to import.
        return EquivalenceClass(frozenset(), frozenset())
    with _quiet():
        from pgmpy.causal_discovery import PC

        test = covariance_test(tester)
        frame = test.data[list(nodes)]
        learner = PC(
            variant="stable",
            ci_test=test,
            significance_level=alpha,
            max_cond_vars=max(len(nodes) - 2, 0),
            n_jobs=1,
            show_progress=False,
        )
        return _class_of(learner.fit(frame).causal_graph_)


def equivalence_class(nodes: Sequence[str], edges: Iterable[Edge]) -> EquivalenceClass:
    """The equivalence class of a directed acyclic graph."""
    edges = tuple(edges)
    if not edges:
        return EquivalenceClass(frozenset(), frozenset())
    with _quiet():
        from pgmpy.base import DAG

        graph = DAG()
        graph.add_nodes_from(nodes)
        graph.add_edges_from(edges)
        return _class_of(graph.to_pdag())


def _independent(tester: IndependenceTester, a: str, b: str, alpha: float) -> bool:
    result = _covariance(tester, a, b, ())
    return result is None or result.p_value >= alpha


def _covariance(tester: IndependenceTester, a: str, b: str, given: Sequence[str]) -> CovarianceTest | None:
    """The test of two variables; None where the samples are too few or too alike for one, so that nothing rejects."""
    if tester.untestable(a, b, given) is not None:
        return None
    try:
        return tester.covariance(a, b, given)
    except TooFewSamplesError:
        return None


def _class_of(graph: Any) -> EquivalenceClass:
    return EquivalenceClass(
        frozenset((parent, child) for parent, child in graph.directed_edges),
        frozenset(frozenset(edge) for edge in graph.undirected_edges),
    )
