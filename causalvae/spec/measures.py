"""Names of the measures that a study compares and of the classical scores, as in specs and results."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

# Classical scores that a spec may ask for.
ClassicalName = Literal["dci", "mig", "sap", "factor_vae", "beta_vae", "irs", "modularity", "explicitness"]


class MeasureName(StrEnum):
    """One number that summarises a run of a network."""

    RECONSTRUCTION = "reconstruction"
    KL = "kl"
    ACTIVE_LATENTS = "active_latents"
    STRENGTH = "causal_effect_strength"
    SPECIFICITY = "specificity"
    SPECIFICITY_OF_ALL = "specificity_of_all_latents"
    MEDIATED_SHARE = "mediated_share"
    MODULARITY = "modularity"
    POLYSEMANTIC_SHARE = "polysemantic_share"
    EFFECTS_KEPT = "effects_kept"
    EFFECTS_INVENTED = "effects_invented"
    WORST_INTERCHANGE = "worst_interchange"
    DISENTANGLEMENT = "dci_disentanglement"
    MIG = "mig"
    SAP = "sap"
    FACTOR_VAE = "factor_vae_score"
    BETA_VAE = "beta_vae_score"
    IRS = "irs"
    CODE_MODULARITY = "code_modularity"
    EXPLICITNESS = "explicitness"
    COMPLETENESS = "dci_completeness"
    INFORMATIVENESS = "dci_informativeness"
