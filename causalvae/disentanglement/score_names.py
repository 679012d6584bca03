"""Names of the classical scores."""

from __future__ import annotations

from enum import StrEnum


class ScoreName(StrEnum):
    """A score, by the name that results and tables use."""

    MIG = "MIG"
    SAMPLED_MIG = "MIG of posterior samples"
    DISENTANGLEMENT = "DCI disentanglement"
    COMPLETENESS = "DCI completeness"
    INFORMATIVENESS = "DCI informativeness"
    SAP = "SAP"
    CONTINUOUS_SAP = "SAP by correlation"
    FACTOR_VAE = "FactorVAE score"
    BETA_VAE = "beta-VAE score"
    MODULARITY = "modularity"
    EXPLICITNESS = "explicitness"
    IRS = "IRS"
    UNCONFOUNDEDNESS = "unconfoundedness"
