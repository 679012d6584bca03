"""Components by outcomes: squared effects pair by pair, from which units are distinguished and graphs are drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from causalvae.effects.outcomes import Outcomes, difference
from causalvae.effects.scale import Scale
from causalvae.effects.sweep_types import PatchedArm
from causalvae.plan.owner import Owner
from causalvae.plan.targets import Target

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class EffectMatrix:
    """What each component does to each outcome, in each pair.

    Parameters
    ----------
    owner, treatment, source, direction : str
        As in the estimates.
    components, granularities : tuple of str
    outcomes : tuple of str
        Attributes, or factors (see `over_factors`).
    squares : float array, shape (components, outcomes, n)
        Squared changes in squared standard deviations of the attribute; NaN where one is undefined.
    over : {"attributes", "factors"}
        What `outcomes` are.
    """

    owner: Owner
    treatment: str
    source: str
    direction: str
    components: tuple[Target, ...]
    granularities: tuple[str, ...]
    outcomes: tuple[str, ...]
    squares: FloatArray
    over: str = "attributes"

    @property
    def n(self) -> int:
        """Pairs."""
        return int(self.squares.shape[2])

    def over_factors(self, markers: Mapping[str, Sequence[str]]) -> EffectMatrix:
        """The same with attributes gathered by factor; unchanged where fewer than two factors have any.

        Parameters
        ----------
        markers : mapping
            Factor -> the attributes that stand for it (see `markers_of`); a square is the mean of theirs.
        """
        places = {
            factor: [self.outcomes.index(name) for name in names if name in self.outcomes]
            for factor, names in markers.items()
        }
        places = {factor: found for factor, found in places.items() if found}
        if len(places) < 2:
            return self
        squares = np.stack([_mean_defined(self.squares[:, found]) for found in places.values()], axis=1)
        return EffectMatrix(
            self.owner, self.treatment, self.source, self.direction, self.components, self.granularities,
            tuple(places), squares, "factors",
        )  # fmt: skip

    @property
    def sizes(self) -> FloatArray:
        """Root mean squares over the pairs in which an effect is defined, shape (components, outcomes)."""
        known = np.isfinite(self.squares)
        mean = np.full(self.squares.shape[:2], np.nan)
        total = np.where(known, self.squares, 0.0).sum(axis=2)
        np.divide(total, known.sum(axis=2), out=mean, where=known.any(axis=2))
        return np.asarray(np.sqrt(mean))


def markers_of(edges: Sequence[tuple[str, str]], factors: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Which attributes stand for which factor in the declared graph.

    An attribute that a single factor points at stands for that factor. One that several point at stands for these
    together, unless other attributes stand for any of them already: it would count their effects twice.

    Returns
    -------
    dict
        Factor, or factors joined by `` + ``, -> attributes.
    """
    parents: dict[str, list[str]] = {}
    for parent, child in edges:
        if parent in factors and child not in factors:
            parents.setdefault(child, []).append(parent)
    markers: dict[tuple[str, ...], list[str]] = {}
    for child, found in parents.items():
        if len(found) == 1:
            markers.setdefault(tuple(found), []).append(child)
    told = {factor for (factor,) in markers}
    for child, found in parents.items():
        if told.isdisjoint(found):
            markers.setdefault(tuple(sorted(found, key=list(factors).index)), []).append(child)
    return {" + ".join(found): tuple(children) for found, children in markers.items()}


def latent_matrix(
    outcomes: Outcomes, base: str, arms: Sequence[PatchedArm], owner: Owner, scale: Scale, attributes: Sequence[str],
    n: int,
) -> EffectMatrix:  # fmt: skip
    """Effects of latent perturbations on the attributes that vary; a latent's values are averaged within each sample.

    Parameters
    ----------
    outcomes : Outcomes
    base : str
        Id of the clean run.
    arms : sequence of PatchedArm
        One a component and value, all of one source.
    owner : Owner
    scale : Scale
    attributes : sequence of str
    n : int
        Samples.
    """
    groups: dict[Target, list[PatchedArm]] = {}
    for arm in arms:
        groups.setdefault(arm.component, []).append(arm)
    reported = [name for name in attributes if name in scale.sd]
    squares = np.empty((len(groups), len(reported), n))
    for a, attribute in enumerate(reported):
        clean = outcomes.values(base, attribute, n)[None]
        for k, members in enumerate(groups.values()):
            patched = outcomes.block([arm.arm for arm in members], attribute, n)
            change = difference(patched, clean, scale.periods.get(attribute)) / scale.sd[attribute]
            squares[k, a] = (change**2).mean(axis=0)
    first = [members[0] for members in groups.values()]
    return EffectMatrix(
        owner, "", first[0].source, "", tuple(groups), tuple(arm.granularity for arm in first), tuple(reported), squares
    )


def sweep_matrix(
    outcomes: Outcomes, clean: str, arms: Sequence[PatchedArm], owner: Owner, treatment: str, direction: str,
    scale: Scale, attributes: Sequence[str], n: int,
) -> EffectMatrix:  # fmt: skip
    """Effects of patching each component of a sweep, against the clean run of the side that was patched.

    Parameters
    ----------
    outcomes : Outcomes
    clean : str
        Id of that clean run.
    arms : sequence of PatchedArm
        One a component.
    owner, treatment, direction : str
    scale : Scale
    attributes : sequence of str
    n : int
        Pairs.
    """
    reported = [name for name in attributes if name in scale.sd]
    ids = [arm.arm for arm in arms]
    squares = np.empty((len(arms), len(reported), n))
    for a, attribute in enumerate(reported):
        own = outcomes.values(clean, attribute, n)[None]
        change = difference(outcomes.block(ids, attribute, n), own, scale.periods.get(attribute))
        squares[:, a] = (change / scale.sd[attribute]) ** 2
    return EffectMatrix(
        owner, treatment, arms[0].source, direction, tuple(arm.component for arm in arms),
        tuple(arm.granularity for arm in arms), tuple(reported), squares,
    )  # fmt: skip


def _mean_defined(values: FloatArray) -> FloatArray:
    """Mean over the second axis of what is defined; NaN where nothing is."""
    known = np.isfinite(values)
    result = np.full((values.shape[0], values.shape[2]), np.nan)
    np.divide(np.where(known, values, 0.0).sum(axis=1), known.sum(axis=1), out=result, where=known.any(axis=1))
    return result
