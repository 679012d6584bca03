"""Where the value that is put in place of a component comes from. Each kind is a file of `causalvae.values`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, NamedTuple, Self

from causalvae.spec.diagnostics import Finding, Path
from causalvae.spec.markers import Choice
from causalvae.spec.registry import Kind, Registry

if TYPE_CHECKING:
    from torch import Tensor

    from causalvae.engine.fitting import FitPairs
    from causalvae.engine.values import SiteRuns
    from causalvae.plan.types import Arm, Patch
    from causalvae.spec.draft import Draft

Side = Literal["base", "counterfactual"]
OTHER: Final[dict[Side, Side]] = {"base": "counterfactual", "counterfactual": "base"}

# What the engine gathers of a site before arms are run: its mean over the base side of their cohort; its sorted values,
# or its mean and standard deviation, over the observed cohort.
Need = Literal["mean", "values", "moments"]
# The keys of a spec that may name a kind: of an activation, a latent and a mediation intervention.
Key = Literal["mode", "values", "control"]


class DonorKey(NamedTuple):
    """What tells the donors of one source from another's: its seed, and the factor that they share with which side.

    `crossed` donors stand in for the other side of their pair, which serves itself where they are none. In `imposed`
    donors the factor has been set to what it is on `side`.
    """

    seed: int
    given: str | None
    side: Side
    crossed: bool = False
    imposed: bool = False


@dataclass(frozen=True)
class ValueSource(Kind):
    """Where a patched value comes from, as a plan holds it.

    A kind may add fields by ``@dataclass(frozen=True)``; all fields are part of an arm's identity.

    Parameters
    ----------
    value : float or None
        The number that the kind takes.
    seed : int or None
        Of what is drawn; sources that draw nothing have none and stay equal under another seed.
    given : str or None
        The factor that donors share.
    joint : str or None
        Names what is patched together, where a constant is searched for that alone.
    upstream : tuple of Patch
        Patches of the run that the value is read in.

    Attributes
    ----------
    keys : tuple of str
        The keys of a spec that may name the kind: ``mode``, ``values``, ``control``.
    settings : type or None
        What may stand behind the name, as in ``mode: {noise: 0.5}``, in pydantic's terms; None where nothing may.
    held : str
        What a report says of mediators that are held at it; ``{0}`` is the number.
    draws : bool
        Whether it has the seed of the run.
    needs : tuple of str
        What must be gathered of a site: ``mean``, ``values``, ``moments``.
    estimates : str
        What of it is estimated from other samples, in words; empty where nothing is, or where the kind's name says it.
    is_fitted : bool
        Whether `fit` is called, on pairs of their own.
    is_searched : bool
        Whether that is a search with gradients, for all that is patched together.
    is_exchanged : bool
        Whether it is the value of the pair's other side: denoising and noising are then the words for its two sides.
    from_input : bool
        Whether it is the value that another input gives, so that there is a line between the inputs.
    per_unit : bool
        Whether each position of a map would have a value of its own, so that it is for latents and vectors only.
    is_drawn : bool
        Whether it is a draw of the aggregate posterior of a latent, where donors share nothing.
    """

    must_define: ClassVar[tuple[str, ...]] = ("compute",)

    keys: ClassVar[tuple[Key, ...]] = ()
    settings: ClassVar[Any] = None
    held: ClassVar[str] = "mediators held at one value"
    draws: ClassVar[bool] = False
    needs: ClassVar[tuple[Need, ...]] = ()
    estimates: ClassVar[str] = ""
    is_fitted: ClassVar[bool] = False
    is_searched: ClassVar[bool] = False
    is_exchanged: ClassVar[bool] = False
    from_input: ClassVar[bool] = False
    per_unit: ClassVar[bool] = False
    is_drawn: ClassVar[bool] = False

    if not TYPE_CHECKING:
        # A field at run time, so that `asdict` and with it the identity of an arm has it. A kind sets it by plain
        # assignment: an annotation with ClassVar in a class that is decorated again would take the field away.
        kind: str = field(default="", init=False, repr=False)
    value: float | None = None
    seed: int | None = None
    given: str | None = None
    joint: str | None = None
    upstream: tuple[Patch, ...] = ()

    @classmethod
    def written(cls, settings: Any, seed: int) -> Self:
        """The source that a spec names: from what stands behind its name, or None, and from the run's seed."""
        return cls(settings, seed if cls.draws else None)

    @classmethod
    def findings(cls, draft: Draft, settings: Any, path: Path) -> list[Finding]:
        """What is wrong with the settings at `path`."""
        return []

    @property
    def label(self) -> str:
        """What a reader is told of it."""
        return self.kind.replace("_", " ") + ("" if self.given is None else f" given {self.given}")

    def label_of(self, values: str) -> str:
        """What a reader is told of several sources of the kind, with the numbers `values`."""
        return self.label

    @property
    def level(self) -> float | None:
        """The quantile of a latent's aggregate posterior that it is; None where it is none."""
        return None

    @property
    def number(self) -> float:
        """The number that the kind takes; raises `ValueError` where there is none."""
        if self.value is None:
            raise ValueError(f"a {self.kind} source needs a value")
        return self.value

    def donor_key(self, side: Side) -> DonorKey | None:
        """Which other pairs' runs a patch on `side` takes its values from; None where they come from no other pair."""
        return None

    @property
    def has_donors(self) -> bool:
        """Whether values come from the runs of other pairs."""
        return self.donor_key("base") is not None

    def compute(self, runs: SiteRuns) -> Tensor:
        """The value for every row of a shard: (rows, *site_shape).

        It must not depend on how many rows there are. What is drawn for a pair depends on the seed, the pair and the
        site alone (`SiteRuns.draw`).
        """
        raise NotImplementedError

    def fit(self, patch: Patch, arm: Arm, pairs: FitPairs) -> list[tuple[Patch, Tensor]]:
        """What is fitted for a patch of an arm: the patches that this settles, each with a tensor (1, *site_shape)."""
        raise NotImplementedError


VALUES: Final = Registry(ValueSource, "causalvae.values", "causalvae.values", "value source")


def source_of(choice: Choice, seed: int) -> ValueSource:
    """The source that a spec chooses; `seed` is the run's, which only sources that draw have."""
    return VALUES.get(choice.name).written(choice.settings, seed)


def make_source(
    kind: str, value: float | None = None, seed: int | None = None, given: str | None = None,
    upstream: tuple[Patch, ...] = (),
) -> ValueSource:  # fmt: skip
    """A source of one of the kinds; raises `KeyError` where there is none of that name."""
    return VALUES.get(kind)(value, seed, given, upstream=upstream)


def values_label(sources: Iterable[ValueSource]) -> str:
    """What a reader is told of the values that a latent perturbation sets each component to, in turn."""
    listed = tuple(dict.fromkeys(sources))
    return listed[0].label_of(", ".join(f"{source.value:g}" for source in listed if source.value is not None))
