"""The section that asks a run for the active latents and the dimension of the aggregate posterior."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from causalvae.spec.analysis import Analysis

if TYPE_CHECKING:
    from causalvae.analyses.aggregate_posterior.estimate import AggregatePosterior
    from causalvae.effects.context import EffectContext
    from causalvae.report.analysis_view import AnalysisView
    from causalvae.session import Session


class AggregatePosteriorAnalysis(Analysis):
    """Which latents are active over the data, and how many dimensions their posterior means fill."""

    kind: ClassVar[str] = "aggregate_posterior"

    active: Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)] = Field(
        default=0.01, description="Variance of the posterior mean over the data above which a latent is active."
    )

    @staticmethod
    def result_type() -> type[AggregatePosterior]:
        """What `estimate` gives."""
        from causalvae.analyses.aggregate_posterior.estimate import AggregatePosterior

        return AggregatePosterior

    def estimate(self, session: Session, context: EffectContext, measured: Any) -> AggregatePosterior:
        """From the posterior means of the observed samples, which every run has."""
        from causalvae.analyses.aggregate_posterior.estimate import estimate_posterior

        return estimate_posterior(context, self.active)

    @staticmethod
    def view(result: AggregatePosterior) -> AnalysisView:
        """A table of latents, and one of dimensions."""
        from causalvae.analyses.aggregate_posterior.view import view_posterior

        return view_posterior(result)
