"""Which of graph, data, network and mapping departs, pair by pair.

A disagreement is attributed to the first link that departs: the graph is compared with the data, the network with the
data, and the mapping with the network where the network agrees with the data. Each comparison is a pair of one-sided
tests, corrected over its family in each direction, so that a pair may stay undecided.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from causalvae.alignment.change_tests import weigh_absence, weigh_presence, weigh_share
from causalvae.alignment.columns import Columns, FactorColumns
from causalvae.alignment.types import Basis, Effect, GraphStatus, LevelEffect, Link, LinkStatus, PairCheck, PairStatus
from causalvae.effects.bootstrap import paired_bootstrap
from causalvae.effects.outcomes import near
from causalvae.spec.schema import Spec
from causalvae.statistics.multiplicity import adjust

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Key = tuple[str, str]

KEPT: Final = 0.8
"""Share of an effect that must arrive."""
INVENTED: Final = 0.25
"""Standard deviations over the data that a change may have where there should be none."""
_FEWEST = 20


@dataclass(frozen=True)
class LinkTest:
    """One comparison of a column with the one before it, before correction.

    Parameters
    ----------
    share : float or None
    changes : float array, shape (n,)
        What the effect and its interval are computed from; empty where these are given by `effect`.
    p_departs, p_agrees : float
    n : int
    effect : (float, float, float) or None
        Effect, lower, upper.
    """

    share: float | None
    changes: FloatArray
    p_departs: float
    p_agrees: float
    n: int
    effect: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class GraphTest:
    """The column that the graph is held against, before correction."""

    basis: Basis
    changes: FloatArray
    p_present: float
    p_absent: float
    n: int
    effect: tuple[float, float, float] | None = None


def share_test(changes: FloatArray, reference: FloatArray, period: float | None = None) -> LinkTest:
    """Whether the share of a change that arrives is below or above `KEPT`.

    Parameters
    ----------
    changes, reference : float array, shape (n,)
    period : float, optional
        Of changes on a circle, in their unit. Each change then counts from its reference the short way round: near
        half a period the wrapped numbers of two like changes have opposite signs.
    """
    known = np.isfinite(changes) & np.isfinite(reference)
    changes, reference = changes[known], reference[known]
    size = float((reference**2).sum())
    beside = near(changes, reference, period)
    share = float((beside * reference).sum()) / size if size else None
    lost = weigh_share(beside, reference, KEPT, above=False)
    kept = weigh_share(beside, reference, KEPT, above=True)
    return LinkTest(share, changes, lost, kept, len(changes))


def size_test(changes: FloatArray) -> LinkTest:
    """Whether a change is above or below `INVENTED` where there should be none."""
    changes = changes[np.isfinite(changes)]
    squares, bound = changes**2, INVENTED**2
    return LinkTest(None, changes, weigh_presence(squares, bound), weigh_absence(squares, bound), len(changes))


def _link_test(changes: FloatArray, reference: FloatArray, period: float | None, present: bool) -> LinkTest:
    return share_test(changes, reference, period) if present else size_test(changes)


class Decider:
    """Decides every pair of a declared graph.

    Parameters
    ----------
    spec : Spec
        Its `alignment` (tolerance, correction, alpha), `estimation` (bootstrap) and seed.
    declared : collection of (str, str)
        Pairs with a declared direct effect.
    """

    def __init__(self, spec: Spec, declared: frozenset[Key]) -> None:
        self._spec = spec
        self._declared = declared
        self._alpha = spec.alignment.alpha
        self._bound = spec.alignment.tolerance**2

    def effect(self, changes: FloatArray, p_present: float = 1.0, p_absent: float = 1.0) -> Effect:
        """Root mean square of changes, shape (n,), with its interval."""
        changes = changes[np.isfinite(changes)]
        n, estimation = len(changes), self._spec.estimation
        if not n:
            return Effect(0.0, 0.0, 0.0, p_present, p_absent, 0)
        bootstrap = paired_bootstrap(
            n, estimation.bootstrap, estimation.confidence, self._spec.execution.seed, estimation.bca
        )
        found = bootstrap.ratio((changes**2)[None])
        value, lower, upper = (
            float(np.sqrt(max(float(end[0]), 0.0))) for end in (found.value, found.lower, found.upper)
        )
        return Effect(value, lower, upper, p_present, p_absent, n)

    def data_test(self, columns: Columns) -> GraphTest:
        """The column that the graph is held against: the data, or the network where the target is its latent."""
        changes = columns.data if columns.data is not None else columns.network
        if changes is None:
            raise ValueError(f"{columns.source} -> {columns.target} was not measured")
        basis: Basis = "intervention" if columns.data is not None else "network"
        known = changes[np.isfinite(changes)]
        squares = known**2
        return GraphTest(
            basis, known, weigh_presence(squares, self._bound), weigh_absence(squares, self._bound), len(known)
        )

    def effects_of(self, tests: Mapping[Key, GraphTest]) -> dict[Key, Effect]:
        """Every column that the graph is held against, corrected over all pairs in each direction."""
        present = self._adjusted(test.p_present for test in tests.values())
        absent = self._adjusted(test.p_absent for test in tests.values())
        found = {}
        for (key, test), up, down in zip(tests.items(), present, absent, strict=True):
            if test.effect is None:
                found[key] = self.effect(test.changes, up, down)
            else:
                found[key] = Effect(*test.effect, up, down, test.n)
        return found

    def levels_of(
        self, factors: Sequence[FactorColumns], effects: Mapping[Key, Effect], labels: Callable[[str, float], str]
    ) -> tuple[dict[Key, tuple[LevelEffect, ...]], dict[Key, BoolArray], frozenset[Key]]:
        """Levels of categorical factors at which an effect is present that is not shown to be present on average.

        Holm over all levels of all such pairs.

        Returns
        -------
        dict
            Pair -> the levels at which it is shown to be present.
        dict
            Pair -> the pairs of samples at those levels.
        frozenset
            Pairs that are larger than the tolerance at some level without being shown so: too large to be called
            absent throughout.
        """
        tested: list[tuple[Key, str, float, BoolArray, FloatArray]] = []
        for factor in factors:
            for columns in factor.columns:
                key = (columns.source, columns.target)
                changes = columns.data if columns.data is not None else columns.network
                if changes is None or key not in effects or effects[key].p_present <= self._alpha:
                    continue
                for name, values in factor.levels.items():
                    if name == columns.target:
                        continue
                    for level in np.unique(values):
                        mask = (values == level) & np.isfinite(changes)
                        if mask.sum() >= _FEWEST:
                            tested.append((key, name, float(level), mask, changes[mask]))
        p_values = self._adjusted(weigh_presence(item[4] ** 2, self._bound) for item in tested)
        found: dict[Key, list[LevelEffect]] = {}
        masks: dict[Key, BoolArray] = {}
        loud: set[Key] = set()
        for (key, name, level, mask, changes), p_value in zip(tested, p_values, strict=True):
            if p_value <= self._alpha:
                found.setdefault(key, []).append(LevelEffect(name, labels(name, level), self.effect(changes, p_value)))
                masks[key] = masks[key] | mask if key in masks else mask
            elif float((changes**2).mean()) > self._bound:
                loud.add(key)
        return {key: tuple(levels) for key, levels in found.items()}, masks, frozenset(loud)

    def presence(
        self, effects: Mapping[Key, Effect], levels: Mapping[Key, object], loud: frozenset[Key]
    ) -> dict[Key, bool | None]:
        """Whether each effect is shown to be present, at some level at least, or absent; None where it is neither."""
        found: dict[Key, bool | None] = {}
        for key, effect in effects.items():
            present = effect.p_present <= self._alpha or key in levels
            absent = effect.p_absent <= self._alpha and key not in loud
            found[key] = True if present else False if absent else None
        return found

    def graph_status(self, key: Key, presence: Mapping[Key, bool | None]) -> GraphStatus:
        """The graph against what was found."""
        if key not in presence:
            return "untested"
        found, declared = presence[key], key in self._declared
        back = key[::-1]
        if found is None:
            return "undecided"
        if found == declared:
            return "present" if found else "absent"
        if declared and back not in self._declared and presence.get(back) is True:
            return "reversed"
        if found and back in self._declared and presence.get(back) is False:
            return "reversed"
        return "undeclared" if found else "missing"

    def links(self, tests: Mapping[Key, LinkTest]) -> dict[Key, Link]:
        """Comparisons of one column with the one before it, corrected for each kind and direction."""
        found: dict[Key, Link] = {}
        for of_shares in (True, False):
            family = {key: test for key, test in tests.items() if (test.share is not None) == of_shares}
            departs = self._adjusted(test.p_departs for test in family.values())
            agrees = self._adjusted(test.p_agrees for test in family.values())
            for (key, test), worse, better in zip(family.items(), departs, agrees, strict=True):
                status: LinkStatus = "undecided"
                if worse <= self._alpha:
                    status = "lost" if of_shares else "added"
                elif better <= self._alpha:
                    status = "kept" if of_shares else "none"
                effect = self.effect(test.changes)
                value, lower, upper = test.effect or (effect.value, effect.lower, effect.upper)
                found[key] = Link(status, test.share, value, lower, upper, worse, better, test.n)
        return found

    def untested(self, changes: FloatArray) -> Link:
        """A column that is compared with nothing."""
        effect = self.effect(changes)
        return Link("untested", None, effect.value, effect.lower, effect.upper, 1.0, 1.0, effect.n)

    def _adjusted(self, p_values: Iterable[float]) -> list[float]:
        return [float(p) for p in adjust(list(p_values), self._spec.alignment.correction)]


def decide(
    decider: Decider,
    factors: Sequence[FactorColumns],
    declared: frozenset[Key],
    labels: Callable[[str, float], str],
) -> list[PairCheck]:
    """Every pair of the factors that the data can set.

    Parameters
    ----------
    decider : Decider
    factors : sequence of FactorColumns
    declared : frozenset of (str, str)
    labels : callable
        From a categorical factor and a value to the level's name.
    """
    columns = {(item.source, item.target): item for factor in factors for item in factor.columns}
    tests = {key: decider.data_test(item) for key, item in columns.items()}
    effects = decider.effects_of(tests)
    levels, masks, loud = decider.levels_of(factors, effects, labels)
    presence = decider.presence(effects, levels, loud)

    def where(key: Key, inside: BoolArray) -> BoolArray:
        # An effect that is there at some levels only is compared at these.
        return inside & masks[key] if key in masks else inside

    network_tests: dict[Key, LinkTest] = {}
    for key, item in columns.items():
        if item.network is None or item.data is None or presence[key] is None:
            continue
        chosen = where(key, item.inside)
        changes = item.network[chosen]
        network_tests[key] = _link_test(changes, item.data[chosen], item.period, bool(presence[key]))
    network = decider.links(network_tests)
    mapping_tests: dict[Key, LinkTest] = {}
    for key, item in columns.items():
        if item.mapping is None or item.network is None:
            continue
        # A latent has no value in the data: there the network's own effect stands for it.
        agreed = {"kept": True, "none": False}.get(network[key].status) if key in network else None
        if item.data is None:
            agreed = presence[key]
        if agreed is None:
            continue
        chosen = where(key, item.donor_inside)
        changes = item.mapping[chosen]
        mapping_tests[key] = _link_test(changes, item.network[chosen], item.period, agreed)
    mapping = decider.links(mapping_tests)

    found = []
    for key, item in columns.items():
        graph = decider.graph_status(key, presence)
        first = network.get(key)
        second = mapping.get(key)
        if first is None and item.network is not None and item.data is not None:
            first = decider.untested(item.network[item.inside])
        if second is None and item.mapping is not None:
            second = decider.untested(item.mapping[item.donor_inside])
        found.append(
            PairCheck(
                source=item.source,
                target=item.target,
                between_factors=item.between_factors,
                declared=key in declared,
                basis=tests[key].basis,
                data=effects[key],
                levels=levels.get(key, ()),
                graph=graph,
                network=first,
                mapping=second,
                status=summarise(graph, key in declared, first, second),
            )
        )
    return found


def summarise(graph: GraphStatus, declared: bool, network: Link | None, mapping: Link | None) -> PairStatus:
    """All comparisons of a pair in one word, by the first that departs."""
    if graph in ("missing", "undeclared", "reversed"):
        return "missing" if declared else "spurious"
    for link in (network, mapping):
        if link is not None and link.status in ("lost", "added"):
            return "missing" if link.status == "lost" else "spurious"
    if graph == "untested" or graph == "undecided":
        return graph
    if any(link is not None and link.status == "undecided" for link in (network, mapping)):
        return "undecided"
    return "supported" if graph == "present" else "absent"
