"""Base class of the data section of specs; each kind is a module of `causalvae.data.kinds`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final

from pydantic import Field

from causalvae.spec.diagnostics import Finding
from causalvae.spec.entries import DataEntry
from causalvae.spec.markers import Tagged
from causalvae.spec.places import Placed
from causalvae.spec.registry import Kind, Registry
from causalvae.spec.section import Name, PairCount, Section, Seed

if TYPE_CHECKING:
    from causalvae.data.dataset import Dataset

Share = Annotated[float, Field(strict=True, ge=0, le=0.45, allow_inf_nan=False)]


class SplitSection(Section):
    """How finite data are divided, once: what is fitted or selected on some samples is tested on others."""

    fit: Share = Field(
        default=0.3,
        description="Share of the samples that predictors, subspaces, constants and the quantiles, means and standard "
        "deviations of interventions are fitted on; at most 25,000 samples.",
    )
    select: Share = Field(
        default=0.2,
        description="Share of the samples that latents and components are selected on; at most 25,000 samples.",
    )
    seed: Seed = Field(default=0, description="Seed of the division; it does not depend on the seed of the draw.")


class DataSection(Kind, Placed, Section):
    """Where samples come from, how many are drawn, and what is appended to each input.

    Attributes
    ----------
    picture : str
        The kind of picture that shows them (`causalvae.spec.picture`); empty where it follows from the output's shape.
    recognised : str
        In words, the files or folders that `recognise` accepts, for messages of `causalvae init`.
    """

    must_define: ClassVar[tuple[str, ...]] = ("open",)
    picture: ClassVar[str] = ""
    recognised: ClassVar[str] = ""

    samples: PairCount = Field(
        default=512,
        description="Samples, and pairs of each input intervention; at least 2. Finite data are drawn without "
        "replacement and may have fewer.",
    )
    seed: Seed = Field(default=0, description="Seed of the draw.")
    split: SplitSection = Field(
        default=SplitSection(),
        description="How finite data are divided; infinite data are drawn again for every purpose.",
    )
    condition: tuple[Name, ...] = Field(
        default=(),
        max_length=20,
        json_schema_extra={"uniqueItems": True},
        description=(
            "Factors whose values are appended to each input as further channels or columns, for conditional networks: "
            "one for each level of a categorical factor, one scaled to [0, 1] for any other."
        ),
    )

    @property
    def lacks_factors(self) -> bool:
        """Whether the section declares no factors."""
        return False

    @property
    def is_rescaled(self) -> bool:
        """Whether numbers are mapped to [0, 1] by a range that is found in them."""
        return False

    def facts(self) -> DataEntry | None:
        """Properties known before the data are opened, without heavy libraries; None if files must be read."""
        return None

    def input_facts(self) -> DataEntry | None:
        """What is known of the shape, columns and rate of inputs before the data are opened; by default from `facts`.

        A source whose factors only files tell gives an entry whose factors are None.
        """
        return self.facts()

    def findings(self) -> list[Finding]:
        """Findings on combinations of keys, at paths that begin with ``data``."""
        return []

    @classmethod
    def recognise(cls, path: Path) -> dict[str, Any] | None:
        """Keys of a section that reads what lies at a path, next to `source` and `path`; None of another kind.

        For `causalvae init --from`. It does not run code of the file.
        """
        return None

    def open(self, folder: Path) -> Dataset:
        """Open the data set.

        Parameters
        ----------
        folder : Path
            Where relative paths start.

        Raises
        ------
        CausalVAEError
            If the data cannot be read or generated.
        """
        raise NotImplementedError


DATA: Final = Registry(DataSection, "causalvae.data.kinds", "causalvae.data", "data source")
DATA_TAG: Final = Tagged(DATA, "source")
AnyData = Annotated[DataSection, DATA_TAG]
