"""How far data, network and mapping agree with the declared graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from causalvae.effects.dowhy.relabelling import Relabelling

GraphStatus = Literal["present", "absent", "missing", "undeclared", "reversed", "undecided", "untested"]
LinkStatus = Literal["kept", "none", "lost", "added", "undecided", "untested"]
PairStatus = Literal["supported", "absent", "missing", "spurious", "undecided", "untested"]
Basis = Literal["intervention", "association", "network"]
Edge = tuple[str, str]
TestedOn = Literal["data", "network"]
IndependenceResult = Literal["independent", "dependent", "undecided"]


@dataclass(frozen=True)
class Effect:
    """Root mean square change of a node, in its standard deviations over the data.

    Parameters
    ----------
    value, lower, upper : float
        With the bootstrap interval over pairs.
    p_present, p_absent : float
        Corrected p-values against an effect of at most, and of at least, the tolerance.
    n : int
        Pairs; of an association, samples.
    """

    value: float
    lower: float
    upper: float
    p_present: float
    p_absent: float
    n: int


@dataclass(frozen=True)
class LevelEffect:
    """An effect that is shown to be present where a categorical factor has one of its levels.

    Parameters
    ----------
    moderator : str
    level : str
        Its label, or its value.
    effect : Effect
    """

    moderator: str
    level: str
    effect: Effect


@dataclass(frozen=True)
class Link:
    """One column of a pair against the column before it.

    Parameters
    ----------
    status : str
        Where the column before shows an effect: ``kept``, its share is shown to be at least `KEPT`; ``lost``, shown to
        be less. Where it shows none: ``none``, the change is shown to be at most `INVENTED` standard deviations;
        ``added``, shown to be more. ``undecided``: neither. ``untested``: the column before is undecided or departs,
        or this one was not measured.
    share : float or None
        <change, change before> / <change before, change before>, where the column before shows an effect.
    effect, lower, upper : float
        Root mean square change in standard deviations over the data, with interval.
    p_departs, p_agrees : float
        Corrected p-values that the status was decided by.
    n : int
        Pairs.
    """

    status: LinkStatus
    share: float | None
    effect: float
    lower: float
    upper: float
    p_departs: float
    p_agrees: float
    n: int


@dataclass(frozen=True)
class PairCheck:
    """A declared factor and another node: does the one have a direct effect on the other, and where is it lost?

    Parameters
    ----------
    source, target : str
        A factor, and another factor or an attribute.
    between_factors : bool
        Whether `target` is a factor.
    declared : bool
        Whether the graph has an edge from source to target, or a path through attributes alone.
    basis : {"intervention", "association", "network"}
        What the graph was compared with: do(source) on the data with all other declared factors held; the association
        given the other labels, where the data have no counterfactuals; the network itself, where the target is one of
        its latents.
    data : Effect or None
        What the graph was compared with; None where that was not tested.
    levels : tuple of LevelEffect
        Levels of categorical factors at which the effect is shown to be present although it is not on average.
    graph : str
        ``present`` and ``absent``: as declared. ``missing``: declared, shown absent. ``undeclared``: shown present.
        ``reversed``: declared, shown absent, and present the other way round. ``undecided``, ``untested``.
    network, mapping : Link or None
        The network against the data, and the mapping against the network; None where they were not measured.
    status : str
        All three in one word, by the first that departs: ``missing``, ``spurious``, or else ``undecided``,
        ``supported``, ``absent`` (declared absent and found so), ``untested``.
    """

    source: str
    target: str
    between_factors: bool
    declared: bool
    basis: Basis
    data: Effect | None
    levels: tuple[LevelEffect, ...]
    graph: GraphStatus
    network: Link | None
    mapping: Link | None
    status: PairStatus

    @property
    def found(self) -> bool | None:
        """Whether there is an effect, whatever is declared; None where that was not shown."""
        if self.graph in ("undecided", "untested"):
            return None
        if self.graph == "reversed":
            return not self.declared
        return self.graph in ("present", "undeclared")


@dataclass(frozen=True)
class Share:
    """A share of pairs with its Clopper-Pearson interval."""

    value: float
    lower: float
    upper: float
    n: int


@dataclass(frozen=True)
class Interchange:
    """Interchange accuracy of one factor's mapping (Geiger et al. 2021, NeurIPS).

    The components mapped to the factor take their values from another sample in which the factor has its
    counterfactual value. Correct: every attribute is within a quarter of its standard deviation of what the network
    gives for the counterfactual input.

    Parameters
    ----------
    factor : str
    accuracy : Share
    against_data : Share
        The same against the attributes of the counterfactual input itself.
    ceiling : Share
        How often the network's output for the counterfactual input comes within that of the input itself: what
        `against_data` can be at most.
    nothing : Share or None
        How often the output is right without a swap, since the counterfactual is close to the base.
    random : Share or None
        Accuracy of as many of the other latents, drawn at random; None where controls are off.
    untrained : Share or None
        Accuracy of the mapping in a network with random weights, which has little to get wrong where it shows no
        change.
    """

    factor: str
    accuracy: Share
    against_data: Share
    ceiling: Share
    nothing: Share | None = None
    random: Share | None = None
    untrained: Share | None = None


@dataclass(frozen=True)
class Reconstruction:
    """Root mean square difference of an attribute between input and output, in standard deviations over the data."""

    attribute: str
    error: float


@dataclass(frozen=True)
class Support:
    """How many inputs lie where the data are.

    Parameters
    ----------
    outside : float or None
        Share of the counterfactual inputs that lie outside the ellipse which holds 99 % of the data's factors. Network
        and mapping are judged on the others. None where the factors are uncorrelated, so that every input is like the
        data.
    correlation : float
        Largest correlation, without its sign, between two declared factors.
    """

    outside: float | None
    correlation: float


@dataclass(frozen=True)
class GraphCount:
    """The graph against the data, over ordered pairs."""

    as_declared: int
    wrong: int
    undecided: int
    untested: int

    @property
    def total(self) -> int:
        """All pairs."""
        return self.as_declared + self.wrong + self.undecided + self.untested


@dataclass(frozen=True)
class JudgedGraph:
    """The declared graph or a rival, held against the same data.

    Parameters
    ----------
    name : str
        Empty for the declared graph.
    count : GraphCount
    wrong : tuple of (str, str)
        Pairs for which the graph claims another effect than interventions show.
    violated, implied : int
        Implied independencies of the data that are rejected, and all that could be tested.
    same_class : tuple of str
        Graphs with the same independencies, which no observation tells from this one.
    same_effects : tuple of str
        Graphs that no intervention of this run tells from this one.
    """

    name: str
    count: GraphCount
    wrong: tuple[Edge, ...]
    violated: int
    implied: int
    same_class: tuple[str, ...]
    same_effects: tuple[str, ...]

    @property
    def undistinguished(self) -> tuple[str, ...]:
        """Graphs that neither observation nor this run's interventions tell from this one."""
        return tuple(name for name in self.same_class if name in self.same_effects)


