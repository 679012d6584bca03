"""The training spec: which network, data and objective make a set of weights."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError, PydanticKnownError

from causalvae.spec.data_section import DATA_TAG, AnyData, DataSection
from causalvae.spec.perturbations import CausalDiscrepancyObjective
from causalvae.spec.section import Count, Flag, Fraction, Seed
from causalvae.spec.system_section import HalfAvaeObjective

# Estimates over pairs of a batch's samples need two; one half of a FactorVAE's batch gives the permuted latents.
_LEAST_BATCH = {"beta_tcvae": 2, "annealed_tcvae": 2, "info_vae": 2, "factor_vae": 4, "dip_vae_i": 2, "dip_vae_ii": 2}
_LEAST_BATCH |= {"causal_discrepancy": 2}
_Width = Annotated[float, Field(strict=True, gt=0.0, allow_inf_nan=False)]
# Keys of a data section that say what an analysis draws.
_OF_ANALYSES = ("samples", "seed", "split")


# Keys of the model that only one architecture reads.
_OWNERS = {"codes": "vq", "condition": "conditional", "levels": "ladder", "mechanism": "grace", "graph": "grace"}


# Architectures whose training draws their initial weights in a way of its own.
_OWN_WEIGHTS = ("grace", "encoder_free")
# Objectives that train one architecture and no other.
_TRAINED_BY = {"vq": "vq_vae", "grace": "causal_discrepancy", "encoder_free": "half_avae"}
# Objectives that learn from one source of data and no other.
_LEARNS_FROM = {
    "causal_discrepancy": ("perturbations", "It learns from the cells of a screen: write `source: perturbations`."),
    "half_avae": ("mixtures", "It learns from whole recordings: write `source: mixtures`."),
}


def _suit(architecture: str, objective: str) -> bool:
    """Whether an objective trains networks of an architecture."""
    if architecture in _TRAINED_BY:
        return _TRAINED_BY[architecture] == objective
    return objective not in _TRAINED_BY.values()


class _Section(BaseModel):
    # As in the specs of analyses: the text "512" is no number, and numbers are finite.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True, strict=True, allow_inf_nan=False)


class TrainModel(_Section):
    """The network to train."""

    architecture: Literal[
        "burgess", "mlp", "residual", "audio", "vq", "conditional", "ladder", "grace", "autoregressive", "encoder_free"
    ] = "burgess"
    latent_dim: Count = 10
    init: Literal["pytorch", "kaiming"] = Field(
        default="pytorch",
        description="Initial weights: pytorch, each layer's own; kaiming, normal with variance 2 / fan_in (He et al. "
        "2015), with which deep networks without normalisation learn much sooner.",
    )
    likelihood: Literal["bernoulli", "gaussian"] = Field(
        default="bernoulli",
        description="bernoulli: the output is a probability (a sigmoid); gaussian: it is a mean, with no activation.",
    )
    sigma: Literal["learned"] | _Width | None = Field(
        default=None,
        description="Standard deviation of a gaussian likelihood in the data's units, one for all numbers of an input; "
        "1 where left out.",
    )
    codes: Count | None = Field(default=None, description="vq: entries of the codebook; 64 where left out.")
    condition: Count | None = Field(
        default=None, description="conditional: how many of the input's last channels (columns) are the condition."
    )
    levels: Count | None = Field(
        default=None, description="ladder: groups of latents, latent.g1 nearest to the input; 3 where left out."
    )

    mechanism: Literal["linear", "relu", "tanh"] | None = Field(
        default=None, description="grace: what a latent passes on to its children; relu where left out."
    )
    graph: Literal["known", "shuffled", "none"] | None = Field(
        default=None,
        description="grace: the gene network that the encoder passes messages along: the data's where left out, the "
        "data's with its genes permuted, or none.",
    )

    @field_validator("init")
    @classmethod
    def _drawn_by_the_loop(cls, value: str, info: ValidationInfo) -> str:
        if value != "pytorch" and info.data.get("architecture") in _OWN_WEIGHTS:
            raise PydanticCustomError(
                "unused_key", "This architecture starts from initial weights of its own: delete the key."
            )
        return value

    @field_validator("codes", "condition", "levels", "mechanism", "graph")
    @classmethod
    def _of_its_architecture(cls, value: int | str | None, info: ValidationInfo) -> int | str | None:
        owner = _OWNERS[str(info.field_name)]
        if value is not None and info.data.get("architecture") not in (owner, None):
            raise PydanticCustomError(
                "unused_key", "Write `architecture: {owner}`, or delete the key.", {"owner": owner}
            )
        return value

    @field_validator("sigma")
    @classmethod
    def _gaussian_only(cls, value: float | str | None, info: ValidationInfo) -> float | str | None:
        if value is not None and info.data.get("likelihood") == "bernoulli":
            raise PydanticCustomError("unused_key", "Write `likelihood: gaussian`, or delete the key.")
        return value


class _Warmed(_Section):
    """An objective whose whole penalty can rise from zero."""

    warm_up: int = Field(
        default=0,
        ge=0,
        description="Steps over which the whole penalty rises linearly from zero to its weight. A penalty that is at "
        "its full weight from the first step can keep weak factors, such as a sprite's shape, out for good.",
    )


class StandardObjective(_Warmed):
    """Kingma & Welling 2013: reconstruction + KL."""

    name: Literal["vae"]


class BetaObjective(_Warmed):
    """Higgins et al. 2017: reconstruction + beta KL."""

    name: Literal["beta_vae"]
    beta: PositiveFloat = 4.0


class AnnealedCapacityObjective(_Warmed):
    """Burgess et al. 2018: reconstruction + gamma |KL - C|, C rising linearly from 0 to `capacity` nats."""

    name: Literal["annealed_capacity"]
    gamma: PositiveFloat = 100.0
    capacity: PositiveFloat = 25.0
    anneal_steps: Count = 30_000


class BetaTCObjective(_Warmed):
    """Chen et al. 2018: reconstruction + alpha MI + beta TC + gamma dimension-wise KL, minibatch-stratified estimates.

    With an autoregressive decoder alpha below 1 is what makes the latent be used: at 1 a bound of the likelihood gains
    nothing from it, since the decoder can tell any distribution without (Chen et al. 2017, arXiv 1611.02731).
    """

    name: Literal["beta_tcvae"]
    beta: PositiveFloat = 6.0
    alpha: float = Field(default=1.0, ge=0.0, description="Weight of the mutual information.")
    gamma: float = Field(default=1.0, ge=0.0, description="Weight of the dimension-wise KL.")
    anneal_steps: int = Field(default=0, ge=0)


class AnnealedTCObjective(_Warmed):
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
    anneal_steps: Count = 20_000


class FactorObjective(_Warmed):
    """Kim & Mnih 2018: reconstruction + KL + gamma TC, the TC told by a discriminator that is trained beside.

    One half of each batch trains the network, the other gives the permuted latents.
    """

    name: Literal["factor_vae"]
    gamma: PositiveFloat = 10.0
    width: Count = Field(default=1000, description="Units of each hidden layer of the discriminator.")
    layers: Count = Field(default=6, description="Hidden layers of the discriminator.")
    lr: PositiveFloat = Field(default=1e-4, description="The discriminator's learning rate.")


class DIPObjective(_Warmed):
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


class InfoObjective(_Warmed):
    """Zhao et al. 2017: reconstruction + (1 - alpha) KL + (alpha + lambda - 1) MMD to the prior, a Gaussian kernel.

    The default of alpha = 1 leaves the KL out and is the MMD-VAE.
    """

    name: Literal["info_vae"]
    alpha: float = Field(default=1.0, le=1.0)
    weight: PositiveFloat = Field(default=1000.0, description="lambda.")
    bandwidth: PositiveFloat | None = Field(
        default=None, description="Of the kernel; the square root of the number of latents where left out."
    )


class QuantisedObjective(_Warmed):
    """van den Oord et al. 2017: reconstruction + commitment, the codebook learned by moving averages (appendix A.1)."""

    name: Literal["vq_vae"]
    commitment: PositiveFloat = Field(default=0.25, description="beta: weight of ||encoder - code||^2.")
    decay: float = Field(default=0.99, ge=0.0, lt=1.0, description="gamma of the moving averages.")
    least_count: float = Field(
        default=1.0,
        ge=0.0,
        description="Vectors of a batch that must take a code on average, or it starts anew; with 0 none does.",
    )


Objective = Annotated[
    StandardObjective
    | BetaObjective
    | AnnealedCapacityObjective
    | BetaTCObjective
    | AnnealedTCObjective
    | FactorObjective
    | DIPObjective
    | InfoObjective
    | QuantisedObjective
    | CausalDiscrepancyObjective
    | HalfAvaeObjective,
    Field(discriminator="name"),
]


class Supervision(_Section):
    """Latents that are told factors of some samples: the objective gains (z - label)^2 / (2 sd^2) for each.

    Locatello et al. 2020 (arXiv 1905.01258) add such a term for a few labelled samples. Labels are the factors' values,
    standardised over the data.
    """

    latents: dict[str, Annotated[int, Field(ge=0)]] = Field(
        min_length=1, description="The latent, by number from 0, that is told each factor."
    )
    share: Fraction = Field(
        default=1.0,
        gt=0.0,
        le=1.0,
        description="Share of the data's samples that have labels; which these are depends on the data alone.",
    )
    sd: PositiveFloat = Field(default=0.1, description="Standard deviation of a label about the latent.")
    paired: Flag = Field(
        default=False,
        description="Train on pairs of samples that differ in the told factors alone, and give both the same posterior "
        "in all other latents, which then cannot carry these factors.",
    )

    def in_words(self, latent: str = "latent[{}]") -> str:
        """Such as ``latent[0] told scale, latent[1] told x, of 5% of the samples``; `latent` is a format of numbers."""
        told = ", ".join(f"{latent.format(number)} told {factor}" for factor, number in self.latents.items())
        paired = ", in pairs that differ in these alone" if self.paired else ""
        return f"{told}, of {100 * self.share:.3g}% of the samples{paired}"


class Optimiser(_Section):
    """Adam, with the learning rate falling to `final` times its start along a half cosine."""

    lr: PositiveFloat = 5e-4
    final: float = Field(default=0.1, ge=0.0, le=1.0)
    over: Count | None = Field(
        default=None,
        description="Steps over which the learning rate falls, all steps where left out. Training that ends before, "
        "with fewer `steps`, takes the same steps as a longer one up to there.",
    )


class TrainExecution(_Section):
    """Where training is run."""

    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="auto takes a GPU where there is one.")


class TrainLog(_Section):
    """What is written down beside the table of the checkpoints, `log.csv`."""

    tensorboard: Flag = Field(default=False, description="The same numbers as TensorBoard's scalars.")


class TrainSpec(_Section):
    """A whole training spec, as a YAML file of `causalvae train` holds it."""

    spec: Literal["causalvae/train-v1"]
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    description: str = ""
    model: TrainModel = TrainModel()
    data: AnyData = Field(default_factory=lambda: DATA_TAG.read({"source": "dsprites"}))
    held_out: Fraction | None = Field(
        default=None,
        lt=1.0,
        description="Share of the data that is not trained on and tells how well the network does on new data. Where "
        "left out: a tenth of what is read from files, or of data so small that each sample is drawn ten times or "
        "more; else nothing, for each batch is new.",
    )
    objective: Objective
    supervision: Supervision | None = Field(default=None, description="Latents that are told factors of the data.")
    optimiser: Optimiser = Optimiser()
    batch_size: Count = 64
    steps: Count
    checkpoint_every: Count = 1000
    seed: Seed = 0
    execution: TrainExecution = TrainExecution()
    log: TrainLog = TrainLog()

    @field_validator("objective")
    @classmethod
    def _of_the_architecture(cls, value: Objective, info: ValidationInfo) -> Objective:
        model = info.data.get("model")
        if model is not None and not _suit(model.architecture, value.name):
            raise PydanticCustomError(
                "apart",
                "the objective is {objective} and the architecture {architecture}",
                {
                    "objective": value.name,
                    "architecture": model.architecture,
                    "advice": "The architecture vq is trained by the objective vq_vae, grace by causal_discrepancy, "
                    "encoder_free by half_avae, and all others by the others.",
                    "at": "name",
                },
            )
        return value

    @field_validator("data")
    @classmethod
    def _drawn_by_training(cls, value: DataSection) -> DataSection:
        for key in _OF_ANALYSES:
            if key in value.model_fields_set:
                raise PydanticCustomError(
                    "unused_key",
                    "Training draws new samples at every step, from the spec's own `seed`: delete the key.",
                    {"at": key},
                )
        return value

    @field_validator("steps")
    @classmethod
    def _within_the_schedule(cls, value: int, info: ValidationInfo) -> int:
        over = getattr(info.data.get("optimiser"), "over", None)
        if over is not None and over < value:
            raise PydanticKnownError("less_than_equal", {"le": over})
        return value

    @field_validator("supervision")
    @classmethod
    def _of_latents_with_means(cls, value: Supervision | None, info: ValidationInfo) -> Supervision | None:
        objective = getattr(info.data.get("objective"), "name", "")
        if value is not None and objective in _TRAINED_BY.values():
            raise PydanticCustomError(
                "unused_key",
                "The objective {objective} has no latents that can be told factors: delete the section.",
                {"objective": objective},
            )
        return value

    @field_validator("batch_size")
    @classmethod
    def _large_enough(cls, value: int, info: ValidationInfo) -> int:
        least = _LEAST_BATCH.get(getattr(info.data.get("objective"), "name", ""), 1)
        if value < least:
            raise PydanticKnownError("greater_than_equal", {"ge": least})
        supervision = info.data.get("supervision")
        if supervision is not None and supervision.paired:
            if getattr(info.data.get("objective"), "name", "") == "factor_vae":
                raise PydanticCustomError(
                    "apart",
                    "the supervision is paired and the objective factor_vae",
                    {
                        "advice": "A FactorVAE splits its batch in two already: choose another objective, or delete "
                        "`paired`."
                    },
                )
            if value % 2:
                raise PydanticCustomError(
                    "apart",
                    "the supervision is paired and the batch's size is odd",
                    {"advice": "Choose an even batch_size."},
                )
        return value

    @field_validator("objective")
    @classmethod
    def _of_the_data(cls, value: Objective, info: ValidationInfo) -> Objective:
        source = getattr(info.data.get("data"), "source", None)
        wanted, advice = _LEARNS_FROM.get(value.name, (source, ""))
        if source is not None and source != wanted:
            raise PydanticCustomError(
                "apart",
                "the objective is {objective} and the data {source}",
                {
                    "objective": value.name,
                    "source": source,
                    "advice": advice,
                    "at": "name",
                },
            )
        return value

    @property
    def record(self) -> dict[str, Any]:
        """The spec as plain values, to be kept with what it made: validating it gives an equal spec."""
        return self.model_dump(mode="json", exclude={"data": set(_OF_ANALYSES)})

    @property
    def identity(self) -> dict[str, Any]:
        """What of the spec decides which weights come out, within rounding."""
        return {key: value for key, value in self.record.items() if key not in ("description", "execution", "log")}
