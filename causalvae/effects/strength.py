"""How much an intervention changes what is decoded: effect sizes, causal effect strength, specificity.

- effect size of an intervention on an attribute = sqrt(mean_i Delta_i^2) / sd, in standard deviations of the attribute
  over the observed reconstructions;
- causal effect strength CES = E_x ||D(z) - D(z~)||_2 (Roy 2025, arXiv 2505.03530), raw and as root mean square,
  CES / sqrt(numbers of the output);
- specificity S = 1 / (H(p) + eps), p the effect sizes over the attributes divided by their sum, H in nats; the bounded
  form is 1 - H / log K, in [0, 1], K attributes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from causalvae.effects.ablation import Ablation
from causalvae.effects.bootstrap import Ends, FloatArray, Interval, PairedBootstrap
from causalvae.effects.notes import CONTRAST, MEAN_CHANGE, Note, dropped
from causalvae.effects.outcomes import Outcomes, cancelling, difference, output_squares
from causalvae.effects.scale import Scale
from causalvae.effects.significance import t_test
from causalvae.effects.smooth_intervals import EffectEntropy, smooth_intervals
from causalvae.effects.sweep_types import ComponentEffects, PatchedArm
from causalvae.effects.types import Estimate
from causalvae.plan.targets import Target

SPECIFICITY_EPSILON = 1e-6


def effect_sizes(squares: FloatArray, sd: float, bootstrap: PairedBootstrap) -> Interval:
    """Root mean squares over pairs in units of `sd`, with intervals: those of the mean squares, under the same root.

    Parameters
    ----------
    squares : float array, shape (k, n)
        Squared change of each pair; not finite where it is undefined, and omitted there.
    sd : float
    bootstrap : PairedBootstrap
    """
    ratio = bootstrap.ratio(*_counted(squares))
    value, lower, upper = (np.sqrt(part) / sd for part in (ratio.value, ratio.lower, ratio.upper))
    return Interval(value, lower, upper, ratio.kinds)


def input_estimates(
    outcomes: Outcomes, base: str, counterfactual: str, bootstrap: PairedBootstrap, ablation: Ablation, scale: Scale,
    attributes: Sequence[str], as_drawn: bool = False,
) -> list[Estimate]:  # fmt: skip
    """Level 1: total effect (mean) and effect size of an input manipulation on every attribute and on the image.

    `bootstrap` is over the pairs that both arms cover. Where pairs are as drawn and changes of both signs cancel in an
    attribute's mean, its estimates say so.
    """
    n = bootstrap.n
    estimates = []
    for attribute in attributes:
        both = [outcomes.values(arm, attribute, n) for arm in (counterfactual, base)]
        change = difference(both[0], both[1], scale.periods.get(attribute))[None]
        test = t_test(change)
        if test.n[0] < 2:
            continue
        missing = dropped(n - int(test.n[0]))
        cancels = cancelling(change[np.isfinite(change)], as_drawn)
        mean = bootstrap.ratio(*_counted(change))
        p_value, used = float(test.p_two_sided[0]), int(test.n[0])
        estimates.append(
            ablation.estimate(
                "total_effect", attribute, scale.unit(attribute), used, mean.value[0], mean.ends(0), p_value,
                notes=(*missing, *cancels),
            )
        )  # fmt: skip
        if attribute in scale.sd:
            size = effect_sizes(change**2, scale.sd[attribute], bootstrap)
            estimates.append(
                ablation.estimate(
                    "effect_size", attribute, "sd", used, size.value[0], size.ends(0), p_value,
                    notes=(MEAN_CHANGE, *missing, *cancels),
                )
            )  # fmt: skip
    length = np.sqrt(outcomes.values(counterfactual, "image_sq", n))[None]
    mean = bootstrap.ratio(length)
    estimates.append(
        ablation.estimate("total_effect", scale.whole.name, scale.whole.length, n, mean.value[0], mean.ends(0))
    )
    return estimates


def sweep_estimates(
    outcomes: Outcomes, base: str, counterfactual: str, arms: Sequence[PatchedArm], direction: str,
    bootstrap: PairedBootstrap, ablation: Ablation, scale: Scale, attributes: Sequence[str],
) -> list[Estimate]:  # fmt: skip
    """The effects of `sweep_effects` as estimates: for each component those on attributes, then that on the image."""
    found = sweep_effects(
        outcomes, base, counterfactual, arms, direction, bootstrap, ablation, scale, attributes
    )  # fmt: skip
    each = (effects.estimate(k) for k in range(len(arms)) for effects in found)
    return [estimate for estimate in each if estimate is not None]


def sweep_effects(
    outcomes: Outcomes, base: str, counterfactual: str, arms: Sequence[PatchedArm], direction: str,
    bootstrap: PairedBootstrap, ablation: Ablation, scale: Scale, attributes: Sequence[str],
) -> list[ComponentEffects]:  # fmt: skip
    """Level 3: effect size of each patched component on every attribute, and its strength on the image.

    Parameters
    ----------
    outcomes : Outcomes
    base, counterfactual : str
        Ids of the clean arms.
    arms : sequence of PatchedArm
        One a component, all of one direction.
    direction : {"denoising", "base", "noising", "counterfactual"}
        denoising and base: effect = Y(arm) - Y(base), arms being patched base runs; noising and counterfactual: effect
        = Y(counterfactual) - Y(arm), arms being patched counterfactual runs. The first of each pair is interchange's.
    bootstrap : PairedBootstrap
        Over the pairs that all arms cover; one weight matrix serves all components.
    ablation, scale, attributes
        Who asked, the units, and the attributes to report.

    Returns
    -------
    list of ComponentEffects
        ``effect_size`` on each attribute that varies, then ``causal_effect_strength`` on the image.
    """
    ids, n, on_base = [arm.arm for arm in arms], bootstrap.n, direction in ("denoising", "base")
    found = []
    for attribute in attributes:
        if attribute not in scale.sd:
            continue
        patched = outcomes.block(ids, attribute, n)
        period = scale.periods.get(attribute)
        if on_base:
            change = difference(patched, outcomes.values(base, attribute, n)[None], period)
        else:
            change = difference(outcomes.values(counterfactual, attribute, n)[None], patched, period)
        test = t_test(change)
        size = effect_sizes(change**2, scale.sd[attribute], bootstrap)
        found.append(
            ComponentEffects(
                ablation, arms, "effect_size", attribute, "sd", direction, n, test.n, size, test.p_two_sided,
                (MEAN_CHANGE,),
            )
        )  # fmt: skip
    square = output_squares(outcomes, ids, None if on_base else counterfactual, n)
    strength = bootstrap.ratio(np.sqrt(square))
    found.append(
        ComponentEffects(
            ablation, arms, "causal_effect_strength", scale.whole.name, scale.whole.length, direction, n,
            np.full(len(arms), n), strength,
        )
    )  # fmt: skip
    return found


def perturbation_estimates(
    outcomes: Outcomes, base: str, arms: Sequence[PatchedArm], bootstrap: PairedBootstrap, ablation: Ablation,
    scale: Scale, attributes: Sequence[str],
) -> list[Estimate]:  # fmt: skip
    """Level 2: strength, effect sizes and specificity of each perturbed latent.

    Parameters
    ----------
    outcomes : Outcomes
    base : str
        Id of the clean run of the observed cohort.
    arms : sequence of PatchedArm
        One a component and value; a sample's values are averaged before samples are.
    bootstrap : PairedBootstrap
        Over the samples that all arms cover.
    ablation, scale, attributes
        Who asked, the units, and the attributes to report.

    Returns
    -------
    list of Estimate
        For each component: ``causal_effect_strength`` (two units), ``effect_size`` on each attribute, ``specificity``
        and ``specificity_bounded`` over the attributes (omitted for a component that changes none, and
        where the data has only one attribute).
    """
    n = bootstrap.n
    groups: dict[tuple[Target, str, str], list[PatchedArm]] = {}
    for arm in arms:
        groups.setdefault((arm.component, arm.granularity, arm.source), []).append(arm)
    for key, members in groups.items():
        groups[key] = sorted(members, key=lambda arm: (arm.value is None, arm.value or 0.0))
    keys = list(groups)
    rows = [[arm.arm for arm in groups[key]] for key in keys]

    length = np.stack([np.sqrt(outcomes.block(ids, "image_sq", n)).mean(axis=0) for ids in rows])
    strength = bootstrap.ratio(length)
    reported = [attribute for attribute in attributes if attribute in scale.sd]
    squares = np.empty((len(reported), len(keys), n))
    contrasts = np.empty_like(squares)
    for a, attribute in enumerate(reported):
        clean, period = outcomes.values(base, attribute, n)[None], scale.periods.get(attribute)
        for k, ids in enumerate(rows):
            patched = outcomes.block(ids, attribute, n)
            change = difference(patched, clean, period)
            squares[a, k] = (change**2).mean(axis=0)
            contrasts[a, k] = difference(patched[-1], patched[0], period) if len(ids) > 1 else change[0]

    sizes = [effect_sizes(squares[a], scale.sd[attribute], bootstrap) for a, attribute in enumerate(reported)]
    tests = [t_test(contrasts[a]) for a in range(len(reported))]
    specific = _specificity(squares, [scale.sd[attribute] for attribute in reported], bootstrap)

    estimates = []
    for k, key in enumerate(keys):
        here = _at(ablation, *key)
        values = [arm.value for arm in groups[key] if arm.value is not None]
        over = (Note("over_values", tuple(values)),) if len(values) > 1 else ()
        each = 1 / np.sqrt(scale.whole.numbers)
        for unit, factor in ((scale.whole.length, 1.0), (scale.whole.rms, each)):
            ends = strength.ends(k)
            estimates.append(
                here.estimate(
                    "causal_effect_strength", scale.whole.name, unit, n, strength.value[k] * factor,
                    Ends(ends.lower * factor, ends.upper * factor, ends.kind), notes=over,
                )
            )  # fmt: skip
        for a, attribute in enumerate(reported):
            if tests[a].n[k] < 2:
                continue
            meaning = CONTRAST if len(rows[k]) > 1 else MEAN_CHANGE
            missing = dropped(n - int(tests[a].n[k]))
            estimates.append(
                here.estimate(
                    "effect_size", attribute, "sd", int(tests[a].n[k]), sizes[a].value[k], sizes[a].ends(k),
                    tests[a].p_two_sided[k], notes=(meaning, *over, *missing),
                )
            )  # fmt: skip
        if specific is not None:
            estimates.extend(_specificity_estimates(here, specific, k, n, len(reported)))
    return estimates


def _specificity(squares: FloatArray, sds: Sequence[float], bootstrap: PairedBootstrap) -> tuple[Interval, ...] | None:
    """Entropy over attributes of each component's effect sizes: (unbounded, bounded) specificity, or None."""
    attributes = len(squares)
    if attributes < 2:
        return None
    scaled = squares / np.asarray(sds)[:, None, None] ** 2
    entropy = smooth_intervals(scaled.transpose(1, 0, 2), EffectEntropy(attributes), bootstrap)
    return tuple(_specificity_of(entropy, attributes, bounded) for bounded in (False, True))


