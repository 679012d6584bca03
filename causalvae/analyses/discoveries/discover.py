"""From a section of `discoveries` to what was found: search on one half of the pairs, test on the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
import torch

from causalvae.analyses.discoveries.candidates import find_candidates
from causalvae.analyses.discoveries.circuit_effects import (
    BoolArray,
    CircuitEffects,
    Evaluate,
    FloatArray,
    IntArray,
    Remembered,
    one,
)
from causalvae.analyses.discoveries.communities import find_modules
from causalvae.analyses.discoveries.curve import measure_curve
from causalvae.analyses.discoveries.edge_routes import is_mediation
from causalvae.analyses.discoveries.edge_runs import EdgeRuns
from causalvae.analyses.discoveries.edges import Wiring, find_wiring, refuse_windows
from causalvae.analyses.discoveries.equivalents import find_equivalents
from causalvae.analyses.discoveries.findings import (
    Discovery,
    EdgeCount,
    Equivalent,
    Member,
    SearchResult,
    SiteCount,
)
from causalvae.analyses.discoveries.motifs import OUTCOME, Measured, Motifs, find_motifs
from causalvae.analyses.discoveries.network_runs import NetworkRuns
from causalvae.analyses.discoveries.scores import EXACT, PairScores, means, score_candidates
from causalvae.analyses.discoveries.search import FoundCircuit, Target, rank, search
from causalvae.analyses.discoveries.section import IMAGE, Discoveries, ScoreName, SoughtCircuit
from causalvae.analyses.discoveries.stability import find_stability
from causalvae.analyses.discoveries.trial import Searched, weigh_circuit
from causalvae.analyses.discoveries.wiring import measure_edges, measure_members
from causalvae.circuits.types import Circuit
from causalvae.data.split import Part
from causalvae.digest import digest
from causalvae.effects.bootstrap import Interval, PairedBootstrap, paired_bootstrap
from causalvae.engine.cohorts import draw_cohort
from causalvae.engine.execute import choose_device
from causalvae.engine.precision import matrix_precision
from causalvae.engine.progress import OnProgress, ignore_progress, one_step
from causalvae.engine.runner import PlanRunner
from causalvae.engine.workers import single_threaded_kernels
from causalvae.errors import CausalVAEError
from causalvae.models.components import ComponentRef
from causalvae.plan.compile import compile_spec
from causalvae.plan.draft import Draft
from causalvae.plan.owner import Owner
from causalvae.plan.types import Cohort, Plan
from causalvae.readouts import measure as measure_outputs
from causalvae.session import Session

# Among more candidates a search takes so long that fewer halves are searched, in the order of one score that costs
# little.
_MANY = 32
_HALVES, _FEW_HALVES = 50, 10
# Pairs that all scores are searched on then.
_ROUGH = 64
# Members whose pairs and edges are measured; of more, the strongest.
_MOST_WIRED = 12


def discover(
    session: Session, sought: SoughtCircuit, settings: Discoveries, on_progress: OnProgress = ignore_progress
) -> Searched:
    """Find the smallest circuit that carries a treatment's effect on an outcome, and test it on other pairs.

    Parameters
    ----------
    session : Session
    sought : SoughtCircuit
    settings : Discoveries
        For pairs, scores, what candidates are held at, and how many circuits are judged together (`judge_together`).
    on_progress : callable
        Called with the progress of each stage.

    Raises
    ------
    CausalVAEError
        CV300 to CV305 for sites, CV307 to CV314 for the treatment, CV207 and CV438 where there are too few samples,
        CV540 where there are no candidates, CV541 where the treatment does not change the outcome, CV543 and CV544
        for edges.
    """
    device = choose_device(session.spec.execution.device)
    with single_threaded_kernels() as cores, matrix_precision(session.spec.execution.precision):
        return open_search(session, sought, settings, cores if device.type == "cpu" else 1, on_progress).run()


def open_search(
    session: Session,
    sought: SoughtCircuit,
    settings: Discoveries,
    workers: int = 1,
    on_progress: OnProgress = ignore_progress,
) -> Search:
    """A search that is ready to run; parameters as of `discover`, and the threads to use."""
    return Search(session, sought, settings, choose_device(session.spec.execution.device), workers, on_progress)


@dataclass(frozen=True)
class Search:
    """One circuit's search; see `open_search`."""

    session: Session
    sought: SoughtCircuit
    settings: Discoveries
    device: torch.device
    workers: int
    on_progress: OnProgress

    @cached_property
    def _owner(self) -> Owner:
        return Owner("control", self.sought.name)

    @cached_property
    def _draft(self) -> Draft:
        return Draft(self.session.spec, self.session.model.components, self.session.dataset.space)

    @cached_property
    def key(self) -> str:
        """Content hash of what is sought, the pairs, how they are run, the candidates, and how many circuits there are.

        Addresses such as ``$A`` name other candidates under another mapping.
        """
        return digest(
            [
                self.sought.model_dump(mode="json"),
                self._plan.tables_digest,
                [part.label for part in self._parts],
                len(self.settings.circuits),
            ]
        )

    @cached_property
    def _plan(self) -> Plan:
        return _plan_of(self.session, self._cohort, self.sought.outcome)

    @property
    def _candidates(self) -> Circuit:
        return self._parts if self._wiring is None else self._wiring.edges

    @cached_property
    def _wiring(self) -> Wiring | None:
        if self.sought.candidates != "edges":
            return None
        refuse_windows(self._parts, self._owner)
        model = self.session.model
        return find_wiring(self._parts, model.components, model.graph, self._plan.outputs)

    @cached_property
    def _parts(self) -> tuple[ComponentRef, ...]:
        found = find_candidates(self.sought.candidates, self.sought.sites, self._draft.resolver, self._owner)
        if not found:
            raise CausalVAEError(
                "CV540",
                f"{self.sought.name}: the network has no {self.sought.candidates} there.",
                "Name other `sites`, or write `candidates: units`; `causalvae components SPEC` lists what there is.",
                f"discoveries.{self.sought.name}",
            )
        return found

    def runs(self, part: Part) -> NetworkRuns:
        """Circuits on the pairs of a part of the data: ``select`` to search on, ``test`` to test on."""
        session, sought, plan = self.session, self.sought, self._plan
        if part == "test" and session.dataset.size is not None:
            # A table may have fewer pairs than are asked for.
            plan = replace(plan, cohorts=(draw_cohort(session.dataset, self._cohort, session.split).cohort,))
        readouts = session.readouts
        if sought.outcome != IMAGE:
            readouts = {name: readouts[name] for name in plan.attributes if name in readouts}
        runner = PlanRunner(plan, session.model, session.dataset, partial(measure_outputs, readouts), self.device)
        runner = runner.on_part("select") if part == "select" else runner
        cohort, outcome, period = self._cohort.name, sought.outcome, session.periods.get(sought.outcome)
        if self._wiring is not None:
            return EdgeRuns(runner, cohort, self._wiring, outcome, period, self.workers)
        return NetworkRuns(runner, cohort, self._parts, outcome, self.settings.hold, period, self.workers)

    @cached_property
    def _cohort(self) -> Cohort:
        name = self._draft.cohort(self.sought.treatment)
        return replace(self._draft.cohorts[name], samples=self.settings.pairs)

    @cached_property
    def _searching(self) -> NetworkRuns:
        return self.runs("select")

    def _bootstrap(self, pairs: int) -> PairedBootstrap:
        estimation = self.session.spec.estimation
        return paired_bootstrap(
            pairs, estimation.bootstrap, estimation.confidence, self.session.spec.execution.seed, estimation.bca
        )

    def run(self) -> Searched:
        """Everything, in order."""
        began = time.perf_counter()
        sought, target = self.sought, Target(self.sought.target)
        searching, testing = self._searching, self.runs("test")
        remembered = Remembered(searching, len(self._candidates))
        everything = np.ones((1, len(self._candidates)), dtype=bool)
        with one_step(self.on_progress, f"{sought.name}: scoring {len(self._candidates)} candidates"):
            for runs in (searching, testing):
                if not runs(everything).total.sum() > 0:
                    raise _unmoved(sought)
            rng = np.random.default_rng(self.session.spec.execution.seed)
            some = np.sort(rng.permutation(searching.pairs)[:_ROUGH]) if self._is_large else None
            rough = None if some is None else searching.on(some)
            scores = score_candidates(searching, self.settings.scores, some)
        with one_step(self.on_progress, f"{sought.name}: searching"):
            found = search(remembered, means(scores), target, rough)
        circuit = found[0].members
        order = rank(means(scores)[found[0].score])
        with one_step(self.on_progress, f"{sought.name}: equivalent circuits"):
            equivalents = find_equivalents(remembered, circuit, order, target, rough)
        with one_step(self.on_progress, f"{sought.name}: halves of the pairs"):
            on = searching.on if self._is_large else remembered.on
            stability = self._stability(on, scores, found[0], searching.pairs, target)
        with one_step(self.on_progress, f"{sought.name}: other pairs"):
            return self._report(
                searching, testing, found, circuit, order, equivalents.circuits,
                (equivalents.how, equivalents.largest), stability, began,
            )  # fmt: skip

    @property
    def _is_large(self) -> bool:
        return len(self._candidates) > _MANY

    def _halves(self) -> int:
        if self.sought.halves is not None:
            return self.sought.halves
        return _FEW_HALVES if self._is_large else _HALVES

    def _stability(
        self,
        on: Callable[[IntArray], Evaluate],
        scores: Sequence[PairScores],
        best: FoundCircuit,
        pairs: int,
        target: Target,
    ) -> FloatArray | None:
        halves = self._halves()
        if not halves:
            return None
        used = list(scores)
        if self._is_large:
            own = [score for score in scores if score.name not in EXACT] or list(scores)
            used = [next((score for score in own if score.name == best.score), own[-1])]
            if used[0].name in EXACT:
                used = list(score_candidates(self._searching, [used[0].name]))

        def over(half: IntArray) -> Mapping[ScoreName, FloatArray]:
            return means(used, half)

        seed = self.session.spec.execution.seed
        return find_stability(on, over, target, pairs, halves, seed, self._is_large)[0]

    def _report(
        self,
        searching: NetworkRuns,
        testing: NetworkRuns,
        found: Sequence[FoundCircuit],
        circuit: BoolArray,
        order: IntArray,
        minimal: Sequence[BoolArray],
        how: tuple[str, int],
        stability: FloatArray | None,
        began: float,
    ) -> Searched:
        sought, candidates = self.sought, self._candidates
        bootstrap = self._bootstrap(testing.pairs)
        best = found[0].score
        tested = testing(np.stack([circuit, np.zeros_like(circuit)]))
        others = [other for other in minimal if not (other == circuit).all()]
        beside = testing(np.stack(others)) if others else None
        alike = [other for other in others if other.sum() == circuit.sum()]
        chosen = self._wired(circuit, alike, order)
        known: Circuit = tuple(candidates[place] for place in chosen)
        if isinstance(testing, EdgeRuns):
            first = [place for place in order if place in chosen][:_MOST_WIRED]
            paired = np.flatnonzero(np.isin(chosen, first))
            effects, nodes = measure_edges(testing, circuit, chosen, paired)
            known = (*known, *nodes)
        else:
            effects = measure_members(testing, circuit, chosen)
        motifs = find_motifs(effects, sought.target, bootstrap, int(circuit.sum()))
        evidence = weigh_circuit(
            testing, circuit, sought, self.session.spec, tested.of([0]), bootstrap, self.settings.circuits
        )
        places = {site: place for place, site in enumerate(dict.fromkeys(ref.site for ref in self._parts))}
        discovery = Discovery(
            name=sought.name,
            treatment=sought.treatment,
            outcome=sought.outcome,
            candidates=sought.candidates,
            sites=_count(self._parts, self._joined(circuit)),
            edges=() if self._wiring is None else _count_edges(self._wiring, circuit),
            hold=self.settings.hold,
            target=sought.target,
            pairs_searched=searching.pairs,
            pairs_tested=testing.pairs,
            members=_members(candidates, circuit, stability),
            halves=0 if stability is None else self._halves(),
            searches=tuple(SearchResult(one.score, one.size, one.share, one.error) for one in found),
            share=_share(bootstrap, tested, 0),
            error=_error(bootstrap, tested, 0),
            past=_share(bootstrap, tested, 1),
            alone=_share(bootstrap, testing.patched(np.ones((1, len(candidates)), dtype=bool)), 0),
            claimed=self._claimed(testing, circuit, bootstrap),
            curve=measure_curve(testing, best, order, bootstrap),
            equivalents=tuple(
                Equivalent(_refs(candidates, other), _share(bootstrap, beside, row), float(beside.error[row]))
                for row, other in enumerate(others)
                if beside is not None
            ),
            equivalents_how=how[0],
            equivalents_to=how[1],
            motifs=motifs,
            motif_members=known,
            modules=find_modules(
                _edges(motifs), [places.get(part.site, 0) for part in known], self.session.spec.execution.seed
            ),
            verdict=None,
            rows=searching.rows + testing.rows,
            seconds=time.perf_counter() - began,
        )
        return Searched(discovery, evidence)

    def _wired(self, circuit: BoolArray, alike: Sequence[BoolArray], order: IntArray) -> IntArray:
        """The members whose pairs and edges are measured, in network order: of the circuit, then of those as small."""
        beside = np.any(alike, axis=0) if alike else np.zeros_like(circuit)
        first = [place for place in order if circuit[place]]
        chosen = [*first, *(place for place in order if beside[place] and not circuit[place])]
        most = _MOST_WIRED if self._wiring is None else max(_MOST_WIRED, len(first))
        return np.sort(np.array(chosen[:most], dtype=np.int64))

    def _joined(self, circuit: BoolArray) -> BoolArray:
        """Which parts are in a circuit; of edges, which they join."""
        if self._wiring is None:
            return circuit
        edges = [self._wiring.edges[place] for place in np.flatnonzero(circuit)]
        joined = {end for edge in edges for end in (edge.source, edge.target)}
        return np.array([part in joined for part in self._parts])

    def _claimed(self, runs: NetworkRuns, circuit: BoolArray, bootstrap: PairedBootstrap) -> Measured | None:
        """The share as what is printed to paste measures it; None of edges that a mediation cannot state."""
        if self._wiring is None:
            return _share(bootstrap, runs.patched(one(circuit)), 0)
        if not is_mediation(_refs(self._candidates, circuit), self._wiring, self.session.model.components):
            return None
        return _share(bootstrap, runs(one(circuit)), 0)


