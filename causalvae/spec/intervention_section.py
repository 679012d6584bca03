"""The spec's interventions, a class for each level: input manipulation, latent perturbation, patching, mediation."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator
from pydantic_core import PydanticCustomError

from causalvae.spec.markers import Choice, Named, Short
from causalvae.spec.section import (
    ComponentRef,
    Fraction,
    Index,
    Level,
    ModestCount,
    Name,
    Number,
    PairCount,
    Section,
)
from causalvae.spec.value_source import VALUES, ValueSource

Stage = Annotated[tuple[ComponentRef, ...], Field(min_length=1)]
RouteEdge = Annotated[str, Field(max_length=1100, pattern=r"^\s*[^\s>][^>]*->\s*[^\s>][^>]*$")]
_WAYS = ("mediators", "path", "edges")
PositiveNumber = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]


class SetTo(Section):
    """Set a factor to one value: a physical value, or the label of a categorical level.

    With `from` the base inputs are set too, to that value: a declared contrast, whose effects have a sign.
    """

    to: Number | str
    start: Number | str | None = Field(default=None, alias="from", description="What the base inputs are set to.")


class ReleaseSection(Section):
    """Let some of the set factor's descendants follow it, and hold all others."""

    release: Name | Annotated[tuple[Name, ...], Field(min_length=1)] = Field(
        description="A variable of the data, or a list of them."
    )

    @property
    def names(self) -> tuple[str, ...]:
        """The variables that follow."""
        return (self.release,) if isinstance(self.release, str) else self.release


class InputIntervention(Section):
    """Level 1: change a factor of the input."""

    factor: Name | None = Field(default=None, description="The factor that is set; left out with `set: swap`.")
    set: Literal["resample", "swap"] | SetTo = Field(
        default="resample",
        description=(
            "resample draws another level for each pair; {to: VALUE} sets one level; {from: VALUE, to: VALUE} sets the "
            "base inputs as well, so that the effect is that of a declared contrast; swap puts another sample in the "
            "place of each, which needs no factors."
        ),
    )
    others: Literal["hold", "propagate"] | ReleaseSection = Field(
        default="hold",
        description=(
            "What happens to the factor's descendants in the data's structural model: hold keeps them, propagate "
            "computes them again, {release: b} computes b alone again, which shows the direct effect on b."
        ),
    )
    contrast: Literal["increase", "as_drawn"] | None = Field(
        default=None,
        description=(
            "increase orders each pair so that the factor rises from base to counterfactual (the default for an "
            "ordinal or continuous factor that is resampled); as_drawn keeps the order of drawing (the default "
            "otherwise)."
        ),
    )

    @model_validator(mode="after")
    def _factor_or_swap(self) -> InputIntervention:
        if self.set == "swap" and (self.factor is not None or self.contrast == "increase"):
            raise PydanticCustomError(
                "apart",
                "`set: swap` swaps whole samples: it has no factor and no order",
                {"advice": "Leave out `factor` and `contrast`, or write `set: resample` or `set: {to: VALUE}`."},
            )
        if self.set != "swap" and self.factor is None:
            raise PydanticCustomError(
                "apart",
                "an input intervention sets a factor, and none is named",
                {"advice": "Name the `factor` to set, or write `set: swap` to swap whole samples."},
            )
        return self


