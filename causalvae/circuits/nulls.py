"""A circuit against random ones of the same size at the same site."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from causalvae.circuits.types import ClaimTest, NullCircuits
from causalvae.effects import Study
from causalvae.effects.mediation import arms_of
from causalvae.effects.outcomes import FloatArray, is_moved
from causalvae.plan.types import Arm, Use
from causalvae.spec.schema import Hypothesis


def compare_with_nulls(study: Study, hypothesis: Hypothesis, arms: dict[str, Arm]) -> NullCircuits | None:
    """The mediated share of the hypothesised circuit and of its null circuits, on the pairs that all were run on.

    Parameters
    ----------
    study : Study
    hypothesis : Hypothesis
    arms : dict
        Arm id -> arm.

    Returns
    -------
    NullCircuits or None
        None where the plan has no null circuits, or where the hypothesis does not claim that the circuit carries at
        least so much (then doing better than random ones is no part of it). Where the treatment moves nothing on these
        pairs there is no share to compare: p is 1, and `undefined` says why.
    """
    owner = f"hypothesis:{hypothesis.name}"
    uses = study.plan.uses_of(owner, "null")
    if not uses or not hypothesis.has_nulls:
        return None
    clean = arms_of(study.plan, owner)
    ids = [clean.sufficiency, *(use.arm for use in uses)]
    pairs = min(study.outcomes.pairs([clean.base, clean.counterfactual, *ids]), hypothesis.null.pairs)
    shares = _shares(study, clean.base, clean.counterfactual, ids, hypothesis.outcome, pairs)
    undefined, note = "", ""
    if shares is None:
        undefined = f"the treatment does not change {hypothesis.outcome} on the first {pairs} pairs"
        shares = np.zeros(len(ids))
    observed, values = float(shares[0]), shares[1:]
    unknown = ~np.isfinite(values)
    if unknown.any():
        # A null that cannot be compared must not make the circuit stand out, so it counts as doing as well.
        note = f"{int(unknown.sum())} undefined on some of these pairs, counted as carrying as much"
        values = np.where(unknown, observed, values)
    # A null that is the observed circuit in other words must count as doing as well, whatever the last bit says.
    slack = 1e-9 * max(1.0, abs(observed))
    at_least = int((values >= observed - slack).sum())
    return NullCircuits(
        kind=describe_nulls(uses, arms),
        observed=observed,
        values=tuple(float(value) for value in values),
        p_value=(1 + at_least) / (len(values) + 1),
        pairs=pairs,
        seed=study.plan.seed,
        note=note,
        undefined=undefined,
    )


def null_test(null: NullCircuits) -> ClaimTest:
    """The null-circuit comparison as a test: failing to beat random circuits refutes nothing, so p_refute is 1."""
    count = len(null.values)
    as_good = as_good_as(null)
    note = f"{as_good} of {count} null circuits carry as much; their median share is {np.median(null.values):.3g}"
    if null.undefined:
        note = f"undefined, and written as 0: {null.undefined}"
    elif null.note:
        note = f"{note}; {null.note}"
    return ClaimTest(
        name="null_circuits",
        bound=f"above {null.kind}",
        value=null.observed,
        lower=None,
        upper=None,
        p_support=null.p_value,
        p_refute=1.0,
        n=null.pairs,
        note=note,
    )


def as_good_as(null: NullCircuits) -> int:
    """How many null circuits carry at least what the hypothesised one does."""
    return round(null.p_value * (len(null.values) + 1)) - 1


def stands_out(null: NullCircuits, alpha: float, family: int) -> bool:
    """Whether the circuit beats its nulls at `alpha`, were it the first of `family` hypotheses in Holm's order."""
    return family * null.p_value <= alpha


def describe_nulls(uses: Sequence[Use], arms: dict[str, Arm]) -> str:
    """``random subspaces`` or ``random units`` with the site, as a reader would say it."""
    patches = arms[uses[0].arm].patches
    sites = " + ".join(dict.fromkeys(patch.site for patch in patches))
    if any(patch.subspace is not None for patch in patches):
        dims = "+".join(str(patch.subspace.dim) for patch in patches if patch.subspace is not None)
        return f"random subspaces of {sites} (dimension {dims})"
    sizes = "+".join("all" if patch.units is None else str(len(patch.units)) for patch in patches)
    return f"random units of {sites} ({sizes})"


def _shares(
    study: Study, base: str, counterfactual: str, ids: Sequence[str], outcome: str, pairs: int
) -> FloatArray | None:
    """Give sum NIE TE / sum TE^2 of each sufficiency arm, over the pairs where the first one's outcome is defined.

    NaN for an arm whose outcome is undefined on one of these pairs; None where the treatment moves nothing on them.
    """
    changes = study.changes(base, counterfactual, outcome)
    total = changes.total(pairs)
    products, squares = changes.between(ids, base, pairs) * total, total**2
    defined = np.isfinite(products[0]) & np.isfinite(squares)
    squares = squares[defined]
    if not is_moved(squares, study.scale.sd_of(outcome)):
        return None
    return np.asarray(products[:, defined].sum(axis=1) / float(squares.sum()))
