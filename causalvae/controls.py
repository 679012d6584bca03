"""Controls that every run carries, and what a reader must know before trusting the numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from causalvae.effects import Study, open_study
from causalvae.effects.changes import Changes, VectorChanges, changes_of, divide_or_zero
from causalvae.effects.outcomes import IMAGE, Outcomes, use_at
from causalvae.effects.significance import mean_vector_test, t_test
from causalvae.engine.measurements import Measurements
from causalvae.models.check import LoadCheck
from causalvae.readouts.types import ReadoutCheck
from causalvae.results import ControlCheck, LatentSummary
from causalvae.spec.schema import Hypothesis, Spec
from causalvae.spec.whole_output import WholeOutput

# Rounding through some ten layers, whose kernels sum in another order.
_ROUNDING = {"float32": 1e-5, "tf32": 5e-3, "bf16": 5e-2}
_RANDOM_LIMIT = 0.05
_SHUFFLES = 999
_SHUFFLE_LIMIT = 4.0
_ACTIVE_KL = 0.05
_MOST_NAMES = 8


def control_checks(
    spec: Spec,
    measurements: Measurements,
    randomised: Measurements | None,
    check: LoadCheck,
    periods: Mapping[str, float],
    whole: WholeOutput = WholeOutput.of((1, 1, 1)),  # noqa: B008
) -> tuple[ControlCheck, ...]:
    """The engine's exact controls, then the statistical ones.

    Parameters
    ----------
    spec : Spec
    measurements : Measurements
        Of the whole plan.
    randomised : Measurements or None
        Of the hypotheses' treatments on a randomly initialised copy.
    check : LoadCheck
        Of the network.
    periods : mapping
        Attribute -> period, for attributes on a circle.
    whole : WholeOutput, optional
        The decoded output as one outcome; an image where left out.
    """
    found = [
        ControlCheck(
            "reconstruction",
            "Negative log-likelihood at the posterior mean, against the best constant output's "
            f"({check.mean_image:.0f} nats a sample).",
            check.reconstruction,
            f"below {check.mean_image:.0f} nats",
            check.reconstruction < check.mean_image,
        )
    ]
    exact: Mapping[str, Any] = measurements.manifest.get("controls", {})
    if exact:
        found += [
            ControlCheck(
                "self-patch",
                f"Largest change of the output when each of {exact['sites']} patched sites takes its own value.",
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
                "Largest difference between Y(x; latent <- latent(x')) and Y(x'): all of the effect passes the latent.",
                exact["full_patch"],
                "exactly 0",
                exact["full_patch"] == 0,
            )
            found.insert(2, full)
    study = open_study(spec, measurements.plan, measurements, whole, periods)
    if randomised is not None:
        found += [_random_copy(hypothesis, study, measurements, randomised) for hypothesis in spec.hypotheses]
    ordered = {
        cohort.treatment.name
        for cohort in measurements.plan.cohorts
        if cohort.treatment and cohort.treatment.contrast == "increase"
    }
    shuffled = [
        _shuffled_labels(hypothesis, study, measurements, spec.execution.seed)
        for hypothesis in spec.hypotheses
        if hypothesis.treatment in ordered
    ]
    return (*found, *(check for check in shuffled if check is not None))


def _changes(hypothesis: Hypothesis, study: Study, measured: Measurements) -> tuple[Changes, tuple[str, str], int]:
    """Changes of the hypothesis' outcome in `measured`, in the trained network's units, the clean arms, the pairs."""
    outcomes = study.outcomes if measured.plan is study.plan else Outcomes(measured)
    owner, outcome, scale = f"hypothesis:{hypothesis.name}", hypothesis.outcome, study.scale
    base, counterfactual = (use_at(measured.plan, owner, role).arm for role in ("base", "counterfactual"))
    changes = changes_of(
        outcomes, base, counterfactual, outcome, scale.periods.get(outcome), scale.vectors.get(outcome)
    )
    return changes, (base, counterfactual), outcomes.pairs((base, counterfactual))


def _total_effects(hypothesis: Hypothesis, study: Study, measured: Measurements) -> np.ndarray:
    """Total effects of the pairs in which the outcome is defined on both sides; sizes where it has several numbers."""
    changes, _, pairs = _changes(hypothesis, study, measured)
    effects = changes.total(pairs)
    return effects[np.isfinite(effects)]


def _signed_effects(hypothesis: Hypothesis, study: Study, measured: Measurements) -> tuple[np.ndarray, float] | None:
    """Total effects with a sign, of a vector along its mean change, and the p-value of no mean change.

    None of the image, whose tables hold lengths alone, and of fewer than two pairs.
    """
    changes, (base, counterfactual), pairs = _changes(hypothesis, study, measured)
    if isinstance(changes, VectorChanges):
        parts = changes.parts(counterfactual, base, pairs)
    elif not changes.along:
        parts = changes.total(pairs)[None]
    else:
        return None
    parts = parts[:, np.isfinite(parts).all(axis=0)]
    if parts.shape[1] < 2:
        return None
    if len(parts) == 1:
        return parts[0], float(t_test(parts).p_two_sided[0])
    mean = parts.mean(axis=1)
    length = np.full(len(mean), np.linalg.norm(mean))
    return np.asarray(divide_or_zero(mean, length) @ parts), mean_vector_test(parts)


def _random_copy(hypothesis: Hypothesis, study: Study, trained: Measurements, randomised: Measurements) -> ControlCheck:
    effects = _total_effects(hypothesis, study, randomised)
    unit, short, long = study.scale.sd_of(hypothesis.outcome), "sd", "standard deviations"
    if hypothesis.outcome == IMAGE:
        own = _total_effects(hypothesis, study, trained)
        unit, short, long = float(np.sqrt(np.mean(own**2))) if len(own) else None, "of the effect", "effect"
    # A random copy whose outputs leave the outcome undefined shows no effect on it either.
    size = float(np.sqrt(np.mean(effects**2))) / unit if len(effects) and unit else 0.0
    return ControlCheck(
        f"random weights: {hypothesis.name}",
        f"Effect of {hypothesis.treatment} on {study.scale.label(hypothesis.outcome)} in a randomly initialised copy, "
        f"in the trained network's {long}: what the pipeline finds where nothing was learned.",
        size,
        f"below {_RANDOM_LIMIT} {short}",
        size < _RANDOM_LIMIT,
    )


def _shuffled_labels(
    hypothesis: Hypothesis, study: Study, measurements: Measurements, seed: int
) -> ControlCheck | None:
    """Forget which input of each pair has the higher level: the mean effect must then be noise around zero.

    Only where there is a mean effect to lose is this a control; None where a test at the hypothesis' level finds none
    (that is the hypothesis' business, and no fault of the run).
    """
    found = _signed_effects(hypothesis, study, measurements)
    if found is None or found[1] > hypothesis.alpha:
        return None
    effects = found[0]
    shuffled = _shuffle_signs(effects, np.random.default_rng(seed))
    error = float(shuffled.std(ddof=1)) / np.sqrt(_SHUFFLES)
    distance = abs(float(shuffled.mean())) / error if error > 0 else 0.0
    large = int((np.abs(shuffled) >= abs(float(effects.mean())) * (1 - 1e-9)).sum())
    return ControlCheck(
        f"shuffled labels: {hypothesis.name}",
        f"Distance from zero, in standard errors, of the mean effect on {study.scale.label(hypothesis.outcome)} over "
        f"{_SHUFFLES} shuffles of each pair's labels: the labels make the effect, not the pipeline. The share of "
        f"shuffles whose mean effect is as large as the real one is {large / _SHUFFLES:.3g}.",
        distance,
        f"at most {_SHUFFLE_LIMIT:g} standard errors",
        distance <= _SHUFFLE_LIMIT,
    )


def _shuffle_signs(effects: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Mean effect of each of `_SHUFFLES` shuffles: swapping a pair's labels turns the sign of its effect."""
    swapped = rng.integers(0, 2, (_SHUFFLES, len(effects)), dtype=np.int8)
    return np.asarray(effects.mean() - 2 * (swapped @ effects) / len(effects))


def summarise_latents(measurements: Measurements, factors: Mapping[int, str]) -> tuple[LatentSummary, ...]:
    """KL and spread of each latent over the observed cohort; `factors` names what latents are mapped to."""
    seen = measurements.observations
    count = sum(str(column).startswith("mean:") for column in seen.columns)
    summaries = []
    for latent in range(count):
        mean = seen[f"mean:{latent}"].to_numpy(np.float64)
        kl: float | None = None
        if f"kl:{latent}" in seen.columns:
            kl = float(seen[f"kl:{latent}"].mean())
        elif f"logvar:{latent}" in seen.columns:
            logvar = seen[f"logvar:{latent}"].to_numpy(np.float64)
            kl = float((0.5 * (mean**2 + np.exp(logvar) - 1 - logvar)).mean())
        summaries.append(LatentSummary(latent, kl, float(mean.std(ddof=1)), factors.get(latent, "")))
    return tuple(summaries)


def unused_words(unused: Sequence[str]) -> str:
    """What is said of parameters that neither encoding nor decoding uses, by name."""
    layers = list(dict.fromkeys(name.rpartition(".")[0] or name for name in unused))
    more = f" and {len(layers) - _MOST_NAMES} more" if len(layers) > _MOST_NAMES else ""
    return (
        f"Neither encoding nor decoding uses these parts of the network: {', '.join(layers[:_MOST_NAMES])}{more}. No "
        "address names them, and nothing in this report is about them."
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
        f"The control “{control.name}” failed: {control.value:.3g}, expected {control.limit}."
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
