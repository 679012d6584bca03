"""Classical disentanglement: arrays of codes and factors in, scores with their full matrices out."""

from causalvae.disentanglement.arrays import find_active
from causalvae.disentanglement.beta_vae import BetaVAEScore, beta_vae_score
from causalvae.disentanglement.confounding import (
    Generativeness,
    TrueValueProbability,
    Unconfoundedness,
    generativeness,
    unconfoundedness,
)
from causalvae.disentanglement.dci import DCI, dci
from causalvae.disentanglement.factor_vae import FactorVAEScore, factor_vae_score
from causalvae.disentanglement.information import discretise
from causalvae.disentanglement.irs import IRS, irs
from causalvae.disentanglement.mig import MIG, mig
from causalvae.disentanglement.modularity import Explicitness, Modularity, explicitness, modularity
from causalvae.disentanglement.report import ScoredCodes, ScoreReport, ScoreRow, condense, pool_draws
from causalvae.disentanglement.sampled_mig import sampled_mig
from causalvae.disentanglement.samplers import FixedFactorSampler, PoolSampler
from causalvae.disentanglement.sap import SAP, sap_continuous, sap_discrete
from causalvae.disentanglement.scores import UNSCORABLE, DisentanglementScores, Score, ScoreSettings
from causalvae.disentanglement.scoring import Codes, count_samples, score, score_factors
from causalvae.disentanglement.udr import UDR, udr

__all__ = [
    "DCI",
    "IRS",
    "MIG",
    "SAP",
    "UDR",
    "UNSCORABLE",
    "BetaVAEScore",
    "Codes",
    "DisentanglementScores",
    "Explicitness",
    "FactorVAEScore",
    "FixedFactorSampler",
    "Generativeness",
    "Modularity",
    "PoolSampler",
    "Score",
    "ScoreReport",
    "ScoreRow",
    "ScoreSettings",
    "ScoredCodes",
    "TrueValueProbability",
    "Unconfoundedness",
    "beta_vae_score",
    "condense",
    "count_samples",
    "dci",
    "discretise",
    "explicitness",
    "factor_vae_score",
    "find_active",
    "generativeness",
    "irs",
    "mig",
    "modularity",
    "pool_draws",
    "sampled_mig",
    "sap_continuous",
    "sap_discrete",
    "score",
    "score_factors",
    "udr",
    "unconfoundedness",
]
