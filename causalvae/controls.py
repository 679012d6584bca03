"""Controls that every run carries, and what a reader must know before trusting the numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from causalvae.effects import EffectContext
from causalvae.effects.changes import Changes, changes_of
from causalvae.effects.outcomes import IMAGE, is_moved, use_at
from causalvae.effects.scale import Scale
from causalvae.engine.measurements import Measurements
from causalvae.engine.observed_columns import column_of, names_in
from causalvae.models.check import LoadCheck
from causalvae.plan.owner import Owner
from causalvae.plan.types import Role
from causalvae.readouts.types import ReadoutCheck
from causalvae.results import ControlCheck, LatentSummary
from causalvae.spec.schema import Bound, Hypothesis

# Rounding through some ten layers, whose kernels sum in another order.
_ROUNDING = {"float32": 1e-5, "tf32": 5e-3, "bf16": 5e-2}
_RANDOM_LIMIT = 0.05
_ACTIVE_KL = 0.05
_MOST_NAMES = 8


def control_checks(context: EffectContext, copy: EffectContext | None, check: LoadCheck) -> tuple[ControlCheck, ...]:
    """The engine's exact controls, then the statistical ones.

    Parameters
    ----------
    context : EffectContext
        Of the run.
    copy : EffectContext or None
        Of the hypotheses' treatments on a randomly initialised copy of the network.
    check : LoadCheck
        Of the network.
    """
    spec = context.spec
    found = [
        ControlCheck(
            "reconstruction",
            "Negative log-likelihood at the posterior mean, compared with that of the best constant output "
            f"({check.mean_image:.0f} nats a sample).",
            check.reconstruction,
            f"below {check.mean_image:.0f} nats",
            check.reconstruction < check.mean_image,
        )
    ]
    exact: Mapping[str, Any] = context.measurements.manifest.get("controls", {})
    if exact:
        found += [
            ControlCheck(
                "self-patch",
                f"Largest change of the output when each of {exact['sites']} patched sites is patched with its own "
                "value.",
                exact["self_patch"],
                "exactly 0",
                exact["self_patch"] == 0,
            ),
            ControlCheck(
                "captured network",
                "Largest difference between the engine's output and the network's own, as a share of the largest.",
                exact["network"],
                f"below {_ROUNDING[spec.execution.precision]:g}",
                exact["network"] < _ROUNDING[spec.execution.precision],
            ),
        ]
        if exact["full_patch"] is not None:
            full = ControlCheck(
                "full patch",
                "Largest difference between Y(x; latent <- latent(x')) and Y(x'): all of the effect passes through "
                "the latent.",
                exact["full_patch"],
                "exactly 0",
                exact["full_patch"] == 0,
            )
            found.insert(2, full)
    if copy is not None:
        found += [_random_copy(hypothesis, context, copy) for hypothesis in spec.hypotheses]
        shares = [_random_share(hypothesis, context, copy) for hypothesis in spec.hypotheses]
        found += [check for check in shares if check is not None]
    return tuple(found)


def _changes(hypothesis: Hypothesis, measured: EffectContext, scale: Scale) -> tuple[Changes, tuple[str, str], int]:
    """Changes of the hypothesis' outcome in `measured`, in units of `scale`, the clean arms, the pairs."""
    owner, outcome, outcomes = Owner.hypothesis(hypothesis.name), hypothesis.outcome, measured.outcomes
    base, counterfactual = (use_at(measured.plan, owner, role).arm for role in ("base", "counterfactual"))
    changes = changes_of(
        outcomes, base, counterfactual, outcome, scale.periods.get(outcome), scale.vectors.get(outcome)
    )
    return changes, (base, counterfactual), outcomes.pairs((base, counterfactual))


def _total_effects(hypothesis: Hypothesis, measured: EffectContext, scale: Scale) -> np.ndarray:
    """Total effects of the pairs in which the outcome is defined on both sides; sizes where it has several numbers."""
    changes, _, pairs = _changes(hypothesis, measured, scale)
    effects = changes.total(pairs)
    return effects[np.isfinite(effects)]


def _random_copy(hypothesis: Hypothesis, context: EffectContext, copy: EffectContext) -> ControlCheck:
    effects = _total_effects(hypothesis, copy, context.scale)
    unit, short, long = context.scale.sd_of(hypothesis.outcome), "sd", "standard deviations"
    if hypothesis.outcome == IMAGE:
        own = _total_effects(hypothesis, context, context.scale)
        unit, short, long = float(np.sqrt(np.mean(own**2))) if len(own) else None, "of the effect", "effect"
    # A random copy whose outputs leave the outcome undefined shows no effect on it either.
    size = float(np.sqrt(np.mean(effects**2))) / unit if len(effects) and unit else 0.0
    return ControlCheck(
        f"random weights: {hypothesis.name}",
        f"Effect of {hypothesis.treatment} on {context.scale.label(hypothesis.outcome)} in a randomly initialised "
        f"copy, in the trained network's {long}: an effect that a copy without training has was not learned.",
        size,
        f"below {_RANDOM_LIMIT} {short}",
        size < _RANDOM_LIMIT,
    )


