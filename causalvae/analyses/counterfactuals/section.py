"""What a spec says of the mapping as a generator of counterfactuals, and what each step of the analysis does."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final

from pydantic import Field

from causalvae.spec.analysis import Analysis
from causalvae.spec.diagnostics import Finding, Path
from causalvae.spec.section import Seed

if TYPE_CHECKING:
    from causalvae.analyses.counterfactuals.measure import CounterfactualTables
    from causalvae.analyses.counterfactuals.types import Counterfactuals
    from causalvae.effects.context import EffectContext
    from causalvae.engine.measurements import Measurements
    from causalvae.engine.progress import OnProgress
    from causalvae.plan.types import Plan
    from causalvae.report.analysis_view import AnalysisView
    from causalvae.session import Session
    from causalvae.spec.draft import Draft

# Of what is run and of the tables that are stored: raised where either changes.
_VERSION: Final = 2

Samples = Annotated[int, Field(strict=True, ge=24, le=20_000)]
Cycles = Annotated[int, Field(strict=True, ge=1, le=1000)]
Deviations = Annotated[float, Field(strict=True, gt=0, le=1, allow_inf_nan=False)]


class CounterfactualsAnalysis(Analysis):
    """How the mapping is tested as a generator of counterfactuals, on separate samples."""

    kind: ClassVar[str] = "counterfactuals"

    samples: Samples = Field(
        default=256, description="Samples of the test part in which each mapped factor is set; at least 24."
    )
    cycles: Cycles = Field(
        default=10,
        description="How often a sample is reconstructed, and how often a factor is set and set back; the result after "
        "one is reported as well.",
    )
    at_most: Deviations = Field(
        default=0.25,
        description="Root mean square error, in standard deviations over the data, that an attribute of a sound "
        "counterfactual may have.",
    )
    seed: Seed = Field(
        default=0, description="Seed of the samples, of the values that factors are set to, and of donors."
    )

    def findings(self, draft: Draft, path: Path) -> list[Finding]:
        """A spec without a mapping has no generator."""
        if draft.mapping is None or draft.mapping:
            return []
        return [
            Finding(
                "CV074",
                path,
                "counterfactuals need components that factors are mapped to, but the spec maps no factor",
                "Add a `mapping`, or delete the section.",
                severity="warning",
                on_key=True,
            )
        ]

    def measured_by(self, session: Session, plan: Plan) -> list[Any]:
        """The network, the data, the mapping and the samples: bounds and statistics change no measurement."""
        spec = session.spec
        return [
            _VERSION,
            spec.execution.precision,
            self.model_dump(mode="json", exclude={"at_most"}),
            plan.model_digest,
            plan.measures,
            spec.model.latent,
            spec.data.split.model_dump(mode="json"),
            {factor: list(section.components or ()) for factor, section in spec.mapping.items()},
            [[name, session.completed_spec.graph.factors[name].kind] for name in spec.graph.factors],
        ]

    def measure(
        self, session: Session, plan: Plan, measurements: Measurements, folder: FilePath, on_progress: OnProgress
    ) -> CounterfactualTables:
        """The attributes of counterfactuals of the data and of the mapping."""
        from causalvae.analyses.counterfactuals.measure import measure_counterfactuals

        return measure_counterfactuals(session, self, folder, on_progress)

    @staticmethod
    def result_type() -> type[Counterfactuals]:
        """What `estimate` gives."""
        from causalvae.analyses.counterfactuals.types import Counterfactuals

        return Counterfactuals

    def estimate(self, session: Session, context: EffectContext, measured: CounterfactualTables) -> Counterfactuals:
        """Errors with their intervals, and a status for each factor."""
        from causalvae.analyses.counterfactuals.estimate import estimate_counterfactuals

        return estimate_counterfactuals(session, self, measured)

    @staticmethod
    def view(result: Counterfactuals) -> AnalysisView:
        """Tables, strips of pictures and a sentence of the answer."""
        from causalvae.analyses.counterfactuals.view import view_counterfactuals

        return view_counterfactuals(result)
