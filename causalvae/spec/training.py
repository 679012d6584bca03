"""The training spec: which network, data and objective make a set of weights."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class TrainModel(_Section):
    """The network to train."""

    architecture: Literal["burgess"] = "burgess"
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


Objective = Annotated[
    StandardObjective | BetaObjective | AnnealedCapacityObjective | BetaTCObjective | AnnealedTCObjective,
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