def _random_share(hypothesis: Hypothesis, context: EffectContext, copy: EffectContext) -> ControlCheck | None:
    """Whether a randomly initialised copy meets the claim: then the claim does not show what was learned.

    None where no share of at least so much is claimed, or where the treatment does not move the copy's outcome.
    """
    claimed: dict[Role, Bound | None] = {
        "sufficiency": hypothesis.share_bound,
        "necessity": hypothesis.expect.bound("necessity"),
    }
    least = {role: bound for role, bound in claimed.items() if bound is not None and bound.at_least is not None}
    if not least or not copy.plan.uses_of(Owner.hypothesis(hypothesis.name), "sufficiency"):
        return None
    changes, _, pairs = _changes(hypothesis, copy, context.scale)
    total = changes.total(pairs)
    shares, met = {}, []
    for role, bound in least.items():
        arm = use_at(copy.plan, Owner.hypothesis(hypothesis.name), role).arm
        part = changes.carried((arm,), pairs, removed=role == "necessity")[0]
        known = np.isfinite(total) & np.isfinite(part)
        squares = total[known] ** 2
        if not is_moved(
            squares, context.scale.sd_of(hypothesis.outcome), context.outcomes.rounding(hypothesis.outcome)
        ):
            return None
        share = float((part * total)[known].sum() / squares.sum())
        shares[role] = share
        met.append(share >= (bound.at_least or 0.0) and (bound.at_most is None or share <= bound.at_most))
        if role == "sufficiency" and hypothesis.fit_bound is not None:
            left = changes.squares((arm,), pairs)[0][0][known]
            met.append(1 - float(left.sum() / squares.sum()) >= (hypothesis.fit_bound.at_least or 0.0))
    role, bound = next(iter(least.items()))
    limit = f"below {bound.at_least:g}" if bound.at_most is None else f"outside {bound.at_least:g} to {bound.at_most:g}"
    word = "mediated share" if role == "sufficiency" else "necessity"
    return ControlCheck(
        f"random weights, share: {hypothesis.name}",
        f"The {word} of the circuit in a randomly initialised copy: if such a copy meets the claim, the claim is true "
        "of the architecture and does not show what was learned.",
        shares[role],
        limit if len(met) == 1 else f"{limit}, or another of its bounds broken",
        not all(met),
    )


def summarise_latents(measurements: Measurements, factors: Mapping[int, str]) -> tuple[LatentSummary, ...]:
    """KL and spread of each latent over the observed cohort; `factors` names what latents are mapped to."""
    seen = measurements.observations
    count = len(names_in(seen, "mean"))
    summaries = []
    for latent in range(count):
        mean = seen[column_of("mean", latent)].to_numpy(np.float64)
        kl: float | None = None
        if column_of("kl", latent) in seen.columns:
            kl = float(seen[column_of("kl", latent)].mean())
        elif column_of("logvar", latent) in seen.columns:
            logvar = seen[column_of("logvar", latent)].to_numpy(np.float64)
            kl = float((0.5 * (mean**2 + np.exp(logvar) - 1 - logvar)).mean())
        summaries.append(LatentSummary(latent, kl, float(mean.std(ddof=1)), factors.get(latent, "")))
    return tuple(summaries)


def unused_words(unused: Sequence[str]) -> str:
    """What is said of parameters that neither encoding nor decoding uses, by name."""
    layers = list(dict.fromkeys(name.rpartition(".")[0] or name for name in unused))
    more = f" and {len(layers) - _MOST_NAMES} more" if len(layers) > _MOST_NAMES else ""
    return (
        f"Neither encoding nor decoding uses these parts of the network: {', '.join(layers[:_MOST_NAMES])}{more}. No "
        "address names them."
    )


def warn(
    controls: Sequence[ControlCheck],
    readouts: Sequence[ReadoutCheck],
    latents: Sequence[LatentSummary],
    unused: Sequence[str] = (),
) -> tuple[str, ...]:
    """What a reader must know before trusting the numbers.

    Parameters
    ----------
    controls : sequence of ControlCheck
    readouts : sequence of ReadoutCheck
    latents : sequence of LatentSummary
    unused : sequence of str
        Parameters of the network that neither encoding nor decoding uses.
    """
    found = [] if not unused else [unused_words(unused)]
    found += [
        f"The control “{control.name}” failed: {control.value:.3g}, expected {control.limit}. {control.description}"
        for control in controls
        if not control.passed
    ]
    found += [
        f"The readout of {check.attribute} does not measure what it should even on real inputs "
        f"({check.metric} {check.on_inputs:.3f}): its effects cannot be trusted."
        for check in readouts
        if not check.passed
    ]
    found += [
        f"latent[{latent.latent}], which the spec maps {latent.factor} to, carries no information "
        f"(KL {latent.kl:.3f} nats): the mapping is probably wrong."
        for latent in latents
        if latent.factor and latent.kl is not None and latent.kl < _ACTIVE_KL
    ]
    return tuple(found)
