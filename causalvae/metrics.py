"""The named metrics of a run, with the baselines that only whoever holds network and data can give."""

from __future__ import annotations

from causalvae.effects.context import EffectContext
from causalvae.effects.metrics import Metrics, measure_metrics
from causalvae.oracle import measure_factors
from causalvae.plan.types import OUTPUT
from causalvae.session import Session


def find_metrics(session: Session, context: EffectContext, copy: EffectContext | None) -> Metrics:
    """Every named metric of a run next to its baselines.

    Parameters
    ----------
    session : Session
    context : EffectContext
        Of the run.
    copy : EffectContext or None
        Of a copy with weights drawn again; it may lack the perturbations.
    """
    plan = context.plan
    oracle = measure_factors(session) if plan.compared and OUTPUT in plan.outputs else None
    return measure_metrics(context, copy, oracle)
