"""All scores of one network on one data set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

import numpy as np

from causalvae.data.dataset import Dataset
from causalvae.data.factors import Rows
from causalvae.disentanglement.arrays import FloatArray, IntArray, find_active, label_codes, read_matrix
from causalvae.disentanglement.beta_vae import beta_vae_score
from causalvae.disentanglement.confounding import unconfoundedness
from causalvae.disentanglement.dci import dci
from causalvae.disentanglement.factor_vae import factor_vae_score
from causalvae.disentanglement.intervals import accuracy_interval, bootstrap_interval, draw_resamples
from causalvae.disentanglement.irs import irs
from causalvae.disentanglement.labels import Labels, measure_dependence, read_labels
from causalvae.disentanglement.mig import mig, resample_mig
from causalvae.disentanglement.modularity import explicitness, modularity
from causalvae.disentanglement.sampled_mig import sampled_mig
from causalvae.disentanglement.samplers import FixedFactorSampler, PoolSampler
from causalvae.disentanglement.sap import resample_sap_continuous, sap_continuous, sap_discrete
from causalvae.disentanglement.scores import DisentanglementScores, Measured, Score, ScoreSettings
from causalvae.errors import CausalVAEError

_UNTRAINED = "Untrained networks reach high values: read it beside one of them, never alone."
_DEPENDENT = 0.05
_T = TypeVar("_T")


class Codes(NamedTuple):
    """What a network says of inputs.

    Parameters
    ----------
    mean : array or tensor, shape (n, n_latents)
        Posterior means.
    kl : array or tensor, shape (n, n_latents), optional
        KL divergence of each latent from its prior, in nats; None for a network without one, whose latents all count.
    logvar : array or tensor, shape (n, n_latents), optional
        Log-variances of a Gaussian posterior, which only the MIG of posterior samples needs.
    """

    mean: Any
    kl: Any = None
    logvar: Any = None

    @classmethod
    def of_gaussian(cls, mean: Any, logvar: Any) -> Codes:
        """Codes of Gaussian posteriors under a standard normal prior: KL = (mean^2 + var - 1 - log var) / 2."""
        mean, logvar = _as_floats(mean), _as_floats(logvar)
        return cls(mean, 0.5 * (np.square(mean) + np.exp(logvar) - 1.0 - logvar), logvar)


Represent = Callable[[Any], tuple[Any, ...]]
# How many steps are done, and of how many.
OnStep = Callable[[int, int], None]


def score(
    dataset: Dataset,
    represent: Represent,
    settings: ScoreSettings | None = None,
    on_step: OnStep = lambda done, total: None,
) -> DisentanglementScores:
    """Measure the scores of a network on labelled data.

    Parameters
    ----------
    dataset : Dataset
        Its factors should be independent: most scores take conditioning on a factor for setting it. `dependence` of the
        result says how far they are not.
    represent : callable
        Takes a batch of the data set's inputs and gives `Codes`, or a plain tuple of the same: (mean, kl).
    settings : ScoreSettings, optional
    on_step : callable
        Told of each score, and of each factor that DCI predicts.

    Returns
    -------
    DisentanglementScores

    Raises
    ------
    CausalVAEError
        CV510 and CV511 where `represent` gives what are no codes; CV512 for data without factors that vary; CV515 where
        a level is too rare for pairs; CV206 for ``sampling="fresh"`` on data whose factors cannot be set.
    """
    settings = settings or ScoreSettings()
    rows, values = _draw_labelled(dataset, settings)
    codes, test = (encode(dataset, part, represent, settings.inputs_at_once) for part in rows)
    labels = read_labels(dataset.space, values, settings.bins)
    sampler: FixedFactorSampler
    if settings.sampling == "fresh":
        sampler = FreshSampler(dataset, represent, settings.inputs_at_once)
    else:
        sampler = PoolSampler(codes.mean, labels.levels[: settings.samples], dataset.space.names)
    return score_codes(
        codes, test, labels, sampler, settings, name=dataset.name, factors=dataset.space.names, on_step=on_step
    )


def score_factors(
    dataset: Dataset, settings: ScoreSettings | None = None, on_step: OnStep = lambda done, total: None
) -> DisentanglementScores:
    """Measure the scores of the data's own factors, each taken for a latent: what a perfect code would have.

    The samples are those that `score` draws. Values are made [0, 1] over them, as a network's latents have one scale;
    categories keep the order of their numbers, for a latent that tells them apart has them in some order too.

    Raises
    ------
    CausalVAEError
        As `score`.
    """
    settings = settings or ScoreSettings()
    _, values = _draw_labelled(dataset, settings)
    labels = read_labels(dataset.space, values, settings.bins)
    values = values.copy()
    for column, factor in enumerate(dataset.space.factors):
        # Levels that mean the same are one, in a perfect code as in its labels.
        if not factor.is_continuous:
            values[:, column] = np.asarray(factor.values)[labels.levels[:, column]]
    low, reach = values.min(axis=0), np.ptp(values, axis=0)
    codes, test = np.split((values - low) / np.where(reach > 0, reach, 1.0), [settings.samples])
    names = dataset.space.names
    sampler = PoolSampler(codes, labels.levels[: settings.samples], names)
    return score_codes(
        Codes(codes), Codes(test), labels, sampler, settings, name=dataset.name, factors=names, on_step=on_step
    )


def _draw_labelled(dataset: Dataset, settings: ScoreSettings) -> tuple[list[Rows], FloatArray]:
    """Samples to fit and to test on, and the factors' values of both, one after the other; CV512 without factors."""
    if not dataset.space.factors:
        raise CausalVAEError(
            "CV512",
            f"The data set {dataset.name} has no labelled factors.",
            "Classical scores need labels; latent and activation interventions do not.",
            "data",
        )
    rng = np.random.default_rng(settings.seed)
    rows = [dataset.draw(count, rng) for count in (settings.samples, settings.test_samples)]
    return rows, np.concatenate([dataset.values(part) for part in rows])


