"""What is found of many components at once, as columns, and what is said of components that results do not list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from causalvae.effects.ablation import Ablation, fallback_note
from causalvae.effects.bootstrap import Ends, FloatArray, Interval
from causalvae.effects.notes import Notes, dropped
from causalvae.effects.types import Estimate, Role, ScreenSummary, UnitRole
from causalvae.plan.owner import Owner
from causalvae.plan.targets import ComponentSet, Target
from causalvae.plan.types import Arm, Use

IntArray = npt.NDArray[np.int64]
ROLE_NAMES: tuple[Role, ...] = ("polysemantic", "monosemantic", "undecided", "undeclared", "inert")


@dataclass(frozen=True)
class PatchedArm:
    """One patched arm, with what an estimate says of it."""

    arm: str
    component: Target
    granularity: str
    source: str
    value: float | None = None

    @classmethod
    def of(cls, use: Use, arms: Mapping[str, Arm]) -> Self:
        """The arm of a use, among those of a plan by their ids."""
        source = arms[use.arm].patches[0].source
        return cls(use.arm, use.component, use.granularity, source.label, source.value)


@dataclass(frozen=True)
class ComponentEffects:
    """One effect of many components.

    Parameters
    ----------
    ablation : Ablation
        Who asked, without a component.
    arms : sequence of PatchedArm
        One a component.
    estimand, outcome, unit, direction : str
        As in the estimates.
    pairs : int
        Pairs that were measured.
    n : int array, shape (components,)
        Pairs in which the outcome is defined; with fewer than two there is no estimate.
    interval : Interval
    p_values : float array, shape (components,), or None
    notes : tuple of Note
        On every estimate.
    """

    ablation: Ablation
    arms: Sequence[PatchedArm]
    estimand: str
    outcome: str
    unit: str
    direction: str
    pairs: int
    n: IntArray
    interval: Interval
    p_values: FloatArray | None = None
    notes: Notes = ()

    @property
    def known(self) -> npt.NDArray[np.bool_]:
        """Which components have an estimate, shape (components,)."""
        return np.asarray(self.n >= 2)

    def estimate(self, k: int) -> Estimate | None:
        """The estimate of one component; None where it has none."""
        count, arm = int(self.n[k]), self.arms[k]
        if count < 2:
            return None
        here = replace(self.ablation, component=arm.component, granularity=arm.granularity, source=arm.source)
        return here.estimate(
            self.estimand, self.outcome, self.unit, count, self.interval.value[k], self.interval.ends(k),
            None if self.p_values is None else float(self.p_values[k]), direction=self.direction,
            notes=(*self.notes, *dropped(self.pairs - count)),
        )  # fmt: skip

    def notes_of(self, count: int, ends: Ends | None) -> Notes:
        """The notes of a component with this many pairs and this interval."""
        return (*self.notes, *dropped(self.pairs - count), *(() if ends is None else fallback_note(ends)))


@dataclass(frozen=True)
class UnitColumns:
    """What many units are, one entry each; see `UnitRole`.

    Parameters
    ----------
    first : UnitRole
        What all have in common; its component and its numbers are of none.
    components : sequence of Target
    granularities : sequence of str
    roles : int array
        Positions in `ROLE_NAMES`.
    breadth, lower, upper, largest, p_value, output, output_share : float array
        NaN where there is none.
    on : int array
        Positions in `outcomes`.
    outcomes : tuple of str
    """

    first: UnitRole
    components: Sequence[Target]
    granularities: Sequence[str]
    roles: IntArray
    breadth: FloatArray
    lower: FloatArray
    upper: FloatArray
    largest: FloatArray
    p_value: FloatArray
    output: FloatArray
    output_share: FloatArray
    on: IntArray
    outcomes: tuple[str, ...]

    def role(self, k: int) -> UnitRole:
        """One unit."""
        return replace(
            self.first, component=self.components[k], granularity=self.granularities[k],
            role=ROLE_NAMES[self.roles[k]], breadth=float(self.breadth[k]), lower=_known(self.lower[k]),
            upper=_known(self.upper[k]), largest=float(self.largest[k]), on=self.outcomes[self.on[k]],
            p_value=float(self.p_value[k]), output=_known(self.output[k]), output_share=_known(self.output_share[k]),
        )  # fmt: skip


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


class Record(Protocol):
    """Takes every effect and unit of a run while results hold the strongest of each sweep."""

    def estimates(self, found: Sequence[Estimate]) -> None:
        """Take estimates."""

    def effects(self, found: ComponentEffects) -> None:
        """Take the estimates of many components."""

    def units(self, found: UnitColumns) -> None:
        """Take what many units are."""

    def roles(self, found: Sequence[UnitRole]) -> None:
        """Take what units are."""

    def screened(self, found: Sequence[ScreenSummary]) -> None:
        """Take the candidates of screens."""


@dataclass(frozen=True)
class LayerEffect:
    """One effect of a layer's components.

    Parameters
    ----------
    site : str
    estimand, outcome, unit : str
        As in the estimates.
    components : int
        Those that have the effect.
    mean, largest : float
        Over them.
    strongest : Target
        The component with the largest one.
    """

    site: str
    estimand: str
    outcome: str
    unit: str
    components: int
    mean: float
    largest: float
    strongest: Target


@dataclass(frozen=True)
class UnitTally:
    """How many units are of one kind.

    Parameters
    ----------
    role : str
    on : str
        What monosemantic ones move; empty for others.
    units : int
    least, most : float or None
        The smallest and the largest change of the whole output, in its standard deviations; None without an output.
    """

    role: Role
    on: str
    units: int
    least: float | None = None
    most: float | None = None


@dataclass(frozen=True)
class SweepSummary:
    """A sweep or perturbation of more components than results list.

    Parameters
    ----------
    owner : Owner
    treatment, direction, source : str
        As in the estimates.
    components, listed : int
        How many there are, and how many of them, the strongest on each outcome, have estimates in the results.
    layers : tuple of LayerEffect
        Of all components.
    units : tuple of UnitTally
        Of all components.
    """

    owner: Owner
    treatment: str
    direction: str
    source: str
    components: int
    listed: int
    layers: tuple[LayerEffect, ...]
    units: tuple[UnitTally, ...] = ()


@dataclass(frozen=True)
class SweepFound:
    """What one side of a sweep gave.

    Parameters
    ----------
    estimates : tuple of Estimate
        Of the listed components, in the sweep's order.
    units : tuple of UnitRole
        Of the same.
    share : tuple of Estimate
        ``polysemantic_share`` over all components.
    summary : SweepSummary or None
        Where not all components are listed.
    """

    estimates: tuple[Estimate, ...]
    units: tuple[UnitRole, ...]
    share: tuple[Estimate, ...]
    summary: SweepSummary | None


@dataclass
class Listing:
    """What results list of sweeps.

    Parameters
    ----------
    record : Record or None
        Takes all effects and units.
    most : int or None
        Estimates of components to list, of all sweeps together; all where None.
    found : dict
        Sweep -> what each side gave, once it has been analysed.
    """

    record: Record | None = None
    most: int | None = None
    found: dict[Owner, tuple[SweepFound, ...]] = field(default_factory=dict)


def site_of(component: Target) -> str:
    """The sites of a set of components, joined by ``+``; the label of any other target."""
    return " + ".join(component.sites) if isinstance(component, ComponentSet) else component.label


def tally_units(units: Sequence[UnitRole]) -> tuple[UnitTally, ...]:
    """How many units are of each kind, in the order in which they come."""
    groups: dict[tuple[Role, str], list[UnitRole]] = {}
    for unit in units:
        groups.setdefault((unit.role, unit.on if unit.role == "monosemantic" else ""), []).append(unit)
    return tuple(
        UnitTally(role, on, len(members), *_ends([u.output_share for u in members if u.output_share is not None]))
        for (role, on), members in groups.items()
    )


def tally_columns(found: UnitColumns) -> tuple[UnitTally, ...]:
    """The same of columns, by kind."""
    tallies = []
    mono = ROLE_NAMES.index("monosemantic")
    keys = np.where(found.roles == mono, found.on + len(ROLE_NAMES), found.roles)
    for key in np.unique(keys):
        mine = keys == key
        shares = found.output_share[mine]
        role: Role = ROLE_NAMES[key] if key < len(ROLE_NAMES) else "monosemantic"
        on = found.outcomes[key - len(ROLE_NAMES)] if key >= len(ROLE_NAMES) else ""
        tallies.append(UnitTally(role, on, int(mine.sum()), *_ends(shares[np.isfinite(shares)].tolist())))
    return tuple(tallies)


def add_tallies(parts: Sequence[UnitTally]) -> tuple[UnitTally, ...]:
    """Tallies of parts of a sweep as tallies of it, the most frequent kinds of the list's order kept."""
    groups: dict[tuple[Role, str], list[UnitTally]] = {}
    for part in sorted(parts, key=lambda part: (ROLE_NAMES.index(part.role), part.on)):
        groups.setdefault((part.role, part.on), []).append(part)
    return tuple(
        UnitTally(
            role, on, sum(part.units for part in members),
            *_ends([end for part in members for end in (part.least, part.most) if end is not None]),
        )
        for (role, on), members in groups.items()
    )  # fmt: skip


def _ends(amounts: Sequence[float]) -> tuple[float | None, float | None]:
    return (min(amounts), max(amounts)) if amounts else (None, None)
