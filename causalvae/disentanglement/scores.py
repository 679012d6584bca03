"""What the scores of one network on one data set are, and how they were measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from causalvae.data.split import TOO_FEW
from causalvae.disentanglement.arrays import BoolArray, FloatArray
from causalvae.disentanglement.beta_vae import BetaVAEScore
from causalvae.disentanglement.confounding import Unconfoundedness
from causalvae.disentanglement.dci import DCI, Regressor
from causalvae.disentanglement.factor_vae import FactorVAEScore
from causalvae.disentanglement.irs import IRS
from causalvae.disentanglement.mig import MIG
from causalvae.disentanglement.modularity import Explicitness, Modularity
from causalvae.disentanglement.sap import SAP
from causalvae.spec.measures import ClassicalName

EVERY: tuple[ClassicalName, ...] = get_args(ClassicalName)


# Codes of what makes scores impossible on some data or networks, and is no fault of whoever asks for them.
UNSCORABLE = frozenset({TOO_FEW, "CV510", "CV511", "CV512", "CV513", "CV515", "CV517"})


@dataclass(frozen=True)
class ScoreSettings:
    """How scores are measured; the defaults are those of Locatello et al. 2019, but for three.

    DCI has a faster predictor, votes come from a pool, and dead latents are omitted, which their code keeps:
    ``kl_threshold=-1`` keeps them as well. On a public beta-TCVAE with five dead latents of ten that alone moves the
    beta-VAE score from 0.73 to 0.92 and explicitness from 0.83 to 0.90, for even a dead latent's mean tells a little.

    Parameters
    ----------
    samples, test_samples : int
        Observed samples that predictors are fitted and tested on. Finite data may have fewer; no sample is in both.
    inputs_at_once : int
        Batch of the network.
    bins : int
        Equal-width bins of a latent, and of a continuous factor.
    regressor : str
        Of DCI; see `dci`.
    votes, test_votes, vote_batch : int
        Of the FactorVAE and beta-VAE scores.
    sampling : {"pool", "fresh"}
        Where votes get samples that share a factor: ``pool`` takes them among the `samples`, by conditioning, ``fresh``
        draws new ones and sets the factor by the data's do(), `votes` times `vote_batch` inputs and more.
    kl_threshold : float
        Latents whose mean KL divergence is not above it are dead and omitted.
    density_samples : int
        Of the MIG of posterior samples.
    resamples, confidence
        Of the intervals of MIG and of SAP by correlation.
    redraws : int
        How often the FactorVAE and beta-VAE scores are computed again, each time with new votes on a random half of
        the samples, for their intervals; 0 makes none.
    draw, draws : int
        Which of how many disjoint draws of samples this is: finite data are shared out among them.
    seed : int
    measures : tuple of str
        What is measured; MIG of posterior samples goes with ``mig``, SAP by correlation with ``sap``, unconfoundedness
        with ``irs``.
    """

    samples: int = 10_000
    test_samples: int = 5_000
    inputs_at_once: int = 256
    bins: int = 20
    regressor: Regressor = "bagged trees"
    votes: int = 10_000
    test_votes: int = 5_000
    vote_batch: int = 64
    sampling: Literal["pool", "fresh"] = "pool"
    kl_threshold: float = 0.01
    density_samples: int = 2_000
    resamples: int = 200
    redraws: int = 16
    confidence: float = 0.95
    draw: int = 0
    draws: int = 1
    seed: int = 0
    measures: tuple[ClassicalName, ...] = EVERY


@dataclass(frozen=True)
class Score:
    """One score in a table.

    Parameters
    ----------
    name : str
    value : float or None
        None where it is not defined; `note` says why.
    lower, upper : float or None
        Interval at the settings' confidence over draws of samples, the network being what it is; None where none is
        made.
    note : str
        What must be known to read it.
    bias : float or None
        About how much too high (below zero: too low) the value is, where its samples bias it out of its interval.
    """

    name: str
    value: float | None
    lower: float | None = None
    upper: float | None = None
    note: str = ""
    bias: float | None = None


@dataclass(frozen=True, eq=False)
class DisentanglementScores:
    """All scores of a network on a data set, and what each rests on.

    Parameters
    ----------
    scores : tuple of Score
    data : str
        Name of the data set.
    factors : tuple of str
        Columns of the matrices.
    kl : float array, shape (n_latents,), or None
        Mean KL divergence of each latent.
    active : bool array, shape (n_latents,)
        The latents that count.
    dependence : float
        Largest mutual information between two factors, over the smaller of their entropies: 0 for independent ones.
    mig, dci, sap_discrete, factor_vae, beta_vae, modularity, explicitness, irs
        With their full matrices; None where the settings do not ask for it.
    sampled_mig : MIG or None
        None without log-variances.
    sap_continuous : SAP or None
        Of the factors whose values have an order, in `ordered`; None where there are none.
    ordered : tuple of str
    unconfoundedness : Unconfoundedness or None
        None where it is not defined.
    settings : ScoreSettings
    samples, test_samples : int
        Distinct samples that were measured on.
    left_out : tuple of str
        Factors that are not scored, each with its reason.
    """

    scores: tuple[Score, ...]
    data: str
    factors: tuple[str, ...]
    kl: FloatArray | None
    active: BoolArray
    dependence: float
    mig: MIG | None
    sampled_mig: MIG | None
    dci: DCI | None
    sap_discrete: SAP | None
    sap_continuous: SAP | None
    ordered: tuple[str, ...]
    factor_vae: FactorVAEScore | None
    beta_vae: BetaVAEScore | None
    modularity: Modularity | None
    explicitness: Explicitness | None
    irs: IRS | None
    unconfoundedness: Unconfoundedness | None
    settings: ScoreSettings
    samples: int = 0
    test_samples: int = 0
    left_out: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Score:
        """The score called `name`; raises `KeyError` where there is none."""
        for score in self.scores:
            if score.name == name:
                return score
        raise KeyError(name)
