"""The training spec: network, data and objective."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, PositiveFloat, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError, PydanticKnownError

from causalvae.spec.architecture_section import ARCHITECTURE_TAG, AnyArchitecture
from causalvae.spec.data_section import DATA_TAG, AnyData, DataSection
from causalvae.spec.objective_section import OBJECTIVES, AnyObjective, ObjectiveSection
from causalvae.spec.section import Count, Flag, Fraction, Seed, StrictSection, differs

# Keys of a data section that concern analyses only.
_OF_ANALYSES = ("samples", "seed", "split")


class Supervision(StrictSection):
    """Latents that are supervised on factors of some samples: the objective gains (z - label)^2 / (2 sd^2) for each.

    Locatello et al. 2020 (arXiv 1905.01258) add such a term for a few labelled samples. Labels are the factors' values,
    standardised over the data.
    """

    latents: dict[str, Annotated[int, Field(ge=0)]] = Field(
        min_length=1, description="The latent (its number, from 0) that is supervised on each factor."
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
        description="Train on pairs of samples that differ only in the supervised factors, and give both the same "
        "posterior in all other latents, which then cannot carry these factors.",
    )

    def in_words(self, latent: str = "latent[{}]") -> str:
        """Such as ``latent[0] on scale, latent[1] on x; labels for 5% of the samples``; `latent` formats a number."""
        supervised = ", ".join(f"{latent.format(number)} on {factor}" for factor, number in self.latents.items())
        paired = ", in pairs that differ only in these factors" if self.paired else ""
        return f"{supervised}; labels for {100 * self.share:.3g}% of the samples{paired}"


class Optimiser(StrictSection):
    """Adam, with the learning rate falling to `final` times its start along a half cosine."""

    lr: PositiveFloat = 5e-4
    final: float = Field(default=0.1, ge=0.0, le=1.0)
    over: Count | None = Field(
        default=None,
        description="Steps over which the learning rate falls, by default all steps. Training that ends before, with "
        "fewer `steps`, takes the same steps as a longer one up to there.",
    )


class TrainExecution(StrictSection):
    """Where training is run."""

    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="auto takes a GPU where there is one.")


class TrainLog(StrictSection):
    """What is written in addition to the table of the checkpoints, `log.csv`."""

    tensorboard: Flag = Field(default=False, description="The same numbers as TensorBoard's scalars.")


class TrainSpec(StrictSection):
    """A whole training spec, as a YAML file of `causalvae train` holds it."""

    spec: Literal["causalvae/train-v1"]
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)
    description: str = ""
    model: AnyArchitecture = Field(default_factory=lambda: ARCHITECTURE_TAG.read({}))
    data: AnyData = Field(default_factory=lambda: DATA_TAG.read({"source": "dsprites"}))
    held_out: Fraction | None = Field(
        default=None,
        lt=1.0,
        description="Share of the data that is not trained on and measures how well the network does on new data. By "
        "default a tenth of data in files, or of data so small that each sample is drawn ten times or more; otherwise "
        "nothing, because each batch is new.",
    )
    objective: AnyObjective
    supervision: Supervision | None = Field(
        default=None, description="Latents that are supervised on factors of the data."
    )
    optimiser: Optimiser = Optimiser()
    batch_size: Count = 64
    steps: Count
    checkpoint_every: Count = 1000
    seed: Seed = 0
    execution: TrainExecution = TrainExecution()
    log: TrainLog = TrainLog()

    @field_validator("objective")
    @classmethod
    def _of_the_architecture(cls, value: ObjectiveSection, info: ValidationInfo) -> ObjectiveSection:
        model = info.data.get("model")
        if model is not None and value.architecture != (model.kind if model.has_objective else None):
            owners = {kind.architecture: kind.kind for kind in OBJECTIVES.usable() if kind.architecture is not None}
            trained = ", ".join(f"{architecture} by {objective}" for architecture, objective in owners.items())
            raise PydanticCustomError(
                "apart",
                "the objective is {objective} and the architecture {architecture}",
                {
                    "objective": value.kind,
                    "architecture": model.kind,
                    "advice": f"Architectures with their own objective: {trained}. All other architectures use the "
                    "other objectives.",
                    "at": "name",
                },
            )
        return value

    @field_validator("data")
    @classmethod
    def _drawn_by_training(cls, value: DataSection) -> DataSection:
        for key in _OF_ANALYSES:
            if differs(value, key):
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
        objective = info.data.get("objective")
        if value is not None and objective is not None and not objective.takes_labels:
            raise PydanticCustomError(
                "unused_key",
                "The objective {objective} has no latents that can be supervised: delete the section.",
                {"objective": objective.kind},
            )
        return value

    @field_validator("batch_size")
    @classmethod
    def _large_enough(cls, value: int, info: ValidationInfo) -> int:
        objective = info.data.get("objective")
        if objective is not None and value < objective.least_batch:
            raise PydanticKnownError("greater_than_equal", {"ge": objective.least_batch})
        supervision = info.data.get("supervision")
        if supervision is not None and supervision.paired:
            if objective is not None and not objective.takes_pairs:
                raise PydanticCustomError(
                    "apart",
                    "the supervision is paired and the objective {objective}",
                    {
                        "objective": objective.kind,
                        "advice": "This objective splits its batch in two already: choose another one, or delete "
                        "`paired`.",
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
    def _of_the_data(cls, value: ObjectiveSection, info: ValidationInfo) -> ObjectiveSection:
        data = info.data.get("data")
        if data is not None and value.data not in (None, data.kind):
            raise PydanticCustomError(
                "apart",
                "the objective is {objective} and the data {source}",
                {
                    "objective": value.kind,
                    "source": data.kind,
                    "advice": value.data_advice,
                    "at": "name",
                },
            )
        return value

    @property
    def record(self) -> dict[str, Any]:
        """The spec as plain values, stored with the weights; validating it gives an equal spec."""
        values = self.model_dump(mode="json", exclude={"data": set(_OF_ANALYSES)})
        return values | {"model": self.model.record}

    @property
    def identity(self) -> dict[str, Any]:
        """The part of the spec that determines the weights, up to rounding."""
        return {key: value for key, value in self.record.items() if key not in ("description", "execution", "log")}
