"""What a spec says of how its graph is compared with the data and the network."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import Field

from causalvae.spec.section import EdgeText, Index, Level, ModestCount, Name, Number, PairCount, Section, split_edges

# Outputs of a network that independencies are tested on where a spec does not say.
_OUTPUTS: Final = 1000


class AlignmentSection(Section):
    """How the declared graph is compared with the data and the network."""

    alpha: Level = Field(default=0.05, description="Level of the tests.")
    correction: Literal["holm", "bh", "none"] = Field(default="holm", description="Multiplicity correction.")
    tolerance: Number = Field(
        default=0.1,
        gt=0,
        description="Effects below this many standard deviations of the attribute count as none.",
    )
    samples: Literal["auto"] | ModestCount = Field(
        default="auto",
        description="Samples for the tests of implied independencies; auto: 1,000 outputs of the network, and at "
        "least 4,000 samples of the data, more if an independence needs more and the data have them.",
    )
    pairs: PairCount = Field(default=512, description="Pairs for each factor that is set; at least 2.")
    relabellings: Literal["auto"] | Index = Field(
        default="auto",
        description="Random relabellings with which DoWhy compares the graph's independencies, 0 for none; auto: 200 "
        "for graphs with at most six nodes, unless estimation.dowhy is off.",
    )

    rivals: dict[Name, tuple[EdgeText, ...]] = Field(
        default={},
        description="Other graphs over the same nodes, by name, each with all of its edges; they are judged on the "
        "same run.",
    )

    @property
    def rival_pairs(self) -> dict[str, tuple[tuple[str, str], ...]]:
        """Name of a rival -> its edges as (parent, child) names."""
        return {name: split_edges(edges) for name, edges in self.rivals.items()}

    @property
    def outputs(self) -> int:
        """Samples whose outputs the implied independencies are tested on."""
        return _OUTPUTS if self.samples == "auto" else self.samples

    @property
    def record(self) -> dict[str, Any]:
        """Plain values that decide the alignment: part of the digest of the spec.

        A section that says nothing of a key has the record that it had before this key existed.
        """
        content = self.model_dump(mode="json", by_alias=True)
        if self.pairs == AlignmentSection().pairs:
            del content["pairs"]
        if self.samples == "auto":
            content["samples"] = _OUTPUTS
        elif self.samples == _OUTPUTS:
            content["fixed"] = True
        if not self.rivals:
            del content["rivals"]
        if self.relabellings == "auto":
            del content["relabellings"]
        return content
