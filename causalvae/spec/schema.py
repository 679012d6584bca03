"""The spec language as types: what a user may declare, section by section.

The models check shape and range of each field on its own; what needs several fields at once (an edge that names no
node, a cycle, a treatment that reaches no outcome) is checked in `causalvae.spec.checks`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, field_validator, model_validator

from causalvae.digest import digest

NAME_PATTERN = r"^[A-Za-z_][A-Za-z0-9_-]*$"
EDGE_PATTERN = r"^\s*[A-Za-z_][A-Za-z0-9_-]*\s*->\s*[A-Za-z_][A-Za-z0-9_-]*\s*$"

Name = Annotated[str, Field(pattern=NAME_PATTERN)]
ComponentRef = Annotated[str, Field(min_length=1, description="A component address, or $FACTOR.")]


class Section(BaseModel):
    """A part of a spec: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class PosteriorSection(Section):
    """How an encoder's output splits into means and log-variances."""

    layout: Literal["chunk", "interleaved"] = "chunk"


class ZooModel(Section):
    """A network and weights that this package ships."""

    source: Literal["zoo"]
    name: Literal["burgess"] = "burgess"
    weights: str = Field(
        description="builtin://NAME for shipped weights, or a path of a safetensors file that `causalvae train` wrote."
    )
    latent: Literal["mean", "sample"] = "mean"


class CheckpointModel(Section):
    """A known network with the user's own weights, from a safetensors or a weights-only .pt file."""

    source: Literal["checkpoint"]
    name: Literal["burgess"] = "burgess"
    weights: str = Field(description="Path, relative to the spec file.")
    latent_dim: PositiveInt = 10
    posterior: PosteriorSection = PosteriorSection()
    latent: Literal["mean", "sample"] = "mean"


ModelSection = Annotated[ZooModel | CheckpointModel, Field(discriminator="source")]


class DspritesData(Section):
    """dSprites: drawn by this package, or read from the official npz where `path` names it."""

    source: Literal["dsprites"]
    path: str | None = None
    samples: PositiveInt = Field(default=512, le=1_000_000)
    seed: int = Field(default=0, ge=0)


DataSection = DspritesData


class FactorSection(Section):
    """What a spec says of a factor; what it leaves out is taken from the data."""

    kind: Literal["categorical", "ordinal", "cyclic"] | None = None
    levels: PositiveInt | None = None
    range: tuple[float, float] | None = None


class ReadoutSection(Section):
    """How an attribute is measured on a decoded output."""

    readout: Literal["area", "centroid", "orientation", "extent", "probe"]
    axis: Literal["x", "y", "major", "minor"] | None = None
    target: Name | None = Field(default=None, description="probe: the factor that it was trained to read.")
    label: str | None = Field(default=None, description="probe: the level whose probability is the attribute.")


class GraphSection(Section):
    """The semantic causal graph: the hypothesis about how factors make attributes."""

    factors: dict[Name, FactorSection]
    attributes: dict[Name, ReadoutSection] = Field(min_length=1)
    edges: tuple[Annotated[str, Field(pattern=EDGE_PATTERN)], ...] = ()

    @field_validator("factors", mode="before")
    @classmethod
    def _list_of_names(cls, value: Any) -> Any:
        if isinstance(value, list):
            return {name: {} for name in value}
        return value

    @property
    def edge_pairs(self) -> tuple[tuple[str, str], ...]:
        """The edges as (parent, child) names."""
        pairs = (edge.split("->") for edge in self.edges)
        return tuple((parent.strip(), child.strip()) for parent, child in pairs)


class MappingSection(Section):
    """Where a node of the graph lives in the network."""

    components: tuple[ComponentRef, ...] = Field(min_length=1)


class SetTo(Section):
    """Set a factor to one value: a physical value, or the label of a categorical level."""

    to: float | str


class InputIntervention(Section):
    """Level 1: change a factor of the input."""

    factor: Name
    set: Literal["resample"] | SetTo = "resample"
    others: Literal["hold", "propagate"] = "hold"
    contrast: Literal["increase", "as_drawn"] | None = Field(
        default=None,
        description=(
            "increase orders each pair so that the factor rises from base to counterfactual (the default for an "
            "ordinal factor that is resampled); as_drawn keeps the order of drawing (the default otherwise)."
        ),
    )


class LatentValues(Section):
    """Values for a latent perturbation: quantiles of the aggregate posterior, or offsets in its standard deviations."""

    quantiles: tuple[Annotated[float, Field(ge=0, le=1)], ...] | None = None
    sd: tuple[float, ...] | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> LatentValues:
        if (self.quantiles is None) == (self.sd is None):
            raise ValueError("give either quantiles or sd")
        return self


class LatentIntervention(Section):
    """Level 2: set latents to values."""

    components: ComponentRef | tuple[ComponentRef, ...]
    values: LatentValues | Literal["resample", "zero"] = LatentValues(quantiles=(0.05, 0.25, 0.75, 0.95))
    pairs: PositiveInt | None = Field(default=None, description="Use only this many samples.")


