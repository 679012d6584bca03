"""From tables to what they say of a mapping as a generator of counterfactuals.

The axioms are those of Monteiro, Ribeiro, Pawlowski, Castro and Glocker 2023, "Measuring axiomatic soundness of
counterfactual image models" (ICLR), with the readouts of attributes in place of learned predictors, and a
counterfactual of the data where they have none.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from causalvae.alignment.assess import direct_relations
from causalvae.alignment.change_tests import weigh_absence
from causalvae.analyses.counterfactuals.measure import EXAMPLES, REPEATED, CounterfactualTables
from causalvae.analyses.counterfactuals.types import (
    LEAST,
    Commutativity,
    Counterfactuals,
    Distance,
    Distances,
    Example,
    FactorSoundness,
    Repetition,
    Status,
    Untested,
    Why,
)
from causalvae.effects.bootstrap import paired_bootstrap
from causalvae.effects.outcomes import difference, varies
from causalvae.engine.measurements import deviation
from causalvae.session import Session

if TYPE_CHECKING:
    from causalvae.analyses.counterfactuals.section import CounterfactualsAnalysis

FloatArray = npt.NDArray[np.float64]

UNRELATED: Final = math.sqrt(2)
"""Standard deviations that an attribute counts as off where the output alone leaves it undefined: as far as that of an
unrelated sample is, in root mean square."""


@dataclass(frozen=True)
class Attribute:
    """The unit and the period of an attribute's differences."""

    size: float
    period: float | None = None

    def error(self, found: FloatArray, wanted: FloatArray) -> FloatArray:
        """Squared differences in units; NaN where `wanted` is undefined."""
        away = np.asarray(difference(found, wanted, self.period)) / self.size
        return np.asarray(np.where(np.isfinite(wanted) & ~np.isfinite(found), UNRELATED, away) ** 2)


@dataclass(frozen=True)
class Estimator:
    """Distances and statuses from tables.

    Parameters
    ----------
    attributes : mapping of str to Attribute
        Those that vary over the data.
    bound : float
        Standard deviations that a sound counterfactual may be off.
    resamples : int
    confidence : float
    seed : int
        Of the bootstrap.
    bca : bool
    """

    attributes: Mapping[str, Attribute]
    bound: float
    resamples: int = 1000
    confidence: float = 0.95
    seed: int = 0
    bca: bool = False

    def distances(self, found: pd.DataFrame, wanted: pd.DataFrame, judged: bool = False) -> Distances:
        """Of the samples in `found`: ``sample``, ``attribute:NAME``, and ``pixels`` of `found`, sample by sample.

        The interval of each mean square is the paired bootstrap's; its ends' roots are those of the distance. With
        `judged` they hold for all attributes together, by Bonferroni's division of the level, and attributes that are
        defined on too few samples are omitted and named.
        """
        wanted = wanted[wanted["sample"].isin(found["sample"])]
        columns = {name: _column(wanted, name) for name in self.attributes}
        fewest = LEAST if judged else 1
        names = [name for name, column in columns.items() if np.isfinite(column).sum() >= fewest]
        unjudged = tuple(name for name, column in columns.items() if name not in names) if judged else ()
        pixels = float(np.sqrt(found["pixels"].to_numpy(np.float64).mean()))
        if not names:
            return Distances((), pixels, unjudged)
        errors = np.stack([self.attributes[name].error(_column(found, name), columns[name]) for name in names])
        known = np.isfinite(errors)
        level = (1 - self.confidence) / (len(names) if judged else 1)
        # Ten resamples beyond each end.
        resamples = max(self.resamples, math.ceil(20 / level))
        bootstrap = paired_bootstrap(errors.shape[1], resamples, 1 - level, self.seed, self.bca)
        interval = bootstrap.ratio(np.where(known, errors, 0.0), known.astype(np.float64))
        value, lower, upper = (
            np.sqrt(np.maximum(end, 0.0)) for end in (interval.value, interval.lower, interval.upper)
        )
        listed = [
            Distance(
                name,
                float(value[k]),
                float(lower[k]),
                float(upper[k]),
                int(known[k].sum()),
                weigh_absence(errors[k, known[k]], self.bound**2) if judged else None,
            )
            for k, name in enumerate(names)
        ]
        return Distances(tuple(sorted(listed, key=lambda distance: -distance.value)), pixels, unjudged)

    def status(self, distances: Iterable[Distance], unjudged: Collection[str] = ()) -> Status:
        """From the intervals against the bound and the tests of it; `unjudged` names what cannot be called sound.

        The end of an interval alone is not enough for ``sound``: where few samples fail, a resample has their spread
        about as rarely as a sample has them, and the interval ends far too low.
        """
        listed = list(distances)
        if any(distance.lower > self.bound for distance in listed):
            return "unsound"
        level = (1 - self.confidence) / 2 / max(len(listed), 1)
        sound = all(
            distance.upper <= self.bound and distance.p_sound is not None and distance.p_sound <= level
            for distance in listed
        )
        return "sound" if sound and not unjudged else "undecided"


