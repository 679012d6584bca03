"""Simulated perturbation screens."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from causalvae.spec.data_section import DataSection
from causalvae.spec.entries import DataEntry, FactorEntry
from causalvae.spec.section import Flag, Seed
from causalvae_neighbours.grace.limits import PROGRAMME_RANGE, Positive, Several, Small

if TYPE_CHECKING:
    from causalvae.data.dataset import Dataset


Programmes = Annotated[int, Field(strict=True, ge=2, le=12)]


class PerturbationsData(DataSection):
    """A screen of cells whose gene programmes make one another and are shifted by guides, drawn from a known truth.

    Factors are the guides g1, g2, ... (off, on) and the programmes P1, P2, ...; cells that are drawn are controls.
    """

    kind: ClassVar[str] = "perturbations"

    source: Literal["perturbations"]
    programmes: Programmes = Field(default=6, description="Latent programmes, P1, P2 and so on.")
    genes_each: Small = Field(default=8, description="Genes that mainly follow each programme.")
    edges: Several | Literal["chain"] = Field(
        default=7, description="How many edges there are among the programmes; chain: each makes the next."
    )
    guides_each: Small = Field(default=2, description="Guides that target each programme, raising and lowering it.")
    doubles: Several = Field(default=6, description="Perturbations by two guides of different targets.")
    mechanism: Literal["linear", "relu", "tanh"] = Field(
        default="relu", description="What a programme passes on to its children: its value, or a bend of it."
    )
    noise: Positive = Field(default=0.5, description="Standard deviation of each gene's own noise, before a sigmoid.")
    damping: Flag = Field(
        default=False, description="Whether guides damp their target's mechanism besides shifting it."
    )
    world: Seed = Field(default=0, description="Seed of the truth: edges, loadings, gene network, guides.")

    @property
    def genes(self) -> tuple[str, ...]:
        """Names of the genes: P1_1, P1_2 and so on, each after the programme that it mainly follows."""
        return tuple(
            f"P{programme + 1}_{gene + 1}" for programme in range(self.programmes) for gene in range(self.genes_each)
        )

    def facts(self) -> DataEntry:
        """What is known before the screen is simulated."""
        guides = tuple(
            FactorEntry(f"g{guide + 1}", "categorical", 2, 0.0, 1.0, ("off", "on"))
            for guide in range(self.programmes * self.guides_each)
        )
        programmes = tuple(
            FactorEntry(f"P{programme + 1}", "continuous", 0, *PROGRAMME_RANGE) for programme in range(self.programmes)
        )
        return DataEntry((*guides, *programmes), True, (self.programmes * self.genes_each,), self.genes)

    def open(self, folder: Path) -> Dataset:
        """The data set."""
        from causalvae_neighbours.grace.data import PerturbationDataset, shape_of

        return PerturbationDataset(shape_of(self))
