"""All that one run found: the value that every report renders."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from html import escape
from typing import Any, Literal

from causalvae.alignment.types import Alignment
from causalvae.circuits.types import Verdict
from causalvae.disentanglement.report import ScoreReport
from causalvae.effects.sweep_types import SweepSummary
from causalvae.effects.types import ArrowStrength, CrossCheck, Estimate, MetricRow, Refutation, ScreenSummary, UnitRole
from causalvae.plan.owner import Owner
from causalvae.plan.targets import Target
from causalvae.readouts.types import ReadoutCheck
from causalvae.spec.picture import Datum, OutputFacts
from causalvae.spec.value_source import Side
from causalvae.spec.whole_output import WholeOutput
from causalvae.text import html_table, visible


@dataclass(frozen=True)
class GraphSummary:
    """The declared graph: names, edges, where nodes are mapped, and the components of vectors of attributes."""

    factors: tuple[str, ...]
    attributes: tuple[str, ...]
    edges: tuple[tuple[str, str], ...]
    mapping: dict[str, tuple[str, ...]]
    vectors: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def outcome_words(self, outcome: str) -> str:
        """An outcome as a reader should meet it: of a vector its name and its components."""
        components = self.vectors.get(outcome, ())
        return f"{outcome} ({', '.join(components)})" if components else outcome


@dataclass(frozen=True)
class ControlCheck:
    """A check that every run carries: self-patch, full patch, random initialisation."""

    name: str
    description: str
    value: float
    limit: str
    passed: bool


@dataclass(frozen=True)
class DoseResponse:
    """What setting one latent to each of some values does to one attribute, over a few observed samples.

    Parameters
    ----------
    attribute, unit : str
    mean, lowest, highest : tuple of float
        Change of the attribute from what it is at the middle one of the values, in its own unit: over the samples.
    """

    attribute: str
    unit: str
    mean: tuple[float, ...]
    lowest: tuple[float, ...]
    highest: tuple[float, ...]


@dataclass(frozen=True)
class TraversalStrip:
    """One latent swept over quantiles, left to right.

    Parameters
    ----------
    label : str
    latent : int
    quantiles : tuple of float
    images : tuple of str
        Decoded outputs of one sample as PNG in base64, of sounds their spectrograms; where there is no room, none at
        all or an empty text for some steps.
    values : tuple of float
        What the latent is set to.
    numbers : tuple of tuple of float
        Decoded outputs of the sample where they are no pictures, with gaps as `images`.
    strength : float
        Root mean square change of the whole output from the middle step, over steps and samples.
    samples : int
        How many samples strength and responses are over.
    responses : tuple of DoseResponse
        One an attribute of the output.
    """

    label: str
    latent: int
    quantiles: tuple[float, ...]
    images: tuple[str, ...]
    values: tuple[float, ...] = ()
    numbers: tuple[tuple[float, ...], ...] = ()
    strength: float = 0.0
    samples: int = 0
    responses: tuple[DoseResponse, ...] = ()


FrameRole = Literal["base", "counterfactual", "decoded", "decoded_counterfactual", "patched", "change"]
PairChoice = Literal["largest", "smallest", "typical"]


@dataclass(frozen=True)
class Frame:
    """One picture of a pair.

    Parameters
    ----------
    role : str
        ``base`` and ``counterfactual`` are inputs, ``decoded`` and ``decoded_counterfactual`` their outputs,
        ``patched`` the output with patches in place, and ``change`` what they change; of what is not patched, the
        difference of both outputs.
    datum : Datum
    """

    role: FrameRole
    datum: Datum


@dataclass(frozen=True)
class FactorChange:
    """A factor that differs between the inputs of a pair: its values, or the names of its levels."""

    factor: str
    before: float | str
    after: float | str


@dataclass(frozen=True)
class ShownPair:
    """A pair of inputs with what the network makes of it.

    Parameters
    ----------
    choice : {"largest", "smallest", "typical"}
        Which effect it has among all pairs; a typical one is the median.
    pair : int
        Index in its cohort.
    factors : tuple of FactorChange
    total : float
        How far the outcome is moved from x to x'.
    effect : float or None
        How far the patches move it; of an outcome of several numbers, along its total change. None where nothing is
        patched.
    frames : tuple of Frame
    """

    choice: PairChoice
    pair: int
    factors: tuple[FactorChange, ...]
    total: float
    effect: float | None
    frames: tuple[Frame, ...]


@dataclass(frozen=True)
class PairPictures:
    """Pairs of one treatment, circuit or declared edge, as pictures.

    Parameters
    ----------
    owners : tuple of Owner
        What asks for the intervention: several where they ask for the same.
    edge : tuple of str or None
        Factor and attribute, of a declared edge.
    treatment : str
        The cohort of the pairs.
    component : Target
        What is patched.
    side : {"base", "counterfactual"}
        The input that is run with patches.
    source : str
        Kind of the value that the component is given; empty where nothing is patched.
    outcome, unit : str
        What the pairs are chosen by.
    n : int
        Among how many pairs they are chosen.
    pairs : tuple of ShownPair
    """

    owners: tuple[Owner, ...]
    edge: tuple[str, str] | None
    treatment: str
    component: Target
    side: Side
    source: str
    outcome: str
    unit: str
    n: int
    pairs: tuple[ShownPair, ...]


@dataclass(frozen=True)
class Pictures:
    """The pictures of interventions.

    Parameters
    ----------
    facts : OutputFacts
        What drawing them needs.
    shown : tuple of PairPictures
        Of hypotheses and mediations, then of declared edges, components and treatments.
    left_out : int
        Pairs that are not shown, so that the report stays small.
    """

    facts: OutputFacts
    shown: tuple[PairPictures, ...] = ()
    left_out: int = 0


@dataclass(frozen=True)
class LatentSummary:
    """One latent over the observed cohort: KL in nats, standard deviation of the posterior mean, mapped factor.

    An encoder that gives a point has no KL.
    """

    latent: int
    kl: float | None
    sd: float
    factor: str = ""


@dataclass(frozen=True)
class LayerSummary:
    """A layer of the network: its site, the part that it belongs to, and its units (channels of pictures)."""

    site: str
    stage: str
    units: int


@dataclass(frozen=True)
class NetworkFit:
    """How well the network works on its data, in nats a sample.

    Parameters
    ----------
    reconstruction : float
        Negative log-likelihood at the posterior mean.
    kl : float or None
        KL to the prior, summed over latents; None where the encoder gives a point.
    """

    reconstruction: float
    kl: float | None


@dataclass(frozen=True)
class DataDraw:
    """Which data were drawn.

    Parameters
    ----------
    source : str
        Kind of the data source.
    digest : str
        Of all that is known of the data set but how much was drawn, and with which seed.
    seed : int
    """

    source: str
    digest: str
    seed: int


@dataclass(frozen=True)
class SampleUse:
    """How many distinct samples a cohort has.

    Parameters
    ----------
    cohort : str
    asked, used : int
        Samples, or pairs of which none shares a sample with another: as the spec asks for, and as there are.
    paired : bool
        Whether they are pairs.
    """

    cohort: str
    asked: int
    used: int
    paired: bool


@dataclass(frozen=True)
class GivenEstimate:
    """A value that is estimated from samples and that an intervention uses: intervals of its effects take it as given.

    Parameters
    ----------
    owner : Owner
        Whose interventions use it.
    kind : str
        Kind of the source, such as ``quantile``; ``subspace`` for learned directions.
    samples : int
        Samples, or pairs, that it is estimated on; no effect is measured on them.
    """

    owner: Owner
    kind: str
    samples: int


@dataclass(frozen=True)
class SampleFacts:
    """Which samples the numbers rest on.

    Parameters
    ----------
    cohorts : tuple of SampleUse
    given : tuple of GivenEstimate
    """

    cohorts: tuple[SampleUse, ...] = ()
    given: tuple[GivenEstimate, ...] = ()


@dataclass(frozen=True)
class CostRow:
    """What a group of arms that re-run the same operations costs.

    Parameters
    ----------
    cohort, side : str
    sites : str
        Patched sites, joined by ``+``; ``clean runs`` for the runs without patches.
    arms, rows : int
        Arms, and their (input, intervention) rows.
    live : int or None
        Rows that were run, the others being equal to the clean run; None where nothing was measured.
    seconds : float or None
        Of one core.
    flops, bytes : float or None
        What was computed, and activations read and written for it in float32.
    """

    cohort: str
    side: str
    sites: str
    arms: int
    rows: int
    live: int | None = None
    seconds: float | None = None
    flops: float | None = None
    bytes: float | None = None

    @property
    def is_group(self) -> bool:
        """Whether these are arms; else clean runs, a screen, or what is no row at all."""
        return self.arms > 0


@dataclass(frozen=True)
class UnreadResult:
    """The result of an analysis that no installed distribution defines, or whose result has another form.

    Parameters
    ----------
    content : dict
        As ``results.json`` holds it.
    why : str
        Why it is not read.
    """

    content: dict[str, Any]
    why: str


@dataclass(frozen=True)
class Results:
    """Everything a report says.

    Parameters
    ----------
    name, description : str
        The spec's.
    question : str
        What was asked, in one sentence.
    answer : str
        What was found, in one sentence.
    verdicts, estimates, refutations, alignment, graph, readouts, controls, traversals, latents
        See their types.
    model, data, execution : dict
        Facts to print as they are: name -> text or number.
    manifest : dict
        Versions, digests, seeds, timings.
    warnings : tuple of str
        What a reader must know before trusting the numbers.
    costs : tuple of CostRow
        What the run cost, the most expensive first.
    sweeps : tuple of SweepSummary
        Sweeps and perturbations of more components than `estimates` and `units` hold: these have the strongest, and
        ``effects.parquet`` and ``units.parquet`` in the run's folder have all.
    screens : tuple of ScreenSummary
        Sweeps of which only the best components, to first order, were run exactly, and what that missed.
    units : tuple of UnitRole
        What each perturbed latent and swept component is, by how many factors it moves.
    metrics : tuple of MetricRow
        The named metrics of latent perturbations, next to what they are for the data's factors and a random copy.
    cross_checks : tuple of CrossCheck
        The effects of mediations computed other ways, each with DoWhy's estimand or the reason for its refusal.
    arrows : tuple of ArrowStrength
        What each arrow of a mediation carries, by DoWhy's graphical causal model.
    scores : ScoreReport or None
        Classical disentanglement scores; None where the spec asks for none.
    samples : SampleFacts
        How many distinct samples there are, and what intervals take as given.
    fit : NetworkFit or None
        How well the network works; None where that was not measured.
    draw : DataDraw or None
        Which data were drawn; None where that is not known.
    pictures : Pictures or None
        Interventions as pictures; None where none were made.
    analyses : dict
        Name of an analysis of the spec -> its result, a frozen dataclass of the analysis's own.
    levels : tuple of str
        Names of the levels of the spec's interventions.
    whole : WholeOutput
        What the whole output is called as an outcome, and in which units; an image if omitted.
    layers : tuple of LayerSummary
        Of the network, in the order in which they run.
    """

    name: str
    description: str
    question: str
    answer: str
    verdicts: tuple[Verdict, ...]
    estimates: tuple[Estimate, ...]
    refutations: tuple[Refutation, ...]
    alignment: Alignment | None
    graph: GraphSummary
    readouts: tuple[ReadoutCheck, ...]
    controls: tuple[ControlCheck, ...]
    traversals: tuple[TraversalStrip, ...]
    latents: tuple[LatentSummary, ...]
    model: dict[str, Any]
    data: dict[str, Any]
    execution: dict[str, Any]
    manifest: dict[str, Any]
    warnings: tuple[str, ...] = ()
    costs: tuple[CostRow, ...] = ()
    screens: tuple[ScreenSummary, ...] = ()
    units: tuple[UnitRole, ...] = ()
    metrics: tuple[MetricRow, ...] = ()
    cross_checks: tuple[CrossCheck, ...] = ()
    arrows: tuple[ArrowStrength, ...] = ()
    scores: ScoreReport | None = None
    whole: WholeOutput = WholeOutput.of((1, 1, 1))  # noqa: RUF009
    samples: SampleFacts = SampleFacts()
    fit: NetworkFit | None = None
    draw: DataDraw | None = None
    pictures: Pictures | None = None
    analyses: dict[str, Any] = field(default_factory=dict)
    layers: tuple[LayerSummary, ...] = ()
    levels: tuple[str, ...] = ()
    sweeps: tuple[SweepSummary, ...] = ()

    def __repr__(self) -> str:
        counts = Counter(verdict.status for verdict in self.verdicts)
        found = [f"{count} {status}" for status, count in counts.items()] or ["no hypotheses"]
        return f"Results({self.name!r}: {', '.join(found)}; {len(self.estimates):,} estimates)"

    def _repr_html_(self) -> str:
        """What a notebook shows: the answer, and each hypothesis with its verdict."""
        rows = [(verdict.hypothesis, verdict.status, verdict.claim) for verdict in self.verdicts]
        answer = f"<p>{escape(visible(self.answer))}</p>"
        return answer + html_table(f"Results of {self.name}", rows, ("Hypothesis", "Verdict", "Claim"))

    def to_dict(self) -> dict[str, Any]:
        """Plain nested dicts, lists and numbers."""
        return asdict(self)