def encode(dataset: Dataset, rows: Rows, represent: Represent, inputs_at_once: int = 256) -> Codes:
    """Codes of samples, as float arrays, a batch of inputs at a time; CV510 and CV511 as `score`."""
    batches = []
    for start in range(0, len(rows), inputs_at_once):
        given = Codes(*represent(dataset.inputs(rows[start : start + inputs_at_once])))
        count = len(rows[start : start + inputs_at_once])
        mean = read_matrix(_as_floats(given.mean), "codes")
        kl, logvar = (None if part is None else _as_floats(part) for part in (given.kl, given.logvar))
        # A KL divergence that is already a mean over the batch counts for each of its inputs.
        kl = np.broadcast_to(kl, (count, kl.shape[-1])) if kl is not None and kl.ndim == 1 else kl
        batches.append(Codes(mean, kl, logvar))
    return Codes(*(None if parts[0] is None else np.concatenate(parts) for parts in zip(*batches, strict=True)))


class FreshSampler:
    """Samples that are drawn anew for every group, their factor set by the data's own do().

    Parameters
    ----------
    dataset : Dataset
    represent : callable
        See `score`.
    inputs_at_once : int
    """

    def __init__(self, dataset: Dataset, represent: Represent, inputs_at_once: int = 256) -> None:
        self._dataset = dataset
        self._represent = represent
        self._inputs_at_once = inputs_at_once

    def __call__(self, factor: int, groups: int, size: int, rng: np.random.Generator) -> FloatArray:
        """Draw groups of samples; see `FixedFactorSampler`. CV206 where the factor cannot be set."""
        rows = self._dataset.draw(groups * size, rng)
        values = self._dataset.values(self._dataset.draw(groups, rng))[:, factor]
        name = self._dataset.space.names[factor]
        shared = self._dataset.intervene(rows, name, np.repeat(values, size), "hold")
        codes = encode(self._dataset, shared, self._represent, self._inputs_at_once).mean
        return np.asarray(codes.reshape(groups, size, -1))


