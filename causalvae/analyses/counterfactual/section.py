"""The section that asks a run whether the mapping gives sound counterfactuals."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from causalvae.spec.section import Section, Seed

Samples = Annotated[int, Field(strict=True, ge=24, le=20_000)]
Cycles = Annotated[int, Field(strict=True, ge=1, le=1000)]
Deviations = Annotated[float, Field(strict=True, gt=0, le=1, allow_inf_nan=False)]


class CounterfactualSection(Section):
    """How the mapping is tested as a generator of counterfactuals: on samples of its own, apart from the plan."""

    samples: Samples = Field(
        default=256, description="Samples of the test part that each factor is set in; at least 24."
    )
    cycles: Cycles = Field(
        default=10,
        description="How often a sample is reconstructed, and how often a factor is set and set back; once is reported "
        "as well.",
    )
    at_most: Deviations = Field(
        default=0.25,
        description="Standard deviations over the data by which an attribute of a sound counterfactual may differ, in "
        "root mean square.",
    )
    seed: Seed = Field(default=0, description="Seed of the samples, of what factors are set to and of the donors.")
