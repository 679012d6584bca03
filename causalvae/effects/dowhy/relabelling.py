"""DoWhy's falsification of a graph: are its independencies violated less often than those of a random relabelling?

It finds graphs that are wrong throughout and never a single wrong edge, so that it is no verdict on an edge.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from causalvae.effects.dowhy.quiet import quietly

CiTest = Callable[[str, str, tuple[str, ...]], float]


@dataclass(frozen=True)
class Relabelling:
    """How a graph compares with its own shape under other names.

    Parameters
    ----------
    violations, tests : int
        Local Markov conditions of the graph, and how many of them are rejected at 0.05.
    permutations : int
        Relabellings.
    as_good : int
        Relabellings with at most the graph's share of violations.
    equivalent : int
        Relabellings with the same independencies as the graph: if these are many, no data could tell them apart.
    p_value : float
        (as_good + 1) / (permutations + 1).
    """

    violations: int
    tests: int
    permutations: int
    as_good: int
    equivalent: int
    p_value: float


def compare_with_relabellings(
    nodes: Sequence[str], edges: Sequence[tuple[str, str]], test: CiTest, permutations: int, seed: int
) -> Relabelling:
    """Hold a graph against `permutations` relabellings of it (Eulig et al. 2023, arXiv 2305.09565).

    Parameters
    ----------
    nodes : sequence of str
    edges : sequence of (str, str)
    test : callable
        From two nodes and a tuple of others to the p-value of their conditional independence.
    permutations : int
        At least 200, or the true graph is found no better than a relabelling too often; all of them where there are
        fewer.
    seed : int
    """
    import networkx as nx
    import pandas as pd

    # DoWhy hands its tests columns of data; these hold each node's number, by which the test finds its own.
    data = pd.DataFrame({name: np.full(2, float(number)) for number, name in enumerate(nodes)})
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(nodes)
    graph.add_edges_from(edges)

    def named(column: npt.NDArray[np.float64]) -> str:
        return nodes[int(column.flat[0])]

    def unconditional(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> float:
        return test(named(x), named(y), ())

    def conditional(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], z: npt.NDArray[np.float64]) -> float:
        return test(named(x), named(y), tuple(named(column) for column in np.reshape(z, (len(z), -1)).T))

    with quietly(seed):
        from dowhy.gcm.falsify import FalsifyConst, falsify_graph

        found = falsify_graph(
            graph,
            data,
            independence_test=unconditional,
            conditional_independence_test=conditional,
            n_permutations=permutations,
            n_jobs=1,
            show_progress_bar=False,
        ).summary
    markov = found[FalsifyConst.VALIDATE_LMC]
    shares = markov[FalsifyConst.F_PERM_VIOLATIONS]
    as_good = sum(share <= markov[FalsifyConst.F_GIVEN_VIOLATIONS] for share in shares)
    return Relabelling(
        violations=int(markov[FalsifyConst.GIVEN_VIOLATIONS]),
        tests=int(markov[FalsifyConst.N_TESTS]),
        permutations=len(shares),
        as_good=int(as_good),
        equivalent=len(found[FalsifyConst.MEC]),
        p_value=float((as_good + 1) / (len(shares) + 1)),
    )
