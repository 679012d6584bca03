"""The spec language as types: what a user may declare, section by section.

The models check shape and range of each field on its own; what needs several fields at once (an edge that names no
node, a cycle, a treatment that reaches no outcome) is checked in `causalvae.spec.checks`.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from causalvae.digest import digest
from causalvae.spec.alignment_section import AlignmentSection
from causalvae.spec.analysis import ANALYSES, ANALYSIS_KEYS, Analysis
from causalvae.spec.data_section import AnyData, DataSection
from causalvae.spec.hypothesis_section import Bound, Expectations, Hypothesis, NullSection
from causalvae.spec.intervention_section import Intervention
from causalvae.spec.markers import Keyed
from causalvae.spec.model_section import AnyModel, ModelSection, OutputSection, PosteriorSection
from causalvae.spec.readout_section import AnyReadout, ReadoutSection
from causalvae.spec.section import (
    EDGE_PATTERN,
    NAME_PATTERN,
    ComponentRef,
    Count,
    EdgeText,
    Flag,
    Level,
    MemorySize,
    ModestCount,
    Name,
    Number,
    Section,
    Seed,
    long_factors,
    split_edges,
)

# What other packages use of the language is exported here, wherever it is defined.
__all__ = [
    "EDGE_PATTERN",
    "NAME_PATTERN",
    "AlignmentSection",
    "Bound",
    "Count",
    "DataSection",
    "EstimationSection",
    "ExecutionSection",
    "Expectations",
    "FactorSection",
    "FindSection",
    "GraphSection",
    "Hypothesis",
    "Intervention",
    "MappingSection",
    "ModelSection",
    "Name",
    "NullSection",
    "OutputSection",
    "PosteriorSection",
    "ReadoutSection",
    "ReportSection",
    "Section",
    "Spec",
    "VariantSection",
    "VectorSection",
]


class FactorSection(Section):
    """What a spec declares about a factor; other properties are taken from the data."""

    kind: Literal["categorical", "ordinal", "cyclic", "continuous"] | None = None
    levels: Count | None = Field(default=None, description="Number of levels.")
    range: tuple[Number, Number] | None = Field(default=None, description="Lowest and highest physical value.")


class VectorSection(Section):
    """Several attributes as one outcome."""

    components: tuple[Name, ...] = Field(min_length=1, description="Two attributes or more.")
    scale: Literal["sd", "raw"] = Field(
        default="sd",
        description=(
            "sd divides each component's change by its standard deviation over observed reconstructions, so "
            "components may have different units; raw does not divide."
        ),
    )


class GraphSection(Section):
    """The semantic causal graph: the hypothesis about how factors cause attributes."""

    factors: dict[Name, FactorSection] = Field(
        default={},
        description="A list of names, or a mapping with kind, levels, range; omitted for data without factors.",
    )
    attributes: dict[Name, AnyReadout] = Field(
        min_length=1, description="What is measured on the decoded output or the latent, by name."
    )
    edges: tuple[EdgeText, ...] = Field(default=(), description="Cause -> effect, such as `scale -> area`.")
    vectors: dict[Name, VectorSection] = Field(
        default={},
        description="Attributes that are one outcome together, by name, such as `position: [centroid_x, centroid_y]`.",
    )

    @field_validator("factors", mode="before")
    @classmethod
    def _list_of_names(cls, value: Any) -> Any:
        return long_factors(value)

    @field_validator("vectors", mode="before")
    @classmethod
    def _list_of_components(cls, value: Any) -> Any:
        return long_vectors(value)

    @property
    def edge_pairs(self) -> tuple[tuple[str, str], ...]:
        """The edges as (parent, child) names."""
        return split_edges(self.edges)


class FindSection(Section):
    """How the latents of a factor are found."""

    count: ModestCount = Field(default=1, description="The number of latents.")
    by: Literal["effect", "movement"] = Field(
        default="effect",
        description="effect: those that carry most of the factor's effect on its attributes, or on the whole output "
        "if it has none; movement: those that the encoder moves most, even if nothing downstream reads them.",
    )


class MappingSection(Section):
    """Where a node of the graph lives in the network: as declared, or as found on samples that are used for no test."""

    components: tuple[ComponentRef, ...] | None = Field(default=None, min_length=1, description="Component addresses.")
    find: ModestCount | FindSection | None = Field(
        default=None,
        description=(
            "Instead of components: this number of latents, those that carry most of the factor's effect. They are "
            "found on separate samples, so that the tests of the run stay valid. A number is short for {count: "
            "NUMBER, by: effect}."
        ),
    )

    @property
    def search(self) -> FindSection | None:
        """`find` in its long form; None where components are given."""
        return FindSection(count=self.find) if isinstance(self.find, int) else self.find

    @model_validator(mode="after")
    def _exactly_one(self) -> MappingSection:
        if (self.components is None) == (self.find is None):
            given = "none" if self.components is None else "both"
            raise PydanticCustomError(
                "one_of", "give either components or find", {"given": given, "choices": "components, find"}
            )
        return self


class EstimationSection(Section):
    """How uncertainty is estimated and cross-checked."""

    bootstrap: ModestCount = Field(default=1000, description="Bootstrap resamples of the pairs.")
    confidence: Level = Field(default=0.95, description="Coverage of the intervals.")
    interval: Literal["studentised", "bca"] = Field(
        default="studentised",
        description="The bootstrap interval: studentised has about its nominal coverage from 50 pairs on; bca "
        "(bias-corrected and accelerated) is common in papers and has lower coverage if effects are skewed.",
    )
    dowhy: Flag = Field(default=True, description="Estimate each mediation with DoWhy as well.")
    refute: tuple[Literal["placebo", "random_common_cause", "subset", "bootstrap"], ...] = Field(
        default=(), description="DoWhy refuters to run."
    )
    simulations: ModestCount = Field(default=50, description="Simulations of each refuter.")
    gcm: Flag = Field(
        default=True,
        description="With `dowhy`: also compare each mediation with DoWhy's graphical causal model, whose mechanism "
        "is the network.",
    )
    observational: Flag = Field(
        default=False,
        description="Also estimate each mediation by regression on observed samples, without patching, for comparison.",
    )

    @property
    def bca(self) -> bool:
        """Whether intervals are bias-corrected and accelerated ones throughout."""
        return self.interval == "bca"


class ExecutionSection(Section):
    """Where and how a plan is run."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    backend: Literal["local", "ray"] = Field(
        default="local", description="This machine, or a Ray cluster (pip install 'causalvae[ray]')."
    )
    address: str | None = Field(
        default=None,
        min_length=1,
        description="The address of a running Ray cluster, such as auto or ray://host:10001; by default one is "
        "started on this machine.",
    )
    seed: Seed = Field(default=0, description="Seed of everything random in the run except the data.")
    precision: Literal["float32", "tf32", "bf16"] = Field(
        default="float32",
        description="The precision of networks; tf32 affects GPUs only. Precision below float32 is less exact.",
    )
    batch_rows: Literal["auto"] | ModestCount = Field(
        default="auto",
        description="Rows of a batch; auto: as suits the device and its memory, 64 on most CPUs.",
    )
    memory: MemorySize | None = Field(
        default=None,
        description="The memory that a run may use in addition to the program, the network and the data, such as 2 GB "
        "or 500 MiB; by default a quarter of the free memory of the machine or GPU.",
    )
    controls: Flag = Field(default=True, description="Run the hypotheses on a randomly initialised copy as well.")

    @property
    def memory_bytes(self) -> int | None:
        """The memory budget in bytes; None where none is given."""
        if self.memory is None:
            return None
        number, unit = self.memory.rstrip("B").rstrip("i").rstrip("KMGT"), self.memory.lstrip("0123456789. ")
        return int(float(number) * (1024 if "i" in unit else 1000) ** (1 + "KMGT".index(unit[0])))


