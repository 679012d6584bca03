"""What every data section has: how much is drawn, and what is appended to each input."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from causalvae.spec.places import PlaceKind
from causalvae.spec.section import Name, PairCount, Section, Seed


class DrawSection(Section):
    """How much of any source is drawn, and what is appended to each input."""

    # Keys that name what is read, and whether it is a file or a folder.
    PLACES: ClassVar[dict[str, PlaceKind]] = {}

    samples: PairCount = Field(default=512, description="Samples, and pairs of each input intervention; at least 2.")
    seed: Seed = Field(default=0, description="Seed of the draw.")
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
    def files(self) -> tuple[str, ...]:
        """The files and folders that the source reads, as the spec writes them: relative to the spec file."""
        return tuple(self.places.values())

    @property
    def places(self) -> dict[str, str]:
        """What is read, by key: files, or folders of them, relative to the spec file."""
        named = {key: getattr(self, key) for key in self.PLACES}
        return {key: value for key, value in named.items() if value is not None}
