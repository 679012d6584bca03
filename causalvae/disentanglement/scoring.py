"""All scores of one network on one data set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

import numpy as np

from causalvae.data.dataset import Dataset, as_finite
from causalvae.data.factors import Rows
from causalvae.data.split import SplitRule
from causalvae.disentanglement.arrays import BoolArray, FloatArray, IntArray, find_active, label_codes, read_matrix
from causalvae.disentanglement.beta_vae import BetaVAEScore, beta_vae_score
from causalvae.disentanglement.confounding import unconfoundedness
from causalvae.disentanglement.dci import dci
from causalvae.disentanglement.factor_vae import FactorVAEScore, factor_vae_score
from causalvae.disentanglement.intervals import (
    accuracy_interval,
    basic_interval,
    draw_halves,
    draw_resamples,
    spread_interval,
)
from causalvae.disentanglement.irs import irs
from causalvae.disentanglement.labels import LEAST, Labels, leave_out, measure_dependence, read_labels
from causalvae.disentanglement.mig import mig, recompute_mig
from causalvae.disentanglement.modularity import explicitness, modularity
from causalvae.disentanglement.sampled_mig import sampled_mig
from causalvae.disentanglement.samplers import FixedFactorSampler, PoolSampler, draw_distinct
from causalvae.disentanglement.sap import resample_sap_continuous, sap_continuous, sap_discrete
from causalvae.disentanglement.score_names import ScoreName
from causalvae.disentanglement.scores import UNSCORABLE, DisentanglementScores, Score, ScoreSettings
from causalvae.errors import CausalVAEError
from causalvae.spec.measures import ClassicalName

_UNTRAINED = "Untrained networks reach high values: compare it with one of them."
_DEPENDENT = 0.05
_LEAST_REDRAWS = 5
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
    split: SplitRule | None = None,
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
        Told of each score, of each factor that DCI predicts, and of each time that a score is computed again.
    split : SplitRule, optional
        Which samples of finite data there are to fit and which to test on; all are shared out among both where omitted.

    Returns
    -------
    DisentanglementScores
        A score that is not defined on these data is None, and its note says why.

    Raises
    ------
    CausalVAEError
        CV207 where finite data have too few samples; CV510 and CV511 where `represent` gives what are no codes; CV512
        for data without factors that vary; CV206 for ``sampling="fresh"`` on data whose factors cannot be set.
    """
    settings = settings or ScoreSettings()
    rows, values = _draw_labelled(dataset, settings, split)
    codes, test = (encode(dataset, part, represent, settings.inputs_at_once) for part in rows)
    labels = read_labels(dataset.space, values, settings.bins)
    sampler = FreshSampler(dataset, represent, settings.inputs_at_once) if settings.sampling == "fresh" else None
    return score_codes(
        codes, test, labels, sampler, settings, name=dataset.name, factors=dataset.space.names, on_step=on_step
    )


