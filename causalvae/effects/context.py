"""What the estimation of every effect of a run needs, and what a treatment reaches in the declared graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from causalvae.effects.ablation import Ablation
from causalvae.effects.bootstrap import PairedBootstrap, paired_bootstrap
from causalvae.effects.changes import Changes, changes_of
from causalvae.effects.outcomes import Outcomes, varies
from causalvae.effects.scale import Scale, measure_vector
from causalvae.effects.screening import left_out
from causalvae.effects.sweep_types import Listing
from causalvae.engine.measurements import Measurements
from causalvae.engine.observed_columns import column_of
from causalvae.errors import CausalVAEError
from causalvae.plan.owner import Owner
from causalvae.plan.targets import NOTHING
from causalvae.plan.types import Plan, Use
from causalvae.spec.schema import Spec
from causalvae.spec.whole_output import WholeOutput


@dataclass(frozen=True)
class EffectContext:
    """What the estimation of every effect of a run needs, indexed once.

    Parameters
    ----------
    spec : Spec
    outcomes : Outcomes
        The tables by arm, with the measurements and the plan that they are of.
    scale : Scale
        Of each attribute.
    left_out : frozenset of str
        Ids of the arms that screens omitted.
    listing : Listing
        What results list of sweeps, and what takes all of them.
    """

    spec: Spec
    outcomes: Outcomes
    scale: Scale
    left_out: frozenset[str] = frozenset()
    listing: Listing = field(default_factory=Listing)

    @property
    def measurements(self) -> Measurements:
        """The tables."""
        return self.outcomes.measurements

    @property
    def plan(self) -> Plan:
        """What the tables answer."""
        return self.measurements.plan

    def bootstrap(self, n: int) -> PairedBootstrap:
        """The spec's bootstrap over `n` pairs.

        Raises
        ------
        CausalVAEError
            CV503 with fewer than two pairs.
        """
        if n < 2:
            raise CausalVAEError(
                "CV503",
                "An effect needs two pairs or more in which its outcome is defined.",
                "Raise data.samples, or choose an outcome that is defined on these outputs.",
            )
        estimation = self.spec.estimation
        return paired_bootstrap(
            n, estimation.bootstrap, estimation.confidence, self.spec.execution.seed, estimation.bca
        )

    def ablation(self, owner: Owner, use: Use | None = None, *, treatment: str = "", source: str = "") -> Ablation:
        """An ablation that `owner` asked for, of a use's component if given."""
        return Ablation(
            owner, treatment, use.component if use else NOTHING, use.granularity if use else "", source,
            self.spec.execution.seed, self.spec.estimation.confidence,
        )  # fmt: skip

    def changes(self, base: str, counterfactual: str, outcome: str) -> Changes:
        """Changes of an attribute, a vector or the image under the treatment of two clean arms, given by their ids."""
        scale = self.scale
        return changes_of(
            self.outcomes, base, counterfactual, outcome, scale.periods.get(outcome), scale.vectors.get(outcome)
        )

    def as_drawn(self, treatment: str) -> bool:
        """Whether the pairs of an input intervention are in the order of drawing."""
        for cohort in self.plan.cohorts:
            if cohort.treatment is not None and cohort.treatment.name == treatment:
                return cohort.treatment.contrast == "as_drawn" and not cohort.treatment.is_declared
        return False


def open_context(
    spec: Spec, measurements: Measurements, whole: WholeOutput, units: Mapping[str, str] | None = None
) -> EffectContext:
    """Index the tables and find the scale of each attribute; attributes that do not vary have none.

    Parameters
    ----------
    spec : Spec
    measurements : Measurements
        The answer to a plan that was compiled from `spec`, or to a part of it.
    whole : WholeOutput
        The decoded output as one outcome.
    units : mapping of str to str, optional
        Attribute -> its own unit, where it has one.

    Raises
    ------
    CausalVAEError
        CV501 where an arm's pairs have a gap or a double.
    """
    plan, periods = measurements.plan, dict(measurements.periods)
    observed, affines = measurements.observations, measurements.affines
    sd = {
        name: value
        for name, value in measurements.attribute_sd().items()
        if varies(value, observed[column_of("attribute", name)].to_numpy(np.float64), affines.get(name, (0.0, 1.0)))
    }
    units = {**(units or {}), **dict.fromkeys(plan.latent_attributes, "units of the latent")}
    vectors = {name: measure_vector(section, sd, periods, units) for name, section in spec.graph.vectors.items()}
    return EffectContext(
        spec,
        Outcomes(measurements),
        Scale(sd, periods, units, whole, measurements.output_sd(), vectors),
        left_out(plan, measurements.screens),
    )


def reached_from(spec: Spec, factor: str | None) -> frozenset[str]:
    """Nodes that a factor reaches in the declared graph; every attribute where None, a swap of whole samples."""
    if factor is None:
        return frozenset(spec.graph.attributes)
    reached: set[str] = set()
    frontier = {factor}
    while frontier:
        frontier = {child for parent, child in spec.graph.edge_pairs if parent in frontier} - reached
        reached |= frontier
    return frozenset(reached - {factor})


def treated_factor(spec: Spec, treatment: str) -> str | None:
    """The factor that an input intervention sets; None where it swaps whole samples.

    Raises
    ------
    CausalVAEError
        CV502 where `treatment` is no input intervention.
    """
    level = spec.intervention(treatment).input_level
    if level is None:
        raise CausalVAEError(
            "CV502", f"{treatment} changes no input factor.", "Name an input intervention as treatment.", treatment
        )
    return level.treated_factor
