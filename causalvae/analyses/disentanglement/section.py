"""The section that asks a run for the classical disentanglement scores."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, get_args

from pydantic import Field

from causalvae.spec.analysis import Analysis
from causalvae.spec.diagnostics import Finding, Path, list_choices
from causalvae.spec.measures import ClassicalName
from causalvae.spec.section import Flag, Level, ModestCount, Number, Seed, differs

if TYPE_CHECKING:
    from causalvae.disentanglement.report import ScoreReport
    from causalvae.effects.context import EffectContext
    from causalvae.engine.measurements import Measurements
    from causalvae.engine.progress import OnProgress
    from causalvae.plan.types import Plan
    from causalvae.report.analysis_view import AnalysisView
    from causalvae.session import Session
    from causalvae.spec.draft import Draft

Draws = Annotated[int, Field(strict=True, ge=1, le=100)]
CLASSICAL: tuple[ClassicalName, ...] = get_args(ClassicalName)
# Settings that concern some of the scores alone.
CONCERNS: dict[str, tuple[ClassicalName, ...]] = {
    "predictor": ("dci",),
    "votes": ("factor_vae", "beta_vae"),
    "bins": ("mig", "irs", "modularity"),
}


class DisentanglementSection(Analysis):
    """Classical disentanglement scores of the network on the data, on separate samples."""

    kind: ClassVar[str] = "disentanglement"
    result_field: ClassVar[str] = "scores"

    samples: ModestCount = Field(default=2000, description="Samples that predictors are fitted on.")
    test_samples: ModestCount | None = Field(
        default=None, description="Samples that they are tested on; by default half as many as `samples`."
    )
    scores: tuple[ClassicalName, ...] = Field(
        default=CLASSICAL, min_length=1, description="What is measured; by default everything."
    )
    predictor: Literal["boosting", "bagging", "lasso"] = Field(
        default="boosting",
        description="The predictor of DCI: gradient boosting, as in the reference code (a minute with ten latents and "
        "2,000 samples); bagging is many times faster and gives different scores.",
    )
    votes: ModestCount = Field(
        default=2000,
        description="Votes of the FactorVAE and beta-VAE scores; half this number of further votes is held out.",
    )
    bins: ModestCount = Field(default=20, description="Bins of a latent, and of a continuous factor.")
    kl_threshold: Number = Field(
        default=0.01, description="Latents whose mean KL is not above it are dead and excluded; -1 keeps all."
    )
    baselines: Flag = Field(
        default=True,
        description="Score the data's own factors and a network with random weights too, for comparison.",
    )
    draws: Draws = Field(
        default=1,
        description="Number of repeated measurements, each time on new samples; from two draws on every score, also "
        "DCI, has an interval over the draws.",
    )
    confidence: Level = Field(default=0.95, description="Coverage of the intervals.")
    seed: Seed = Field(default=0, description="Seed of samples, votes and predictors.")

    @property
    def held_out(self) -> int:
        """Samples that predictors are tested on."""
        return self.test_samples or max(self.samples // 2, 1)

    def findings(self, draft: Draft, path: Path) -> list[Finding]:
        """Scores that cannot be had, are asked for twice, or have settings and are not asked for."""
        findings = [
            Finding(
                "CV098",
                (*path, "scores", index),
                f"the score '{name}' is already in the list",
                "Delete it.",
            )
            for index, name in enumerate(self.scores)
            if name in self.scores[:index]
        ]
        findings += [
            Finding(
                "CV098",
                (*path, key),
                f"'{key}' concerns {list_choices(names, 'and')}, and the list of scores has "
                f"{'neither' if len(names) == 2 else 'it not' if len(names) == 1 else 'none of them'}",
                f"Delete `{key}`, or add {list_choices(names)} to the scores.",
                on_key=True,
                related=((*path, "scores"),),
            )
            for key, names in CONCERNS.items()
            if differs(self, key) and not set(names) & set(self.scores)
        ]
        source = draft.source
        if (source is not None and not source.names) or (draft.data is not None and draft.data.lacks_factors):
            findings.append(
                Finding(
                    "CV097",
                    path,
                    "classical scores hold latents against labelled factors, and these data have none",
                    "Delete the section: the run will say only that there are no scores.",
                    severity="warning",
                    on_key=True,
                )
            )
        return findings

    def measured_by(self, session: Session, plan: Plan) -> list[Any]:
        """Nothing: each file is named after what it depends on, so that networks on the same data share baselines."""
        return []

    def measure(
        self, session: Session, plan: Plan, measurements: Measurements, folder: FilePath, on_progress: OnProgress
    ) -> ScoreReport:
        """The scores of the network, of the factors and of a random copy; or why there are none."""
        from causalvae.analyses.disentanglement.measure import find_scores

        return find_scores(self, session, folder, on_progress)

    @staticmethod
    def result_type() -> type[ScoreReport]:
        """What is measured: the scores have their intervals already, over draws or resamples of their own."""
        from causalvae.disentanglement.report import ScoreReport

        return ScoreReport

    def estimate(self, session: Session, context: EffectContext, measured: ScoreReport) -> ScoreReport:
        """What was measured."""
        return measured

    @staticmethod
    def view(result: ScoreReport) -> AnalysisView:
        """A table of scores next to their baselines, and one of the importance of latents."""
        from causalvae.analyses.disentanglement.view import view_scores

        return view_scores(result)
