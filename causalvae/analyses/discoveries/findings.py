"""What a discovery found."""

from __future__ import annotations

from dataclasses import dataclass

from causalvae.analyses.discoveries.communities import Modules
from causalvae.analyses.discoveries.curve import Curve
from causalvae.analyses.discoveries.motifs import Measured, Motifs
from causalvae.analyses.discoveries.section import CandidateKind, HeldAt, ScoreName
from causalvae.analyses.discoveries.stability import STABLE_FROM
from causalvae.circuits.types import Circuit, Part, Verdict
from causalvae.models.components import ComponentRef, EdgeRef


@dataclass(frozen=True)
class SearchResult:
    """The circuit that one score led to, on the pairs to search on.

    Parameters
    ----------
    score : str
    size : int
        Members.
    share, error : float
        f and D.
    """

    score: ScoreName
    size: int
    share: float
    error: float


@dataclass(frozen=True)
class Member:
    """A candidate of the found circuit, or one that was found on some half of the pairs.

    Parameters
    ----------
    component : ComponentRef or EdgeRef
    in_circuit : bool
    found_in : float or None
        The share of half-samples whose circuit has it; None where none were drawn.
    """

    component: Part
    in_circuit: bool
    found_in: float | None

    @property
    def is_stable(self) -> bool:
        """Whether it is found in at least 0.9 of the half-samples."""
        return self.found_in is not None and self.found_in >= STABLE_FROM


@dataclass(frozen=True)
class Equivalent:
    """A minimal circuit other than the found one.

    Parameters
    ----------
    circuit : tuple of ComponentRef or EdgeRef
    share : Measured
        f on the pairs to test on.
    error : float
        D on these.
    """

    circuit: Circuit
    share: Measured
    error: float


@dataclass(frozen=True)
class SiteCount:
    """How many of a site's candidates are in the circuit; of edges, how many of its nodes these join.

    Parameters
    ----------
    site : str
    members : int
    units : tuple of int
        The unit of each candidate; more than once where windows tell candidates apart.
    windows : tuple of tuple of (int, int)
        The window of each candidate; empty where none has one.
    """

    site: str
    members: int
    units: tuple[int, ...]
    windows: tuple[tuple[tuple[int, int], ...], ...] = ()

    @property
    def candidates(self) -> int:
        """Candidates."""
        return len(self.units)

    @property
    def refs(self) -> tuple[ComponentRef, ...]:
        """The candidates, one unit each."""
        windows = self.windows or ((),) * len(self.units)
        return tuple(ComponentRef(self.site, (unit,), window) for unit, window in zip(self.units, windows, strict=True))


@dataclass(frozen=True)
class EdgeCount:
    """How many of the edges from one site to another are in the circuit.

    Parameters
    ----------
    source : str or None
        None means the input.
    target : str or None
        None means the output.
    members, candidates : int
    """

    source: str | None
    target: str | None
    members: int
    candidates: int


@dataclass(frozen=True)
class Discovery:
    """The smallest circuit that was found, its test on other pairs, and how it works.

    Parameters
    ----------
    name, treatment, outcome : str
    candidates : {"latents", "channels", "units", "edges"}
    sites : tuple of SiteCount
        In network order.
    edges : tuple of EdgeCount
        Of circuits of edges.
    hold : {"interchange", "mean", "resample"}
    target : float
    pairs_searched, pairs_tested : int
    members : tuple of Member
        Of the circuit, in network order, then others that some half-samples found.
    halves : int
    searches : tuple of SearchResult
        One a score, the chosen one first.
    share, error : Measured
        f and D on the pairs to test on.
    past : Measured
        f of no candidate: what reaches the outcome past all of them.
    alone : Measured
        f of all candidates in the base run: what they carry without anything else.
    claimed : Measured or None
        The mediated share as a hypothesis measures it: the circuit's change in the base run, nothing held. Of edges as
        a mediation along them measures it; None where none measures the circuit.
    curve : Curve
    equivalents : tuple of Equivalent
        Minimal circuits other than the found one, the smallest first.
    equivalents_how : {"all", "swaps"}
    equivalents_to : int
        Of ``all``: up to which size every set was tried. Of ``swaps``: candidates that were tried in each member's
        place.
    motifs : Motifs
    motif_members : tuple of ComponentRef
        What the members of motifs stand for: those of the circuit, the strongest where they are many. Of edges all of
        these, and then the nodes that they join.
    modules : Modules or None
    verdict : Verdict or None
        None of an empty circuit, and until the circuits of a spec are judged together.
    rows : int
        Runs of one pair each.
    seconds : float
    """

    name: str
    treatment: str
    outcome: str
    candidates: CandidateKind
    sites: tuple[SiteCount, ...]
    edges: tuple[EdgeCount, ...]
    hold: HeldAt
    target: float
    pairs_searched: int
    pairs_tested: int
    members: tuple[Member, ...]
    halves: int
    searches: tuple[SearchResult, ...]
    share: Measured
    error: Measured
    past: Measured
    alone: Measured
    claimed: Measured | None
    curve: Curve
    equivalents: tuple[Equivalent, ...]
    equivalents_how: str
    equivalents_to: int
    motifs: Motifs
    motif_members: Circuit
    modules: Modules | None
    verdict: Verdict | None
    rows: int
    seconds: float

    @property
    def circuit(self) -> Circuit:
        """The members, one unit each."""
        return tuple(member.component for member in self.members if member.in_circuit)

    @property
    def total(self) -> int:
        """Number of candidates."""
        return sum(layer.candidates for layer in (self.edges or self.sites))

    @property
    def alike(self) -> int:
        """How many minimal circuits have as few members as the found one, itself included."""
        return 1 + sum(len(other.circuit) == len(self.circuit) for other in self.equivalents)

    @property
    def smaller(self) -> int:
        """How many minimal circuits have fewer members than the found one."""
        return sum(len(other.circuit) < len(self.circuit) for other in self.equivalents)

    @property
    def larger(self) -> int:
        """How many have more."""
        return sum(len(other.circuit) > len(self.circuit) for other in self.equivalents)

    @property
    def is_one_site(self) -> bool:
        """Whether all candidates are of one site: a hypothesis then measures what the search did."""
        return len(self.sites) == 1 and not self.edges


@dataclass(frozen=True)
class Discovered:
    """What a spec's `discoveries` found, in its order."""

    circuits: tuple[Discovery, ...]


def join_units(circuit: Circuit) -> Circuit:
    """The same with one component a site and window; edges stay as they are."""
    joined: dict[tuple[str, tuple[tuple[int, int], ...]], list[int]] = {}
    for part in circuit:
        if isinstance(part, EdgeRef):
            continue
        joined.setdefault((part.site, part.window), []).extend(part.units or ())
    return (
        *(ComponentRef(site, tuple(sorted(units)), window) for (site, window), units in joined.items()),
        *(part for part in circuit if isinstance(part, EdgeRef)),
    )