def _plan_of(session: Session, cohort: Cohort, outcome: str) -> Plan:
    """A plan of one cohort, on which only the outcome is measured."""
    spec = session.spec
    if outcome != IMAGE and outcome not in spec.graph.attributes:
        raise CausalVAEError(
            "CV542",
            f"{outcome} is not an attribute of the spec, and circuits are found for attributes and for image.",
            f"Write image, or one of {', '.join(spec.graph.attributes)}.",
            "discoveries",
        )
    without = spec.model_copy(update={"hypotheses": (), "interventions": ()})
    plan = compile_spec(without, session.model.components, session.dataset.space)
    names = plan.attributes if outcome == IMAGE else (outcome,)
    return replace(
        plan,
        cohorts=(cohort,),
        arms=(),
        uses=(),
        screens=(),
        traversals=(),
        contrasts=(),
        attributes=names,
        latent_attributes={name: latent for name, latent in plan.latent_attributes.items() if name in names},
    )


def _unmoved(sought: SoughtCircuit) -> CausalVAEError:
    return CausalVAEError(
        "CV541",
        f"{sought.treatment} does not change {sought.outcome}, so nothing carries its effect.",
        "Choose another outcome or treatment.",
        f"discoveries.circuits.{sought.name}",
    )


def _count_edges(wiring: Wiring, circuit: BoolArray) -> tuple[EdgeCount, ...]:
    found: dict[tuple[str | None, ...], list[bool]] = {}
    for edge, is_in in zip(wiring.edges, circuit, strict=True):
        ends = tuple(None if end is None else end.site for end in (edge.source, edge.target))
        found.setdefault(ends, []).append(bool(is_in))
    return tuple(EdgeCount(source, target, sum(inside), len(inside)) for (source, target), inside in found.items())