class ReportSection(Section):
    """What is written."""

    formats: tuple[Literal["html", "markdown", "json"], ...] = ("html", "markdown", "json")


class VariantSection(Section):
    """How one side of a comparison differs from the spec."""

    description: str = ""
    model: AnyModel | None = Field(
        default=None, description="Keys of the model that differ; with another `source`, the whole of it."
    )
    data: AnyData | None = Field(
        default=None, description="Keys of the data that differ; with another `source`, the whole of it."
    )
    mapping: dict[Name, MappingSection] | None = None

    @field_validator("mapping", mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return _long_mapping(value)


def merge_variants(plain: dict[str, Any]) -> dict[str, Any]:
    """The values of a spec with the model and data of each variant written out.

    A variant's section of the same source as the spec's own is laid over it: mappings are merged at every depth, lists
    and single values replaced. A section of another source stands alone.
    """
    variants = plain.get("variants")
    if not isinstance(variants, dict):
        return plain
    whole = {}
    for name, section in variants.items():
        merged = section
        for key in ("model", "data"):
            own, base = (section.get(key) if isinstance(section, dict) else None), plain.get(key)
            if (
                isinstance(own, dict)
                and isinstance(base, dict)
                and own.get("source", base.get("source")) == base.get("source")
            ):
                merged = {**merged, key: _laid_over(base, own)}
        whole[name] = merged
    return {**plain, "variants": whole}


def _laid_over(base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    over = {
        key: _laid_over(base[key], value) if isinstance(value, dict) and isinstance(base.get(key), dict) else value
        for key, value in own.items()
    }
    return {**base, **over}


def long_vectors(value: Any) -> Any:
    """Vectors with their components written out as `{components: [...]}`."""
    if not isinstance(value, dict):
        return value
    return {
        name: {"components": section} if isinstance(section, list | tuple) else section
        for name, section in value.items()
    }


def _long_mapping(value: Any) -> Any:
    """A mapping whose addresses are written out as `{components: [...]}`."""
    if not isinstance(value, dict):
        return value
    listed = {node: [where] if isinstance(where, str) else where for node, where in value.items()}
    return {node: {"components": where} if isinstance(where, list) else where for node, where in listed.items()}


class Spec(Section):
    """A whole spec; keys in addition to these name analyses."""

    model_config = ConfigDict(extra="allow")
    KEYED: ClassVar[Keyed] = ANALYSIS_KEYS
    __pydantic_extra__: dict[str, Annotated[Analysis, ANALYSIS_KEYS]] = Field(init=False)

    spec: Literal["causalvae/v1"] = Field(description="The language's version.")
    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100, description="The name of the run's folder and report."
    )
    description: str = ""
    base: str | None = Field(
        default=None,
        min_length=1,
        description="Where relative paths start, relative to this file; by default the folder of this file.",
    )
    model: AnyModel
    data: AnyData
    graph: GraphSection
    mapping: dict[Name, MappingSection] = Field(
        default={}, description="Where nodes live in the network: an address, or {components: [...]}."
    )
    interventions: tuple[Intervention, ...] = ()
    hypotheses: tuple[Hypothesis, ...] = Field(default=(), max_length=500)
    estimation: EstimationSection = EstimationSection()
    alignment: AlignmentSection = AlignmentSection()
    execution: ExecutionSection = ExecutionSection()
    report: ReportSection = ReportSection()
    variants: dict[Name, VariantSection] = Field(
        default={},
        description="For `causalvae compare`: the sides of a comparison, by name, each with what differs.",
    )

    @model_validator(mode="before")
    @classmethod
    def _whole_variants(cls, value: Any) -> Any:
        return ANALYSIS_KEYS.keep_names(merge_variants(value), cls.model_fields) if isinstance(value, dict) else value

    @field_validator("mapping", mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return _long_mapping(value)

    @property
    def analyses(self) -> dict[str, Analysis]:
        """The analyses that it asks for, by name in alphabetical order."""
        return dict(sorted(self.__pydantic_extra__.items()))

    def __repr__(self) -> str:
        return (
            f"Spec({self.name!r}: {len(self.interventions)} interventions, {len(self.hypotheses)} hypotheses, "
            f"digest {self.digest})"
        )

    @property
    def digest(self) -> str:
        """Content hash of the resolved spec, apart from what it is compared with."""
        return digest(self.content)

    @property
    def content(self) -> dict[str, Any]:
        """The resolved spec as plain values, apart from what it is compared with."""
        content = self.model_dump(mode="json", by_alias=True, exclude={"variants", "base"})
        # A spec that says nothing of these is the spec that it was before they could be said.
        if not self.estimation.bca:
            del content["estimation"]["interval"]
        content["interventions"] = [intervention.record for intervention in self.interventions]
        content["alignment"] = self.alignment.record
        content["graph"]["attributes"] = {name: section.record for name, section in self.graph.attributes.items()}
        return content

    def variant(self, name: str) -> Spec:
        """The spec of one side of the comparison: its sections in place of this spec's; `KeyError` where there is none.

        A variant's mapping replaces the entries that it names and leaves the others.
        """
        section = self.variants[name]
        changes: dict[str, Any] = {"name": f"{self.name}-{name}", "variants": {}}
        changes |= {key: value for key in ("model", "data") if (value := getattr(section, key)) is not None}
        if section.mapping is not None:
            changes["mapping"] = {**self.mapping, **section.mapping}
        return self.model_copy(update=changes)

    def intervention(self, name: str) -> Intervention:
        """The intervention called `name`; raises `KeyError` where there is none."""
        for intervention in self.interventions:
            if intervention.name == name:
                return intervention
        raise KeyError(name)


ANALYSES.taken = frozenset(Spec.model_fields)