def score_codes(
    codes: Codes,
    test: Codes,
    labels: Labels,
    sampler: FixedFactorSampler,
    settings: ScoreSettings,
    *,
    name: str,
    factors: tuple[str, ...],
    on_step: OnStep = lambda done, total: None,
) -> DisentanglementScores:
    """Measure the scores of codes that are already there.

    Parameters
    ----------
    codes, test : Codes
        Of `settings.samples` and `settings.test_samples` observed samples.
    labels : Labels
        Of both, one after the other.
    sampler : callable
        See `FixedFactorSampler`.
    settings : ScoreSettings
    name, factors
        Of the data set and of its factors.
    on_step : callable
        See `score`.
    """
    n, seed = len(codes.mean), settings.seed
    levels, test_levels = labels.levels[:n], labels.levels[n:]
    kl = None if codes.kl is None else codes.kl.mean(axis=0)
    active = np.ones(codes.mean.shape[1], bool) if kl is None else find_active(kl, settings.kl_threshold)
    both = (codes.mean, levels, test.mean, test_levels)
    ordered = labels.ordered & (np.ptp(labels.values[:n], axis=0) > 0)
    steps = _Steps(settings, levels, on_step)
    votes = {"batch": settings.vote_batch, "active": active, "seed": seed}
    counts = settings.votes, settings.test_votes
    robust = steps("irs", lambda: irs(codes.mean, levels, bins=_irs_bins(labels, settings.bins), active=active))
    measured = DisentanglementScores(
        scores=(),
        data=name,
        factors=factors,
        kl=kl,
        active=active,
        dependence=measure_dependence(levels),
        mig=steps("mig", lambda: mig(codes.mean, levels, bins=settings.bins, active=active)),
        sampled_mig=None
        if codes.logvar is None or "mig" not in settings.measures
        else sampled_mig(codes.mean, codes.logvar, levels, samples=settings.density_samples, active=active, seed=seed),
        dci=steps(
            "dci",
            lambda: dci(
                *both,
                regressor=settings.regressor,
                categorical=labels.named,
                active=active,
                seed=seed,
                on_factor=steps.count,
            ),
        ),
        sap_discrete=steps("sap", lambda: sap_discrete(*both, active=active)),
        sap_continuous=sap_continuous(codes.mean, labels.values[:n, ordered], active=active)
        if ordered.any() and "sap" in settings.measures
        else None,
        ordered=tuple(factor for factor, kept in zip(factors, ordered, strict=True) if kept),
        factor_vae=steps(
            "factor_vae",
            lambda: factor_vae_score(
                codes.mean,
                levels,
                sampler,
                votes=counts[0],
                test_votes=counts[1],
                **votes,  # type: ignore[arg-type]
            ),
        ),
        beta_vae=steps(
            "beta_vae",
            lambda: beta_vae_score(
                codes.mean,
                levels,
                sampler,
                points=counts[0],
                test_points=counts[1],
                **votes,  # type: ignore[arg-type]
            ),
        ),
        modularity=steps("modularity", lambda: modularity(codes.mean, levels, bins=settings.bins, active=active)),
        explicitness=steps("explicitness", lambda: explicitness(*both, active=active)),
        irs=robust,
        unconfoundedness=unconfoundedness(robust.matrix)
        if robust is not None and _can_overlap(robust.matrix)
        else None,
        settings=settings,
    )
    return replace(measured, scores=_tabulate(measured, codes, labels))


class _Steps:
    """Measures what the settings ask for, and counts it: a step a score, and one for each factor that DCI predicts."""

    def __init__(self, settings: ScoreSettings, levels: IntArray, on_step: OnStep) -> None:
        self._measures = settings.measures
        varied = int((np.ptp(levels, axis=0) > 0).sum())
        self._total = len(settings.measures) + (varied if "dci" in settings.measures else 0)
        self._done = 0
        self._on_step = on_step
        on_step(0, self._total)

    def __call__(self, name: Measured, measure: Callable[[], _T]) -> _T | None:
        if name not in self._measures:
            return None
        found = measure()
        self.count()
        return found

    def count(self) -> None:
        """One step more is done."""
        self._done += 1
        self._on_step(min(self._done, self._total), self._total)


