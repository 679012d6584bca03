"""What a report calls the measures of a study."""

from __future__ import annotations

from typing import Final

from causalvae.spec.measures import MeasureName

MEASURE_LABELS: Final[dict[MeasureName, str]] = {
    MeasureName.RECONSTRUCTION: "reconstruction",
    MeasureName.KL: "KL",
    MeasureName.ACTIVE_LATENTS: "active latents",
    MeasureName.STRENGTH: "mean strength",
    MeasureName.SPECIFICITY: "mean specificity",
    MeasureName.SPECIFICITY_OF_ALL: "specificity of all latents",
    MeasureName.MEDIATED_SHARE: "mean mediated share",
    MeasureName.MODULARITY: "modularity",
    MeasureName.POLYSEMANTIC_SHARE: "polysemantic share",
    MeasureName.EFFECTS_KEPT: "effects kept",
    MeasureName.EFFECTS_INVENTED: "effects invented",
    MeasureName.WORST_INTERCHANGE: "worst interchange",
    MeasureName.DISENTANGLEMENT: "disentanglement",
    MeasureName.MIG: "MIG",
    MeasureName.SAP: "SAP",
    MeasureName.FACTOR_VAE: "FactorVAE score",
    MeasureName.BETA_VAE: "beta-VAE score",
    MeasureName.IRS: "IRS",
    # The metric of interventions has the name of the classical score of codes.
    MeasureName.CODE_MODULARITY: "code modularity",
    MeasureName.EXPLICITNESS: "explicitness",
    MeasureName.COMPLETENESS: "completeness",
    MeasureName.INFORMATIVENESS: "informativeness",
}