def _specificity_of(entropy: Interval, attributes: int, bounded: bool) -> Interval:
    def form(h: FloatArray) -> FloatArray:
        return np.asarray(1 - h / np.log(attributes) if bounded else 1 / (h + SPECIFICITY_EPSILON))

    # Specificity falls as entropy rises: the ends of the interval change places.
    return Interval(form(entropy.value), form(entropy.upper), form(entropy.lower), entropy.kinds)


def _specificity_estimates(
    here: Ablation, specific: tuple[Interval, ...], k: int, n: int, attributes: int
) -> list[Estimate]:
    notes = (Note("specificity", (SPECIFICITY_EPSILON, attributes)), Note("specificity_bounded"))
    named = zip(("specificity", "specificity_bounded"), ("1/nat", "share"), specific, notes, strict=True)
    return [
        here.estimate(estimand, "attributes", unit, n, form.value[k], form.ends(k), notes=(note,))
        for estimand, unit, form, note in named
        if np.isfinite(form.value[k])
    ]


def _counted(values: FloatArray) -> tuple[FloatArray, FloatArray | None]:
    """`values` with undefined ones as zero, and 1 where they are defined (None where all are)."""
    finite = np.isfinite(values)
    if finite.all():
        return values, None
    return np.where(finite, values, 0.0), finite.astype(np.float64)


def _at(ablation: Ablation, component: Target, granularity: str, source: str) -> Ablation:
    return Ablation(
        ablation.owner, ablation.treatment, component, granularity, source, ablation.seed, ablation.confidence
    )