def score_factors(
    dataset: Dataset,
    settings: ScoreSettings | None = None,
    on_step: OnStep = lambda done, total: None,
    split: SplitRule | None = None,
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
    rows, values = _draw_labelled(dataset, settings, split)
    labels = read_labels(dataset.space, values, settings.bins)
    values = values.copy()
    for column, factor in enumerate(dataset.space.factors):
        # Levels that mean the same are one, in a perfect code as in its labels.
        if not factor.is_continuous:
            values[:, column] = np.asarray(factor.values)[labels.levels[:, column]]
    low, reach = values.min(axis=0), np.ptp(values, axis=0)
    codes, test = np.split((values - low) / np.where(reach > 0, reach, 1.0), [len(rows[0])])
    return score_codes(
        Codes(codes), Codes(test), labels, None, settings,
        name=dataset.name, factors=dataset.space.names, on_step=on_step,
    )  # fmt: skip


def count_samples(dataset: Dataset, settings: ScoreSettings, split: SplitRule | None = None) -> tuple[int, int]:
    """How many samples there are to fit and to test on: as many as asked for, as far as finite data have them."""
    if dataset.size is None:
        return settings.samples, settings.test_samples
    fit, test = _share_out(dataset, settings, split)
    return len(fit), len(test)


def _share_out(dataset: Dataset, settings: ScoreSettings, split: SplitRule | None) -> tuple[IntArray, IntArray]:
    """Numbers of the samples of finite data to fit and to test on: each once, and none in two draws."""
    rng, size = np.random.default_rng(settings.seed), dataset.size or 0
    asked = settings.samples, settings.test_samples
    if split is None:
        order = rng.permutation(size)
        fit = min(settings.samples * settings.draws, round(size * settings.samples / sum(asked)))
        pools = [order[:fit], order[fit:]]
    else:
        found = split.within(dataset, "fit", settings.draws), split.within(dataset, "test", settings.draws)
        pools = [rng.permutation(part) for part in found if part is not None]
    chosen = []
    for pool, count in zip(pools, asked, strict=True):
        each = min(count, len(pool) // settings.draws)
        chosen.append(np.asarray(pool[settings.draw * each : (settings.draw + 1) * each], dtype=np.int64))
    return chosen[0], chosen[1]


def _draw_labelled(dataset: Dataset, settings: ScoreSettings, split: SplitRule | None) -> tuple[list[Rows], FloatArray]:
    """Samples to fit and to test on, and the factors' values of both, one after the other; CV512 without factors."""
    if not dataset.space.factors:
        raise CausalVAEError(
            "CV512",
            f"The data set {dataset.name} has no labelled factors.",
            "Classical scores need labels; latent and activation interventions do not.",
            "data",
        )
    finite = as_finite(dataset)
    if finite is not None:
        rows = [finite.rows_at(numbers) for numbers in _share_out(dataset, settings, split)]
    else:
        rng = np.random.default_rng(settings.seed + settings.draw)
        rows = [dataset.draw(count, rng) for count in (settings.samples, settings.test_samples)]
    if min(map(len, rows)) < 2 * LEAST:
        raise CausalVAEError(
            "CV512",
            f"There are {len(rows[0])} samples of {dataset.name} to fit on and {len(rows[1])} to test on, and "
            f"{2 * LEAST} of each are needed.",
            "Give more samples, another data.split, or ask for more.",
            "data",
        )
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
    """Samples that are drawn again for every group, their factor set by the data's own do().

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
        finite = as_finite(self._dataset)
        if finite is None:
            rows = self._dataset.draw(groups * size, rng)
        else:
            numbers = draw_distinct(np.full(groups, self._dataset.size), size, rng)
            rows = finite.rows_at(np.where(numbers < 0, numbers[:, :1], numbers).reshape(-1))
        values = self._dataset.values(self._dataset.draw(groups, rng))[:, factor]
        name = self._dataset.space.names[factor]
        shared = self._dataset.intervene(rows, name, np.repeat(values, size), "hold")
        codes = encode(self._dataset, shared, self._represent, self._inputs_at_once).mean
        return np.asarray(codes.reshape(groups, size, -1))


def score_codes(
    codes: Codes,
    test: Codes,
    labels: Labels,
    sampler: FixedFactorSampler | None,
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
        Of observed samples to fit on, and of others to test on.
    labels : Labels
        Of both, one after the other.
    sampler : callable or None
        Gives every vote new samples; see `FixedFactorSampler`. None takes the votes that are fitted on from `codes` and
        the others from `test`.
    settings : ScoreSettings
    name, factors
        Of the data set and of its factors.
    on_step : callable
        See `score`.
    """
    n, seed = len(codes.mean), settings.seed + settings.draw
    labels, left_out = leave_out(labels, n, factors)
    levels, test_levels = labels.levels[:n], labels.levels[n:]
    kl = None if codes.kl is None else codes.kl.mean(axis=0)
    active = np.ones(codes.mean.shape[1], bool) if kl is None else find_active(kl, settings.kl_threshold)
    both = (codes.mean, levels, test.mean, test_levels)
    ordered = labels.ordered & (np.ptp(labels.values[:n], axis=0) > 0)
    steps = _Steps(settings, levels, sampler is None, on_step)
    voting = _Voting(both, sampler, settings, active, seed, factors)
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
        if codes.logvar is None or "mig" not in settings.measures or "mig" in steps.refused
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
        factor_vae=steps("factor_vae", voting.factor_vae),
        beta_vae=steps("beta_vae", voting.beta_vae),
        modularity=steps("modularity", lambda: modularity(codes.mean, levels, bins=settings.bins, active=active)),
        explicitness=steps("explicitness", lambda: explicitness(*both, active=active)),
        irs=robust,
        unconfoundedness=unconfoundedness(robust.matrix)
        if robust is not None and _can_overlap(robust.matrix)
        else None,
        settings=settings,
        samples=n,
        test_samples=len(test.mean),
        left_out=left_out,
    )
    return replace(measured, scores=_tabulate(measured, codes, labels, voting, steps))


class _Voting:
    """The FactorVAE and beta-VAE scores of codes, and of random halves of them.

    Parameters
    ----------
    both : tuple of array
        Codes and levels of the samples to fit on, and of those to test on.
    sampler : callable or None
        As `score_codes` takes it.
    settings : ScoreSettings
    active : bool array, shape (n_latents,)
    seed : int
    names : tuple of str
        Of the factors.
    """

    def __init__(
        self,
        both: tuple[FloatArray, IntArray, FloatArray, IntArray],
        sampler: FixedFactorSampler | None,
        settings: ScoreSettings,
        active: BoolArray,
        seed: int,
        names: tuple[str, ...],
    ) -> None:
        self._both, self._sampler, self._settings = both, sampler, settings
        self._active, self._seed, self._names = active, seed, names

    def factor_vae(self) -> FactorVAEScore:
        """The FactorVAE score."""
        return self._vote(*self._both, self._seed, False)

    def beta_vae(self) -> BetaVAEScore:
        """The beta-VAE score."""
        return self._tell(*self._both, self._seed, False)

    def redraw(self, name: ClassicalName, on_redraw: Callable[[], None]) -> FloatArray:
        """A score computed again, from the variances to new votes, on random halves of the samples: shape (redraws,).

        A half on which it is not defined is omitted.
        """
        codes, levels, test, test_levels = self._both
        measure = self._vote if name == "factor_vae" else self._tell
        redraws, found = self._settings.redraws, []
        halves = zip(
            draw_halves(len(codes), redraws, self._seed), draw_halves(len(test), redraws, self._seed + 1), strict=True
        )
        for number, (fit, held) in enumerate(halves):
            try:
                scored = measure(codes[fit], levels[fit], test[held], test_levels[held], self._seed + 1 + number, True)
                found.append(scored.score)
            except CausalVAEError as error:
                if error.code not in UNSCORABLE:
                    raise
            on_redraw()
        return np.asarray(found, dtype=np.float64)

    def _samplers(
        self, codes: FloatArray, levels: IntArray, test: FloatArray, test_levels: IntArray, skip_rare: bool
    ) -> tuple[FixedFactorSampler, FixedFactorSampler]:
        if self._sampler is not None:
            return self._sampler, self._sampler
        return (
            PoolSampler(codes, levels, self._names, skip_rare),
            PoolSampler(test, test_levels, self._names, skip_rare),
        )

    def _vote(
        self, codes: FloatArray, levels: IntArray, test: FloatArray, test_levels: IntArray, seed: int, skip_rare: bool
    ) -> FactorVAEScore:
        first, second = self._samplers(codes, levels, test, test_levels, skip_rare)
        settings = self._settings
        return factor_vae_score(
            codes, levels, first, sample_test=second, votes=settings.votes, test_votes=settings.test_votes,
            batch=settings.vote_batch, active=self._active, seed=seed,
        )  # fmt: skip

    def _tell(
        self, codes: FloatArray, levels: IntArray, test: FloatArray, test_levels: IntArray, seed: int, skip_rare: bool
    ) -> BetaVAEScore:
        first, second = self._samplers(codes, levels, test, test_levels, skip_rare)
        settings = self._settings
        return beta_vae_score(
            codes, levels, first, sample_test=second, points=settings.votes, test_points=settings.test_votes,
            batch=settings.vote_batch, active=self._active, seed=seed,
        )  # fmt: skip


class _Steps:
    """Measures what the settings ask for, and counts it.

    A step a score, one for each factor that DCI predicts, and one for each time that a score is computed again.

    Attributes
    ----------
    refused : dict
        What is not defined on these data: name -> reason.
    """

    def __init__(self, settings: ScoreSettings, levels: IntArray, redraws: bool, on_step: OnStep) -> None:
        self._measures = settings.measures
        self.refused: dict[ClassicalName, str] = {}
        varied = int((np.ptp(levels, axis=0) > 0).sum())
        voted = sum(name in settings.measures for name in ("factor_vae", "beta_vae"))
        self._total = len(settings.measures) + (varied if "dci" in settings.measures else 0)
        self._total += voted * settings.redraws if redraws else 0
        self._done = 0
        self._on_step = on_step
        on_step(0, self._total)

    def __call__(self, name: ClassicalName, measure: Callable[[], _T]) -> _T | None:
        if name not in self._measures:
            return None
        try:
            return measure()
        except CausalVAEError as error:
            if error.code not in UNSCORABLE:
                raise
            self.refused[name] = error.message
            return None
        finally:
            self.count()

    def count(self) -> None:
        """One step more is done."""
        self._done += 1
        self._on_step(min(self._done, self._total), self._total)


def _tabulate(
    measured: DisentanglementScores, codes: Codes, labels: Labels, voting: _Voting, steps: _Steps
) -> tuple[Score, ...]:
    settings, n = measured.settings, measured.samples
    seed = settings.seed + settings.draw
    sample = label_codes(codes.mean, labels.levels[:n], measured.active)
    conditioned = (
        f"Factors are dependent ({measured.dependence:.2f}), and conditioning on one is taken for setting it."
        if measured.dependence > _DEPENDENT
        else ""
    )
    drawn = "" if settings.sampling == "fresh" else conditioned

    def resampled(name: str, value: float, replicates: FloatArray, note: str) -> Score:
        ends = basic_interval(value, replicates, settings.confidence)
        inside = ends.lower <= value <= ends.upper
        return Score(name, value, ends.lower, ends.upper, note, None if inside else float(replicates.mean()) - value)

    def voted(key: ClassicalName, name: str, value: float) -> Score:
        if not settings.redraws:
            return Score(name, value, note=drawn)
        if settings.sampling == "fresh":
            # New samples for every vote: votes are independent.
            ends = accuracy_interval(value, settings.test_votes, settings.confidence)
        else:
            replicates = voting.redraw(key, steps.count)
            if len(replicates) < max(_LEAST_REDRAWS, settings.redraws // 2):
                return Score(name, value, note=drawn)
            ends = spread_interval(value, replicates, settings.confidence)
        return Score(name, value, ends.lower, ends.upper, drawn)

    def refused(key: ClassicalName, *names: str) -> list[Score]:
        return [Score(name, None, note=steps.refused[key]) for name in names] if key in steps.refused else []

    scores: list[Score] = []
    if measured.mig is not None:
        replicates = recompute_mig(sample, draw_halves(n, settings.resamples, seed), settings.bins)
        scores.append(resampled(ScoreName.MIG, measured.mig.score, replicates, measured.mig.estimator))
    scores += refused("mig", ScoreName.MIG)
    if measured.sampled_mig is not None:
        scores.append(Score(ScoreName.SAMPLED_MIG, measured.sampled_mig.score, note=measured.sampled_mig.estimator))
    if measured.dci is not None:
        scores += [
            Score(name, value, note=_say_dci(settings, value))
            for name, value in (
                (ScoreName.DISENTANGLEMENT, measured.dci.disentanglement),
                (ScoreName.COMPLETENESS, measured.dci.completeness),
                (ScoreName.INFORMATIVENESS, measured.dci.informativeness),
            )
        ]
    scores += refused("dci", ScoreName.DISENTANGLEMENT, ScoreName.COMPLETENESS, ScoreName.INFORMATIVENESS)
    if measured.sap_discrete is not None:
        scores.append(Score(ScoreName.SAP, measured.sap_discrete.score, note=measured.sap_discrete.predictor))
    scores += refused("sap", ScoreName.SAP)
    if measured.sap_continuous is not None:
        chosen = [measured.factors.index(factor) for factor in measured.ordered]
        ordered = label_codes(codes.mean, labels.values[:n, chosen], measured.active)
        note = f"{measured.sap_continuous.predictor}; of {', '.join(measured.ordered)}"
        replicates = resample_sap_continuous(ordered, draw_resamples(n, settings.resamples, seed))
        scores.append(resampled(ScoreName.CONTINUOUS_SAP, measured.sap_continuous.score, replicates, note))
    if measured.factor_vae is not None:
        scores.append(voted("factor_vae", ScoreName.FACTOR_VAE, measured.factor_vae.score))
    scores += refused("factor_vae", ScoreName.FACTOR_VAE)
    if measured.beta_vae is not None:
        scores.append(voted("beta_vae", ScoreName.BETA_VAE, measured.beta_vae.score))
    scores += refused("beta_vae", ScoreName.BETA_VAE)
    if measured.modularity is not None:
        modular = _UNTRAINED if measured.modularity.score is not None else "Fewer than two factors vary."
        scores.append(Score(ScoreName.MODULARITY, measured.modularity.score, note=modular))
    scores += refused("modularity", ScoreName.MODULARITY)
    if measured.explicitness is not None:
        scores.append(Score(ScoreName.EXPLICITNESS, measured.explicitness.score, note=_UNTRAINED))
    scores += refused("explicitness", ScoreName.EXPLICITNESS)
    if measured.irs is not None:
        confounded = measured.unconfoundedness
        scores += [
            Score(ScoreName.IRS, measured.irs.score, note=" ".join([_UNTRAINED, conditioned]).strip()),
            Score(
                ScoreName.UNCONFOUNDEDNESS,
                None if confounded is None else confounded.score,
                note=conditioned if confounded else "Fewer than two factors vary, or no latent is active.",
            ),
        ]
    scores += refused("irs", ScoreName.IRS, ScoreName.UNCONFOUNDEDNESS)
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
