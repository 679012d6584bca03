"""The training spec: which network, data and objective make a set of weights."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class TrainModel(_Section):
    """The network to train."""

    architecture: Literal["burgess", "mlp", "residual", "audio"] = "burgess"
    latent_dim: PositiveInt = 10


class TrainData(_Section):
    """What the network is trained on; images are drawn on the fly."""

    source: Literal["dsprites"] = "dsprites"


class StandardObjective(_Section):
    """Kingma & Welling 2013: reconstruction + KL."""

    name: Literal["vae"]


class BetaObjective(_Section):
    """Higgins et al. 2017: reconstruction + beta KL."""

    name: Literal["beta_vae"]
    beta: PositiveFloat = 4.0


class AnnealedCapacityObjective(_Section):
    """Burgess et al. 2018: reconstruction + gamma |KL - C|, C rising linearly from 0 to `capacity` nats."""

    name: Literal["annealed_capacity"]
    gamma: PositiveFloat = 100.0
    capacity: PositiveFloat = 25.0
    anneal_steps: PositiveInt = 30_000


class BetaTCObjective(_Section):
    """Chen et al. 2018: reconstruction + MI + beta TC + dimension-wise KL, minibatch-stratified estimates."""

    name: Literal["beta_tcvae"]
    beta: PositiveFloat = 6.0
    anneal_steps: int = Field(default=0, ge=0)


class AnnealedTCObjective(_Section):
    """Reconstruction + w(t) (KL + (kappa - 1) TC), the weight w falling geometrically from `start` to `end`.

    A falling weight admits the factors in the order of what they are worth to the picture, as a rising capacity does
    (Burgess et al. 2018), but its gradient is smooth: the capacity objective's |KL - C| flips sign at every step and
    its large gamma then drowns the reconstruction in the optimiser's normalisation. The total correlation (Chen et al.
    2018) breaks the symmetry under rotation that the KL alone leaves between factors of equal worth.
    """

    name: Literal["annealed_tcvae"]
    start: PositiveFloat = 20.0
    end: PositiveFloat = 4.0
    kappa: float = Field(default=3.0, ge=1.0)
    anneal_steps: PositiveInt = 20_000


class FactorObjective(_Section):
    """Kim & Mnih 2018: reconstruction + KL + gamma TC, the TC told by a discriminator that is trained beside.

    One half of each batch trains the network, the other gives the permuted latents.
    """

    name: Literal["factor_vae"]
    gamma: PositiveFloat = 10.0
    width: PositiveInt = Field(default=1000, description="Units of each hidden layer of the discriminator.")
    layers: PositiveInt = Field(default=6, description="Hidden layers of the discriminator.")
    lr: PositiveFloat = Field(default=1e-4, description="The discriminator's learning rate.")


class DIPObjective(_Section):
    """Kumar et al. 2018: reconstruction + KL + distance of a covariance to the identity.

    ``dip_vae_i`` takes the covariance of the posterior means, ``dip_vae_ii`` that of the aggregate posterior.
    """

    name: Literal["dip_vae_i", "dip_vae_ii"]
    off_diagonal: PositiveFloat = 10.0
    diagonal: PositiveFloat | None = Field(
        default=None, description="Ten times off_diagonal for dip_vae_i, as much for dip_vae_ii, where left out."
    )

    @property
    def on_diagonal(self) -> float:
        """The weight of the diagonal."""
        if self.diagonal is not None:
            return self.diagonal
        return self.off_diagonal * (10.0 if self.name == "dip_vae_i" else 1.0)


class InfoObjective(_Section):
    """Zhao et al. 2017: reconstruction + (1 - alpha) KL + (alpha + lambda - 1) MMD to the prior, a Gaussian kernel.

    The default of alpha = 1 leaves the KL out and is the MMD-VAE.
    """

    name: Literal["info_vae"]
    alpha: float = Field(default=1.0, le=1.0)
    weight: PositiveFloat = Field(default=1000.0, description="lambda.")
    bandwidth: PositiveFloat | None = Field(
        default=None, description="Of the kernel; the square root of the number of latents where left out."
    )


Objective = Annotated[
    StandardObjective
    | BetaObjective
    | AnnealedCapacityObjective
    | BetaTCObjective
    | AnnealedTCObjective
    | FactorObjective
    | DIPObjective
    | InfoObjective,
    Field(discriminator="name"),
]


class Optimiser(_Section):
    """Adam, with the learning rate falling to `final` times its start along a half cosine."""

    lr: PositiveFloat = 5e-4
    final: float = Field(default=0.1, ge=0.0, le=1.0)


class TrainSpec(_Section):
    """A whole training spec, as a YAML file of `causalvae train` holds it."""

    spec: Literal["causalvae/train-v1"]
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    description: str = ""
    model: TrainModel = TrainModel()
    data: TrainData = TrainData()
    objective: Objective
    optimiser: Optimiser = Optimiser()
    batch_size: PositiveInt = 64
    steps: PositiveInt
    checkpoint_every: PositiveInt = 1000
    seed: int = Field(default=0, ge=0)
