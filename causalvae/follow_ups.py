"""Runs that follow from a run's first results: what they may take, and what they took."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from causalvae import edge_runs, interchange_runs, manifolds, null_claims, pair_pictures, traversals
from causalvae.engine.clock import busy_seconds
from causalvae.engine.execute import choose_device
from causalvae.plan.types import Plan
from causalvae.session import Session

READOUT_SAMPLES = 1000


def most_forwards(session: Session, plan: Plan) -> float:
    """What is run at most once first results are known, and to check readouts, in whole forward passes.

    Parameters
    ----------
    session : Session
    plan : Plan
        Compiled from `session`.
    """
    return (
        interchange_runs.most_forwards(session, plan)
        + edge_runs.most_forwards(session, plan)
        + manifolds.most_forwards(session, plan)
        + null_claims.most_forwards(session) * session.spec.execution.controls
        + traversals.most_forwards(session, plan)
        + pair_pictures.most_forwards(session, plan)
        + min(READOUT_SAMPLES, session.dataset.size or READOUT_SAMPLES)
    )


class Stopwatch:
    """Sums what follow-up runs of a session take.

    Parameters
    ----------
    session : Session

    Attributes
    ----------
    seconds : float
        Of one core, or of the GPU.
    """

    def __init__(self, session: Session) -> None:
        self._device = choose_device(session.spec.execution.device)
        self.seconds = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count what is done within."""
        began = busy_seconds(self._device)
        yield
        self.seconds += busy_seconds(self._device) - began
