"""The spec's `discoveries`: circuits that are to be found."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal, get_args

from pydantic import Field

from causalvae.spec.analysis import Analysis
from causalvae.spec.diagnostics import Finding, Path, list_choices
from causalvae.spec.intervention_section import Intervention
from causalvae.spec.section import ComponentRef, Level, Name, Section

if TYPE_CHECKING:
    from causalvae.analyses.discoveries.findings import Discovered
    from causalvae.effects.context import EffectContext
    from causalvae.engine.measurements import Measurements
    from causalvae.engine.progress import OnProgress
    from causalvae.plan.types import Plan
    from causalvae.report.analysis_view import AnalysisView
    from causalvae.session import Session
    from causalvae.spec.draft import Draft

CandidateKind = Literal["latents", "channels", "units", "edges"]
HeldAt = Literal["interchange", "mean", "resample"]
ScoreName = Literal["single", "removal", "attribution", "integrated_gradients", "relp"]
SCORES: Final[tuple[ScoreName, ...]] = get_args(ScoreName)
# The whole output as an outcome.
IMAGE: Final = "image"
# Of what searches do and of what is stored of them: raised where either changes.
_VERSION: Final = 5

_Pairs = Annotated[int, Field(strict=True, ge=24, le=1_000_000)]
_Halves = Annotated[int, Field(strict=True, ge=0, le=1000)]


class SoughtCircuit(Section):
    """A circuit to find: the smallest that carries a treatment's effect on an outcome."""

    name: Name
    treatment: Name = Field(description="An input intervention.")
    outcome: Name = Field(description="An attribute, or image.")
    candidates: CandidateKind = Field(
        default="latents",
        description="What circuits consist of: latents; channels of the hidden layers that have positions; units, "
        "which are channels and the entries of hidden vectors; edges between latents and units.",
    )
    sites: tuple[ComponentRef, ...] = Field(
        default=(),
        description="Where candidates, or the ends of edges, are taken from, instead of the latent or hidden layers.",
    )
    target: Level = Field(default=0.8, description="The share of the effect that the circuit is tested against.")
    halves: _Halves | None = Field(
        default=None,
        description="Random halves of the pairs on which the search is repeated, for the stability of each member; 50 "
        "by default, and 10 among more than 32 candidates.",
    )


class Discoveries(Analysis):
    """Circuits to find on some pairs and to test on others."""

    kind: ClassVar[str] = "discoveries"

    circuits: tuple[SoughtCircuit, ...] = Field(min_length=1, description="The circuits to find.")
    pairs: _Pairs = Field(
        default=192, description="Number of pairs for the search; the same number of other pairs is used for the test."
    )
    scores: tuple[ScoreName, ...] = Field(
        default=SCORES,
        min_length=1,
        description="How candidates are ordered for the search; the smallest circuit of all orders is kept.",
    )
    hold: HeldAt = Field(
        default="interchange",
        description="What candidates outside a circuit are held at: their value in the pair's base run, their mean "
        "over base runs, or their value in the base run of another pair.",
    )

    def findings(self, draft: Draft, path: Path) -> list[Finding]:
        """Names given twice, treatments that are no input intervention, outcomes that are no attribute."""
        found: list[Finding] = []
        inputs = None
        if draft.interventions is not None and all(named.section is not None for named in draft.interventions):
            inputs = [
                named.name or ""
                for named in draft.interventions
                if isinstance(named.section, Intervention) and named.section.input_level is not None
            ]
        attributes = None if draft.attributes is None else tuple(draft.attributes)
        names: dict[str, int] = {}
        for place, sought in enumerate(self.circuits):
            at = (*path, "circuits", place)
            if sought.name in names:
                first = (*path, "circuits", names[sought.name], "name")
                found.append(
                    Finding(
                        "CV060", (*at, "name"), f"two circuits are called {sought.name!r}",
                        "Give each a different name.",
                        related=(first,),
                    )
                )  # fmt: skip
            names.setdefault(sought.name, place)
            if inputs is not None and sought.treatment not in inputs:
                found.append(
                    Finding(
                        "CV061", (*at, "treatment"), f"no input intervention is called {sought.treatment!r}",
                        f"Write {list_choices(inputs)}." if inputs else "Add an input intervention.",
                    )
                )  # fmt: skip
            if sought.candidates == "edges" and self.hold != "interchange":
                found.append(
                    Finding(
                        "CV056", (*path, "hold"), f"edges are held at their value in the base run, not at {self.hold}",
                        "Write `hold: interchange`, or find circuits of edges in a separate spec.",
                        related=((*at, "candidates"),),
                    )
                )  # fmt: skip
            if attributes is not None and sought.outcome not in (*attributes, IMAGE):
                found.append(
                    Finding(
                        "CV070", (*at, "outcome"), f"{sought.outcome!r} is no attribute",
                        f"Write {list_choices((*attributes, IMAGE))}.",
                    )
                )  # fmt: skip
        return found

    def measured_by(self, session: Session, plan: Plan) -> list[Any]:
        """The network, the data and how searches go; each circuit is kept in a file of its own (`Search.key`)."""
        spec = session.spec
        settings = self.model_dump(mode="json", exclude={"circuits"})
        return [
            _VERSION, plan.model_digest, plan.measures, spec.data.seed, spec.data.split.model_dump(mode="json"),
            spec.estimation.model_dump(mode="json"), spec.execution.seed, spec.execution.precision, settings,
        ]  # fmt: skip

    def measure(
        self, session: Session, plan: Plan, measurements: Measurements, folder: FilePath, on_progress: OnProgress
    ) -> Discovered:
        """Search for every circuit; one that was found before is read."""
        from causalvae.analyses.discoveries.measure import find_circuits

        return find_circuits(session, self, folder, on_progress)

    @staticmethod
    def result_type() -> type[Discovered]:
        """What `estimate` gives."""
        from causalvae.analyses.discoveries.findings import Discovered

        return Discovered

    def estimate(self, session: Session, context: EffectContext, measured: Discovered) -> Discovered:
        """What was found: a search estimates as it goes."""
        return measured

    @staticmethod
    def view(result: Discovered) -> AnalysisView:
        """The circuits drawn, their curves, motifs and tests."""
        from causalvae.analyses.discoveries.view import view_discoveries

        return view_discoveries(result)
