"""Controls of claims that can fail: a planted null claim, and factors whose labels are exchanged."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from causalvae.circuits.types import Verdict
from causalvae.data.pairs import draw_pairs
from causalvae.digest import digest
from causalvae.effects import EffectContext
from causalvae.effects.context import treated_factor
from causalvae.effects.mediation import arms_of
from causalvae.errors import CausalVAEError
from causalvae.plan.owner import Owner
from causalvae.readouts import measure
from causalvae.readouts.types import wrap
from causalvae.results import ControlCheck
from causalvae.session import Session
from causalvae.spec.schema import Hypothesis

_PAIRS = 32
# Of the treatment's own effect: what another factor may do to the outcome.
_LIMIT = 0.25


def planted_claims(verdicts: Sequence[Verdict]) -> tuple[ControlCheck, ...]:
    """The claims made of other units at the same sites, drawn at random: these must not be shown."""
    found = []
    for verdict in verdicts:
        rivals = verdict.rivals
        if rivals is None or not rivals.judged or rivals.planted is None:
            continue
        planted, share = rivals.planted, rivals.planted.share
        named = " + ".join(part.label for part in planted.circuit)
        found.append(
            ControlCheck(
                f"planted null claim: {verdict.hypothesis}",
                f"The mediated share of {named}, a circuit of the same size that was drawn at random and shares no "
                "unit with the claimed one. If the claim also holds for it, the claim is weak evidence.",
                float("nan") if share is None else share,
                "not shown to meet the claim's bounds",
                not rivals.planted_meets,
            )
        )
    return tuple(found)


def exchanged_labels(session: Session, context: EffectContext) -> tuple[ControlCheck, ...]:
    """The claims' treatments with the labels of two factors exchanged: the outcome must then hardly move.

    Setting the treatment's factor by the exchanged labels sets another factor, one that does not reach the outcome in
    the declared graph. A network, readout or graph for which the outcome moves all the same fails.
    """
    checks = (_exchanged(session, context, hypothesis) for hypothesis in session.spec.hypotheses)
    return tuple(check for check in checks if check is not None)


def most_forwards(session: Session) -> float:
    """What `exchanged_labels` runs at most, in whole forward passes."""
    return 2.0 * _PAIRS * len(session.spec.hypotheses)


def _exchanged(session: Session, context: EffectContext, hypothesis: Hypothesis) -> ControlCheck | None:
    factor, outcome = treated_factor(session.spec, hypothesis.treatment), hypothesis.outcome
    readout = session.readouts.get(outcome)
    if factor is None or readout is None:
        return None
    known, graph = session.dataset.space, session.graph
    others = [
        name
        for name in session.spec.graph.factors
        if name != factor and name in known.names and known[name].settable and outcome not in graph.descendants(name)
    ]
    arms = arms_of(context.plan, Owner.hypothesis(hypothesis.name))
    own = context.changes(arms.base, arms.counterfactual, outcome).total(context.outcomes.pairs((arms.base,)))
    own = own[np.isfinite(own)]
    size = float(np.sqrt(np.mean(own**2))) if len(own) else 0.0
    if not others or size == 0:
        return None
    seed = int(digest(["exchanged", session.spec.data.seed, factor]), 16) % 2**62
    other = others[seed % len(others)]
    try:
        within = session.split.within(session.dataset, "test")
        pairs = draw_pairs(session.dataset, factor=other, samples=_PAIRS, seed=seed, within=within)
    except CausalVAEError:
        # Too few samples of finite data make no such pairs.
        return None
    if not len(pairs):
        return None
    with torch.inference_mode():
        before, after = (
            measure({outcome: readout}, session.model.vae(session.dataset.inputs(rows)))[:, 0].double().cpu().numpy()
            for rows in (pairs.base, pairs.counterfactual)
        )
    change = wrap(after - before, readout.period)
    change = change[np.isfinite(change)]
    if not len(change):
        return None
    value = float(np.sqrt(np.mean(change**2))) / size
    return ControlCheck(
        f"exchanged labels: {hypothesis.name}",
        f"Effect on {outcome} where the labels of {factor} and {other} are exchanged, so that {hypothesis.treatment} "
        f"sets {other}, as a share of its own effect: {other} does not reach {outcome} in the declared graph.",
        value,
        f"below {_LIMIT:g}",
        value < _LIMIT,
    )
