"""The graph-aware causal discrepancy VAE."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from causalvae.spec.objective_section import ObjectiveSection
from causalvae_neighbours.grace.limits import Positive, Small

Cells = Annotated[int, Field(strict=True, ge=50, le=1_000_000)]
Weight = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]

if TYPE_CHECKING:
    from causalvae.training.loop import Trainer


class CausalDiscrepancyObjective(ObjectiveSection):
    """Zhang et al. 2023: an ELBO on control cells + alpha MMD of perturbed cells + sparsity of the causal layer.

    The network's control cells, moved by a learned soft intervention, are held against the cells of each guide.
    """

    kind: ClassVar[str] = "causal_discrepancy"
    architecture: ClassVar[str] = "grace"
    data: ClassVar[str] = "perturbations"
    data_advice: ClassVar[str] = "It learns from the cells of a screen: write `source: perturbations`."
    least_batch: ClassVar[int] = 2
    takes_labels: ClassVar[bool] = False

    name: Literal["causal_discrepancy"]
    alpha: Weight = Field(default=2000.0, description="Weight of the maximum mean discrepancy.")
    beta: Weight = Field(default=1.0, description="Weight of the KL.")
    sparsity: Weight = Field(default=0.1, description="Weight of the sum of the causal layer's absolute weights.")
    warm_up: Annotated[float, Field(strict=True, ge=0, le=1)] = Field(
        default=0.3, description="Share of the steps over which beta and sparsity rise from 0."
    )
    temperature: Positive = Field(
        default=8.0, description="Of the softmax that chooses each guide's target, at the end; it begins at 1."
    )
    targets: Literal["reach", "random"] = Field(
        default="reach",
        description="Where the targets start: guides grouped by the genes that they move and ordered by how many these "
        "are, or anywhere.",
    )
    control_cells: Cells = Field(default=4000, description="Control cells of the screen.")
    guide_cells: Cells = Field(default=500, description="Cells of each guide.")
    guides_at_once: Small = Field(default=6, description="Guides of each step.")

    def trainer(self) -> Trainer:
        """What trains by it."""
        from causalvae_neighbours.grace.training import train_grace

        return train_grace
