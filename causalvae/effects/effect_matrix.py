"""Components by outcomes: squared effects pair by pair, from which units are told apart and graphs are drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from causalvae.effects.bootstrap import PairedBootstrap
from causalvae.effects.outcomes import Outcomes, difference
from causalvae.effects.scale import Scale
from causalvae.effects.strength import PatchedArm

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Sizes:
    """Effect sizes of components on outcomes, and the same resampled.

    Parameters
    ----------
    value : float array, shape (components, outcomes)
    replicates : float array, shape (components, outcomes, resamples)
    leave_one_out : float array, shape (components, outcomes, n)
    """

    value: FloatArray
    replicates: FloatArray
    leave_one_out: FloatArray


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

    owner: str
    treatment: str
    source: str
    direction: str
    components: tuple[str, ...]
    granularities: tuple[str, ...]
    outcomes: tuple[str, ...]
    squares: FloatArray
    over: str = "attributes"

    @property
    def n(self) -> int:
        """Pairs."""
        return int(self.squares.shape[2])

    def rows(self, chosen: slice) -> EffectMatrix:
        """Some of the components."""
        return EffectMatrix(
            self.owner, self.treatment, self.source, self.direction, self.components[chosen],
            self.granularities[chosen], self.outcomes, self.squares[chosen], self.over,
        )  # fmt: skip

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

    def sizes(self, bootstrap: PairedBootstrap) -> Sizes:
        """Root mean squares over the pairs in which an effect is defined, with all replicates."""
        shape = self.squares.shape[:2]
        flat = self.squares.reshape(shape[0] * shape[1], self.n)
        known = np.isfinite(flat)
        top = np.where(known, flat, 0.0)
        counts = None if known.all() else known.astype(np.float64)
        total = top.sum(axis=1)
        value = np.full(len(flat), np.nan)
        np.divide(total, known.sum(axis=1), out=value, where=known.any(axis=1))
        replicates, others = bootstrap.replicates(top, counts), bootstrap.leave_one_out(top, counts)
        return Sizes(
            np.sqrt(value).reshape(shape),
            np.sqrt(replicates).reshape(*shape, replicates.shape[1]),
            # What is left of a sum of squares without one of them may fall below zero by rounding.
            np.sqrt(np.maximum(others, 0.0)).reshape(*shape, self.n),
        )


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
    outcomes: Outcomes, base: str, arms: Sequence[PatchedArm], owner: str, scale: Scale, attributes: Sequence[str],
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
    owner : str
    scale : Scale
    attributes : sequence of str
    n : int
        Samples.
    """
    groups: dict[str, list[PatchedArm]] = {}
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
    outcomes: Outcomes, clean: str, arms: Sequence[PatchedArm], owner: str, treatment: str, direction: str,
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