def _tabulate(measured: DisentanglementScores, codes: Codes, labels: Labels) -> tuple[Score, ...]:
    settings, n = measured.settings, len(codes.mean)
    weights = draw_resamples(n, settings.resamples, settings.seed)
    sample = label_codes(codes.mean, labels.levels[:n], measured.active)
    conditioned = (
        f"Factors are dependent ({measured.dependence:.2f}), and conditioning on one is taken for setting it."
        if measured.dependence > _DEPENDENT
        else ""
    )
    drawn = "" if settings.sampling == "fresh" else conditioned

    def resampled(name: str, value: float, replicates: FloatArray, note: str) -> Score:
        ends = bootstrap_interval(value, replicates, settings.confidence)
        if not ends.lower <= value <= ends.upper:
            excess = float(replicates.mean()) - value
            note = f"{note}; biased by about {excess:+.2f} at {n:,} samples, hence outside its interval: draw more"
        return Score(name, value, ends.lower, ends.upper, note)

    def voted(name: str, value: float, note: str) -> Score:
        ends = accuracy_interval(value, settings.test_votes, settings.confidence)
        return Score(name, value, ends.lower, ends.upper, note)

    scores: list[Score] = []
    if measured.mig is not None:
        binned = f"{measured.mig.estimator}; the interval takes the bins as given"
        scores.append(resampled("MIG", measured.mig.score, resample_mig(sample, weights, settings.bins), binned))
    if measured.sampled_mig is not None:
        scores.append(
            Score("MIG of posterior samples", measured.sampled_mig.score, note=measured.sampled_mig.estimator)
        )
    if measured.dci is not None:
        scores += [
            Score(f"DCI {part}", value, note=_say_dci(settings, value))
            for part, value in (
                ("disentanglement", measured.dci.disentanglement),
                ("completeness", measured.dci.completeness),
                ("informativeness", measured.dci.informativeness),
            )
        ]
    if measured.sap_discrete is not None:
        scores.append(Score("SAP", measured.sap_discrete.score, note=measured.sap_discrete.predictor))
    if measured.sap_continuous is not None:
        chosen = [measured.factors.index(factor) for factor in measured.ordered]
        ordered = label_codes(codes.mean, labels.values[:n, chosen], measured.active)
        note = f"{measured.sap_continuous.predictor}; of {', '.join(measured.ordered)}"
        replicates = resample_sap_continuous(ordered, weights)
        scores.append(resampled("SAP by correlation", measured.sap_continuous.score, replicates, note))
    if measured.factor_vae is not None:
        scores.append(voted("FactorVAE score", measured.factor_vae.score, drawn))
    if measured.beta_vae is not None:
        scores.append(voted("beta-VAE score", measured.beta_vae.score, drawn))
    if measured.modularity is not None:
        modular = _UNTRAINED if measured.modularity.score is not None else "Fewer than two factors vary."
        scores.append(Score("modularity", measured.modularity.score, note=modular))
    if measured.explicitness is not None:
        scores.append(Score("explicitness", measured.explicitness.score, note=_UNTRAINED))
    if measured.irs is not None:
        confounded = measured.unconfoundedness
        scores += [
            Score("IRS", measured.irs.score, note=" ".join([_UNTRAINED, conditioned]).strip()),
            Score(
                "unconfoundedness",
                None if confounded is None else confounded.score,
                note=conditioned if confounded else "Fewer than two factors vary, or no latent is active.",
            ),
        ]
    return tuple(scores)


def _say_dci(settings: ScoreSettings, value: float | None) -> str:
    return settings.regressor if value is not None else "Only one factor varies, or only one latent is active."


def _irs_bins(labels: Labels, bins: int) -> int | None:
    """None where bins would merge names that are no neighbours."""
    named = labels.levels[:, labels.named]
    return None if named.size and named.max() >= bins else bins


def _can_overlap(matrix: FloatArray) -> bool:
    known = np.isfinite(matrix)
    return bool(known.any(axis=1).any() and known.any(axis=0).sum() > 1)


def _as_floats(given: Any) -> FloatArray:
    """An array or a tensor, wherever it lies, as a float array."""
    on_host = given.detach().cpu() if hasattr(given, "detach") else given
    return np.asarray(on_host, dtype=np.float64)