@dataclass(frozen=True)
class LinkCount:
    """One kind of comparison of a column with the one before it."""

    departs: int
    tested: int
    undecided: int


@dataclass(frozen=True)
class Headline:
    """The alignment in five numbers, each of which can be red.

    Parameters
    ----------
    graph : GraphCount
    lost, invented : LinkCount
        Effects of the data that the network loses, and effects that it shows where the data have none.
    missing, spurious : LinkCount
        Effects of the network that the mapping does not bring about, and effects that it brings about where the network
        has none.
    mapped, unmapped : tuple of str
        Declared factors.
    worst_interchange : Interchange or None
        The factor with the lowest accuracy; None where no mapped factor could be tested.
    worst_reconstruction : Reconstruction or None
    """

    graph: GraphCount
    lost: LinkCount
    invented: LinkCount
    missing: LinkCount
    spurious: LinkCount
    mapped: tuple[str, ...]
    unmapped: tuple[str, ...]
    worst_interchange: Interchange | None
    worst_reconstruction: Reconstruction | None


@dataclass(frozen=True)
class IndependenceCheck:
    """One conditional independence that the declared graph implies, tested on the measured variables.

    Parameters
    ----------
    left, right : str
    given : tuple of str
    statistic : float
        Of the test that `Alignment.test` names.
    p_value, p_adjusted : float
        Before and after the correction.
    rejected : bool
        Whether `p_adjusted` is at most the level.
    effect : float
        Largest correlation, without its sign, that is left between the two once the given ones are accounted for.
    of : {"data", "network"}
        Whether attributes were measured on inputs, or on the network's outputs.
    result : {"independent", "dependent", "undecided"}
        ``dependent``: rejected. ``independent``: not rejected, and `size` is shown to be below the tolerance.
        ``undecided``: neither, since there are too few samples.
    size : float or None
        Root mean square change of one of the two, in its standard deviations, under a redraw of the other, if all that
        is left between them were causal; None where it cannot be measured.
    lower, upper : float
        Its interval.
    p_small : float
        p-value against a size of at least the tolerance.
    n, needed : int
        Samples, and how many would show an independence with a power of 0.9.
    """

    left: str
    right: str
    given: tuple[str, ...]
    statistic: float
    p_value: float
    p_adjusted: float
    rejected: bool
    effect: float = 0.0
    of: TestedOn = "network"
    result: IndependenceResult = "undecided"
    size: float | None = None
    lower: float = 0.0
    upper: float = 0.0
    p_small: float = 1.0
    n: int = 0
    needed: int = 0


@dataclass(frozen=True)
class IndependenceFamily:
    """All implied independencies of the data, or of the network's outputs.

    Parameters
    ----------
    of : {"data", "network"}
    samples : int
        Distinct samples that they were tested on.
    fisher_c, fisher_p : float or None
        Fisher's C over those that could be tested; None where there are none.
    """

    of: TestedOn
    samples: int
    fisher_c: float | None
    fisher_p: float | None


