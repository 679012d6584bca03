"""The spec's model section: which network, and how what it gives is to be read."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from causalvae.spec.section import Count, Number, Section


class PosteriorSection(Section):
    """How an encoder's output splits into means and log-variances."""

    layout: Literal["chunk", "interleaved"] = Field(
        default="chunk",
        description="chunk: all means, then all log-variances; interleaved: mean and log-variance by turns.",
    )


class ZooModel(Section):
    """A network and weights that this package ships."""

    source: Literal["zoo"]
    name: Literal["burgess", "mlp", "residual", "audio"] | None = Field(
        default=None, description="The architecture; the one that the weights were trained as where left out."
    )
    weights: str = Field(
        min_length=1,
        description="builtin://NAME for shipped weights, or a path of a safetensors file that `causalvae train` wrote.",
    )
    latent: Literal["mean", "sample"] = Field(
        default="mean", description="What the decoder receives: the posterior mean, or a sample with common noise."
    )


class CheckpointModel(Section):
    """A known network with the user's own weights, from a safetensors or a weights-only .pt file."""

    source: Literal["checkpoint"]
    name: Literal["burgess"] = Field(default="burgess", description="The architecture.")
    weights: str = Field(min_length=1, description="Path, relative to the spec file.")
    latent_dim: Count = Field(default=10, description="Number of latents of the network that wrote the weights.")
    posterior: PosteriorSection = PosteriorSection()
    latent: Literal["mean", "sample"] = Field(
        default="mean", description="What the decoder receives: the posterior mean, or a sample with common noise."
    )


class PosteriorReading(PosteriorSection):
    """How the output of any encoder is read as a diagonal Gaussian."""

    layout: Literal["chunk", "interleaved", "heads"] = Field(  # type: ignore[assignment]
        default="chunk",
        description="chunk: all means, then the rest; interleaved: by turns; heads: a tuple (mean, second).",
    )
    second: Literal["logvar", "var", "log_std"] = Field(
        default="logvar",
        description="What stands beside the means: log-variance, variance or log standard deviation.",
    )


class OutputSection(Section):
    """What the decoder's output is."""

    activation: Literal["none", "sigmoid", "tanh"] = Field(
        default="sigmoid", description="Turns what the decoder gives into the space of its inputs; none if it does so."
    )
    likelihood: Literal["bernoulli", "gaussian"] = "bernoulli"


class PythonModel(Section):
    """The user's own network, made by a function of theirs; runs only where code is allowed (--allow-code)."""

    source: Literal["python"]
    factory: str = Field(
        pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$",
        max_length=500,
        description="module:function that gives the network; modules beside the spec file are found as well.",
    )
    arguments: dict[str, Any] = Field(default={}, description="Keyword arguments of the function.")
    weights: str | None = Field(
        default=None, description="A safetensors or weights-only .pt file to read into what the function gives."
    )
    prefix: str = Field(default="", description="What the names of the weights begin with, to be left out.")
    encoder: str = Field(default="encoder", description="Where in the network the encoder is: a dotted path.")
    decoder: str = Field(default="decoder", description="Where in the network the decoder is: a dotted path.")
    latent_dim: Count = Field(description="Number of latents.")
    posterior: PosteriorReading = PosteriorReading()
    output: OutputSection = OutputSection()
    input_range: tuple[Number, Number] = Field(
        default=(0.0, 1.0), description="What the network's inputs range over; data ranges over [0, 1]."
    )
    latent: Literal["mean", "sample"] = Field(
        default="mean", description="What the decoder receives: the posterior mean, or a sample with common noise."
    )

    @property
    def name(self) -> str:
        """What the network is called in reports."""
        return self.factory


ModelSection = Annotated[ZooModel | CheckpointModel | PythonModel, Field(discriminator="source")]