def estimate_counterfactuals(
    session: Session, section: CounterfactualsAnalysis, tables: CounterfactualTables
) -> Counterfactuals:
    """What the tables of `measure_counterfactuals` say.

    Parameters
    ----------
    session : Session
    section : CounterfactualsAnalysis
    tables : CounterfactualTables
        Of the same session and section.
    """
    estimation = session.spec.estimation
    estimator = Estimator(
        _attributes(session, tables.observed),
        section.at_most,
        estimation.bootstrap,
        estimation.confidence,
        session.spec.execution.seed,
        estimation.bca,
    )
    points = _points(tables.values)
    repeated = {
        cycles: estimator.distances(found, points["", "", "input", 0])
        for (factor, other, point, cycles), found in points.items()
        if (factor, other, point) == ("", "", "repeated")
    }
    shown = sorted({1, section.cycles})
    declared = direct_relations(session.graph)
    factors: list[FactorSoundness] = []
    untested: list[Untested] = []
    for factor in session.graph.factors:
        own = {name for name in estimator.attributes if (factor, name) in declared}
        why = _why_not(session, factor, own, points)
        if why is not None:
            untested.append(Untested(factor, why))
        else:
            factors.append(_judge(estimator, factor, own, points, repeated, shown))
    pairs = [
        Commutativity(factor, other, estimator.distances(found, points[factor, other, "output", 0]))
        for (factor, other, point, _), found in points.items()
        if point == "swapped"
    ]
    return Counterfactuals(
        factors=tuple(sorted(factors, key=lambda found: -found.worst.value)),
        untested=tuple(untested),
        composition=tuple(Repetition(cycles, repeated[cycles]) for cycles in shown),
        commutativity=tuple(sorted(pairs, key=lambda pair: -_size(pair.distances))),
        examples=_examples(session, [found.factor for found in factors], points, tables.pictures),
        bound=section.at_most,
        confidence=estimation.confidence,
        seed=section.seed,
        repeated=REPEATED,
        unit=session.whole.rms,
    )


_Key = tuple[str, str, str, int]


def _points(values: pd.DataFrame) -> dict[_Key, pd.DataFrame]:
    """The rows of each factor, other factor, point and number of cycles, sample by sample."""
    keys = list(zip(*(values[name].tolist() for name in ("factor", "other", "point", "cycles")), strict=True))
    places: dict[_Key, list[int]] = {}
    for place, key in enumerate(keys):
        places.setdefault(key, []).append(place)
    return {key: values.iloc[listed].sort_values("sample") for key, listed in places.items()}


