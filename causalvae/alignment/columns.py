"""The three columns of an alignment: what doing a factor changes in the data, in the network, and through the mapping.

All three are read on the same pairs and in the same unit, standard deviations of the changed node over the data. Those
of outputs or latents would make a dead one look moved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from causalvae.alignment.support import Ellipse
from causalvae.alignment.variables import kind_of
from causalvae.effects.outcomes import Outcomes, difference, varies
from causalvae.engine.measurements import Measurements, deviation
from causalvae.engine.observed_columns import Group, column_of
from causalvae.plan.owner import Owner
from causalvae.plan.types import Contrast
from causalvae.spec.schema import Spec

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Unit:
    """What a change of a node is measured in, and how differences of it are taken.

    Parameters
    ----------
    size : float
        Standard deviation over the data. Of a categorical node, whose changes are 0 or 1, sqrt((1 - sum p^2) / 2): then
        an unrelated redraw changes it by sqrt(2) units on average, as it does a number.
    period : float or None
    categorical : bool
    """

    size: float
    period: float | None = None
    categorical: bool = False

    @property
    def circle(self) -> float | None:
        """The period of changes, in this unit; None where they are not wrapped."""
        return None if self.period is None or self.categorical else self.period / self.size

    def change(self, before: FloatArray, after: FloatArray) -> FloatArray:
        """Change from `before` to `after` in this unit."""
        if self.categorical:
            return np.asarray(before != after, dtype=np.float64) / self.size
        return np.asarray(difference(after, before, self.period)) / self.size


@dataclass(frozen=True)
class Columns:
    """What do(source) changes in one target: arrays of shape (n,), NaN where the target is undefined.

    Parameters
    ----------
    source, target : str
    between_factors : bool
    data : float array or None
        On the inputs; None where the target is a latent of the network.
    network, mapping : float array or None
        On the outputs: of the counterfactual inputs, and where the mapped components took their values from another
        sample in which the source is randomised.
    inside, donor_inside : bool array
        Whether the counterfactual input, and the donor as well, lie where the data are.
    period : float or None
        Of a target on a circle, in the unit of its changes. Two changes on a circle are compared by their difference
        the short way round.
    """

    source: str
    target: str
    between_factors: bool
    data: FloatArray | None
    network: FloatArray | None
    mapping: FloatArray | None
    inside: BoolArray
    donor_inside: BoolArray
    period: float | None = None


@dataclass(frozen=True)
class FactorColumns:
    """All columns of one factor that the data can set.

    Parameters
    ----------
    factor : str
    columns : tuple of Columns
    levels : mapping
        Other categorical factor -> the level of each pair, shape (n,).
    own_error : mapping
        Attribute -> what the output for the counterfactual input differs from that input by, in units.
    mapped_error : mapping
        Attribute -> what the output through the mapping differs from the counterfactual input by, in units.
    """

    factor: str
    columns: tuple[Columns, ...]
    levels: Mapping[str, FloatArray]
    own_error: Mapping[str, FloatArray]
    mapped_error: Mapping[str, FloatArray]


class Units:
    """The unit of every node of a declared graph.

    Parameters
    ----------
    spec : Spec
        Completed with what the data know of its factors.
    measurements : Measurements
    notes : list of str
        Takes what a reader must know.
    """

    def __init__(self, spec: Spec, measurements: Measurements, notes: list[str] | None = None) -> None:
        self._spec, self._measurements = spec, measurements
        self.notes: list[str] = [] if notes is None else notes
        self._known: dict[str, Unit] = {}

    def __getitem__(self, name: str) -> Unit:
        if name not in self._known:
            self._known[name] = self._find(name)
        return self._known[name]

    def _find(self, name: str) -> Unit:
        observations, periods = self._measurements.observations, self._measurements.periods
        if name in self._spec.graph.factors:
            kind, period = kind_of(self._spec, name, periods)
            values = observations[column_of("factor", name)].to_numpy(np.float64)
            if kind == "categorical":
                shares = np.unique(values, return_counts=True)[1] / len(values)
                return Unit(float(np.sqrt((1 - (shares**2).sum()) / 2)) or 1.0, categorical=True)
        else:
            period = periods.get(name)
            group: Group = "attribute" if name in self._measurements.plan.latent_attributes else "input"
            values = observations[column_of(group, name)].to_numpy(np.float64)
        values = values[np.isfinite(values)]
        size = deviation(values, period) if len(values) > 1 else 0.0
        if varies(size, values, self._measurements.affines.get(name, (0.0, 1.0))):
            return Unit(size, period)
        self.notes.append(f"{name} does not vary over the data, so that its changes are in its own unit.")
        return Unit(1.0, period)


def read_columns(spec: Spec, outcomes: Outcomes, units: Units, ellipse: Ellipse | None) -> tuple[FactorColumns, ...]:
    """The columns of every declared factor that the data can set.

    Parameters
    ----------
    spec : Spec
        Completed with what the data know of its factors.
    outcomes : Outcomes
        Of a plan with uses that the network and the mapping column own, and contrasts.
    units : Units
    ellipse : Ellipse or None
        Where the data are; None where every input is taken to be like them.
    """
    plan = outcomes.measurements.plan
    return tuple(
        _read_factor(spec, outcomes, units, ellipse, contrast)
        for contrast in plan.contrasts
        if plan.uses_of(Owner("network", contrast.factor))
    )


def _read_factor(
    spec: Spec,
    outcomes: Outcomes,
    units: Units,
    ellipse: Ellipse | None,
    contrast: Contrast,
) -> FactorColumns:
    measurements, plan = outcomes.measurements, outcomes.measurements.plan
    table: pd.DataFrame = measurements.contrasts
    table = table[table["factor"] == contrast.factor].sort_values("pair")
    factor, n = contrast.factor, len(table)

    def column(name: str) -> FloatArray:
        return table[name].to_numpy(np.float64)

    network = plan.uses_of(Owner("network", factor))
    before, after = (next(use.arm for use in network if use.role == role) for role in ("base", "counterfactual"))
    mapping = plan.uses_of(Owner("mapping", factor), "perturbation")
    everywhere = np.ones(n, dtype=bool)
    inside = everywhere if ellipse is None else ellipse.holds(table, "counterfactual")
    donors = inside & ellipse.holds(table, "donor") if ellipse is not None and mapping else inside
    found: list[Columns] = []
    own: dict[str, FloatArray] = {}
    mapped: dict[str, FloatArray] = {}
    for target in contrast.released:
        change = units[target].change(column(f"base:factor:{target}"), column(f"released:{target}"))
        found.append(Columns(factor, target, True, change, None, None, inside, donors))
    for target in plan.attributes:
        unit, is_latent = units[target], target in plan.latent_attributes
        clean, moved = outcomes.block((before, after), target, n)
        patched = outcomes.values(mapping[0].arm, target, n) if mapping else None
        data = None
        if not is_latent:
            counterfactual = column(f"counterfactual:{target}")
            data = unit.change(column(f"base:{target}"), counterfactual)
            own[target] = unit.change(counterfactual, moved)
            if patched is not None:
                mapped[target] = unit.change(counterfactual, patched)
        found.append(
            Columns(
                factor,
                target,
                False,
                data,
                unit.change(clean, moved),
                None if patched is None else unit.change(clean, patched),
                inside,
                donors,
                unit.circle,
            )
        )
    levels = {
        name: column(f"base:factor:{name}") for name in contrast.released if kind_of(spec, name, {})[0] == "categorical"
    }
    return FactorColumns(factor, tuple(found), levels, own, mapped)
