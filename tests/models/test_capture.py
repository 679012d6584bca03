"""Captured graphs against the networks themselves, and re-runs from any site against plain forward hooks."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from torch import Tensor, nn

from causalvae.engine.memory import BatchSize
from causalvae.engine.rerun import Group, Shortcuts
from causalvae.engine.shards import ShardInputs, run_clean
from causalvae.engine.values import MIN_ROWS, CleanRuns
from causalvae.errors import CausalVAEError
from causalvae.models.capture import capture
from causalvae.models.components import Site
from causalvae.models.loading import Model, assemble, randomise
from causalvae.models.vae import VAE
from causalvae.plan.types import Arm, Patch
from causalvae.spec.value_source import make_source
from tests.models import fixtures
from tests.models.fixtures import FIXTURES, LATENTS, WIDTH, make_vae

NAMES = list(FIXTURES)


@cache
def assembled(name: str, sample: bool) -> Model:
    return assemble(make_vae(name), sample, name, {})


def model_of(name: str, sample: bool = True) -> Model:
    return assembled(name, sample)


def inputs_of(name: str, rows: int, seed: int = 1) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.randn((rows, *FIXTURES[name].shape), generator=generator),
        torch.randn((rows, LATENTS), generator=generator),
    )


@pytest.mark.parametrize(("name", "sample"), [*((name, True) for name in NAMES), ("tuple", False)])
def test_the_graph_equals_the_network_bit_for_bit(name: str, sample: bool) -> None:
    model = model_of(name, sample)
    with torch.inference_mode():
        for rows in (1, 2, 3, 17):
            x, noise = inputs_of(name, rows, seed=rows)
            values = model.graph.run(x, noise)
            for output, expected in zip(("mean", "logvar", "latent", "output"), model.network(x, noise), strict=True):
                assert torch.equal(values[model.graph.outputs[output]], expected), (output, rows)


@pytest.mark.parametrize("name", NAMES)
def test_the_latent_is_a_sample_with_the_given_noise(name: str) -> None:
    vae = model_of(name).vae
    x, noise = inputs_of(name, 4)
    with torch.inference_mode():
        posterior = vae.encode(x)
        _, _, z, y = model_of(name).network(x, noise)
        assert torch.equal(z, posterior.mean + noise * (0.5 * posterior.logvar).exp())
        assert torch.equal(y, vae.decode(z))


@pytest.mark.parametrize("name", NAMES)
def test_kept_values_are_those_of_a_whole_run(name: str) -> None:
    graph = model_of(name).graph
    x, noise = inputs_of(name, 3)
    with torch.inference_mode():
        everything = graph.run(x, noise)
        for site in model_of(name).components.sites:
            some = graph.run(x, noise, keep=[site.node])
            assert set(some) == {site.node, *graph.outputs.values()}
            assert torch.equal(some[site.node], everything[site.node])


def hook_values(vae: VAE, x: Tensor, noise: Tensor, path: str, call: int, new: Tensor | None) -> tuple[Tensor, Tensor]:
    """A module's output at one of its calls, and the network's output with `new` put in its place."""
    seen: list[Tensor] = []
    calls = 0

    def hook(module: nn.Module, given: object, output: Tensor) -> Tensor | None:
        nonlocal calls
        calls += 1
        if calls - 1 != call:
            return None
        seen.append(output.clone())
        return None if new is None else new.clone()

    handle = vae.get_submodule(path).register_forward_hook(hook)
    try:
        posterior = vae.encode(x)
        output = vae.decode(posterior.mean + noise * (0.5 * posterior.logvar).exp())
    finally:
        handle.remove()
    return seen[0], output


# As many as the engine runs at once: otherwise it pads, and a kernel may round differently from what the hook saw.
ROWS = MIN_ROWS


@pytest.mark.parametrize("name", NAMES)
def test_rerunning_from_a_site_equals_a_whole_pass_with_a_hook(name: str) -> None:
    model = model_of(name)
    x, noise = inputs_of(name, ROWS)
    other, _ = inputs_of(name, ROWS, seed=8)
    inputs = ShardInputs("c", 0, {"base": x, "counterfactual": other}, noise)
    with torch.inference_mode():
        clean = run_clean(model.graph, inputs)
        for name_of_site, (path, call) in FIXTURES[name].hooks.items():
            site = model.components.site(name_of_site)
            own, _ = hook_values(model.vae, x, noise, path, call, None)
            if name != "in-place":  # there a later operation overwrites what the hook saw
                assert torch.equal(clean.sides["base"][site.node], own), name_of_site
            assert tuple(own.shape[1:]) == site.shape
            donor, _ = hook_values(model.vae, other, noise, path, call, None)
            _, expected = hook_values(model.vae, x, noise, path, call, donor)
            for from_input in (False, True):
                output = rerun(model, clean, site, ROWS, from_input)
                assert torch.allclose(output, expected, rtol=1e-5, atol=1e-6), (name_of_site, from_input)
            untouched = clean.sides["base"][model.graph.outputs["output"]]
            assert not torch.allclose(expected, untouched, rtol=1e-3, atol=1e-4), "the example must move something"


def rerun(model: Model, clean: CleanRuns, site: Site, rows: int, from_input: bool, side: str = "base") -> Tensor:
    arm = Arm("c", side, (Patch(site.name, None, make_source("interchange")),), rows)  # type: ignore[arg-type]
    group = Group(
        model.graph, model.components, [arm], clean, {}, [rows], Shortcuts(suffix=not from_input, dead_rows=False)
    )
    (batch,) = group.batches(group.live(), BatchSize(rows))
    return batch.output


@pytest.mark.parametrize("name", NAMES)
def test_patching_with_itself_changes_nothing_bit_for_bit(name: str) -> None:
    model = model_of(name)
    x, noise = inputs_of(name, 6)
    with torch.inference_mode():
        side = run_clean(model.graph, ShardInputs("c", 0, {"base": x}, noise)).sides["base"]
        clean = CleanRuns({"base": side, "counterfactual": side}, 6)
        expected = side[model.graph.outputs["output"]]
        for site in model.components.sites:
            for from_input in (False, True):
                assert torch.equal(rerun(model, clean, site, 6, from_input), expected), (site.name, from_input)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("batch_rows", [1, 4])
def test_rows_of_a_small_batch_get_their_own_kept_values(name: str, batch_rows: int) -> None:
    """Rows 3, 4, 1 of the shard as a batch: everything kept must be taken for these rows."""
    model = model_of(name)
    x, noise = inputs_of(name, 7)
    other, _ = inputs_of(name, 7, seed=8)
    with torch.inference_mode():
        clean = run_clean(model.graph, ShardInputs("c", 0, {"base": x, "counterfactual": other}, noise))
        for site in model.components.sites:
            arm = Arm("c", "base", (Patch(site.name, (0,), make_source("interchange")),), 7)
            group = Group(model.graph, model.components, [arm], clean, {}, [7], Shortcuts(dead_rows=False))
            whole = torch.cat([batch.output for batch in group.batches(group.live(), BatchSize(7))])
            parts = torch.cat([batch.output for batch in group.batches(group.live(), BatchSize(batch_rows))])
            assert torch.allclose(parts, whole, rtol=1e-5, atol=1e-6), site.name


@pytest.mark.parametrize("name", NAMES)
def test_sites_are_named_staged_shaped_and_priced(name: str) -> None:
    model = model_of(name)
    sites = {site.name: site for site in model.components.sites}
    assert set(FIXTURES[name].hooks) <= set(sites)
    assert not set(FIXTURES[name].absent) & set(sites)
    assert {"latent", "latent.mean", "latent.logvar", "latent.noise"} <= set(sites)
    for site in sites.values():
        assert site.stage == site.name.split(".")[0]
        assert 0 <= site.rerun_cost <= 1
        x, noise = inputs_of(name, 3)
        assert model.graph.run(x, noise, keep=[site.node])[site.node].shape == (3, *site.shape)
        for below in sites.values():
            if below.node in model.graph.descendants([site.node]):
                assert below.rerun_cost <= site.rerun_cost, (site.name, below.name)
    for before in (known for known in sites if known.endswith("@pre")):
        after = sites[before.removesuffix("@pre")]
        assert after.rerun_cost < sites[before].rerun_cost
    stages = [site.stage for site in model.components.sites]
    assert stages == sorted(stages, key=("encoder", "latent", "decoder").index)


def test_calls_of_a_reused_module_are_numbered() -> None:
    names = [site.name for site in model_of("reused module").components.sites if "mix" in site.name]
    assert names == [f"encoder.mix{call}{pre}" for call in ("", "#2", "#3") for pre in ("@pre", "")]


def test_sites_after_an_activation_hold_its_value() -> None:
    model = model_of("functional activations")
    x, noise = inputs_of("functional activations", 4)
    values = model.graph.run(x, noise)
    for layer, activation in enumerate(fixtures.FunctionalActivations.KINDS):
        before, after = (values[model.components.site(f"encoder.layers.{layer}{pre}").node] for pre in ("@pre", ""))
        assert torch.equal(activation(before), after), layer


def test_a_posterior_mean_passed_on_is_the_latent() -> None:
    components = model_of("tuple", sample=False).components
    assert components.site("latent").node == components.site("latent.mean").node
    assert "latent.noise" not in {site.name for site in components.sites}
    assert components.site("latent.logvar").rerun_cost == 0


def test_flops_of_known_layers() -> None:
    """Linear: 2 in x out. Convolution: 2 in x out x kernel an output position; transposed: an input position."""

    class Layers(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.down = nn.Conv2d(2, 3, 4, stride=2, padding=1)
            self.up = nn.ConvTranspose2d(3, 5, 4, stride=2, padding=1)
            self.lin = nn.Linear(5 * 8 * 8, 7)

        def forward(self, x: Tensor) -> tuple[Tensor]:
            return (self.lin(self.up(self.down(x)).reshape(-1, 320)),)

    graph = capture(Layers(), (torch.rand(2, 2, 8, 8),), ("y",))
    cost = {operation.name: operation.flops for operation in graph.operations}
    assert cost["conv2d"] == 2 * (2 * 16) * 3 * 16
    assert cost["conv_transpose2d"] == 2 * (3 * 16) * 5 * 16
    assert cost["linear"] == 2 * 320 * 7


@pytest.mark.parametrize(
    ("encoder", "said"),
    [
        (fixtures.DataDependent, "depends on the other inputs"),
        (fixtures.MixesRows, "depends on the other inputs"),
        (fixtures.CountsItsCalls, "changes"),
        (fixtures.DrawsNoise, ""),
    ],
)
def test_networks_that_cannot_be_run_exactly_say_so(encoder: type[nn.Module], said: str) -> None:
    vae = VAE(encoder(), fixtures.PlainDecoder(), LATENTS, (WIDTH,))
    with pytest.raises(CausalVAEError) as caught:
        # Samples on both sides of zero, on which one of these networks branches.
        assemble(vae, False, "bad", {}, torch.randn(11, WIDTH, generator=torch.Generator().manual_seed(1)))
    assert caught.value.code == "CV110"
    assert said in caught.value.message
    assert caught.value.remedy


def test_an_example_of_one_row_is_refused() -> None:
    with pytest.raises(ValueError, match="one row"):
        capture(nn.Linear(2, 2), (torch.rand(1, 2),), ("y",))


@pytest.mark.parametrize("name", NAMES)
def test_a_random_copy_has_other_weights_in_network_and_graph(name: str) -> None:
    model = model_of(name)
    copied, again, other = randomise(model, 5), randomise(model, 5), randomise(model, 6)
    x, noise = inputs_of(name, 4)
    with torch.inference_mode():
        trained, drawn = model.network(x, noise), copied.network(x, noise)
        for mine, theirs in zip(trained, drawn, strict=True):
            assert not torch.allclose(mine, theirs)
        for random in (copied, again, other):
            values = random.graph.run(x, noise)
            for output, expected in zip(("mean", "logvar", "latent", "output"), random.network(x, noise), strict=True):
                assert torch.equal(values[random.graph.outputs[output]], expected)
        for mine, theirs in zip(drawn, again.network(x, noise), strict=True):
            assert torch.equal(mine, theirs)
        assert not torch.equal(drawn[0], other.network(x, noise)[0])
        # The original is left alone.
        for before, after in zip(trained, model.network(x, noise), strict=True):
            assert torch.equal(before, after)
    ready = [value for name, value in copied.vae.named_parameters() if name.endswith("weight")]
    assert not any(parameter.requires_grad for parameter in ready)


def test_randomising_does_not_disturb_the_callers_random_numbers() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    randomise(model_of("sequential"), 1)
    assert torch.equal(torch.rand(2), expected)


class BranchesOnRows(nn.Module):
    """Takes another branch for 64 rows and more, as some published upsampling layers do."""

    def __init__(self, same: bool) -> None:
        super().__init__()
        self.lin = nn.Linear(4, 3)
        self.same = same

    def forward(self, x: Tensor) -> tuple[Tensor]:
        x = self.lin(x)
        if x.shape[0] >= 64:
            x = x.contiguous() if self.same else x.abs()
        return (torch.relu(x + 1),)


def test_a_branch_on_the_number_of_rows_is_followed_where_it_changes_nothing() -> None:
    graph = capture(BranchesOnRows(True), (torch.rand(3, 4),), ("output",))
    x = torch.randn(200, 4, generator=torch.Generator().manual_seed(0))
    network = BranchesOnRows(True)
    graph = graph.with_weights_of(network)
    with torch.inference_mode():
        torch.testing.assert_close(graph.run(x)[graph.outputs["output"]], network(x)[0])
    with torch.random.fork_rng(devices=[]), pytest.raises(CausalVAEError) as caught:
        torch.manual_seed(0)
        capture(BranchesOnRows(False), (torch.rand(3, 4),), ("output",))
    assert caught.value.code == "CV110"


class Sequential(nn.Module):
    """A layer of torch's over steps that a sequence has, between two linear ones."""

    def __init__(self, middle: nn.Module) -> None:
        super().__init__()
        self.first = nn.Linear(4, 6)
        self.middle = middle
        self.last = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> tuple[Tensor]:
        steps = self.first(x).unsqueeze(1) * torch.arange(1.0, 6.0).unsqueeze(-1)
        if isinstance(self.middle, nn.MultiheadAttention):
            return (self.last(self.middle(steps, steps, steps)[0].sum(1)),)
        found = self.middle(steps)
        return (self.last((found[0] if isinstance(found, tuple) else found)[:, -1]),)


LAYERS = {
    "lstm": lambda: nn.LSTM(6, 6, num_layers=2, batch_first=True),
    "gru": lambda: nn.GRU(6, 6, batch_first=True),
    "attention": lambda: nn.MultiheadAttention(6, 2, batch_first=True),
    "transformer": lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(6, 2, 12, batch_first=True), 2),
}


@pytest.mark.parametrize("kind", LAYERS)
def test_layers_over_steps_are_captured_operation_by_operation(kind: str) -> None:
    torch.manual_seed(0)
    network, other = (Sequential(LAYERS[kind]()).eval().requires_grad_(False) for _ in range(2))
    graph = capture(network, (torch.randn(3, 4),), ("y",))
    x = torch.randn(7, 4)
    for known, own in ((graph, network), (graph.with_weights_of(other), other)):
        with torch.inference_mode():
            # Attention's fused kernel, which the network takes by itself, rounds otherwise.
            torch.testing.assert_close(known.run(x)[graph.outputs["y"]], own(x)[0], rtol=1e-5, atol=1e-6)
    paths = {path for operation in graph.operations for path, _, _ in operation.calls}
    assert "middle" in paths and paths <= dict(network.named_modules()).keys()
    assert torch.backends.mha.get_fastpath_enabled()
