"""The study spec: networks x data sets x seeds, trained, analysed and compared."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from causalvae.spec.analysis import ANALYSES, Analysis
from causalvae.spec.architecture_section import ARCHITECTURE_TAG, AnyArchitecture
from causalvae.spec.data_section import AnyData
from causalvae.spec.markers import Fixed
from causalvae.spec.measures import MeasureName
from causalvae.spec.objective_section import AnyObjective
from causalvae.spec.section import Count, Flag, Name, Number, Section
from causalvae.spec.training import Optimiser, TrainSpec

SeedList = Annotated[
    tuple[Annotated[int, Field(strict=True, ge=0, lt=2**31)], ...], Field(min_length=1, max_length=100)
]


SCORES: Final = Fixed(ANALYSES, "disentanglement")


class StudyModel(Section):
    """One kind of network of the grid."""

    description: str = ""
    objective: AnyObjective
    model: AnyArchitecture | None = Field(default=None, description="The network; by default that of the data.")
    steps: Count | None = Field(default=None, description="Training steps; by default those of the study.")
    apart: Flag = Field(
        default=False,
        description="Exclude its networks from rank correlations, for example because their latents are discrete and "
        "are perturbed in another way.",
    )


class StudyData(Section):
    """One data set of the grid, and how networks are analysed on it."""

    description: str = ""
    data: AnyData = Field(description="What networks are trained on.")
    model: AnyArchitecture = Field(
        default_factory=lambda: ARCHITECTURE_TAG.read({}),
        description="The network for models that declare none.",
    )
    analysis: str = Field(
        min_length=1,
        description="A run spec, relative to this file, that is run with each network instead of the one that it "
        "names.",
    )


class StudySpec(Section):
    """A whole study."""

    spec: Annotated[str, Field(pattern=r"^causalvae/study-v1$")]
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=60)
    description: str = ""
    data: dict[Name, StudyData] = Field(min_length=1)
    models: dict[Name, StudyModel] = Field(min_length=1)
    seeds: SeedList = (0,)
    steps: Count = 5000
    batch_size: Count = 64
    optimiser: Optimiser = Optimiser()
    scores: Annotated[Analysis, SCORES] = Field(
        default_factory=lambda: SCORES.read({}),
        description="How each network is scored, where the analysis of its data does not say so itself.",
    )
    published: dict[Name, dict[MeasureName, Number]] = Field(
        default={}, description="Published numbers to compare with: model -> measure -> number."
    )
    source: str = Field(default="", description="The source of the published numbers.")

    def train_spec(self, data: str, model: str, seed: int) -> TrainSpec:
        """The training spec of one cell of the grid."""
        kind, where = self.models[model], self.data[data]
        return TrainSpec(
            spec="causalvae/train-v1",
            name=f"{data}-{model}-{seed}",
            model=kind.model or where.model,
            data=where.data,
            objective=kind.objective,
            optimiser=self.optimiser,
            batch_size=self.batch_size,
            steps=kind.steps or self.steps,
            checkpoint_every=1000,
            seed=seed,
        )

    @property
    def cells(self) -> tuple[tuple[str, str, int], ...]:
        """(data, model, seed) of each network; seeds vary slowest, so that a stopped study has whole grids."""
        return tuple((data, model, seed) for seed in self.seeds for data in self.data for model in self.models)