@dataclass(frozen=True)
class LearnedStructure:
    """The edges between factors as observation alone gives them, and as interventions correct them.

    Parameters
    ----------
    directed, undirected : tuple of (str, str)
        The equivalence class that the PC algorithm learns; an edge without a direction may have either.
    distance : int
        Structural Hamming distance to the declared graph's equivalence class.
    alpha : float
        Level of each test.
    samples : int
    overridden : tuple of (str, str)
        Pairs whose learned edge an intervention contradicts.
    final_directed, final_undirected : tuple of (str, str)
        With interventions in place of what they contradict.
    identification : tuple of (str, float)
        Adjustment identification distances of the declared graph, from 0 to 1: to the final graph where interventions
        decide every pair, else of the equivalence classes. Empty where gadjid is not installed.
    """

    directed: tuple[Edge, ...]
    undirected: tuple[Edge, ...]
    distance: int
    alpha: float
    samples: int
    overridden: tuple[Edge, ...]
    final_directed: tuple[Edge, ...]
    final_undirected: tuple[Edge, ...]
    identification: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class HiddenCause:
    """Two nodes that depend on one another given their causes, and neither of which moves the other.

    Parameters
    ----------
    left, right : str
    given : tuple of str
        Their causes.
    p_value : float
        Corrected, of the test of independence.
    size, lower, upper : float
        As of `IndependenceCheck`.
    """

    left: str
    right: str
    given: tuple[str, ...]
    p_value: float
    size: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Repair:
    """The latents that would carry a factor best, for one whose interchange accuracy is not shown to be good.

    Parameters
    ----------
    factor : str
    latents : tuple of str
        At most three, chosen on pairs of the first half.
    accuracy : Share
        On pairs of the other half.
    as_mapped : bool
        Whether the factor is mapped to just these.
    """

    factor: str
    latents: tuple[str, ...]
    accuracy: Share
    as_mapped: bool


@dataclass(frozen=True)
class EdgeDiagnosis:
    """What the components mapped to one factor carry of another, on outputs decoded from them.

    Parameters
    ----------
    source, target : str
        Two factors with a declared edge, in either direction.
    leak : float
        Largest root mean square change of an attribute, in its standard deviations over the data, when the target's
        components take their values from the input in which the source is set and the target is held.
    leak_attribute : str
    kept : float or None
        Largest change of an attribute of the target when they take these from the input in which the target follows
        the source, instead of being held; None where the edge does not lead from source to target.
    kept_attribute : str
    n : int
        Pairs.
    """

    source: str
    target: str
    leak: float
    leak_attribute: str
    kept: float | None
    kept_attribute: str
    n: int


@dataclass(frozen=True)
class Alignment:
    """Agreement of declared graph, data, network and mapping.

    Parameters
    ----------
    pairs : tuple of PairCheck
        Every ordered pair of a declared factor and another factor or an attribute.
    headline : Headline
    interchanges : tuple of Interchange
        Of every mapped factor that the data can set.
    reconstructions : tuple of Reconstruction
    support : Support
    independencies : tuple of IndependenceCheck
        Those of the data, then those of the network's outputs with an attribute among them.
    fisher_c, fisher_p : float or None
        Fisher's C over the implied independencies of the network; None where there are none.
    test, correction, alpha
        Which conditional-independence test, multiplicity correction and level.
    tolerance : float
        Effects below this many standard deviations count as none in the data.
    samples : int
        Distinct samples that the network's independencies were tested on.
    families : tuple of IndependenceFamily
    learned : LearnedStructure or None
        None where there are too few or too many factors.
    hidden : tuple of HiddenCause
    repairs : tuple of Repair
    edges : tuple of EdgeDiagnosis
        Of the declared edges between factors whose target is mapped, where the data have a structural model.
    graphs : tuple of JudgedGraph
        The declared graph and its rivals; empty where the spec names none.
    relabelling : Relabelling or None
        The graph against relabellings of it, by DoWhy; None where that was not run.
    seconds : float
    notes : tuple of str
    """

    pairs: tuple[PairCheck, ...]
    headline: Headline
    interchanges: tuple[Interchange, ...]
    reconstructions: tuple[Reconstruction, ...]
    support: Support
    independencies: tuple[IndependenceCheck, ...]
    fisher_c: float | None
    fisher_p: float | None
    test: str
    correction: str
    alpha: float
    tolerance: float
    samples: int
    seconds: float
    notes: tuple[str, ...] = ()
    families: tuple[IndependenceFamily, ...] = ()
    learned: LearnedStructure | None = None
    hidden: tuple[HiddenCause, ...] = ()
    repairs: tuple[Repair, ...] = ()
    relabelling: Relabelling | None = None
    graphs: tuple[JudgedGraph, ...] = ()
    edges: tuple[EdgeDiagnosis, ...] = ()
