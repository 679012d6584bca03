"""The Half-AVAE: no encoder, a structured prior, an adversary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from causalvae.spec.objective_section import ObjectiveSection

Weight = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
Several = Annotated[int, Field(strict=True, ge=1, le=100_000)]

if TYPE_CHECKING:
    from causalvae.training.loop import Trainer


class HalfAvaeObjective(ObjectiveSection):
    """Wei & Sun 2025: reconstruction + KL to a structured prior + a total correlation that an adversary estimates.

    Every sample's latents are parameters; all samples are trained on at every step, and `batch_size` of them teach the
    adversary. With `adversary: 0` it is the Half-VAE (Wei, Sun & Zhang 2024).
    """

    kind: ClassVar[str] = "half_avae"
    architecture: ClassVar[str] = "encoder_free"
    data: ClassVar[str] = "mixtures"
    data_advice: ClassVar[str] = "It learns from whole recordings: write `source: mixtures`."
    takes_labels: ClassVar[bool] = False

    name: Literal["half_avae"]
    adversary: Weight = Field(default=1.0, description="Weight of the total correlation.")
    warm_up: Several = Field(default=500, description="Steps over which that weight rises from 0.")
    width: Several = Field(default=32, description="Units of each of the adversary's two hidden layers.")
    lr: Positive = Field(default=1e-3, description="The adversary's learning rate.")
    starts: Several = Field(
        default=8,
        description="Random starts that are tried without the adversary; the one with the best bound is taken.",
    )
    trial_steps: Several = Field(default=400, description="Steps of each trial.")

    def trainer(self) -> Trainer:
        """What trains by it."""
        from causalvae_neighbours.half_avae.training import train_half

        return train_half