class ActivationIntervention(Section):
    """Level 3: patch activations."""

    components: ComponentRef | tuple[ComponentRef, ...]
    by: Literal["unit", "channel", "layer", "set"] = "channel"
    source: Name = Field(alias="from", description="The input intervention whose counterfactual gives the values.")
    mode: Literal["interchange", "mean", "resample", "zero"] = "interchange"
    direction: Literal["denoising", "noising", "both"] = "denoising"
    pairs: PositiveInt | None = Field(default=None, description="Use only this many pairs.")


class MediationIntervention(Section):
    """Level 4: split the effect of a treatment at a set of mediators."""

    treatment: Name
    mediators: tuple[ComponentRef, ...] = Field(min_length=1)
    outcomes: tuple[Name, ...] = Field(min_length=1)
    pairs: PositiveInt | None = None


class Intervention(Section):
    """A named intervention of exactly one level."""

    name: Name
    input: InputIntervention | None = None
    latent: LatentIntervention | None = None
    activation: ActivationIntervention | None = None
    mediation: MediationIntervention | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Intervention:
        levels = (self.input, self.latent, self.activation, self.mediation)
        if sum(level is not None for level in levels) != 1:
            raise ValueError("give exactly one of input, latent, activation, mediation")
        return self


class Bound(Section):
    """A bound on a quantity: at least, at most, or both."""

    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _some(self) -> Bound:
        if self.at_least is None and self.at_most is None:
            raise ValueError("give at_least, at_most or both")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError("at_least is above at_most")
        return self


class Expectations(Section):
    """What a hypothesis predicts.

    mediated_share: <NIE, TE> / <TE, TE> over pairs; what the circuit alone carries (sufficiency).
    necessity: <TIE, TE> / <TE, TE> over pairs; what is lost when the circuit alone is held.
    off_target: share of the circuit's squared standardised effect that falls on attributes that the treatment's factor
    does not reach in the declared graph; in [0, 1].
    total_effect: mean total effect in standard deviations of the outcome.
    """

    mediated_share: Bound | None = None
    necessity: Bound | None = None
    off_target: Bound | None = None
    total_effect: Bound | None = None

    @model_validator(mode="after")
    def _some(self) -> Expectations:
        if all(value is None for value in (self.mediated_share, self.necessity, self.off_target, self.total_effect)):
            raise ValueError("give at least one expectation")
        return self


class NullSection(Section):
    """The null circuits that a hypothesis is held against."""

    circuits: Literal["random", "none"] = "random"
    samples: PositiveInt = 200
    pairs: PositiveInt = Field(default=96, description="Pairs that each null circuit, and the observed one, is run on.")


class Hypothesis(Section):
    """A claim: a treatment reaches an outcome through a circuit, within bounds."""

    name: Name
    claim: str = ""
    treatment: Name
    circuit: tuple[ComponentRef, ...] = Field(min_length=1)
    outcome: Name
    expect: Expectations
    null: NullSection = NullSection()
    alpha: float = Field(default=0.05, gt=0, lt=1)


class EstimationSection(Section):
    """How uncertainty is estimated and cross-checked."""

    bootstrap: PositiveInt = 1000
    confidence: float = Field(default=0.95, gt=0, lt=1)
    dowhy: bool = True
    refute: tuple[Literal["placebo", "random_common_cause", "subset"], ...] = ()
    simulations: PositiveInt = Field(default=50, description="Simulations of each refuter.")


class AlignmentSection(Section):
    """How the declared graph is held against the network."""

    alpha: float = Field(default=0.05, gt=0, lt=1)
    correction: Literal["holm", "bh", "none"] = "holm"
    tolerance: float = Field(
        default=0.1,
        gt=0,
        description="Effects below this many standard deviations of the attribute count as none.",
    )
    samples: PositiveInt = Field(default=1000, description="Samples that the implied independencies are tested on.")


class ExecutionSection(Section):
    """Where and how a plan is run."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    backend: Literal["local"] = "local"
    seed: int = Field(default=0, ge=0)
    batch_rows: PositiveInt = Field(default=512, description="Rows that are run at once.")
    controls: bool = Field(default=True, description="Run the hypotheses on a randomly initialised copy as well.")


class ReportSection(Section):
    """What is written."""

    formats: tuple[Literal["html", "markdown", "json"], ...] = ("html", "markdown", "json")


class Spec(Section):
    """A whole spec."""

    spec: Literal["causalvae/v1"]
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)
    description: str = ""
    model: ModelSection
    data: DataSection
    graph: GraphSection
    mapping: dict[Name, MappingSection] = {}
    interventions: tuple[Intervention, ...] = ()
    hypotheses: tuple[Hypothesis, ...] = ()
    estimation: EstimationSection = EstimationSection()
    alignment: AlignmentSection = AlignmentSection()
    execution: ExecutionSection = ExecutionSection()
    report: ReportSection = ReportSection()

    @field_validator("mapping", mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {node: {"components": [where]} if isinstance(where, str) else where for node, where in value.items()}

    @property
    def digest(self) -> str:
        """Content hash of the resolved spec."""
        return digest(self.model_dump(mode="json", by_alias=True))

    def intervention(self, name: str) -> Intervention:
        """The intervention called `name`; raises `KeyError` where there is none."""
        for intervention in self.interventions:
            if intervention.name == name:
                return intervention
        raise KeyError(name)
