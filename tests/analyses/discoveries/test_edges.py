"""Circuits of edges: against a plain recursion over hooks, and the edges that hand-set networks are known to have."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import causalvae
from causalvae.analyses.discoveries import Discoveries
from causalvae.analyses.discoveries.discover import discover
from causalvae.analyses.discoveries.edge_routes import is_mediation
from causalvae.analyses.discoveries.edge_runs import EdgeRuns
from causalvae.analyses.discoveries.edges import find_wiring
from causalvae.analyses.discoveries.findings import Discovered, Discovery
from causalvae.analyses.discoveries.scores import score_candidates
from causalvae.analyses.discoveries.trial import judge_together
from causalvae.analyses.discoveries.view import view_discoveries
from causalvae.analyses.discoveries.words import hypothesis_text
from causalvae.engine.runner import PlanRunner
from causalvae.errors import CausalVAEError
from causalvae.models.components import ComponentRef, EdgeRef
from causalvae.models.hook_capture import capture_by_hooks
from causalvae.models.hooked_sites import find_hooked_sites
from causalvae.models.kinds.compiled import CompiledModel
from causalvae.models.loading import Model
from causalvae.models.planted import truth
from causalvae.plan.types import Plan
from causalvae.spec.loader import parse_spec
from tests.analyses.discoveries.test_compiled import SWITCH, TEXT
from tests.analyses.discoveries.test_network_runs import hooked, plan
from tests.engine.conftest import LATENTS, SIDE, Blobs, small_vae
from tests.engine.hook_oracle import SMALL_TAPS

__all__ = ["plan"]

# Of lin1 only some units are nodes: what is upstream reaches the latents past them as well.
NODES = (
    *(ComponentRef("encoder.conv2", (unit,)) for unit in range(8)),
    *(ComponentRef("encoder.lin1", (unit,)) for unit in range(5)),
    *(ComponentRef("latent", (unit,)) for unit in range(4)),
    *(ComponentRef("decoder.convT1", (unit,)) for unit in range(0, 4, 2)),
)


class Recursion:
    """The outcome of a run, node by node, each from a pass of its own whose nodes are set by hooks."""

    def __init__(self, runs: EdgeRuns, measure: Callable[[Tensor], Tensor]) -> None:
        self.vae, self.runs, self.measure = small_vae(3).eval(), runs, measure
        self.sides = {side: runs.inputs.sides[side] for side in ("base", "counterfactual")}
        self.clean = {side: self._seen(x, {}) for side, x in self.sides.items()}

    @torch.no_grad()
    def _seen(self, x: Tensor, given: dict[str, dict[int, Tensor]]) -> dict[str, Tensor]:
        """The values of all sites, and the output as `output`, where units of some sites are given."""
        found: dict[str, Tensor] = {}

        def meet(site: str) -> Callable[[Tensor], Tensor]:
            def change(value: Tensor) -> Tensor:
                found[site] = value.clone()
                changed = value.clone()
                for unit, new in given.get(site, {}).items():
                    changed[:, unit] = new
                return changed

            return change

        with ExitStack() as stack:
            for site in dict.fromkeys(node.site for node in NODES):
                stack.enter_context(hooked(self.vae, SMALL_TAPS[site], meet(site)))
            mean, _ = self.vae.encoder(x).chunk(2, dim=1)
            found["output"] = torch.sigmoid(self.vae.decoder(mean))
        return found

    def __call__(self, side: str, exchanged: set[EdgeRef]) -> np.ndarray:
        other = "base" if side == "counterfactual" else "counterfactual"
        values: dict[ComponentRef, Tensor] = {}

        def value_of(target: ComponentRef | None) -> Tensor:
            given: dict[str, dict[int, Tensor]] = {}
            for source, value in values.items():
                edge = EdgeRef(source, target)
                carried = self.clean[other][source.site][:, source.units[0]] if edge in exchanged else value  # type: ignore[index]
                given.setdefault(source.site, {})[source.units[0]] = carried  # type: ignore[index]
            x = self.sides[other if EdgeRef(None, target) in exchanged else side]
            seen = self._seen(x, given)
            return seen["output"] if target is None else seen[target.site][:, target.units[0]]  # type: ignore[index]

        for node in NODES:
            # A node reads nothing of its own site.
            later = {k: v for k, v in values.items() if k.site == node.site}
            for key in later:
                del values[key]
            new = value_of(node)
            values |= {**later, node: new}
        return self.measure(value_of(None))[:, 2].numpy()


def open_edges(
    plan: Plan, model: Model, blobs: Blobs, measure: Callable[[Tensor], Tensor], workers: int = 1
) -> EdgeRuns:
    runner = PlanRunner(plan, model, blobs, measure, torch.device("cpu"))
    wiring = find_wiring(NODES, model.components, model.graph, plan.outputs)
    return EdgeRuns(runner, "resize", wiring, "bent", workers=workers)


@pytest.mark.parametrize("captured", ["export", "hooks"])
def test_edges_are_those_of_a_recursion_over_hooks(
    captured: str, plan: Plan, mean_model: Model, blobs: Blobs, measure: Callable[[Tensor], Tensor]
) -> None:
    model = mean_model
    if captured == "hooks":
        inputs = (torch.rand(3, 1, SIDE, SIDE), torch.randn(3, LATENTS))
        network = capture_by_hooks(mean_model.network, inputs, mean_model.network.outputs)
        model = replace(mean_model, graph=network, components=find_hooked_sites(network, LATENTS, "small"))
    runs = open_edges(plan, model, blobs, measure, workers=2)
    edges = runs.wiring.edges
    if captured == "export":
        # Whole layers cut the network: what comes after reads nothing from before.
        assert EdgeRef(NODES[0], NODES[8]) in edges and EdgeRef(NODES[0], NODES[13]) in edges
        assert EdgeRef(NODES[8], NODES[17]) not in edges and EdgeRef(None, NODES[8]) not in edges
        assert EdgeRef(NODES[13], None) in edges and EdgeRef(NODES[17], None) in edges
        assert len(edges) == 8 + 8 * 5 + (8 + 5) * 4 + 4 * 2 + (4 + 2)
    rng = np.random.default_rng(0)
    circuits = rng.random((12, len(edges))) < rng.choice([0.3, 0.7, 0.95], (12, 1))
    loop = Recursion(runs, measure)
    base = measure(loop.clean["base"]["output"])[:, 2].numpy()
    total = measure(loop.clean["counterfactual"]["output"])[:, 2].numpy() - base
    scale = np.abs(total).max()
    for side, found in (("counterfactual", runs(~circuits)), ("base", runs.patched(circuits))):
        # Of a run of the counterfactual side the edges outside the circuit are exchanged.
        expected = [
            loop(side, {edge for edge, is_in in zip(edges, row, strict=True) if is_in}) - base for row in circuits
        ]
        np.testing.assert_allclose(found.square, np.square(expected), rtol=1e-3, atol=2e-5 * scale**2)
        np.testing.assert_allclose(found.along, expected * total, rtol=1e-3, atol=2e-5 * scale**2)
    whole = np.ones((1, len(edges)), dtype=bool)
    assert runs(whole).share[0] == pytest.approx(1.0)
    assert runs(~whole).share[0] == pytest.approx(0.0, abs=1e-6)
    some = np.array([2, 5])
    np.testing.assert_allclose(
        runs.on(some)(circuits).along, runs(circuits).along[:, some], rtol=1e-4, atol=1e-5 * scale**2
    )


@cache
def find(circuit: str, target: float = 0.8) -> tuple[Discovery, CompiledModel]:
    spec, diagnostics = parse_spec(TEXT % (circuit, 0, SWITCH.get(circuit, "uniform(0, 1)"), 0, target, "edges"))
    assert spec is not None, diagnostics
    settings = spec.analyses["discoveries"]
    assert isinstance(settings, Discoveries) and isinstance(spec.model, CompiledModel)
    searched = discover(causalvae.open_session(spec, "."), settings.circuits[0], settings)
    return judge_together([searched]).circuits[0], spec.model


@pytest.mark.parametrize("circuit", ["chain", "promoter_inhibitor"])
def test_the_edges_of_a_known_circuit_are_found(circuit: str) -> None:
    found, model = find(circuit)
    assert {part.label for part in found.circuit} == {" -> ".join(edge) for edge in truth(model).edges}
    assert found.verdict is not None and found.verdict.status == "supported"
    assert found.past.value == pytest.approx(0.0, abs=1e-6) and found.alone.value == pytest.approx(1.0, abs=1e-6)


@pytest.mark.simulation
@pytest.mark.parametrize("circuit", ["carrier", "spread", "distractor", "cancelling_pair", "context"])
def test_the_edges_of_more_known_circuits_are_found(circuit: str) -> None:
    found, model = find(circuit)
    assert {part.label for part in found.circuit} == {" -> ".join(edge) for edge in truth(model).edges}


def test_a_path_past_the_latents_is_an_edge_of_its_own() -> None:
    found, _ = find("direct_path", 0.9)
    labels = {part.label for part in found.circuit}
    assert {"input -> decoder.direct[0]", "latent[0] -> decoder.lin1[0]"} < labels
    assert found.share.value == pytest.approx(0.98, abs=0.01)
    (convergence,) = [motif for motif in found.motifs.found if motif.kind == "convergence"]
    assert convergence.shown.value == pytest.approx(0.2, abs=0.02)


def test_of_a_gate_each_input_has_edges_of_its_own() -> None:
    # min(a, b) = a - relu(a - b): with both edges into the second unit held, a alone carries the effect.
    found, model = find("and")
    known = {" -> ".join(edge) for edge in truth(model).edges}
    labels = {part.label for part in found.circuit}
    assert labels < known and len(labels) == 4
    assert "latent[0] -> decoder.lin1[0]" in labels


def test_the_same_wiring_through_other_nodes_is_a_rival() -> None:
    # max(a, b) = a + relu(b - a): edges through either latent are enough.
    found, _ = find("or")
    assert found.verdict is not None and found.verdict.rivals is not None
    assert found.verdict.status == "unspecific"
    assert found.verdict.rivals.as_well == 1
    other = {part.label for part in found.verdict.rivals.best[0].circuit}
    ways = [{f"latent[{unit}] -> decoder.lin1[{unit}]", f"decoder.lin1[{unit}] -> output"} for unit in (0, 1)]
    own = {part.label for part in found.circuit}
    assert sorted(way <= other for way in ways) == sorted(way <= own for way in ways) == [False, True]


def test_a_chain_is_told_as_one_and_drawn() -> None:
    found, model = find("chain")
    (chain,) = [motif for motif in found.motifs.found if motif.kind == "chain"]
    named = [found.motif_members[member].label for member in chain.members[:-1]]
    assert named == [edge[1] for edge in truth(model).edges[:-1]]
    assert sum(layer.members for layer in found.edges) == len(found.circuit) == 6
    assert found.total == sum(layer.candidates for layer in found.edges)
    assert {(site.site, site.members) for site in found.sites} >= {("encoder.lin1", 1), ("latent", 1)}
    view = view_discoveries(Discovered((found,)))
    (drawing,) = [block for block in view.sections[0].blocks if getattr(block, "wide", False)]
    assert str(drawing.drawing).count('class="sent"') == 6  # type: ignore[union-attr]


@pytest.mark.parametrize("circuit", ["promoter_inhibitor", "direct_path"])
def test_found_edges_are_a_mediation_with_the_same_share(circuit: str, tmp_path: Path) -> None:
    found, _ = find(circuit, 0.9)
    entry = "".join(f"  {line}\n" for line in hypothesis_text(found).splitlines())
    text = TEXT.replace("[{name: rise, input: {factor: t}}]", "\n  - {name: rise, input: {factor: t}}\n%s")
    # Held out as the discovery's other pairs are.
    spec, diagnostics = parse_spec(text % (circuit, 0, "uniform(0, 1)", 0, entry, 0.9, "edges"))
    assert spec is not None, diagnostics
    mediation = spec.interventions[1].mediation
    assert mediation is not None and mediation.edges is not None
    assert list(mediation.edges) == [part.label for part in found.circuit]
    session = causalvae.open_session(spec, tmp_path)
    plan = causalvae.compile_plan(session)
    results = causalvae.analyse(session, causalvae.execute(session, plan, tmp_path / "runs"))
    (share,) = [
        one.value
        for one in results.estimates
        if one.estimand == "path_share" and one.outcome == "y" and one.estimator == "exact"
    ]
    assert found.claimed is not None
    assert found.claimed.value == pytest.approx(found.share.value) == pytest.approx(share, abs=1e-6)


def test_what_no_mediation_can_say(plan: Plan, mean_model: Model) -> None:
    wiring = find_wiring(NODES, mean_model.components, mean_model.graph, plan.outputs)
    conv, part, latent, last = NODES[0], NODES[8], NODES[13], NODES[17]
    through = (EdgeRef(None, conv), EdgeRef(conv, part), EdgeRef(part, latent), EdgeRef(latent, last))

    def is_said(*edges: EdgeRef) -> bool:
        return is_mediation(edges, wiring, mean_model.components)

    assert is_said(*through, EdgeRef(last, None))
    # Edges past other nodes, in part or at the end; a change that ends at a node; an edge past the first nodes.
    assert not is_said(*through, EdgeRef(conv, latent), EdgeRef(last, None))
    assert not is_said(*through, EdgeRef(latent, None), EdgeRef(last, None))
    assert not is_said(*through)
    assert not is_said(EdgeRef(None, latent), EdgeRef(latent, last), EdgeRef(last, None))
    assert not is_said(EdgeRef(None, None))
    assert not is_said()


def test_scores_of_edges_are_exact_where_nothing_is_bent() -> None:
    from causalvae.analyses.discoveries.discover import open_search

    spec, _ = parse_spec(TEXT % ("carrier", 0, "uniform(0, 1)", 0, 0.8, "edges"))
    assert spec is not None
    settings = spec.analyses["discoveries"]
    assert isinstance(settings, Discoveries)
    runs = open_search(causalvae.open_session(spec, "."), settings.circuits[0], settings).runs("test")
    exact, *others = score_candidates(runs, ("single", "attribution", "integrated_gradients", "relp"))
    labels = [edge.label for edge in runs.candidates]
    size = np.sqrt(runs(np.ones((1, len(labels)), dtype=bool)).total)
    for edge in ("input -> encoder.lin1[0]", "encoder.lin1[0] -> latent[0]", "latent[0] -> decoder.lin1[0]"):
        place = labels.index(edge)
        for score in others:
            np.testing.assert_allclose(score.values[place] * size, exact.values[place], rtol=1e-3, atol=1e-5)
    idle = labels.index("encoder.lin1[2] -> latent[0]")
    assert all(score.values[idle].max() < 1e-6 for score in (exact, *others))


@pytest.mark.parametrize(
    ("key", "code"), [("hold: mean", "CV056"), ("pairs: 96", None)]
)  # fmt: skip
def test_edges_are_held_at_the_base_run(key: str, code: str | None) -> None:
    text = TEXT.replace("pairs: 96\n  circuits", f"{key}\n  circuits") % ("or", 0, "uniform(0, 1)", 0, 0.8, "edges")
    _, diagnostics = parse_spec(text)
    assert [found.code for found in diagnostics] == ([code] if code else [])


def test_too_many_edges_are_refused(mean_model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("causalvae.analyses.discoveries.edges.MOST_EDGES", 100)
    with pytest.raises(CausalVAEError) as error:
        find_wiring(NODES, mean_model.components, mean_model.graph, ("output",))
    assert error.value.code == "CV543"