class LatentValues(Section):
    """Values for a latent perturbation: quantiles of the aggregate posterior, offsets in its sd, or numbers.

    Of the codes of a VQ-VAE, which have none of these, other codes.
    """

    quantiles: tuple[Fraction, ...] | None = Field(
        default=None, min_length=1, description="Quantiles of the values that the latent takes over the data."
    )
    sd: tuple[Number, ...] | None = Field(
        default=None, min_length=1, description="Its own value, moved by so many standard deviations over the data."
    )
    at: tuple[Number, ...] | None = Field(
        default=None, min_length=1, description="These values, in the latent's own units, such as [-1, 1]."
    )
    codes: Literal["swap", "frequency"] | None = Field(
        default=None,
        description="swap puts another code, any alike, in the place of each; frequency draws codes by how often they "
        "are taken.",
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> LatentValues:
        given = [name for name in ("quantiles", "sd", "at", "codes") if getattr(self, name) is not None]
        if len(given) != 1:
            raise PydanticCustomError(
                "one_of",
                "give exactly one of quantiles, sd, at, codes",
                {"given": " and ".join(given) or "none", "choices": "quantiles, sd, at, codes"},
            )
        return self

    @model_serializer(mode="wrap")
    def _leave_out(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # A spec without `at` keeps the digest that it had before this key existed.
        written: dict[str, Any] = write(self)
        return {key: value for key, value in written.items() if key != "at" or value is not None}

    @property
    def choices(self) -> tuple[Choice, ...]:
        """The kind and number of each value, in turn."""
        if self.codes is not None:
            return (Choice(f"code_{self.codes}"),)
        listed = (("quantile", self.quantiles), ("sd", self.sd), ("constant", self.at))
        return tuple(Choice(kind, value) for kind, values in listed for value in values or ())


class LatentIntervention(Section):
    """Level 2: set latents to values."""

    components: ComponentRef | tuple[ComponentRef, ...]
    # From left to right, so that no kind is imported where none is named.
    values: LatentValues | Annotated[str, Named(VALUES, lambda kind: "values" in kind.keys)] = Field(
        default=LatentValues(quantiles=(0.05, 0.25, 0.75, 0.95)), union_mode="left_to_right"
    )
    pairs: PairCount | None = Field(default=None, description="Use only this many samples; at least 2.")
    layers: tuple[ComponentRef, ...] | None = Field(
        default=None,
        min_length=1,
        description="Layers of the decoder at which the changes that latents cause are compared, for modularity; its "
        "first two where left out.",
    )

    @property
    def choices(self) -> tuple[Choice, ...]:
        """The kind and number of each value, in turn."""
        return (Choice(self.values),) if isinstance(self.values, str) else self.values.choices


class ScreenSection(Section):
    """First-order screening: rank all components of a sweep by gradients, and run only the best of them exactly."""

    keep: Level = Field(default=0.1, description="Share of the components, best first, that is run exactly.")
    method: Literal["attribution", "integrated_gradients"] = Field(
        default="attribution",
        description=(
            "attribution: the gradient at the clean input; integrated_gradients: its mean along the straight line "
            "to the input that gives the values."
        ),
    )
    steps: ModestCount | None = Field(
        default=None, description="Points of that line, for integrated_gradients; 8 where it is left out."
    )
    check: ModestCount = Field(
        default=64,
        description="Components drawn at random from those not kept and run exactly, to measure the screen's recall.",
    )
    outcome: Name = Field(
        default="image", description="What components are ranked by their effect on: an attribute, or the image."
    )


class ActivationIntervention(Section):
    """Level 3: patch activations."""

    components: ComponentRef | tuple[ComponentRef, ...]
    by: Literal["unit", "channel", "layer", "set"] = Field(default="channel", description="What is patched at a time.")
    source: Name = Field(alias="from", description="The input intervention whose counterfactual gives the values.")
    mode: Annotated[Choice, Short(VALUES, lambda kind: "mode" in kind.keys)] = Field(
        default="interchange",
        validate_default=True,
        description=(
            "Where the patched value comes from: the other side of the pair; the mean; another pair; zero; its own "
            "value with noise of one standard deviation; its own value plus the mean difference of the sides; the "
            "constant that changes the output least. The last two are fitted on pairs that serve nothing else."
        ),
    )
    direction: Literal["denoising", "noising", "both"] = Field(
        default="denoising",
        description="denoising patches the base run from the counterfactual; noising the other way round.",
    )
    pairs: PairCount | None = Field(default=None, description="Use only this many pairs; at least 2.")
    screen: ScreenSection | None = Field(
        default=None, description="Run only the components exactly that rank best to first order; all where left out."
    )

    @property
    def kind(self) -> type[ValueSource]:
        """The kind that the mode names."""
        return VALUES.get(self.mode.name)


class HeldValue(Section):
    """The one value that mediators are held at: a quantile of their values over observed samples, or a number."""

    quantile: Fraction | None = None
    value: Number | None = Field(default=None, description="The same number for every unit.")

    @model_validator(mode="after")
    def _exactly_one(self) -> HeldValue:
        if (self.quantile is None) == (self.value is None):
            raise PydanticCustomError(
                "apart",
                "mediators are held at one value: a quantile of theirs, or a number",
                {"advice": "Write `control: {quantile: 0.5}` or `control: {value: 0.0}`; or mean, or zero."},
            )
        return self

    @property
    def choice(self) -> Choice:
        """The kind and its number."""
        return Choice("constant", self.value) if self.quantile is None else Choice("quantile", self.quantile)


class SubspaceSection(Section):
    """Directions among the mediators' units that are learned by interchanges: distributed alignment search."""

    dim: ModestCount = Field(default=1, description="How many directions; fewer than the mediators have units.")
    objective: Name = Field(
        default="image",
        description=(
            "What interchanges are to bring to its counterfactual, to be differentiated: the image, or an attribute."
        ),
    )
    learned_on: PairCount = Field(
        default=256, description="Pairs that the directions are learned on; they serve nothing else. At least 2."
    )
    steps: ModestCount = Field(default=200, description="Of each search, on 64 pairs at a time.")
    restarts: Index = Field(
        default=1, description="Searches from random directions, besides one from the principal directions of change."
    )
    tolerance: PositiveNumber = Field(
        default=0.1,
        description=(
            "An interchange counts as right where the outcome is as near its counterfactual value as this part of the "
            "outcome's standard deviation."
        ),
    )


class MediationIntervention(Section):
    """Level 4: split the effect of a treatment at a set of mediators, or at a path through the network."""

    treatment: Name = Field(description="An input intervention.")
    mediators: tuple[ComponentRef, ...] | None = Field(default=None, min_length=1)
    path: tuple[ComponentRef | Stage, ...] | None = Field(
        default=None,
        min_length=1,
        description=(
            "Components that a change is sent through, one after the other, and through nothing else: each sees only "
            "what the one before sends. A list within the list is a set that is passed together."
        ),
    )
    edges: tuple[RouteEdge, ...] | None = Field(
        default=None,
        min_length=1,
        description=(
            "The edges along which a change is sent, as A -> B, where A may be input and B output: a path that parts "
            "and meets again."
        ),
    )
    outcomes: tuple[Name, ...] = Field(
        min_length=1, description="Attributes, vectors of them as declared in `graph.vectors`, or image."
    )
    control: HeldValue | Annotated[str, Named(VALUES, lambda kind: "control" in kind.keys)] | None = Field(
        default=None,
        union_mode="left_to_right",
        description=(
            "Give the controlled direct effect too, with the mediators held at this value for both inputs: mean, their "
            "mean over the base inputs; zero; {quantile: Q} of their values over observed samples; {value: V}."
        ),
    )
    pairs: PairCount | None = Field(default=None, description="Use only this many pairs; at least 2.")
    subspace: SubspaceSection | None = Field(
        default=None,
        description=(
            "Patch through directions of the mediators that are learned, beside all of the mediators, the other "
            "directions, and as many random ones."
        ),
    )

    @property
    def held(self) -> Choice | None:
        """What mediators are held at; None where they are not."""
        if isinstance(self.control, HeldValue):
            return self.control.choice
        return None if self.control is None else Choice(self.control)

    @model_validator(mode="after")
    def _exactly_one(self) -> MediationIntervention:
        given = [name for name in _WAYS if getattr(self, name) is not None]
        if len(given) != 1:
            raise PydanticCustomError(
                "one_of",
                "give exactly one of mediators, path, edges",
                {"given": " and ".join(given) or "none", "choices": ", ".join(_WAYS)},
            )
        for key in ("control", "subspace"):
            if getattr(self, key) is not None and self.mediators is None:
                raise PydanticCustomError(
                    "apart",
                    "{key} is of mediators, and along a path or edges there are none",
                    {"key": key, "advice": f"Delete `{key}`, or write `mediators`."},
                )
        return self


class Intervention(Section):
    """A named intervention of exactly one level."""

    name: Name
    input: InputIntervention | None = None
    latent: LatentIntervention | None = None
    activation: ActivationIntervention | None = None
    mediation: MediationIntervention | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Intervention:
        levels = ("input", "latent", "activation", "mediation")
        given = [level for level in levels if getattr(self, level) is not None]
        if len(given) != 1:
            raise PydanticCustomError(
                "one_of",
                "give exactly one of input, latent, activation, mediation",
                {"given": " and ".join(given) or "none"},
            )
        return self

    @property
    def choices(self) -> tuple[Choice, ...]:
        """Where it takes patched values from, as far as the spec says it."""
        if self.latent is not None:
            return self.latent.choices
        if self.activation is not None:
            return (self.activation.mode,)
        held = None if self.mediation is None else self.mediation.held
        return () if held is None else (held,)
