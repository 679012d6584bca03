"""What a spec says of the symmetry of latents, and what each step of the analysis does."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from causalvae.spec.analysis import Analysis
from causalvae.spec.diagnostics import Finding, Path
from causalvae.spec.section import Index, PairCount

if TYPE_CHECKING:
    from causalvae.effects.context import EffectContext
    from causalvae.engine.measurements import Measurements
    from causalvae.engine.progress import OnProgress
    from causalvae.plan.draft import Draft as PlanDraft
    from causalvae.plan.types import Plan
    from causalvae.report.analysis_view import AnalysisView
    from causalvae.session import Session
    from causalvae.spec.draft import Draft
    from causalvae_flashes.symmetry.estimate import Symmetry
    from causalvae_flashes.symmetry.measure import Flipped


class SymmetryAnalysis(Analysis):
    """How much outputs change when the sign of a latent is flipped."""

    kind: ClassVar[str] = "symmetry"

    latents: tuple[Index, ...] = Field(min_length=1, description="Latents, one flipped at a time.")
    samples: PairCount = Field(default=64, description="Samples on which they are flipped.")

    def findings(self, draft: Draft, path: Path) -> list[Finding]:
        """Latents that the network does not have, and networks that are run with noise."""
        count = draft.latent_dim
        found = [
            Finding(
                "CV052",
                (*path, "latents", place),
                f"the network has {count} latents, and no latent {latent}",
                f"Write an index from 0 to {count - 1}.",
            )
            for place, latent in enumerate(self.latents)
            if count is not None and latent >= count
        ]
        if draft.model is not None and draft.model.latent == "sample":
            found.append(
                Finding(
                    "CV023",
                    path,
                    "symmetry flips posterior means, and the decoder is given samples",
                    "Write `latent: mean` in the model, or delete the section.",
                    on_key=True,
                    related=(("model", "latent"),),
                )
            )
        return found

    def plan(self, draft: PlanDraft) -> None:
        """A cohort of its own, with the run that nothing is flipped in."""
        from causalvae_flashes.symmetry.plan import plan_symmetry

        plan_symmetry(draft, self.samples)

    def measured_by(self, session: Session, plan: Plan) -> list[Any]:
        """The network, the data and the samples: each latent is kept in a file of its own."""
        return [plan.model_digest, plan.measures, plan.cohort(COHORT).samples, session.spec.data.seed]

    def measure(
        self, session: Session, plan: Plan, measurements: Measurements, folder: FilePath, on_progress: OnProgress
    ) -> Flipped:
        """The attributes of outputs with each latent flipped."""
        from causalvae_flashes.symmetry.measure import measure_flips

        return measure_flips(session, plan.cohort(COHORT), self.latents, folder, on_progress)

    @staticmethod
    def result_type() -> type[Symmetry]:
        """What `estimate` gives."""
        from causalvae_flashes.symmetry.estimate import Symmetry

        return Symmetry

    def estimate(self, session: Session, context: EffectContext, measured: Flipped) -> Symmetry:
        """The mean change of each attribute, with its interval."""
        from causalvae_flashes.symmetry.estimate import estimate_symmetry

        return estimate_symmetry(context, measured)

    @staticmethod
    def view(result: Symmetry) -> AnalysisView:
        """A table, and a sentence of the answer."""
        from causalvae_flashes.symmetry.view import view_symmetry

        return view_symmetry(result)


COHORT = f"analysis.{SymmetryAnalysis.kind}"
