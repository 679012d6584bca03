"""The declared graph against random relabellings of it, where that is affordable."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from causalvae.alignment.conditional import TooFewSamplesError
from causalvae.alignment.independencies import IndependenceTester
from causalvae.effects.dowhy.relabelling import Relabelling, compare_with_relabellings
from causalvae.graph import CausalGraph
from causalvae.spec.schema import Spec

PERMUTATIONS: Final = 200
# Conditions of a relabelled graph are arbitrary sets of nodes, and there are many of them in larger graphs.
_MOST_NODES = 6
_SAMPLES = 500


def compare_relabelled(spec: Spec, graph: CausalGraph, tester: IndependenceTester) -> Relabelling | None:
    """Whether the graph fits the data better than a relabelling of it.

    Parameters
    ----------
    spec : Spec
        Its `alignment.relabellings`: how many, 0 for none; ``auto`` takes 200 of graphs with at most six nodes, unless
        `estimation.dowhy` is off.
    graph : CausalGraph
    tester : IndependenceTester
        Of the data; the first 500 samples are used.
    """
    nodes = [name for name in graph.nodes if name in tester.variables]
    edges = [edge for edge in graph.edges if set(edge) <= set(nodes)]
    count = spec.alignment.relabellings
    if count == "auto":
        count = PERMUTATIONS if spec.estimation.dowhy and len(nodes) <= _MOST_NODES else 0
    if not count or not edges or len(nodes) < 3:
        return None
    few = {name: replace(item, values=item.values[:_SAMPLES]) for name, item in tester.variables.items()}
    own = IndependenceTester(few, spec.execution.seed)

    def test(left: str, right: str, given: tuple[str, ...]) -> float:
        if own.untestable(left, right, given) is not None:
            return 1.0
        try:
            return own.covariance(left, right, given).p_value
        except TooFewSamplesError:
            return 1.0

    return compare_with_relabellings(nodes, edges, test, count, spec.execution.seed)
