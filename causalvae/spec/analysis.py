"""A question that a spec asks under a top-level key of its own. Each kind is a folder of `causalvae.analyses`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from causalvae.spec.diagnostics import Finding, Path
from causalvae.spec.markers import Keyed
from causalvae.spec.registry import Kind, Registry
from causalvae.spec.section import Section

if TYPE_CHECKING:
    from pathlib import Path as FilePath

    from causalvae.effects.context import EffectContext
    from causalvae.engine.measurements import Measurements
    from causalvae.engine.progress import OnProgress
    from causalvae.plan.draft import Draft as PlanDraft
    from causalvae.plan.types import Plan
    from causalvae.report.analysis_view import AnalysisView
    from causalvae.session import Session
    from causalvae.spec.draft import Draft


class Analysis(Kind, Section):
    """A section of the spec: what must run for it, what its measurements mean, and how its result is shown.

    A kind defines `result_type`, `estimate` and `view`. It defines `plan` where it needs runs that are known in
    advance, and `measure` where it needs others, such as searches that choose each run by the last. These methods
    import what they need: validating a spec imports the section alone.

    Attributes
    ----------
    result_field : str
        The field of `causalvae.results.Results` that holds the result, for one that had a field of its own before there
        were analyses; empty for all others, whose results are in `Results.analyses`.

    Examples
    --------
    >>> from causalvae.spec.analysis import ANALYSES
    >>> ANALYSES.get("disentanglement").kind
    'disentanglement'
    """

    result_field: ClassVar[str] = ""
    must_define: ClassVar[tuple[str, ...]] = ("result_type", "estimate", "view")

    def findings(self, draft: Draft, path: Path) -> list[Finding]:
        """What is wrong with the section, given the rest of the spec.

        Parameters
        ----------
        draft : Draft
        path : tuple
            Of the section in the spec.
        """
        return []

    def plan(self, draft: PlanDraft) -> None:
        """Add cohorts, arms and uses to a plan; the owner of the uses is `Owner.analysis(self.kind)`."""

    def measured_by(self, session: Session, plan: Plan) -> Any:
        """Plain values that decide what `measure` finds: runs for which they are equal share its folder.

        All of the spec apart from its name, description and report, the network and the data. A kind that depends on
        less says so, and then more runs share its measurements.
        """
        content = {key: value for key, value in session.spec.content.items() if key not in _ONLY_TOLD}
        return [content, plan.model_digest, plan.measures]

    def measure(
        self,
        session: Session,
        plan: Plan,
        measurements: Measurements,
        folder: FilePath,
        on_progress: OnProgress,
    ) -> Any:
        """What no plan can say in advance is run and measured; None where nothing is.

        Parameters
        ----------
        session : Session
        plan : Plan
        measurements : Measurements
            The answer to `plan`.
        folder : Path
            Of this analysis and of all that `measured_by` gives. It exists. What is kept in it is found by a run that
            continues a killed one, and by other runs that ask for the same.
        on_progress : callable
        """
        return None

    @staticmethod
    def result_type() -> type:
        """The frozen dataclass that `estimate` gives; `results.json` is read back as it."""
        raise NotImplementedError

    def estimate(self, session: Session, context: EffectContext, measured: Any) -> Any:
        """The result, from the tables and from what `measure` found.

        Parameters
        ----------
        session : Session
        context : EffectContext
            Tables, scales of the outcomes, and the bootstrap that the spec asks for.
        measured : Any
        """
        raise NotImplementedError

    @staticmethod
    def view(result: Any) -> AnalysisView:
        """How a result is shown. It is made from the result alone: a report is written again without its spec."""
        raise NotImplementedError


# What changes nothing that is measured.
_ONLY_TOLD: Final = frozenset({"name", "description", "report"})

ANALYSES: Final = Registry(Analysis, "causalvae.analyses", "causalvae.analyses", "analysis")
ANALYSIS_KEYS: Final = Keyed(ANALYSES)
