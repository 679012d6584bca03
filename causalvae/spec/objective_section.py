"""Base class of the objective section of training specs; each kind is a module of `causalvae.training.objectives`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Final

from pydantic import Field

from causalvae.spec.markers import Tagged
from causalvae.spec.registry import Kind, Registry
from causalvae.spec.section import StrictSection

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from causalvae.models.vae import VAE
    from causalvae.training.discriminator import Discriminator
    from causalvae.training.loop import Trainer
    from causalvae.training.losses import Given, Terms


class ObjectiveSection(Kind, StrictSection):
    """Base class of objectives.

    An objective that adds a penalty to the reconstruction derives from `PenaltySection` and defines `penalty`. One that
    trains in another way derives from this class and defines `trainer`. Its field ``name: Literal["KIND"]`` selects it.

    Attributes
    ----------
    architecture : str or None
        The only architecture that it trains; None for all without their own objective.
    data : str or None
        The only source of data that it accepts; None for all.
    data_advice : str
        Advice if the spec has other data.
    least_batch : int
        The minimum batch size of its estimates.
    takes_labels, takes_pairs : bool
        Whether it supports supervision, and supervision by pairs.
    """

    must_define: ClassVar[tuple[str, ...]] = ("trainer",)
    architecture: ClassVar[str | None] = None
    data: ClassVar[str | None] = None
    data_advice: ClassVar[str] = ""
    least_batch: ClassVar[int] = 1
    takes_labels: ClassVar[bool] = True
    takes_pairs: ClassVar[bool] = True

    def trainer(self) -> Trainer | None:
        """The trainer used instead of `causalvae.training.loop.train`; None for an objective that is a penalty."""
        return None


class PenaltySection(ObjectiveSection):
    """Reconstruction plus a penalty with optional warm-up; a kind defines `penalty`."""

    must_define: ClassVar[tuple[str, ...]] = ("penalty",)

    warm_up: int = Field(
        default=0,
        ge=0,
        description="Steps over which the whole penalty rises linearly from zero to its weight. A penalty that is at "
        "its full weight from the first step can exclude weak factors, such as a sprite's shape, permanently.",
    )

    def penalty(self, given: Given, terms: Terms) -> Tensor:
        """The penalty at its full weight, a scalar in nats; adds numbers for the log to `terms`."""
        raise NotImplementedError

    def discriminator(self, latent_dim: int) -> tuple[Discriminator, float] | None:
        """A discriminator trained with the network, and its learning rate; None if there is none."""
        return None

    def after_step(self, vae: VAE, z: Tensor, source: torch.Generator) -> Terms:
        """Updates without gradients after a step with latents `z`, (batch, latents); returns numbers for the log."""
        return {}


OBJECTIVES: Final = Registry(ObjectiveSection, "causalvae.training.objectives", "causalvae.objectives", "objective")
OBJECTIVE_TAG: Final = Tagged(OBJECTIVES, "name")
AnyObjective = Annotated[ObjectiveSection, OBJECTIVE_TAG]
