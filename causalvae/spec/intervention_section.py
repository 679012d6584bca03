"""The spec's interventions. Each level of an intervention is a kind, a folder of `causalvae.interventions`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from causalvae.spec.diagnostics import Finding, Path
from causalvae.spec.markers import Choice, Keyed
from causalvae.spec.registry import Kind, Registry
from causalvae.spec.section import Name, Section

if TYPE_CHECKING:
    from causalvae.data.factors import FactorSpace
    from causalvae.effects.context import EffectContext
    from causalvae.effects.cross_checks import CrossChecks
    from causalvae.effects.metric_rows import MetricFacts
    from causalvae.effects.metrics import Metrics
    from causalvae.effects.types import Estimate
    from causalvae.plan.draft import Draft as PlanDraft
    from causalvae.plan.owner import Owner
    from causalvae.plan.types import Treatment
    from causalvae.report.analysis_view import AnalysisView
    from causalvae.results import Results
    from causalvae.spec.draft import Draft


class InterventionLevel(Kind, Section):
    """What an intervention changes: what must run for it, and which effects are estimated from the tables.

    A kind defines `plan` and `estimate`. These methods import what they need: validating a spec imports the section
    alone.

    Attributes
    ----------
    order : int
        Position in messages and in the JSON Schema, from the input to the output.
    is_refuted : bool
        Whether DoWhy's refuters are run on its effects.

    Examples
    --------
    >>> from causalvae.spec.intervention_section import LEVELS
    >>> LEVELS.get("mediation").kind
    'mediation'
    """

    order: ClassVar[int] = 5
    is_refuted: ClassVar[bool] = False
    must_define: ClassVar[tuple[str, ...]] = ("plan", "estimate")

    @property
    def choices(self) -> tuple[Choice, ...]:
        """The kinds and settings of its patched values, as far as the spec names them."""
        return ()

    @property
    def pictured_outcome(self) -> str:
        """The outcome by which the pairs that a report shows are chosen."""
        return "image"

    @property
    def record(self) -> dict[str, Any]:
        """Plain values that decide its effects: part of the digest of the spec."""
        return self.model_dump(mode="json", by_alias=True)

    def references(self) -> Iterator[tuple[Path, str]]:
        """Each component address or ``$NAME``, with its path below the section."""
        return iter(())

    def findings(self, draft: Draft, path: Path) -> list[Finding]:
        """What is wrong with the section, given the rest of the spec.

        Parameters
        ----------
        draft : Draft
        path : tuple
            Of the section in the spec.
        """
        return []

    def plan(self, draft: PlanDraft, owner: Owner) -> None:
        """Add arms and uses to a plan.

        Parameters
        ----------
        draft : Draft
        owner : Owner
            The intervention, which owns the uses.
        """
        raise NotImplementedError

    def estimate(self, context: EffectContext, owner: Owner, checks: CrossChecks) -> list[Estimate]:
        """Every effect of the intervention.

        Parameters
        ----------
        context : EffectContext
            Tables, scales of the outcomes, and the bootstrap that the spec asks for.
        owner : Owner
            The intervention.
        checks : CrossChecks
            Takes what other methods of computing the same effects find, and warnings.
        """
        raise NotImplementedError

    def metrics(
        self, context: EffectContext, owner: Owner, copy: EffectContext | None, oracle: MetricFacts | None
    ) -> Metrics | None:
        """The named metrics of its components; None where it has none.

        Parameters
        ----------
        context : EffectContext
        owner : Owner
        copy : EffectContext or None
            The same perturbations on a copy of the network with weights drawn again.
        oracle : MetricFacts or None
            Of the data's own factors, changed one at a time in the true input.
        """
        return None

    @staticmethod
    def view(results: Results) -> AnalysisView | None:
        """What a report shows of the results of this level, in addition to the tables that have every effect."""
        return None


def references_below(path: Path, listed: str | tuple[str, ...]) -> Iterator[tuple[Path, str]]:
    """Component addresses, one or a list of them, each with its path."""
    if isinstance(listed, str):
        yield path, listed
    else:
        yield from (((*path, place), text) for place, text in enumerate(listed))


class InputLevel(InterventionLevel):
    """A level that changes the input: a treatment, whose pairs of inputs other interventions and hypotheses take.

    A kind defines `factor`, `treatment` and `estimate`.
    """

    must_define: ClassVar[tuple[str, ...]] = ("treatment", "estimate")

    @property
    def treated_factor(self) -> str | None:
        """The factor that is set; None where it changes another part of the input."""
        return None

    @property
    def swaps(self) -> bool:
        """Whether the input is replaced by that of another sample."""
        return False

    def treatment(self, name: str, space: FactorSpace) -> Treatment:
        """What the intervention `name` does to the inputs of a data set with these factors."""
        raise NotImplementedError

    def plan(self, draft: PlanDraft, owner: Owner) -> None:
        """The runs of both inputs of each pair."""
        draft.clean_pair(owner, draft.cohort(owner.name))


LEVELS: Final = Registry(InterventionLevel, "causalvae.interventions", "causalvae.interventions", "intervention level")
LEVEL_KEYS: Final = Keyed(LEVELS)
# The digests of stored results were made with these keys, of which three have no value. A later level adds none.
_RECORDED: Final = ("input", "latent", "activation", "mediation")


def level_names() -> tuple[str, ...]:
    """The names of all levels, from the input to the output. Imports all levels: for messages and the JSON Schema."""
    return tuple(kind.kind for kind in sorted(LEVELS.usable(), key=lambda kind: kind.order))


class Intervention(Section):
    """A named intervention of exactly one level."""

    model_config = ConfigDict(extra="allow")
    KEYED: ClassVar[Keyed] = LEVEL_KEYS
    __pydantic_extra__: dict[str, Annotated[InterventionLevel, LEVEL_KEYS]] = Field(init=False)

    name: Name

    @model_validator(mode="before")
    @classmethod
    def _keep_names(cls, value: Any) -> Any:
        return LEVEL_KEYS.keep_names(value, cls.model_fields) if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _exactly_one(self) -> Intervention:
        given = self.__pydantic_extra__
        if len(given) != 1:
            names = level_names()
            raise PydanticCustomError(
                "one_of",
                "give exactly one of {choices}",
                {"given": " and ".join(sorted(given, key=names.index)) or "none", "choices": ", ".join(names)},
            )
        return self

    @property
    def level(self) -> InterventionLevel:
        """What it changes."""
        (level,) = self.__pydantic_extra__.values()
        return level

    @property
    def input_level(self) -> InputLevel | None:
        """The same where that is the input, so that others can take it as their treatment; else None."""
        return self.level if isinstance(self.level, InputLevel) else None

    @property
    def record(self) -> dict[str, Any]:
        """Plain values that decide its effects: part of the digest of the spec."""
        return {**dict.fromkeys(_RECORDED), "name": self.name, self.level.kind: self.level.record}


LEVELS.taken = frozenset(Intervention.model_fields)
