"""The implied independencies, of the data and of the network's outputs, each on as many samples as there are for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from causalvae.alignment.independencies import (
    IndependenceChecks,
    IndependenceTester,
    Rule,
    causes_first,
    check_independencies,
)
from causalvae.alignment.types import IndependenceCheck, IndependenceFamily, TestedOn
from causalvae.alignment.variables import gather_variables
from causalvae.engine.measurements import Measurements
from causalvae.engine.observed_columns import column_of
from causalvae.graph import CausalGraph, Independence
from causalvae.spec.schema import Spec

Draw = Callable[[int], pd.DataFrame]
"""From a number of samples to a table of the data: ``factor:NAME`` and ``input:ATTRIBUTE``, fewer rows where there are
fewer, and the first rows of a longer table are the shorter one."""

FEWEST = 4000
MOST = 10_000


@dataclass(frozen=True)
class Implied:
    """What was found.

    Parameters
    ----------
    checks : tuple of IndependenceCheck
    families : tuple of IndependenceFamily
    data : IndependenceTester
        Of the data, for those that ask more of them.
    notes : tuple of str
        What could not be tested, and why.
    """

    checks: tuple[IndependenceCheck, ...]
    families: tuple[IndependenceFamily, ...]
    data: IndependenceTester
    notes: tuple[str, ...]


def rule_of(spec: Spec) -> Rule:
    """How a spec has independencies decided."""
    section = spec.alignment
    return Rule(section.alpha, section.correction, section.tolerance, spec.estimation.confidence)


def assess_independencies(
    spec: Spec,
    measurements: Measurements,
    graph: CausalGraph,
    draw: Draw | None,
    on_check: Callable[[int, int], None],
) -> Implied:
    """Test what the graph implies, first in the data and then in the network's outputs.

    Parameters
    ----------
    spec : Spec
        Completed with what the data know of its factors.
    measurements : Measurements
        `observations` hold the outputs, and stand for the data where `draw` is None.
    graph : CausalGraph
    draw : callable or None
    on_check : callable
        Called with (done, total) for each of the two.
    """
    rule, order = rule_of(spec), causes_first(graph)
    observed = measurements.observations.iloc[: spec.alignment.outputs]
    latents = measurements.plan.latent_attributes
    inputs = {name: column_of("input", name) for name in graph.attributes if name not in latents}
    # Attributes alone are measures of one output: a spec that names no factor says nothing of their independence.
    claims = graph.implied_independencies() if graph.factors else ()
    of_data = [claim for claim in claims if not {claim.left, claim.right, *claim.given} & set(latents)]

    def run(of: TestedOn, table: pd.DataFrame, columns: Mapping[str, str], chosen: Sequence[Independence]) -> _Run:
        variables = gather_variables(spec, table, columns, measurements.periods)
        tester = IndependenceTester(variables, spec.execution.seed)
        return _Run(tester, check_independencies(chosen, tester, rule, of, order, on_check))

    def run_data(table: pd.DataFrame) -> _Run:
        return run("data", table, inputs, of_data)

    # Nothing is tested on more samples than a spec names; else on as many as show an independence.
    fixed = spec.alignment.samples != "auto"
    data = run_data(observed if draw is None else draw(spec.alignment.outputs if fixed else FEWEST))
    if draw is not None and not fixed:
        # Of all tests, not of the undecided ones: looking again only where nothing was shown would raise the level.
        needed = [check.needed for check in data.checks.checks]
        reached = [count for count in needed if data.tester.samples < count <= MOST]
        if reached:
            data = run_data(draw(max(reached)))
    # Factors are the same in both.
    shown = [claim for claim in claims if {claim.left, claim.right} & set(graph.attributes)]
    outputs = {name: column_of("attribute", name) for name in graph.attributes}
    network = run("network", observed, outputs, shown)
    families = (
        IndependenceFamily("data", data.tester.samples, data.checks.fisher_c, data.checks.fisher_p),
        IndependenceFamily("network", network.tester.samples, network.checks.fisher_c, network.checks.fisher_p),
    )
    return Implied(
        (*data.checks.checks, *network.checks.checks),
        families,
        data.tester,
        (*_notes("data", data.checks), *_notes("network", network.checks)),
    )


@dataclass(frozen=True)
class _Run:
    tester: IndependenceTester
    checks: IndependenceChecks


def _notes(of: TestedOn, checks: IndependenceChecks) -> list[str]:
    where = {"data": "in the data", "network": "in the network's outputs"}[of]
    return [
        f"Not tested {where}, since {reason}: {'; '.join(map(_describe, claims))}."
        for reason, claims in checks.untested.items()
    ]


def _describe(claim: Independence) -> str:
    return f"{claim.left} and {claim.right}" + (f" given {', '.join(claim.given)}" if claim.given else "")
