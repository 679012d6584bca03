"""Controls that every run carries, and what a reader must know before trusting the numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from causalvae.engine.measurements import Measurements
from causalvae.models.check import LoadCheck
from causalvae.readouts.types import ReadoutCheck, wrap
from causalvae.results import ControlCheck, LatentSummary
from causalvae.spec.schema import Hypothesis, Spec

_RANDOM_LIMIT = 0.05
_SHUFFLES = 999
_ACTIVE_KL = 0.05


def control_checks(
    spec: Spec,
    measurements: Measurements,
    randomised: Measurements | None,
    check: LoadCheck,
    periods: Mapping[str, float],
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
    """
    found = [
        ControlCheck(
            "reconstruction",
            "Negative log-likelihood at the posterior mean, against the best constant image's "
            f"({check.mean_image:.0f} nats an image).",
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
                "full patch",
                "Largest difference between Y(x; latent <- latent(x')) and Y(x'): all of the effect passes the latent.",
                exact["full_patch"],
                "exactly 0",
                exact["full_patch"] == 0,
            ),
            ControlCheck(
                "captured network",
                "Largest difference between the captured operator graph's output and the network's own.",
                exact["network"],
                "exactly 0",
                exact["network"] == 0,
            ),
        ]
    if randomised is not None:
        found += [_random_copy(hypothesis, measurements, randomised, periods) for hypothesis in spec.hypotheses]
    ordered = {
        cohort.name
        for cohort in measurements.plan.cohorts
        if cohort.treatment and cohort.treatment.contrast == "increase"
    }
    found += [
        _shuffled_labels(hypothesis, measurements, periods, spec.execution.seed)
        for hypothesis in spec.hypotheses
        if hypothesis.treatment in ordered
    ]
    return tuple(found)


def _total_effects(hypothesis: Hypothesis, measurements: Measurements, periods: Mapping[str, float]) -> np.ndarray:
    plan = measurements.plan
    base, other = (
        measurements.values(plan.uses_of(f"hypothesis:{hypothesis.name}", role)[0].arm, hypothesis.outcome)
        for role in ("base", "counterfactual")
    )
    period = periods.get(hypothesis.outcome)
    return wrap(other - base, period) if period else other - base


def _random_copy(
    hypothesis: Hypothesis, measurements: Measurements, randomised: Measurements, periods: Mapping[str, float]
) -> ControlCheck:
    effects = _total_effects(hypothesis, randomised, periods)
    sd = measurements.attribute_sd()[hypothesis.outcome]
    size = float(np.sqrt(np.mean(effects**2))) / sd if sd > 0 else 0.0
    return ControlCheck(
        f"random weights: {hypothesis.name}",
        f"Effect of {hypothesis.treatment} on {hypothesis.outcome} in a randomly initialised copy, in the trained "
        "network's standard deviations: what the pipeline finds where nothing was learned.",
        size,
        f"below {_RANDOM_LIMIT} sd",
        size < _RANDOM_LIMIT,
    )


def _shuffled_labels(
    hypothesis: Hypothesis, measurements: Measurements, periods: Mapping[str, float], seed: int
) -> ControlCheck:
    """Forget which input of each pair has the higher level: the mean effect must then be noise around zero."""
    effects = _total_effects(hypothesis, measurements, periods)
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(_SHUFFLES, len(effects)))
    shuffled = np.abs(signs @ effects) / len(effects)
    observed = abs(float(effects.mean()))
    p = (1 + int((shuffled >= observed).sum())) / (_SHUFFLES + 1)
    return ControlCheck(
        f"shuffled labels: {hypothesis.name}",
        f"Share of {_SHUFFLES} shuffles of each pair's labels whose mean effect on {hypothesis.outcome} is as large as "
        "the real one: the treatment's labels, not the pipeline, make the effect.",
        p,
        f"at most {hypothesis.alpha}",
        p <= hypothesis.alpha,
    )


def summarise_latents(measurements: Measurements, factors: Mapping[int, str]) -> tuple[LatentSummary, ...]:
    """KL and spread of each latent over the observed cohort; `factors` names what latents are mapped to."""
    seen = measurements.observations
    count = sum(str(column).startswith("mean:") for column in seen.columns)
    summaries = []
    for latent in range(count):
        mean = seen[f"mean:{latent}"].to_numpy(np.float64)
        logvar = seen[f"logvar:{latent}"].to_numpy(np.float64)
        kl = 0.5 * (mean**2 + np.exp(logvar) - 1 - logvar)
        summaries.append(LatentSummary(latent, float(kl.mean()), float(mean.std(ddof=1)), factors.get(latent, "")))
    return tuple(summaries)


def warn(
    controls: Sequence[ControlCheck],
    readouts: Sequence[ReadoutCheck],
    latents: Sequence[LatentSummary],
) -> tuple[str, ...]:
    """What a reader must know before trusting the numbers."""
    found = [
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
        if latent.factor and latent.kl < _ACTIVE_KL
    ]
    return tuple(found)
