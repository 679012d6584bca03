"""The columns of factors that the data cannot set: associations given the other labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from causalvae.alignment.columns import Units
from causalvae.alignment.decisions import INVENTED, KEPT, Decider, GraphTest, LinkTest, share_test, size_test, summarise
from causalvae.alignment.strata import Association, Strata, weigh_normal
from causalvae.alignment.types import PairCheck
from causalvae.effects.outcomes import Outcomes
from causalvae.engine.observed_columns import ON_BOTH, column_of
from causalvae.plan.owner import Owner
from causalvae.plan.types import Plan
from causalvae.spec.schema import Spec

FloatArray = npt.NDArray[np.float64]
Key = tuple[str, str]
_NONE: FloatArray = np.zeros(0)
_SHOWN = 12


@dataclass(frozen=True)
class _Pair:
    """What is known of one factor and one attribute.

    Parameters
    ----------
    data, network : Association
    excess : Association
        Of the network's value less `KEPT` times the data's.
    mapping : float array or None
        Changes through the mapping.
    expected : float array or None
        What the network's association gives for the same changes of the label.
    """

    data: Association
    network: Association
    excess: Association
    mapping: FloatArray | None
    expected: FloatArray | None


def decide_associations(
    spec: Spec,
    outcomes: Outcomes,
    units: Units,
    decider: Decider,
    declared: frozenset[Key],
    discrete: Callable[[str], bool],
) -> list[PairCheck]:
    """Every pair of the factors that the data cannot set; edges between factors stay untested.

    Parameters
    ----------
    spec, outcomes, units, decider, declared
        As for `decide`.
    discrete : callable
        Whether a factor has levels.

    Returns
    -------
    list of PairCheck
        The data are compared with the graph, the network's outputs with the data on the same samples, and what the
        mapping does with what the network's association gives for the same changes of the label.
    """
    plan = outcomes.measurements.plan
    settable = {contrast.factor for contrast in plan.contrasts if plan.uses_of(Owner("network", contrast.factor))}
    factors = [factor for factor in spec.graph.factors if factor not in settable]
    found: dict[Key, _Pair] = {}
    numbers = [name for name in spec.graph.factors if not discrete(name)] if factors else []
    unfit = [name for name in plan.attributes if name in plan.latent_attributes or units[name].period is not None]
    few: list[str] = []
    for factor in factors if not numbers else ():
        others = [name for name in spec.graph.factors if name != factor]
        for target in plan.attributes:
            if target in unfit:
                continue
            pair = _read(factor, others, target, units, outcomes)
            if pair is None:
                few.append(f"{factor} -> {target}")
            else:
                found[factor, target] = pair
    _explain(factors, numbers, unfit, few, units.notes)
    return _decide(spec, factors, plan, found, decider, declared)


def _explain(factors: list[str], numbers: list[str], unfit: list[str], few: list[str], notes: list[str]) -> None:
    """Why pairs were not tested."""
    if numbers:
        notes.append(
            f"The effects of {', '.join(factors)} are not tested: the data contain no counterfactual samples, and "
            f"associations are taken within strata of all labels, of which {', '.join(numbers)} "
            f"{'has' if len(numbers) == 1 else 'have'} no levels."
        )
        return
    if factors and unfit:
        notes.append(
            f"Associations with {', '.join(unfit)} are not tested: latents and angles have no mean per stratum."
        )
    if few:
        notes.append(
            f"Not tested, since too few samples agree in all other labels: {', '.join(few[:_SHOWN])}"
            + (f" and {len(few) - _SHOWN} others." if len(few) > _SHOWN else ".")
        )


def _read(
    factor: str,
    others: list[str],
    target: str,
    units: Units,
    outcomes: Outcomes,
) -> _Pair | None:
    measurements, plan = outcomes.measurements, outcomes.measurements.plan
    table = measurements.observations
    labels = {name: table[column_of("factor", name)].to_numpy(np.float64) for name in (factor, *others)}
    strata = Strata.of(
        labels[factor], np.stack([labels[name] for name in others], 1) if others else np.zeros((len(table), 0))
    )
    size = units[target].size
    on_input, on_output = (table[column_of(group, target)].to_numpy(np.float64) / size for group in ON_BOTH)
    both = np.where(np.isfinite(on_input) & np.isfinite(on_output), 0.0, np.nan)
    parts = [strata.regress(values + both) for values in (on_input, on_output, on_output - KEPT * on_input)]
    data, network, excess = parts
    if data is None or network is None or excess is None:
        return None
    uses = {use.role: use.arm for use in plan.uses_of(Owner("mapping", factor))}
    if not uses:
        return _Pair(data, network, excess, None, None)
    donors = measurements.contrasts
    donors = donors[donors["factor"] == factor].sort_values("pair")
    before, after = outcomes.block((uses["base"], uses["perturbation"]), target, len(donors))
    expected = network.change(
        donors[f"base:factor:{factor}"].to_numpy(np.float64), donors[f"donor:factor:{factor}"].to_numpy(np.float64)
    )
    return _Pair(data, network, excess, units[target].change(before, after), expected)


def _decide(
    spec: Spec,
    factors: list[str],
    plan: Plan,
    found: Mapping[Key, _Pair],
    decider: Decider,
    declared: frozenset[Key],
) -> list[PairCheck]:
    confidence, bound = spec.estimation.confidence, spec.alignment.tolerance
    tests = {
        key: GraphTest("association", _NONE, *pair.data.weigh(bound), pair.data.n, pair.data.interval(confidence))
        for key, pair in found.items()
    }
    effects = decider.effects_of(tests)
    presence = decider.presence(effects, {}, frozenset())
    network = decider.links(
        {
            key: _network_test(pair, present, confidence)
            for key, pair in found.items()
            if (present := presence[key]) is not None
        }
    )
    mapping_tests: dict[Key, LinkTest] = {}
    for key, pair in found.items():
        agreed = {"kept": True, "none": False}.get(network[key].status) if key in network else None
        if pair.mapping is not None and pair.expected is not None and agreed is not None:
            mapping_tests[key] = share_test(pair.mapping, pair.expected) if agreed else size_test(pair.mapping)
    mapping = decider.links(mapping_tests)
    checks = []
    for factor in factors:
        for target in (*(name for name in spec.graph.factors if name != factor), *plan.attributes):
            key = (factor, target)
            graph = decider.graph_status(key, presence)
            checks.append(
                PairCheck(
                    source=factor,
                    target=target,
                    between_factors=target in spec.graph.factors,
                    declared=key in declared,
                    basis="association",
                    data=effects.get(key),
                    levels=(),
                    graph=graph,
                    network=network.get(key),
                    mapping=mapping.get(key),
                    status=summarise(graph, key in declared, network.get(key), mapping.get(key)),
                )
            )
    return checks


def _network_test(pair: _Pair, present: bool, confidence: float) -> LinkTest:
    effect = pair.network.interval(confidence)
    if not present:
        above, below = pair.network.weigh(INVENTED)
        return LinkTest(None, _NONE, above, below, pair.network.n, effect)
    direction = pair.data.weights @ pair.data.coefficients
    size = float(direction @ pair.data.coefficients)
    share = float(direction @ pair.network.coefficients) / size
    error = float(np.sqrt(max(float(direction @ pair.excess.covariance @ direction), 0.0)))
    kept, lost = weigh_normal(float(direction @ pair.excess.coefficients), error)
    return LinkTest(share, _NONE, lost, kept, pair.network.n, effect)
