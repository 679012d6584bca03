"""The section that asks a run for the classical disentanglement scores."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field

from causalvae.spec.section import Flag, Level, ModestCount, Number, Section, Seed

ClassicalName = Literal["dci", "mig", "sap", "factor_vae", "beta_vae", "irs", "modularity", "explicitness"]
Draws = Annotated[int, Field(strict=True, ge=1, le=100)]
CLASSICAL: tuple[ClassicalName, ...] = get_args(ClassicalName)
# Settings that concern some of the scores alone.
CONCERNS: dict[str, tuple[ClassicalName, ...]] = {
    "predictor": ("dci",),
    "votes": ("factor_vae", "beta_vae"),
    "bins": ("mig", "irs", "modularity"),
}


class DisentanglementSection(Section):
    """How classical disentanglement is scored: on samples of its own, apart from the plan."""

    samples: ModestCount = Field(default=2000, description="Samples that predictors are fitted on.")
    test_samples: ModestCount | None = Field(
        default=None, description="Samples that they are tested on; half as many as `samples` where left out."
    )
    scores: tuple[ClassicalName, ...] = Field(
        default=CLASSICAL, min_length=1, description="What is measured; everything where left out."
    )
    predictor: Literal["boosting", "bagging", "lasso"] = Field(
        default="boosting",
        description="Of DCI: gradient boosting, as the reference code has it (a minute at ten latents and 2,000 "
        "samples); bagging is many times as fast, and its scores are others.",
    )
    votes: ModestCount = Field(
        default=2000, description="Votes of the FactorVAE and beta-VAE scores; half as many again are held out."
    )
    bins: ModestCount = Field(default=20, description="Bins of a latent, and of a continuous factor.")
    kl_threshold: Number = Field(
        default=0.01, description="Latents of a mean KL not above it are dead and left out; -1 keeps all."
    )
    baselines: Flag = Field(
        default=True,
        description="Score the data's own factors and a network with random weights as well: what the scores run from.",
    )
    draws: Draws = Field(
        default=1,
        description="How often all is measured, each time on samples drawn anew; from two on every score has an "
        "interval over the draws, DCI too.",
    )
    confidence: Level = Field(default=0.95, description="Coverage of the intervals.")
    seed: Seed = Field(default=0, description="Seed of samples, votes and predictors.")

    @property
    def held_out(self) -> int:
        """Samples that predictors are tested on."""
        return self.test_samples or max(self.samples // 2, 1)
