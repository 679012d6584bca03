"""The words of the classical disentanglement scores: what each measures, and who proposed it."""

# ruff: noqa: RUF001  formulas are written with minus signs

from __future__ import annotations

from typing import Final

from causalvae.report.glossary import Term

SCORES: Final[dict[str, Term]] = {
    "MIG": Term(
        "Mutual information gap (MIG)",
        "MIG",
        "mean over factors of [I(best latent; factor) − I(second best; factor)] / H(factor), means in equal-width bins",
        "Whether each factor is held by one latent and no other. Definition and bins: Locatello et al. 2019 (arXiv "
        "1811.12359), after Chen et al. 2018.",
    ),
    "MIG of posterior samples": Term(
        "MIG of posterior samples",
        "MIG of samples",
        "the same gap, I(z; factor) by densities at samples z of the posterior",
        "As MIG, but including the noise of the posterior, so its values differ from MIG. Chen et al. 2018 (arXiv "
        "1802.04942).",
    ),
    "DCI disentanglement": Term(
        "Disentanglement (DCI)",
        "DCI disentanglement",
        "Σ ρᵢ (1 − H(Rᵢ) / log K), Rᵢ the importance of latent i for each of K factors, ρᵢ its share of all importance",
        "Whether each latent is used to predict one factor only. Eastwood and Williams 2018 (ICLR). It depends on the "
        "predictor: compare only scores with the same predictor.",
    ),
    "DCI completeness": Term(
        "Completeness (DCI)",
        "DCI completeness",
        "Σ ρⱼ (1 − H(R·ⱼ) / log D), over the D active latents",
        "Whether each factor is predicted from one latent alone. Eastwood and Williams 2018.",
    ),
    "DCI informativeness": Term(
        "Informativeness (DCI)",
        "DCI informativeness",
        "accuracy of the predictors on held-out samples, mean over factors; R² for lasso",
        "How much of the factors can be predicted from the latents. Eastwood and Williams 2018.",
    ),
    "SAP": Term(
        "Separated attribute predictability (SAP)",
        "SAP",
        "mean over factors of the gap in accuracy between the two best latents, each alone in a linear classifier",
        "As MIG, by prediction. A linear classifier on one latent cannot separate the middle levels of an ordered "
        "factor, so even the factors themselves stay low. Kumar et al. 2018 (arXiv 1711.00848).",
    ),
    "SAP by correlation": Term(
        "SAP by correlation",
        "SAP by correlation",
        "mean over ordered factors of the gap between the two largest squared correlations",
        "SAP for factors whose values have an order. Kumar et al. 2018.",
    ),
    "FactorVAE score": Term(
        "FactorVAE score",
        "FactorVAE score",
        "accuracy of a classifier that predicts the fixed factor of a group of samples from the latent that varies "
        "least in it",
        "Whether one latent stays constant when one factor is held. Kim and Mnih 2018 (arXiv 1802.05983).",
    ),
    "beta-VAE score": Term(
        "beta-VAE score",
        "beta-VAE score",
        "accuracy of a linear classifier that predicts the shared factor of pairs from their latents' mean distances",
        "As the FactorVAE score, from all latents at once: a code in which factors are mixed can score high. Higgins "
        "et al. 2017 (ICLR).",
    ),
    "modularity": Term(
        "Modularity of codes",
        "modularity of codes",
        "1 − mean over latents of (mean squared mutual information with the factors other than its best one) / "
        "(squared mutual information with the best one)",
        "Whether each latent contains information about one factor only. It does not measure whether all factors are "
        "encoded, and untrained networks score high. Ridgeway and Mozer 2018 (arXiv 1802.05312). It is not the "
        "modularity of circuits, which is a metric of interventions.",
    ),
    "explicitness": Term(
        "Explicitness",
        "explicitness",
        "area under the ROC curve of logistic regression, each level against the others, mean over levels and factors",
        "How well the factors can be predicted from the latents; 0.5 is chance. Ridgeway and Mozer 2018.",
    ),
    "IRS": Term(
        "Interventional robustness score (IRS)",
        "IRS",
        "mean over latents of 1 − (how far a latent moves while its factor is held) / (how far it moves at all)",
        "Whether a latent stays constant when all other factors change. Untrained networks score high. Suter et al. "
        "2019 (arXiv 1811.00007).",
    ),
    "unconfoundedness": Term(
        "Unconfoundedness",
        "unconfoundedness",
        "1 − mean over pairs of factors of the overlap (Jaccard) of the latents that hold them, by the IRS matrix",
        "Whether different factors are held by different latents. Reddy et al. 2022 (arXiv 2112.05746).",
    ),
}
DEAD = Term(
    "Dead latent",
    "dead latent",
    "mean KL(q(zᵢ|x) ‖ N(0, 1)) not above the threshold",
    "A latent whose posterior equals the prior. Classical scores exclude it, because the small changes of its mean "
    "would count as much as a latent that carries a factor. Duan et al. 2020 (arXiv 1905.12614).",
)


def score_term(name: str) -> Term:
    """The term of a score; one that is not known here is called by its own name."""
    return SCORES.get(name, Term(name, name, "", ""))
