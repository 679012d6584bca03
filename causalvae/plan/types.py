"""The plan as a document: what is to be run, as plain frozen values with content hashes.

A plan has *cohorts* (sets of inputs), *arms* (one intervention on one side of a cohort) and *uses* (what an arm is
for).
Two uses of the same arm share it: an arm's identity is its content.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Literal

from causalvae.data.others import Others
from causalvae.data.split import SplitRule
from causalvae.digest import digest, digest_of_many, plain_fields
from causalvae.models.components import ComponentRef, EdgeRef
from causalvae.plan.owner import Owner
from causalvae.plan.targets import NOTHING, Target
from causalvae.spec.value_source import Side as Side
from causalvae.spec.value_source import ValueSource
from causalvae.text import html_table

ScreenMethod = Literal["attribution", "integrated_gradients"]

OBSERVED = "observed"

# Names of what a network gives that attributes are measured on.
OUTPUT, LATENT = "output", "latent"


@dataclass(frozen=True)
class Treatment:
    """Level 1: how a cohort's counterfactual inputs differ from its base inputs.

    Parameters
    ----------
    name : str
        The input intervention's name.
    factor : str or None
        The factor that is set; None swaps the whole sample for another.
    level : int or None
        The level it is set to; None draws another level for each pair.
    others : "hold", "propagate" or Release
        What happens to the factor's descendants in the data's structural model.
    contrast : {"increase", "as_drawn"}
        Whether pairs are ordered so that the factor rises.
    value : float or None
        The value that a continuous factor is set to; None draws another sample's for each pair.
    start_level : int or None
        The level that the base inputs are set to: a declared contrast.
    start_value : float or None
        The same of a continuous factor.
    """

    name: str
    factor: str | None
    level: int | None
    others: Others
    contrast: Literal["increase", "as_drawn"]
    value: float | None = None
    start_level: int | None = None
    start_value: float | None = None

    @property
    def is_declared(self) -> bool:
        """Whether both sides are set, so that effects have the sign of the contrast as it is written."""
        return self.start_level is not None or self.start_value is not None


@dataclass(frozen=True)
class Cohort:
    """A set of inputs: samples of the data (`treatment` is None), or counterfactual pairs."""

    name: str
    samples: int
    seed: int
    treatment: Treatment | None = None


@dataclass(frozen=True)
class Learning:
    """How the directions of a subspace are learned: by interchanges on pairs of their own.

    Parameters
    ----------
    objective : str
        What an interchange must bring to its counterfactual: ``image``, or an attribute.
    pairs : int
        Pairs that it is learned on.
    steps : int
        Of each search.
    restarts : int
        Searches from random directions, in addition to the one that begins with the principal directions of the change.
    seed : int
        Of these pairs, their donors, the random directions and the order of the steps.
    given : str or None
        The factor whose counterfactual value the donor of an interchange has; None where pairs are their own donors.
    period : float or None
        The objective's, where it lies on a circle.
    """

    objective: str
    pairs: int
    steps: int
    restarts: int
    seed: int
    given: str | None = None
    period: float | None = None


@dataclass(frozen=True)
class Subspace:
    """A linear subspace of a site's chosen units: `dim` orthonormal directions, drawn with `seed` or learned.

    A patch through a subspace moves the value only within it: a + P (source - a); through its `complement`, only
    outside it: a + (I - P) (source - a).
    """

    dim: int
    seed: int
    learned: Learning | None = None
    complement: bool = False


@dataclass(frozen=True)
class Patch:
    """One site of an arm: which units take which value.

    Parameters
    ----------
    site : str
        Canonical site name, as `ComponentMap` lists it.
    units : tuple of int or None
        Positions along the site's first axis; None means all.
    window : tuple of (int, int)
        Half-open ranges along the further axes; empty means all.
    source : ValueSource
        Where the value comes from.
    subspace : Subspace, optional
        Patch only within a subspace of the chosen units.
    """

    site: str
    units: tuple[int, ...] | None
    source: ValueSource
    window: tuple[tuple[int, int], ...] = ()
    subspace: Subspace | None = None

    def meets(self, other: Patch) -> bool:
        """Whether two patches of one value share a position."""
        if self.units is not None and other.units is not None and not set(self.units) & set(other.units):
            return False
        windows = zip(self.window, other.window, strict=False)
        return all(max(here[0], there[0]) < min(here[1], there[1]) for here, there in windows)


@dataclass(frozen=True)
class Arm:
    """An intervention on one side of a cohort: the first `pairs` inputs are run with all `patches` in place.

    An arm without patches is the clean run of that side.
    """

    cohort: str
    side: Side
    patches: tuple[Patch, ...]
    pairs: int

    @cached_property
    def id(self) -> str:
        """Content hash: equal for equal arms."""
        return digest(plain_fields(self))


Role = Literal[
    "base",
    "counterfactual",
    "sufficiency",
    "necessity",
    "controlled",
    "perturbation",
    "sweep",
    "rival",
    "part",
    "single",
    "subset",
    "variant",
    "treated",
]


@dataclass(frozen=True)
class Use:
    """What an arm is for.

    Parameters
    ----------
    owner : Owner
        Who asked for it.
    role : str
        ``base`` Y(x); ``counterfactual`` Y(x'); ``sufficiency`` Y(x; c <- c(x')); ``necessity`` Y(x'; c <- c(x));
        ``controlled`` Y(x; c <- m) at index 0 and Y(x'; c <- m) at index 1, m one value for both;
        ``perturbation`` a level-2 arm; ``sweep`` one component of a level-3 intervention; ``rival`` another circuit of
        the hypothesised one's size, ``part`` the hypothesised one without some of its members, ``single`` one unit of
        its sites, ``subset`` any set of units or members, each patched from the other side on the arm's side;
        ``variant`` the hypothesised circuit patched in another way, on fewer pairs, or a mediator and its subspaces
        patched from donors; ``treated`` a run of an analysis with patches of its own.
    arm : str
        The arm's id.
    component : Target
        What is patched; `NOTHING` for clean runs.
    granularity : str
        unit, channel, layer, set or subspace; empty for clean runs.
    index : int
        Position among the owner's uses of the same role.
    """

    owner: Owner
    role: Role
    arm: str
    component: Target = NOTHING
    granularity: str = ""
    index: int = 0


RivalKind = Literal["every", "same_size", "random", "none"]
Enumerated = Literal["", "sites", "members"]
NoRivals = Literal["", "not_asked", "whole_site", "no_other"]


@dataclass(frozen=True)
class ClaimDesign:
    """What a hypothesised circuit is, and what it is compared with.

    Parameters
    ----------
    circuit : tuple of ComponentRef or EdgeRef
        As the spec writes it, resolved; edges where they were found and are not written in a spec.
    members : tuple of ComponentRef or EdgeRef
        Its parts that are taken away one at a time; fewer than two where there is nothing to take away, or too much.
    subsets : bool
        Whether every proper subset of the members is run.
    rivals : {"every", "same_size", "random", "none"}
        ``every`` other set of at most as many units at each site, ``same_size`` every other set of as many, ``random``
        ones of as many, or ``none``.
    why_none : str
        ``not_asked``; ``whole_site``: the circuit takes every one of its sites whole; ``no_other``: no other unit of
        its sites does anything.
    seed : int
        Of random circuits.
    enumerated : {"", "sites", "members"}
        Whose every set is run as ``subset``: all units of the circuit's sites, or its members where these are more than
        ``part`` uses cover.
    """

    circuit: tuple[ComponentRef | EdgeRef, ...]
    members: tuple[ComponentRef | EdgeRef, ...] = ()
    subsets: bool = False
    rivals: RivalKind = "none"
    why_none: NoRivals = "not_asked"
    seed: int = 0
    enumerated: Enumerated = ""


@dataclass(frozen=True)
class Traversal:
    """Level 2 as a picture: one latent swept over quantiles of the aggregate posterior for one observed sample."""

    latent: int
    label: str
    quantiles: tuple[float, ...]
    sample: int


@dataclass(frozen=True)
class Contrast:
    """What is read of the data themselves for one factor, next to what the network makes of them.

    On the first `pairs` pairs of a cohort: every attribute on both inputs, each of the `released` factors where it
    alone follows the factor that is set, and the factors of the donors of ``randomised`` or ``resample`` patches.

    Parameters
    ----------
    cohort, factor : str
    pairs : int
    released : tuple of str
        The other declared factors.
    undeclared : tuple of str
        Variables that the graph does not declare: these follow in every case.
    donors : ValueSource or None
        Whose donors are listed.
    """

    cohort: str
    factor: str
    pairs: int
    released: tuple[str, ...]
    undeclared: tuple[str, ...] = ()
    donors: ValueSource | None = None


@dataclass(frozen=True)
class Screen:
    """First-order screening of a sweep on one side: all its components are ranked, and only some are run exactly.

    Parameters
    ----------
    owner : Owner
        The sweep's; the candidates are its ``sweep`` uses on `side`.
    side : str
    outcome : str
        What components are ranked by their effect on: an attribute, or ``image``.
    method : {"attribution", "integrated_gradients"}
    steps : int
        Points of the line that gradients are averaged along; 1 for ``attribution``.
    kept : int
        How many of the best are run exactly.
    checked : int
        How many of the rest, drawn at random, are run exactly as well.
    seed : int
        Of that draw, and of the directions that the image is projected on.
    """

    owner: Owner
    side: Side
    outcome: str
    method: ScreenMethod
    steps: int
    kept: int
    checked: int
    seed: int


@dataclass(frozen=True)
class Controls:
    """What a run is checked with, in addition to the arms that answer its spec.

    Parameters
    ----------
    exact : tuple of Arm
        On the first pairs of the first cohort with a treatment: every patched site, and its first unit alone, with its
        own value; then the latent with the other side's value. Outputs must equal clean ones exactly, so none of
        their rows is skipped as dead.
    copy : Plan or None
        The claims and the latent perturbations on a copy of the network with random weights, on fewer pairs.
    """

    exact: tuple[Arm, ...] = ()
    copy: Plan | None = None


@dataclass(frozen=True)
class PassRecord:
    """What an optimiser pass did: rows to run, forward-pass equivalents, FLOPs and bytes, before and after."""

    name: str
    rows_before: int
    rows_after: int
    forwards_before: float
    forwards_after: float
    note: str = ""
    flops_before: float = 0.0
    flops_after: float = 0.0
    bytes_before: float = 0.0
    bytes_after: float = 0.0


@dataclass(frozen=True)
class Options:
    """How the engine runs a plan: what passes let it omit, and the precision that the spec asks for.

    Parameters
    ----------
    rerun : {"full", "suffix"}
        Whether an arm re-runs the whole network or what lies downstream of its patches.
    skip_dead_rows : bool
        Omit rows whose patched value equals the clean one.
    low_rank : bool
        Let a patch of a few units enter the next linear operation as a difference of these units.
    windows : bool
        Compute only the part of an image-shaped value that a patch can reach.
    stop : bool
        Compute nothing after the last value that an attribute is measured on.
    pack : bool
        Let the engine choose batch and shard sizes by the memory that it finds.
    precision : {"float32", "tf32", "bf16"}
        Of the network.
    """

    rerun: Literal["full", "suffix"] = "full"
    skip_dead_rows: bool = False
    low_rank: bool = False
    windows: bool = False
    stop: bool = False
    pack: bool = False
    precision: Literal["float32", "tf32", "bf16"] = "float32"


@dataclass(frozen=True)
class Plan:
    """A compiled spec: everything that the engine needs in addition to the model and the data.

    Parameters
    ----------
    name : str
        The spec's name.
    spec_digest, model_digest : str
        What it was compiled from.
    cohorts, arms, uses, traversals
        What to run; see their types.
    attributes : tuple of str
        Attributes measured on every arm's output or latent.
    latent_attributes : dict
        Those that are latents -> which.
    screens : tuple of Screen
        Sweeps of which only some arms are run, which ones being known only once gradients are.
    shard_pairs : int
        Pairs that are run and written together.
    batch_rows : int
        Rows that are run at once.
    auto_rows : bool
        Whether the engine may choose how many rows are run at once; else it obeys `batch_rows`.
    memory : int or None
        Bytes that a run may hold; None leaves it to the engine.
    options : Options
    passes : tuple of PassRecord
        What each pass did, in order.
    measures : str
        Content hash of where inputs come from and of how each attribute is measured.
    captured_by : str
        What captured the network, and why nothing better did; no part of the digest.
    compared : dict
        Name of a latent perturbation -> the sites at which its activation changes are compared.
    split : SplitRule or None
        How finite data are divided into samples to fit, to select and to test on; None takes all for everything.
    contrasts : tuple of Contrast
        What is read of the data themselves.
    claims : dict
        Name of a hypothesis -> what its circuit is compared with.
    asked : dict
        Name of a cohort -> samples or pairs that are asked for; finite data may have fewer. No part of the digest.
    controls : Controls
        They follow from the rest and are no part of the digest.
    """

    name: str
    spec_digest: str
    model_digest: str
    cohorts: tuple[Cohort, ...]
    arms: tuple[Arm, ...]
    uses: tuple[Use, ...]
    attributes: tuple[str, ...]
    traversals: tuple[Traversal, ...] = ()
    shard_pairs: int = 64
    batch_rows: int = 64
    seed: int = 0
    options: Options = Options()
    passes: tuple[PassRecord, ...] = ()
    latent_attributes: dict[str, int] = field(default_factory=dict)
    screens: tuple[Screen, ...] = ()
    auto_rows: bool = False
    memory: int | None = None
    measures: str = ""
    captured_by: str = "torch.export"
    compared: dict[str, tuple[str, ...]] = field(default_factory=dict)
    split: SplitRule | None = None
    contrasts: tuple[Contrast, ...] = ()
    claims: dict[str, ClaimDesign] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)
    controls: Controls = Controls()

    def __repr__(self) -> str:
        return f"Plan({self.name!r}: {len(self.cohorts)} cohorts, {len(self.arms):,} arms)"

    def _repr_html_(self) -> str:
        """What a notebook shows: each cohort, with its arms and rows."""
        rows = [
            (cohort.name, f"{cohort.samples:,}", f"{len(arms):,}", f"{sum(arm.pairs for arm in arms):,}")
            for cohort in self.cohorts
            for arms in [[arm for arm in self.arms if arm.cohort == cohort.name]]
        ]
        return html_table(f"Plan of {self.name}", rows, ("Cohort", "Samples", "Arms", "Rows"))

    @property
    def outputs(self) -> tuple[str, ...]:
        """What the network must be run for: the latent where an attribute is one, the output unless runs stop there."""
        on_output = len(self.latent_attributes) < len(self.attributes) or not self.options.stop
        return (*((LATENT,) if self.latent_attributes else ()), *((OUTPUT,) if on_output else ()))

    @cached_property
    def digest(self) -> str:
        """Content hash of all but pass records, controls, what captured the network, and samples that are not there."""
        left_out = {"passes", "captured_by", "asked", "controls", *(() if self.compared else ("compared",))}
        return digest_of_many(
            {field.name: getattr(self, field.name) for field in fields(self) if field.name not in left_out}
        )

    @cached_property
    def tables_digest(self) -> str:
        """Content hash of all that decides what is in the tables.

        What arms are for is no part of it, unless a screen chooses among them by that; nor are names and labels, nor
        how many rows are run at once. Plans of specs that differ in claims, bounds or statistics share their tables.
        """
        arms = tuple({arm.id: arm for arm in self.arms}.values())
        screened = [(str(use.owner), use.role, use.arm, use.index) for use in self.uses] if self.screens else []
        return digest_of_many(
            {
                "model": self.model_digest,
                "measures": self.measures,
                "cohorts": self.cohorts,
                "split": self.split,
                "arms": arms,
                "attributes": self.attributes,
                "latent_attributes": self.latent_attributes,
                "traversals": [(strip.latent, strip.quantiles, strip.sample) for strip in self.traversals],
                "screens": self.screens,
                "screened": screened,
                "contrasts": self.contrasts,
                "seed": self.seed,
                "options": {name: value for name, value in plain_fields(self.options).items() if name != "pack"},
            }
        )

    def cohort(self, name: str) -> Cohort:
        """The cohort called `name`; raises `KeyError` where there is none."""
        for cohort in self.cohorts:
            if cohort.name == name:
                return cohort
        raise KeyError(name)

    def uses_of(self, owner: Owner, role: Role | None = None) -> tuple[Use, ...]:
        """The uses of `owner`, of one role if given, in order."""
        return tuple(use for use in self._uses_by_owner.get(owner, ()) if role in (None, use.role))

    @cached_property
    def _uses_by_owner(self) -> dict[Owner, list[Use]]:
        found: dict[Owner, list[Use]] = {}
        for use in self.uses:
            found.setdefault(use.owner, []).append(use)
        return found

    def candidates(self, screen: Screen) -> tuple[Use, ...]:
        """The uses that a screen ranks, in the sweep's order."""
        sides = {arm.id: arm.side for arm in self.arms}
        return tuple(use for use in self.uses_of(screen.owner, "sweep") if sides[use.arm] == screen.side)