def _count(candidates: Sequence[ComponentRef], circuit: BoolArray) -> tuple[SiteCount, ...]:
    inside: dict[str, int] = {}
    found: dict[str, list[ComponentRef]] = {}
    for candidate, is_in in zip(candidates, circuit, strict=True):
        inside[candidate.site] = inside.get(candidate.site, 0) + bool(is_in)
        found.setdefault(candidate.site, []).append(candidate)
    return tuple(
        SiteCount(
            site, count, tuple(unit for ref in found[site] for unit in ref.units or ()),
            tuple(ref.window for ref in found[site]) if any(ref.window for ref in found[site]) else (),
        )
        for site, count in inside.items()
    )  # fmt: skip


def _members(candidates: Circuit, circuit: BoolArray, stability: FloatArray | None) -> tuple[Member, ...]:
    found = [None] * len(candidates) if stability is None else [float(share) for share in stability]
    inside = [Member(candidates[k], True, found[k]) for k in np.flatnonzero(circuit).tolist()]
    outside = [
        Member(candidates[k], False, found[k])
        for k in np.argsort([-(share or 0.0) for share in found], kind="stable").tolist()
        if found[k] and not circuit[k]
    ]
    return (*inside, *outside)


def _refs(candidates: Circuit, circuit: BoolArray) -> Circuit:
    return tuple(candidates[place] for place in np.flatnonzero(circuit).tolist())


def _edges(motifs: Motifs) -> list[tuple[int, int, float]]:
    return [
        (edge.source, edge.target, abs(edge.share.value))
        for edge in motifs.edges
        if edge.is_shown and edge.target != OUTCOME
    ]


def _share(bootstrap: PairedBootstrap, effects: CircuitEffects | None, row: int) -> Measured:
    if effects is None:
        raise ValueError("no circuit was run")
    return _read(bootstrap.ratio(effects.along[row : row + 1], effects.total[None]))


def _error(bootstrap: PairedBootstrap, effects: CircuitEffects, row: int) -> Measured:
    """D, whose interval has the roots of that of its square."""
    found = _read(bootstrap.ratio(effects.lost[row : row + 1], effects.total[None]))
    return Measured(*(float(np.sqrt(max(end, 0.0))) for end in (found.value, found.lower, found.upper)))


def _read(interval: Interval) -> Measured:
    return Measured(float(interval.value[0]), float(interval.lower[0]), float(interval.upper[0]))
