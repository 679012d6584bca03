"""Pairs that depend on one another although neither moves the other: they have a common cause that is not declared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from causalvae.alignment.independencies import IndependenceTester, Rule, check_independencies
from causalvae.alignment.types import HiddenCause, PairCheck
from causalvae.graph import CausalGraph, Independence

Key = tuple[str, str]


def find_hidden_causes(
    graph: CausalGraph, tester: IndependenceTester, pairs: Sequence[PairCheck], rule: Rule
) -> tuple[HiddenCause, ...]:
    """Pairs of nodes with no effect either way, and with a dependence given their causes that is above the tolerance.

    The causes are those that interventions show, and the declared ones where these decide nothing: an edge that the
    graph omits would look like a hidden cause otherwise. An attribute cannot cause a factor, so that between a
    factor and an attribute one direction is asked for. A dependence that is shown, but not shown to be above the
    tolerance, may be an effect too small to count.

    Parameters
    ----------
    graph : CausalGraph
    tester : IndependenceTester
        Of the data.
    pairs : sequence of PairCheck
        Decided by interventions on the data.
    rule : Rule
    """
    found = {(check.source, check.target): check.found for check in pairs if check.basis == "intervention"}
    claims = []
    for left, right in combinations([name for name in graph.nodes if name in tester.variables], 2):
        forward = left in graph.factors and found.get((left, right)) is False
        backward = right in graph.attributes or found.get((right, left)) is False
        if forward and backward:
            causes = {*_causes(left, graph, found), *_causes(right, graph, found)} - {left, right}
            claims.append(
                Independence(left, right, tuple(sorted(causes & set(tester.variables), key=graph.nodes.index)))
            )
    checks = check_independencies(claims, tester, rule, "data").checks
    return tuple(
        HiddenCause(check.left, check.right, check.given, check.p_adjusted, check.size, check.lower, check.upper)
        for check in checks
        if check.rejected and check.size is not None and check.lower > rule.tolerance
    )


def _causes(node: str, graph: CausalGraph, found: Mapping[Key, bool | None]) -> list[str]:
    """The factors that move `node`: as shown, else as declared."""
    declared = graph.parents(node)
    return [name for name in graph.factors if name != node and _or(found.get((name, node)), name in declared)]


def _or(shown: bool | None, declared: bool) -> bool:
    return declared if shown is None else shown
