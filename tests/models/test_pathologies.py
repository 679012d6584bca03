"""Every way of capturing every pathological network, patched at every site, against plain hooks."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial

import pytest
import torch
from torch import Tensor, nn

from causalvae.engine.lowering import lower
from causalvae.engine.shards import ShardInputs, run_clean
from causalvae.engine.values import MIN_ROWS, CleanRuns
from causalvae.engine.workers import run_tasks
from causalvae.errors import CausalVAEError
from causalvae.models.capture import capture
from causalvae.models.capturing import capture_network, find_components
from causalvae.models.hook_capture import capture_by_hooks
from causalvae.models.hooked import HookedNetwork
from causalvae.models.loading import Model, assemble
from causalvae.models.network import AnalysedNetwork
from causalvae.plan.types import Patch
from causalvae.spec.value_source import make_source
from tests.models.fixtures import LATENTS, OUTPUTS
from tests.models.hook_loop import Tap, read, run_with
from tests.models.pathologies import PATHOLOGIES, make_pathology, taps_of
from tests.models.test_hooked import run_arms

CAPTURES = {"export": capture, "hooks": capture_by_hooks}
CASES = [
    (name, how, sample)
    for name, pathology in PATHOLOGIES.items()
    for how in pathology.captures
    if how in CAPTURES
    for sample in ((True, False) if name == "multiple outputs" else (True,))
]
ROWS = MIN_ROWS
INTERCHANGE = make_source("interchange")


def inputs_of(name: str, rows: int, seed: int = 1) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.randn((rows, *PATHOLOGIES[name].shape), generator=generator),
        torch.randn((rows, LATENTS), generator=generator),
    )


@cache
def model_of(name: str, how: str, sample: bool = True) -> Model:
    """A pathology captured in one of the ways that it admits."""
    model = assemble(make_pathology(name), sample, name, {})
    if model.graph.how == how:
        return model
    example = inputs_of(name, 3, seed=4)
    program = CAPTURES[how](AnalysedNetwork(model.vae, sample), example, OUTPUTS)
    return replace(model, graph=program, components=find_components(program, LATENTS, name))


def shard_of(name: str, rows: int = ROWS) -> ShardInputs:
    (x, noise), (other, _) = inputs_of(name, rows), inputs_of(name, rows, seed=8)
    return ShardInputs("c", 0, {"base": x, "counterfactual": other}, noise)


@pytest.mark.parametrize("name", PATHOLOGIES)
def test_the_best_means_that_there_is_captures_a_network(name: str) -> None:
    pathology = PATHOLOGIES[name]
    captured = capture_network(AnalysedNetwork(make_pathology(name), True), inputs_of(name, 3), OUTPUTS)
    assert captured.program.how == next(how for how in pathology.captures if how in CAPTURES)
    words = {"export": "torch.export", "hooks": "forward hooks: every intervention needs a whole"}
    assert captured.said.startswith(words[captured.program.how])
    sites = {site.name for site in find_components(captured.program, LATENTS, name).sites}
    assert not sites & set(pathology.absent)
    assert {"latent", "latent.mean", "latent.logvar", "latent.noise", "encoder", "decoder"} <= sites


@pytest.mark.parametrize(("name", "how", "sample"), CASES)
def test_patches_at_every_site_agree_with_plain_hooks(name: str, how: str, sample: bool) -> None:
    model = model_of(name, how, sample)
    inputs = shard_of(name)
    x, other, noise = inputs.sides["base"], inputs.sides["counterfactual"], inputs.noise
    taps = taps_of(name, model.components)
    with torch.inference_mode():
        graph = lower(model.graph)
        clean = run_clean(graph, inputs)
        untouched = run_with(model.vae, x, noise, sample, "nowhere", lambda value: value)
        for site in model.components.sites:
            tap = taps[site.name]
            own = read(model.vae, x, noise, sample, tap)
            assert own.shape[1:] == site.shape, site.name
            assert torch.allclose(clean.sides["base"][site.node], own, rtol=1e-6, atol=1e-6), site.name
            donor = own.flip(0) if site.name == "latent.noise" else read(model.vae, other, noise, sample, tap)
            changes = {
                (None, INTERCHANGE): lambda value, donor=donor: donor.clone(),
                ((0,), INTERCHANGE): lambda value, donor=donor: torch.cat([donor[:, :1], value[:, 1:]], 1),
                ((site.units - 1,), make_source("constant", 2.0)): lambda value: torch.cat(
                    [value[:, :-1], torch.full_like(value[:, -1:], 2.0)], 1
                ),
            }
            if site.name == "latent.noise":
                changes = {(None, make_source("zero")): torch.zeros_like}
            patches = [(Patch(site.name, units, source),) for units, source in changes]
            for suffix in (True, False):
                found = run_arms(replace(model, graph=graph), clean, patches, ROWS, suffix=suffix, low_rank=suffix)
                for output, change in zip(found, changes.values(), strict=True):
                    expected = run_with(model.vae, x, noise, sample, tap, change)
                    assert torch.allclose(output, expected.flatten(1), rtol=1e-6, atol=1e-6), (site.name, suffix)
            if sample or "logvar" not in site.name:
                assert not torch.allclose(found[0], untouched.flatten(1), rtol=1e-3, atol=1e-4), site.name


@pytest.mark.parametrize(("name", "how", "sample"), CASES)
def test_patching_with_itself_changes_nothing_bit_for_bit(name: str, how: str, sample: bool) -> None:
    model = model_of(name, how, sample)
    inputs = shard_of(name)
    with torch.inference_mode():
        side = run_clean(model.graph, inputs).sides["base"]
        clean = CleanRuns({"base": side, "counterfactual": side}, ROWS)
        expected = side[model.graph.outputs["output"]].flatten(1)
        for site in model.components.sites:
            for units in (None, (0,)):
                for suffix in (True, False):
                    patches = [(Patch(site.name, units, INTERCHANGE),)]
                    (found,) = run_arms(model, clean, patches, ROWS, dead_rows=False, suffix=suffix)
                    assert torch.equal(found, expected), (site.name, units, suffix)


def test_a_pass_leaves_its_inputs_as_they_were() -> None:
    graph = model_of("writes on its input", "hooks").graph
    x, noise = inputs_of("writes on its input", 4)
    before = x.clone()
    graph.run(x, noise)
    assert torch.equal(x, before)


def test_a_site_that_some_inputs_pass_by_says_so() -> None:
    model = model_of("seldom skipped", "hooks")
    site = model.components.site("encoder.step")
    x, noise = inputs_of("seldom skipped", MIN_ROWS)
    far = torch.full_like(x, -1000.0)
    assert isinstance(model.graph, HookedNetwork)
    with torch.inference_mode():
        with pytest.raises(CausalVAEError, match="does not call encoder") as caught:
            model.graph.rerun({site.node: torch.zeros_like}, far, noise)
        assert caught.value.code == "CV112"
        with pytest.raises(CausalVAEError, match="CV112"):
            model.graph.run(far, noise, keep=[site.node])
        # A whole run gives what there is, and only arms that need more are refused.
        clean = run_clean(model.graph, ShardInputs("c", 0, {"base": x, "counterfactual": far}, noise))
        assert site.node not in clean.sides["counterfactual"]
        run_arms(model, clean, [(Patch("encoder.head", None, INTERCHANGE),)], MIN_ROWS)
        with pytest.raises(CausalVAEError, match="CV112"):
            run_arms(model, clean, [(Patch("encoder.step", None, INTERCHANGE),)], MIN_ROWS)


def hooks_of(network: nn.Module) -> dict[str, tuple[list[int], list[int]]]:
    return {
        path: (list(module._forward_hooks), list(module._forward_pre_hooks)) for path, module in network.named_modules()
    }


def test_an_exception_in_forward_leaves_no_hook_behind() -> None:
    model = model_of("fails for some inputs", "hooks")
    assert isinstance(model.graph, HookedNetwork)
    x, noise = inputs_of("fails for some inputs", 4)
    calls = 0

    def count(module: nn.Module, given: object, output: Tensor) -> None:
        nonlocal calls
        calls += 1

    network = model.graph.network
    for shared in (False, True):  # a thread's copy, then the network itself, which someone else's hook asks for
        handle = network.get_submodule("encoder.first").register_forward_hook(count) if shared else None
        before = hooks_of(network)
        with pytest.raises(RuntimeError, match="too large"):
            model.graph.rerun({"encoder.first#1": torch.zeros_like}, x + 5000, noise)
        with pytest.raises(ZeroDivisionError):
            model.graph.rerun({"encoder.head#1": lambda value: value / (1 // 0)}, x, noise)
        assert hooks_of(network) == before
        with model.graph._leased() as leased:
            assert (leased is network) == shared
            assert hooks_of(leased) == before
        expected = run_with(model.vae, x, noise, True, "nowhere", lambda value: value)
        assert torch.equal(model.graph.run(x, noise, keep=())["returned.output"], expected)
        if handle is not None:
            handle.remove()
    assert calls == 4


def test_hooks_of_others_stay_and_fire() -> None:
    """A hook that changes a value and one that counts, before and after the network is captured."""
    vae = make_pathology("control flow by row")
    doubled: list[int] = []
    entered: list[int] = []

    def double(module: nn.Module, given: object, output: Tensor) -> Tensor:
        doubled.append(len(output))
        return output * 2

    vae.encoder.second.register_forward_hook(double)
    vae.encoder.first.register_forward_pre_hook(lambda module, given: entered.append(len(given[0])))
    before = hooks_of(vae)
    model = assemble(vae, True, "others", {})
    assert model.graph.how == "hooks"
    assert hooks_of(vae) == before
    x, noise = inputs_of("control flow by row", ROWS)
    other, _ = inputs_of("control flow by row", ROWS, seed=8)
    inputs = ShardInputs("c", 0, {"base": x, "counterfactual": other}, noise)
    with torch.inference_mode():
        clean = run_clean(model.graph, inputs)
        expected = run_with(vae, x, noise, True, "nowhere", lambda value: value)
        assert torch.equal(clean.sides["base"]["returned.output"], expected)
        # Ours sees what theirs made of the value, as everyone downstream does.
        plain = vae.encoder.second.forward(torch.relu(vae.encoder.first(x)))
        assert torch.equal(clean.sides["base"]["encoder.second#1"], plain * 2)
        donor = read(vae, other, noise, True, Tap("encoder.second"))
        after = run_with(vae, x, noise, True, Tap("encoder.second"), lambda value: donor)
        doubled.clear()
        entered.clear()
        (found,) = run_arms(model, clean, [(Patch("encoder.second", None, INTERCHANGE),)], ROWS)
        assert torch.allclose(found, after.flatten(1), rtol=1e-6, atol=1e-6)
        assert (doubled, entered) == ([ROWS], [ROWS])
    assert hooks_of(vae) == before


@pytest.mark.parametrize("name", ["keeps values", "calls by closure", "control flow by row", "reused module"])
@pytest.mark.parametrize("watched", [False, True])
def test_threads_do_not_see_each_others_patches(name: str, watched: bool) -> None:
    vae = make_pathology(name)
    network = AnalysedNetwork(vae, True)
    graph = capture_by_hooks(network, inputs_of(name, 3), OUTPUTS)
    handle = vae.encoder.register_forward_hook(lambda module, given, output: None) if watched else None
    nodes = [call.node for call in graph.calls if call.path.startswith("encoder")]
    tasks = [(node, seed) for seed in range(6) for node in nodes]

    def run(node: str, seed: int) -> Tensor:
        x, noise = inputs_of(name, ROWS, seed)
        with torch.inference_mode():
            return graph.rerun({node: lambda value: value * (seed + 1)}, x, noise)["output"]

    expected = {task: run(*task) for task in tasks}
    found: dict[tuple[str, int], Tensor] = {}

    def keep(task: tuple[str, int]) -> None:
        found[task] = run(*task)

    run_tasks([partial(keep, task) for task in tasks], workers=4)
    for task in tasks:
        assert torch.equal(found[task], expected[task]), task
    if handle is not None:
        handle.remove()
    assert not any(hooks for pair in hooks_of(network).values() for hooks in pair)


@pytest.mark.parametrize("name", ["in-place", "reused module", "control flow by row"])
def test_gradients_flow_through_edits(name: str) -> None:
    """The derivative of the output along a direction at every site, against a difference quotient."""
    model = model_of(name, "hooks")
    graph = model.graph.to(torch.device("cpu"), torch.float64)
    assert isinstance(graph, HookedNetwork)
    x, noise = (value.double() for value in inputs_of(name, 2))
    for site in model.components.sites:
        met: list[Tensor] = []

        def mark(value: Tensor, met: list[Tensor] = met) -> Tensor:
            met.append(value.requires_grad_() if value.is_leaf else value)
            return value.clone()

        direction = torch.ones(2, *site.shape, dtype=torch.float64)
        outcome = graph.rerun({site.node: mark}, x.clone().requires_grad_(), noise)["output"].square().sum()
        (gradient,) = torch.autograd.grad(outcome, met, allow_unused=True)
        found = 0.0 if gradient is None else float((gradient * direction).sum())
        step = 1e-6
        with torch.no_grad():
            ends = [
                float(
                    graph.rerun({site.node: lambda value, move=move: value + move}, x, noise)["output"].square().sum()
                )
                for move in (-step, step)
            ]
        assert found == pytest.approx((ends[1] - ends[0]) / (2 * step), rel=1e-4, abs=1e-6), site.name