def _attributes(session: Session, observed: pd.DataFrame) -> dict[str, Attribute]:
    """Every attribute that varies over the data, in its standard deviations there."""
    found = {}
    for name in session.readouts:
        values = observed[f"input:{name}"].to_numpy(np.float64)
        values, period = values[np.isfinite(values)], session.periods.get(name)
        size = deviation(values, period) if len(values) > 1 else 0.0
        if varies(size, values, session.affines.get(name, (0.0, 1.0))):
            found[name] = Attribute(size, period)
    return found


def _why_not(session: Session, factor: str, own: set[str], points: Mapping[_Key, pd.DataFrame]) -> Why | None:
    """Why a factor cannot be tested; None where it can."""
    if factor not in session.spec.mapping:
        return "unmapped"
    space = session.dataset.space
    if factor not in space.names or not space[factor].settable:
        return "not_settable"
    if not own:
        return "no_attribute"
    rows = points.get((factor, "", "data", 0))
    known = 0 if rows is None else max(int((np.isfinite(_column(rows, name)) & rows["inside"]).sum()) for name in own)
    return "few_samples" if known < LEAST else None


def _judge(
    estimator: Estimator,
    factor: str,
    own: set[str],
    points: Mapping[_Key, pd.DataFrame],
    repeated: Mapping[int, Distances],
    shown: list[int],
) -> FactorSoundness:
    inside = points[factor, "", "output", 0]["inside"].to_numpy(bool)

    def judged(point: str, cycles: int = 0) -> pd.DataFrame:
        rows = points[factor, "", point, cycles]
        return rows[rows["inside"]]

    found = estimator.distances(judged("output"), judged("data"), judged=True)
    ends = {cycles: judged("back", cycles) for cycles in shown}
    unjudged = tuple(name for name in found.unjudged if name in own)
    return FactorSoundness(
        factor=factor,
        status=estimator.status(found.attributes, unjudged),
        own=tuple(distance for distance in found.attributes if distance.attribute in own),
        others=tuple(distance for distance in found.attributes if distance.attribute not in own),
        pixels=found.pixels,
        reversibility=tuple(
            Repetition(cycles, estimator.distances(end, judged("input")), repeated[2 * cycles])
            for cycles, end in ends.items()
            if len(end)
        ),
        samples=int(inside.sum()),
        outside=float(1 - inside.mean()),
        unjudged=unjudged,
    )


def _examples(
    session: Session, factors: list[str], points: Mapping[_Key, pd.DataFrame], pictures: pd.DataFrame
) -> tuple[Example, ...]:
    """The first samples of each factor, at each point in turn."""
    names = ("factor", "point", "cycles", "sample")
    keys = zip(*(pictures[name].tolist() for name in names), strict=True)
    png = dict(zip(keys, (base64.b64encode(image).decode("ascii") for image in pictures["png"]), strict=True))
    found = []
    for factor in factors:
        listed = [(point, cycles) for (name, other, point, cycles) in points if (name, other) == (factor, "")]
        known = session.labels.get(factor, {})
        for sample in range(EXAMPLES):
            rows = {key: points[factor, "", *key].iloc[sample] for key in listed}
            before, after = (float(rows[point, 0]["value"]) for point in ("input", "data"))
            attributes = [
                {name: _defined(row[f"attribute:{name}"]) for name in session.readouts} for row in rows.values()
            ]
            found.append(
                Example(
                    factor=factor,
                    sample=sample,
                    before=before,
                    after=after,
                    levels=tuple(known[value] for value in (before, after)) if known else (),
                    points=tuple(point for point, _ in listed),
                    cycles=tuple(cycles for _, cycles in listed),
                    attributes=tuple(attributes),
                    images=tuple(png[factor, point, cycles, sample] for point, cycles in listed) if png else (),
                )
            )
    return tuple(found)


def _defined(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _column(rows: pd.DataFrame, name: str) -> FloatArray:
    return rows[f"attribute:{name}"].to_numpy(np.float64)


def _size(distances: Distances) -> float:
    return 0.0 if distances.worst is None else distances.worst.value
