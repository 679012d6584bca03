"""The named metrics of a run, with the baselines that only whoever holds network and data can give."""

from __future__ import annotations

from collections.abc import Mapping

from causalvae.effects.metrics import Metrics, measure_metrics
from causalvae.effects.study import open_study
from causalvae.engine.measurements import Measurements
from causalvae.oracle import measure_factors
from causalvae.plan.types import OUTPUT, Plan
from causalvae.session import Session
from causalvae.spec.whole_output import WholeOutput

# More arms than this are not run on the random copy: baselines must not cost what the run does.
_MOST_ARMS = 1024


def perturbed_owners(plan: Plan) -> tuple[str, ...]:
    """The latent perturbations whose arms a randomly initialised copy runs too."""
    counts = {owner: len(plan.uses_of(owner, "perturbation")) for owner in plan.compared}
    return tuple(owner for owner, count in counts.items() if 0 < count <= _MOST_ARMS)


def find_metrics(
    session: Session,
    plan: Plan,
    measurements: Measurements,
    randomised: Measurements | None,
    whole: WholeOutput,
    units: Mapping[str, str],
) -> Metrics:
    """Every named metric of a run beside its baselines.

    Parameters
    ----------
    session : Session
    plan : Plan
    measurements : Measurements
        The answer to `plan`.
    randomised : Measurements or None
        Of a copy with weights drawn anew; it may lack the perturbations.
    whole : WholeOutput
        The decoded output as one outcome.
    units : mapping
        Attribute -> its own unit.
    """
    spec, periods = session.spec, session.periods
    study = open_study(spec, plan, measurements, whole, periods, units)
    copy = None
    if randomised is not None and any(randomised.plan.uses_of(owner, "perturbation") for owner in plan.compared):
        copy = open_study(spec, randomised.plan, randomised, whole, periods, units), randomised
    oracle = measure_factors(session) if plan.compared and OUTPUT in plan.outputs else None
    return measure_metrics(study, measurements, copy, oracle)
