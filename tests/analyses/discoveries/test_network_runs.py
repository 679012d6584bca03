"""Circuits run by the engine against forward hooks on the real modules, one circuit and one whole pass at a time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from causalvae.analyses.discoveries.candidates import find_candidates
from causalvae.analyses.discoveries.network_runs import NetworkRuns
from causalvae.analyses.discoveries.scores import score_candidates
from causalvae.analyses.discoveries.search import Target, search
from causalvae.analyses.discoveries.section import SCORES
from causalvae.engine.runner import PlanRunner
from causalvae.models.components import ComponentRef
from causalvae.models.loading import Model
from causalvae.models.vae import VAE
from causalvae.plan.owner import Owner
from causalvae.plan.resolve import Resolver
from causalvae.plan.types import Cohort, Options, Plan, Treatment
from tests.engine.conftest import Blobs, small_vae
from tests.engine.hook_oracle import SMALL_TAPS, Tap

PAIRS = 12
SITES = ("encoder.conv1", "encoder.conv2", "encoder.lin1", "latent", "decoder.lin1", "decoder.convT1")


@pytest.fixture
def plan() -> Plan:
    cohort = Cohort("resize", PAIRS, 5, Treatment("resize", "scale", None, "hold", "increase"))
    return Plan(
        "small", "", "", (cohort,), (), (), ("area", "linear", "bent"), batch_rows=64,
        options=Options("suffix", True, True, True),
    )  # fmt: skip


def open_runs(
    plan: Plan, model: Model, blobs: Blobs, measure: Callable[[Tensor], Tensor], kind: str = "units", **more: object
) -> NetworkRuns:
    runner = PlanRunner(plan, model, blobs, measure, torch.device("cpu"))
    candidates = find_candidates(kind, SITES, Resolver(None, model.components), Owner("control", "test"))  # type: ignore[arg-type]
    return NetworkRuns(runner, "resize", candidates, "bent", **more)  # type: ignore[arg-type]


class HookLoop:
    """One circuit a pass."""

    def __init__(self, vae: VAE, runs: NetworkRuns, measure: Callable[[Tensor], Tensor]) -> None:
        self.vae, self.measure = vae, measure
        self.candidates = runs.candidates
        self.base, self.other = runs.inputs.sides["base"], runs.inputs.sides["counterfactual"]
        self.seen = {site: self._seen(site) for site in SITES}
        self.clean = self._outcome(self.base, {})
        self.total = self._outcome(self.other, {}) - self.clean

    @torch.no_grad()
    def _pass(self, x: Tensor) -> Tensor:
        mean, _ = self.vae.encoder(x).chunk(2, dim=1)
        return torch.sigmoid(self.vae.decoder(mean))

    def _seen(self, site: str) -> Tensor:
        found: list[Tensor] = []
        with ExitStack() as stack:
            stack.enter_context(hooked(self.vae, SMALL_TAPS[site], lambda value: found.append(value.clone())))
            self._pass(self.base)
        return found[0]

    def _outcome(self, x: Tensor, held: dict[str, list[int]]) -> np.ndarray:
        with ExitStack() as stack:
            for site, units in held.items():
                stack.enter_context(hooked(self.vae, SMALL_TAPS[site], self._holding(site, units)))
            return self.measure(self._pass(x))[:, 2].numpy()

    def _holding(self, site: str, units: list[int]) -> Callable[[Tensor], Tensor]:
        def change(value: Tensor) -> Tensor:
            changed = value.clone()
            changed[:, units] = self.seen[site][:, units]
            return changed

        return change

    def __call__(self, circuit: np.ndarray) -> np.ndarray:
        held: dict[str, list[int]] = {}
        for candidate, is_in in zip(self.candidates, circuit, strict=True):
            if not is_in:
                held.setdefault(candidate.site, []).extend(candidate.units or ())
        return self._outcome(self.other, held) - self.clean


def hooked(vae: VAE, tap: Tap, change: Callable[[Tensor], Tensor | None]) -> torch.utils.hooks.RemovableHandle:
    module = vae.get_submodule(tap.module)
    shape = tap.shape

    def apply(value: Tensor) -> Tensor | None:
        shaped = value if shape is None else value.reshape(len(value), *shape)
        changed = change(shaped)
        return None if changed is None else changed.reshape(value.shape)

    if tap.end == "out":
        return module.register_forward_hook(lambda m, given, output: apply(output))
    return module.register_forward_pre_hook(
        lambda m, given: None if (changed := apply(given[0])) is None else (changed,)
    )


def test_circuits_are_those_of_a_hook_loop(
    plan: Plan, mean_model: Model, blobs: Blobs, measure: Callable[[Tensor], Tensor]
) -> None:
    runs = open_runs(plan, mean_model, blobs, measure)
    rng = np.random.default_rng(0)
    circuits = rng.random((20, len(runs.candidates))) < rng.choice([0.2, 0.5, 0.9, 0.99], (20, 1))
    circuits[0], circuits[1] = True, False
    # A circuit that holds nothing before the decoder, and one that holds a single unit.
    circuits[2] = [candidate.site.startswith(("encoder", "latent")) for candidate in runs.candidates]
    circuits[3] = True
    circuits[3, 7] = False
    loop = HookLoop(small_vae(3).eval(), runs, measure)
    found = runs(circuits)
    expected = np.stack([loop(circuit) for circuit in circuits])
    scale = np.abs(loop.total).max()
    np.testing.assert_allclose(found.total, loop.total**2, rtol=1e-4, atol=1e-5 * scale**2)
    np.testing.assert_allclose(found.along, expected * loop.total, rtol=1e-4, atol=2e-5 * scale**2)
    np.testing.assert_allclose(found.square, expected**2, rtol=1e-4, atol=2e-5 * scale**2)
    assert found.share[0] == pytest.approx(1.0)
    some = np.array([1, 4, 7])
    np.testing.assert_allclose(runs.on(some)(circuits).along, found.along[:, some], rtol=1e-4, atol=2e-5 * scale**2)
    # All latents are held: nothing passes.
    assert abs(found.share[1]) < 1e-6


def test_threads_change_no_number(
    plan: Plan, mean_model: Model, blobs: Blobs, measure: Callable[[Tensor], Tensor]
) -> None:
    rng = np.random.default_rng(1)
    alone = open_runs(plan, mean_model, blobs, measure)
    beside = open_runs(plan, mean_model, blobs, measure, workers=3)
    circuits = rng.random((400, len(alone.candidates))) < 0.7
    np.testing.assert_array_equal(alone(circuits).along, beside(circuits).along)


@pytest.mark.parametrize("held_at", ["mean", "resample"])
def test_other_values_to_hold_at(
    held_at: str, plan: Plan, mean_model: Model, blobs: Blobs, measure: Callable[[Tensor], Tensor]
) -> None:
    runs = open_runs(plan, mean_model, blobs, measure, held_at=held_at)
    nothing = np.zeros((1, len(runs.candidates)), dtype=bool)
    everything = ~nothing
    assert runs(everything).share[0] == pytest.approx(1.0)
    # Held at what does not depend on the pair's own inputs, the output is not the base's.
    assert runs(nothing).square.max() > 0
    if held_at == "mean":
        vae = small_vae(3).eval()
        with torch.no_grad():
            fit = PlanRunner(plan, mean_model, blobs, measure, torch.device("cpu")).on_part("fit")
            base = fit.shard("resize", 0, PAIRS).sides["base"]
            seen: list[Tensor] = []
            with hooked(vae, SMALL_TAPS["decoder.convT1"], lambda value: seen.append(value.clone())):
                vae.decoder(vae.encoder(base).chunk(2, dim=1)[0])
            last = torch.sigmoid(vae.decoder.convT2(seen[0].mean(0, keepdim=True)))
            clean = torch.sigmoid(vae.decoder(vae.encoder(runs.inputs.sides["base"]).chunk(2, dim=1)[0]))
            change = measure(last)[0, 2] - measure(clean)[:, 2]
        np.testing.assert_allclose(runs(nothing).square[0], change.numpy() ** 2, rtol=1e-3, atol=1e-6)


def test_scores_of_a_network_without_curvature_are_its_exact_effects(
    plan: Plan, blobs: Blobs, measure: Callable[[Tensor], Tensor]
) -> None:
    from causalvae.models.loading import assemble

    class Linear(nn.Module):
        def __init__(self, rows: Tensor) -> None:
            super().__init__()
            self.inner = nn.Linear(rows.shape[1], rows.shape[0], bias=False)
            self.inner.weight.data = rows

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x.flatten(1))

    class Image(Linear):
        def forward(self, z: Tensor) -> Tensor:
            return super().forward(z).view(-1, 1, 12, 12)

    draw = torch.Generator().manual_seed(2)
    vae = VAE(
        Linear(torch.randn(8, 144, generator=draw)), Image(torch.randn(144, 4, generator=draw)), 4, (1, 12, 12),
        activation="none",
    )  # fmt: skip
    model = assemble(vae, False, "linear", {})
    runner = PlanRunner(plan, model, blobs, measure, torch.device("cpu"))
    candidates = tuple(ComponentRef("latent", (latent,)) for latent in range(4))
    runs = NetworkRuns(runner, "resize", candidates, "linear")
    scores = {score.name: score for score in score_candidates(runs, SCORES)}
    assert tuple(scores) == SCORES
    total = np.sqrt(runs(np.ones((1, 4), dtype=bool)).total)
    exact = scores["single"].values
    np.testing.assert_allclose(scores["removal"].values, exact, rtol=1e-3, atol=1e-4 * total.max() ** 2)
    for name in ("attribution", "integrated_gradients", "relp"):
        np.testing.assert_allclose(scores[name].values * total, np.abs(exact), rtol=2e-3, atol=1e-4 * total.max() ** 2)
    assert scores["single"].over().shape == (4,)


def test_relevance_takes_the_slope_from_zero(mean_model: Model) -> None:
    from causalvae.analyses.discoveries.relevance import with_relevance
    from causalvae.models.operators import OperatorGraph

    graph = mean_model.graph
    assert isinstance(graph, OperatorGraph)
    changed = with_relevance(graph)
    x = torch.rand(3, 1, 12, 12)
    noise = torch.zeros(3, 4)
    out = graph.outputs["output"]
    with torch.no_grad():
        np.testing.assert_allclose(changed.run(x, noise)[out], graph.run(x, noise)[out], atol=1e-6)
    # The last operation is a sigmoid: its slope from zero is (s(y) - 1/2) / y, its derivative s (1 - s).
    values = changed.run(x, noise)
    (before,) = changed.by_name[out].inputs
    y = values[before].detach().requires_grad_()
    changed.by_name[out].call(y).sum().backward()
    assert y.grad is not None
    expected = ((torch.sigmoid(y) - 0.5) / y).detach()
    np.testing.assert_allclose(y.grad, expected, rtol=1e-3, atol=1e-4)


def test_the_search_on_a_network_gives_a_circuit_within_the_band(
    plan: Plan, mean_model: Model, blobs: Blobs, measure: Callable[[Tensor], Tensor]
) -> None:
    runs = open_runs(plan, mean_model, blobs, measure, "latents")
    runs.candidates = tuple(ComponentRef("latent", (latent,)) for latent in range(4))
    scores = {score.name: score.over() for score in score_candidates(runs, SCORES)}
    target = Target(0.8)
    found = search(runs, scores, target)
    assert target.admits(runs(found[0].members[None]))[0]
    assert [circuit.size for circuit in found] == sorted(circuit.size for circuit in found)
