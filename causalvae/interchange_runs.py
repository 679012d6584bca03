"""What interchange accuracy is compared with, and which latents would do better; these arms are run after the others.

Which arms are worth running is known only once the accuracy of the mapping is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from causalvae.alignment.assess import ellipse_of
from causalvae.alignment.columns import FactorColumns, Units, read_columns
from causalvae.alignment.interchange import GOOD, share_of
from causalvae.alignment.repair import (
    Subset,
    attribute_columns,
    choose_subset,
    judged_pairs,
    most_subsets,
    right_pairs,
)
from causalvae.alignment.types import Alignment, Repair, Share
from causalvae.effects.outcomes import Outcomes
from causalvae.engine.execute import choose_device
from causalvae.engine.unstored import UnstoredArms
from causalvae.models.components import Component
from causalvae.models.loading import Model, randomise
from causalvae.plan.cost import arm_cost
from causalvae.plan.owner import Owner
from causalvae.plan.resolve import Resolver, joint_patches
from causalvae.plan.types import Arm, Contrast, Patch, Plan
from causalvae.results import LatentSummary
from causalvae.session import Session

# Fewer pairs to test on tell nothing.
_FEWEST = 24
_CHOSEN_ON = 96
_TESTED_ON = 192
_COMPARED_ON = 48
_MOST_LATENTS = 16
_LEAST_KL = 0.05


def compare_interchange(
    session: Session, outcomes: Outcomes, alignment: Alignment, latents: Sequence[LatentSummary]
) -> Alignment:
    """The alignment with what its interchange accuracies are compared with, and with repair hints.

    Parameters
    ----------
    session : Session
    outcomes : Outcomes
    alignment : Alignment
    latents : sequence of LatentSummary
        The sixteen that carry most are tried.
    """
    active = _active(latents)
    if not alignment.interchanges or not active:
        return alignment
    spec, measurements = session.completed_spec, outcomes.measurements
    units = Units(spec, measurements)
    columns = {item.factor: item for item in read_columns(spec, outcomes, units, ellipse_of(spec, measurements)[0])}
    controls = spec.execution.controls
    untrained = randomise(session.model, spec.execution.seed) if controls else None
    interchanges, repairs = [], []
    for number, interchange in enumerate(alignment.interchanges):
        runs = _FactorRuns(session, outcomes, units, columns[interchange.factor])
        random = None
        if controls:
            rng = np.random.default_rng([spec.execution.seed, number])
            others = [latent for latent in active if latent not in runs.mapped_latents] or active
            size = min(len(runs.mapped_latents) or 1, len(others))
            random = runs.accuracy(tuple(sorted(rng.choice(others, size, replace=False).tolist())))
        interchanges.append(
            replace(interchange, random=random, untrained=None if untrained is None else runs.untrained(untrained))
        )
        repair = runs.repair(active) if interchange.accuracy.lower < GOOD else None
        if repair is not None:
            repairs.append(repair)
    worst = alignment.headline.worst_interchange
    by_factor = {item.factor: item for item in interchanges}
    headline = replace(alignment.headline, worst_interchange=None if worst is None else by_factor[worst.factor])
    return replace(alignment, interchanges=tuple(interchanges), repairs=tuple(repairs), headline=headline)


def most_forwards(session: Session, plan: Plan) -> float:
    """What `compare_interchange` runs at most, in whole forward passes."""
    components, mapping, total = session.model.components, session.spec.mapping, 0.0
    resolver = Resolver(session.spec, components)
    for contrast in plan.contrasts:
        if contrast.donors is None or contrast.factor not in mapping:
            continue
        owner = Owner("mapping", contrast.factor)
        mapped = Arm("", "base", joint_patches(resolver.find(f"${contrast.factor}", owner), contrast.donors, owner), 1)
        latent = Arm("", "base", (Patch("latent", None, contrast.donors),), 1)
        one, own = (arm_cost(arm, components, plan.options.rerun) for arm in (latent, mapped))
        half = contrast.pairs // 2
        compared, chosen = min(_COMPARED_ON, contrast.pairs), min(_CHOSEN_ON, half)
        tested = min(_TESTED_ON, contrast.pairs - half)
        # Base inputs and donors are run without patches; in the untrained network counterfactual inputs as well.
        if session.spec.execution.controls:
            total += (2 + 3) * compared + compared * (one + own)
        total += 2 * (chosen + tested) + (most_subsets(_MOST_LATENTS) * chosen + tested) * one
    return total


def _active(latents: Sequence[LatentSummary]) -> list[int]:
    """The latents that carry most, those that carry nothing omitted."""
    carrying = [item for item in latents if (item.sd if item.kl is None else item.kl) > _LEAST_KL]
    carrying.sort(key=lambda item: -(item.sd if item.kl is None else item.kl))
    return sorted(item.latent for item in carrying[:_MOST_LATENTS])


class _FactorRuns:
    """Interchanges of one factor, by any latents, on the pairs of its cohort."""

    def __init__(self, session: Session, outcomes: Outcomes, units: Units, columns: FactorColumns) -> None:
        plan = outcomes.measurements.plan
        self._session, self._outcomes, self._units, self._columns = session, outcomes, units, columns
        self._owner = Owner("mapping", columns.factor)
        self._contrast: Contrast = next(item for item in plan.contrasts if item.factor == columns.factor)
        if self._contrast.donors is None:
            raise ValueError(f"{columns.factor} is not mapped")
        self._donors = self._contrast.donors
        self._resolver = Resolver(session.spec, session.model.components)
        self._known = judged_pairs(columns)
        self._confidence = session.spec.estimation.confidence
        self._arms = self._open(session.model)
        self.mapped_latents = tuple(
            latent for latent, factor in self._resolver.mapped_latents().items() if factor == columns.factor
        )

    def _open(self, model: Model) -> UnstoredArms:
        session, plan = self._session, self._outcomes.measurements.plan
        device = choose_device(session.spec.execution.device)
        return UnstoredArms(plan, model, session.dataset, session.measure, device, self._contrast.cohort, self._donors)

    def accuracy(self, subset: Subset) -> Share | None:
        """Interchange accuracy of other latents on the first pairs; None where too few can be judged."""
        stop = min(_COMPARED_ON, self._contrast.pairs)
        return self._share(self._right([subset], 0, stop)[0], 0, stop)

    def untrained(self, model: Model) -> Share | None:
        """Interchange accuracy of the mapping in a network with random weights, against its own counterfactual."""
        stop = min(_COMPARED_ON, self._contrast.pairs)
        base, mapped, moved = self._open(model).run(
            [("base", ()), ("base", self._mapped()), ("counterfactual", ())], 0, stop
        )
        columns = attribute_columns(self._columns, self._units, base, moved, stop)
        return self._share(right_pairs(columns, self._units, base, mapped, slice(0, stop)), 0, stop)

    def repair(self, latents: Sequence[int]) -> Repair | None:
        """The best subset of at most three latents, chosen on pairs of the first half and tested on pairs of the other.

        None where there are too few pairs.
        """
        pairs = self._contrast.pairs
        half = pairs // 2
        stop, last = min(half, _CHOSEN_ON), min(pairs, half + _TESTED_ON)
        if min(self._known[:stop].sum(), self._known[half:last].sum()) < _FEWEST:
            return None

        def accuracies(subsets: Sequence[Subset]) -> list[float]:
            return [float(right[self._known[:stop]].mean()) for right in self._right(subsets, 0, stop)]

        chosen = choose_subset(latents, accuracies)
        accuracy = self._share(self._right([chosen], half, last)[0], half, last)
        if accuracy is None:
            return None
        labels = tuple(f"latent[{latent}]" for latent in chosen)
        return Repair(self._columns.factor, labels, accuracy, set(chosen) == set(self.mapped_latents))

    def _right(self, subsets: Sequence[Subset], first: int, stop: int) -> list[npt.NDArray[np.bool_]]:
        base, *patched = self._arms.run(
            [("base", ()), *(("base", self._patches(subset)) for subset in subsets)], first, stop
        )
        return [right_pairs(self._columns, self._units, base, values, slice(first, stop)) for values in patched]

    def _patches(self, subset: Subset) -> tuple[Patch, ...]:
        parts = [part for latent in subset for part in self._resolver.find(f"latent[{latent}]", str(self._owner))]
        return self._joined(tuple(parts))

    def _mapped(self) -> tuple[Patch, ...]:
        return self._joined(self._resolver.find(f"${self._columns.factor}", str(self._owner)))

    def _joined(self, parts: tuple[Component, ...]) -> tuple[Patch, ...]:
        return joint_patches(parts, self._donors, self._owner)

    def _share(self, right: npt.NDArray[np.bool_], first: int, stop: int) -> Share | None:
        known = self._known[first:stop]
        return share_of(right[known], self._confidence) if known.any() else None
